"""The persister as users see it: TinyBase's verbs as coroutines."""

from __future__ import annotations

import warnings
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from weft._support.arguments import check_seconds
from weft._support.callbacks import check_callback
from weft.persisters._core.engine import PersisterEngine
from weft.persisters._core.states import PersisterStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from weft.changes import Content
    from weft.store import Store

__all__ = ["Persister", "PersisterStats"]


@dataclass(frozen=True, slots=True)
class PersisterStats:
    """How often a persister worked: operations begun, those that failed included.

    Attributes:
        loads: Loads begun.
        saves: Saves begun.
    """

    loads: int
    saves: int


class Persister(PersisterEngine):
    """Loads a Store from a place and saves it there, on demand and by itself.

    To write one for a place of your own, subclass it and implement :meth:`read` and :meth:`write`; for a
    place that tells of changes also :meth:`watch` and :meth:`unwatch`. For places that keep the whole
    content as one text there is more ready-made in :class:`weft.persisters.TextPersister`.
    ``weft.testing.PersisterSuite`` holds the tests that a persister must pass.

    Args:
        store: The Store. From the first operation to the close it belongs to the event loop's thread, while
            that loop runs: in others, writes and the persister's own methods raise ``WrongThreadError``. So
            they do in a process that was forked meanwhile.
        on_error: Called with what automatic work could not do, and with data that was left out. Without it,
            a record is logged to ``weft.persisters`` at WARNING.
        on_ignored_error: TinyBase's name of ``on_error``.
        connection: Persisters with the same one take turns.

    Raises:
        TypeError: An option was given by both its names.
    """

    async def load(self, initial_content: Content | Callable[[], Content] | None = None) -> Self:
        """Make the Store what the place holds. Edits made while this runs survive.

        Args:
            initial_content: What to set where the place holds nothing.

        Raises:
            StorageError: The place could not be read; the Store is as it was.
        """
        self._begin()
        await self._load(initial_content)
        return self

    async def save(self) -> Self:
        """Make the place what the Store holds, all of it. When this returns, the data is there.

        What the place has and the Store could not take, by its schema or for what it is, stays.

        Raises:
            StorageError: The place holds what it held; or, where the error names what a database refused,
                all but that. The edits are still waiting to be saved.
        """
        self._begin()
        await self._save(automatic=False)
        return self

    async def start_auto_load(self, initial_content: Content | Callable[[], Content] | None = None) -> Self:
        """Load, and load again whenever others change the place.

        Raises:
            StorageError: The first load failed; nothing was started.
        """
        self._begin()
        await self.stop_auto_load()
        await self._begin_watch()
        try:
            await self._load(initial_content)
            self._note_kept()
        except BaseException:
            await self._end_watch()
            raise
        self._poke()
        return self

    async def start_auto_save(self, *, min_interval: float = 0.0) -> Self:
        """Save, and save again after every change of the Store.

        What the place has and was never loaded stays there.

        Args:
            min_interval: Seconds that pass at least from one save to the next automatic one, for places where
                a save is dear. Edits meanwhile are saved together when they are over, and at once when
                automatic saving stops or the persister is closed. 0 saves in the next turn of the event loop.

        Raises:
            StorageError: The first save failed; nothing was started.
            ValueError: The interval is negative or not finite.
        """
        self._begin()
        check_seconds("min_interval", min_interval, or_zero=True)
        self._interval.seconds = min_interval
        if not self._known:
            self._journal.dirty.everything = True
        self._auto_saving = True
        try:
            await self._save(automatic=True)
            self._note_kept()
        except BaseException:
            self._end_auto_save()
            raise
        self._poke()
        return self

    async def start_auto_persisting(
        self,
        initial_content: Content | Callable[[], Content] | None = None,
        start_save_first: bool = False,
        *,
        min_interval: float = 0.0,
    ) -> Self:
        """Start automatic loading, then automatic saving; or the other way round.

        Args:
            initial_content: What to set where the place holds nothing.
            start_save_first: Whether saving comes first.
            min_interval: As for :meth:`start_auto_save`.

        Raises:
            StorageError: The first load or save failed; nothing was started.
            ValueError: The interval is negative or not finite.
        """
        self._begin()
        check_seconds("min_interval", min_interval, or_zero=True)
        if start_save_first:
            await self.start_auto_save(min_interval=min_interval)
            try:
                await self.start_auto_load(initial_content)
            except BaseException:
                self._end_auto_save()
                raise
        else:
            await self.start_auto_load(initial_content)
            try:
                await self.start_auto_save(min_interval=min_interval)
            except BaseException:
                await self._end_watch()
                raise
        return self

    async def stop_auto_load(self) -> Self:
        """Stop loading by itself."""
        self._expect_home()
        if self._auto_loading:
            await self._end_watch()
            await self._worker_rests()
        return self

    async def stop_auto_save(self) -> Self:
        """Save what is not saved yet, then stop saving by itself.

        Raises:
            StorageError: The last edits could not be saved. It has stopped all the same.
        """
        self._expect_home()
        if self._auto_saving:
            try:
                self._journal.again()  # what the place has refused, and may take by now
                await self._save(automatic=True)
            finally:
                self._end_auto_save()
                await self._worker_rests()
        return self

    async def stop_auto_persisting(
        self,
        stop_save_first: bool = False,
    ) -> Self:
        """Stop both, loading first unless told otherwise.

        Raises:
            StorageError: The last edits could not be saved. Both have stopped all the same.
        """
        first, second = self.stop_auto_load, self.stop_auto_save
        if stop_save_first:
            first, second = second, first
        try:
            await first()
        finally:
            await second()
        return self

    @asynccontextmanager
    async def auto_persisting(
        self, initial_content: Content | Callable[[], Content] | None = None, *, min_interval: float = 0.0
    ) -> AsyncIterator[Self]:
        """Load and save by itself within the block; at its end everything is saved.

        Arguments as for :meth:`start_auto_persisting`.
        """
        await self.start_auto_persisting(initial_content, min_interval=min_interval)
        try:
            yield self
        finally:
            await self.stop_auto_persisting()

    @asynccontextmanager
    async def auto_save(self, *, min_interval: float = 0.0) -> AsyncIterator[Self]:
        """Save by itself within the block; at its end everything is saved.

        The argument is that of :meth:`start_auto_save`.
        """
        await self.start_auto_save(min_interval=min_interval)
        try:
            yield self
        finally:
            await self.stop_auto_save()

    def is_auto_loading(self) -> bool:
        """Tell whether it loads by itself."""
        return self._auto_loading

    def is_auto_saving(self) -> bool:
        """Tell whether it saves by itself."""
        return self._auto_saving

    def is_at_rest(self) -> bool:
        """Tell whether it is doing nothing, and everything that was edited is saved."""
        return self._worker is None and not self._journal.dirty and self._status is PersisterStatus.IDLE

    async def schedule(self, *actions: Callable[[], Awaitable[object]]) -> Self:
        """Run actions in the queue of loads and saves, one after the other.

        An action may call ``load`` and ``save``. What it raises is raised here, and those after it are not
        run.
        """
        self._begin()
        async with self._turn():
            for action in actions:
                await action()
        return self

    def get_status(self) -> PersisterStatus:
        """Tell what it is doing."""
        return self._status

    def add_status_listener(self, listener: Callable[[Any, PersisterStatus], object]) -> str:
        """Call ``listener(persister, status)`` at each change of status; the id is for ``del_listener``."""
        check_callback(listener)
        listener_id = str(self._listener_count)
        self._listener_count += 1
        self._status_listeners[listener_id] = listener
        return listener_id

    def del_listener(self, listener_id: str) -> Self:
        """Remove a status listener; an id that is none does nothing."""
        self._status_listeners.pop(listener_id, None)
        return self

    def get_store(self) -> Store:
        """Get the Store."""
        return self._store

    def get_stats(self) -> PersisterStats:
        """Get how often it loaded and saved."""
        return PersisterStats(self._loads, self._saves)

    async def close(self) -> None:
        """Stop, save what is not saved yet, and let go of everything. A second call does nothing.

        Operations that still wait for their turn raise. One that is cancelled while it waits for its own turn
        may be called again.

        Raises:
            StorageError: The last edits could not be saved.
        """
        if self._released:
            return
        self._expect_home()
        try:
            await self.stop_auto_persisting()
        finally:
            self._closed = True
            try:
                await self._end_watch()  # one begun meanwhile
            finally:
                await self._worker_rests()
                async with self._turns.turn():
                    if not self._released:
                        self._released = True
                        self._journal.detach()
                        await self.release()

    async def destroy(self) -> None:
        """Close, as :meth:`close` does: TinyBase's name."""
        await self.close()

    def __repr__(self) -> str:
        place = f"{self.place} and " if self.place else ""
        return f"<{type(self).__name__} of {place}{self._store!r}, {self._state()}>"

    def __del__(self) -> None:
        if self.expects_use:
            warnings.warn(
                f"{type(self).__name__} was never used, so nothing was loaded or saved: call load(), save(),"
                " or auto_persisting()",
                RuntimeWarning,
                stacklevel=2,
            )

    def _state(self) -> str:
        if self._closed:
            return "closed"
        if self.expects_use:
            return "never used"
        automatic = [
            what for what, on in (("loading", self._auto_loading), ("saving", self._auto_saving)) if on
        ]
        return f"{' and '.join(automatic)} by itself" if automatic else "open"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            self.expects_use = False  # whoever wanted to use it did not come to that
        await self.close()
