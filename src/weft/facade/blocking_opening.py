"""Opening a Store without an event loop: ``with … as store:``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.arguments import wrong_kind
from weft.facade.blocking_store import BlockingStore
from weft.facade.blocking_sync import BlockingSync
from weft.facade.opening import AsyncOpening
from weft.facade.owner_thread import OwnerThread
from weft.facade.polling import PollQueue

if TYPE_CHECKING:
    from types import TracebackType

    from weft.facade.opening import Opening
    from weft.facade.store import SharedStore

__all__ = ["BlockingOpening", "EitherOpening"]


class BlockingOpening:
    """A Store to be opened in weft's thread: ``with … as store:``.

    Without a block, as in a notebook: ``store = opening.start()``, and at the end ``store.sync.close()``.
    What is open when the program ends is closed then.
    """

    def __init__(self, opening: Opening, *, poll: bool = False) -> None:
        if not isinstance(poll, bool):
            raise wrong_kind("a bool for poll", poll)
        self._opening = opening
        self._poll = poll
        self._store: BlockingStore | None = None

    def start(self) -> BlockingStore:
        """Open it: see ``AsyncOpening.start``."""
        return OwnerThread.current().run(self._start)

    async def _start(self) -> BlockingStore:
        opening, thread = self._opening, OwnerThread.current()
        polled = PollQueue() if self._poll else None
        store = BlockingStore(thread, polled, **opening.options.store_options)
        opening.options.prepare(store)
        kept = await opening.begin(store)
        store.attach(BlockingSync(kept, thread, polled))
        thread.closings[kept] = kept.close
        return store

    def __enter__(self) -> BlockingStore:
        self._store = self.start()
        return self._store

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._store is not None  # noqa: S101 - the block was entered
        self._store.sync.close(after=error)

    def __repr__(self) -> str:
        return repr(self._opening)


class EitherOpening(BlockingOpening):
    """A Store to be opened: with ``async with`` in the running event loop, with ``with`` in weft's thread."""

    def __init__(self, opening: Opening, *, poll: bool = False) -> None:
        super().__init__(opening, poll=poll)
        self._here = AsyncOpening(opening)

    async def __aenter__(self) -> SharedStore:
        return await self._here.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._here.__aexit__(kind, error, trace)
