"""What ``weft.connect`` and ``weft.open`` return: a Store to be opened, with all options checked."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from weft.facade.store import SharedStore

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Never

    from weft.facade.kept_store import KeptStore
    from weft.facade.options import Options
    from weft.facade.state import StoreSync

__all__ = ["AsyncOpening", "Opening", "finish"]

_log = logging.getLogger("weft")


class Opening(ABC):
    """A Store to be opened: the same in an event loop and without one.

    Attributes:
        options: What was said, checked.
        address: Where the Store is kept, fit for messages.
    """

    options: Options
    address: str

    @abstractmethod
    async def begin(self, store: KeptStore) -> StoreSync:
        """Open it: fill an empty Store and keep it so. Whatever was begun is taken back on an error."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address}, to be used with `with`>"


class AsyncOpening:
    """A Store to be opened in the running event loop: ``async with … as store:``.

    Without a block: ``store = await opening.start()``, and at the end ``await store.sync.close()``.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._store: SharedStore | None = None

    async def start(self) -> SharedStore:
        """Open it. Does not wait for a server: ``store.sync.wait_synced()`` does.

        Raises:
            StorageError: The place, or the replica, cannot be read. It is in use, or another room's.
            MirrorError: The document holds another application's content.
        """
        opening = self._opening
        store = SharedStore(**opening.options.store_options)
        opening.options.prepare(store)
        store.attach(await opening.begin(store))
        return store

    def __enter__(self) -> Never:
        raise TypeError("use `async with` here; without an event loop there is `with weft.sync.connect(…)`")

    def __exit__(self, *_: object) -> None:
        pass

    async def __aenter__(self) -> SharedStore:
        self._store = await self.start()
        return self._store

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._store is not None  # noqa: S101 - the block was entered
        await finish(self._store.sync, error)

    def __repr__(self) -> str:
        return repr(self._opening)


async def finish(sync: StoreSync, error: BaseException | None) -> None:
    """Close what a block had open; where the block failed, its error is the one that is raised.

    Raises:
        ProviderError, StorageError: As ``close``. Where the block failed they are logged and noted there.
    """
    try:
        await sync.close()
    except Exception as at_end:
        if error is None:
            raise
        _log.error("%s: %s", sync.address, at_end)
        error.add_note(f"At the end of the block: {at_end}")
