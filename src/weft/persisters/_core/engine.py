"""The engine of every persister: when to load and save, and what must not get lost on the way.

The rules, in the words of the states in ``states.py``:

* One operation at a time; persisters on one connection share the queue.
* The Store's edits are journalled as paths. A save takes the journal; if it fails, the paths go back. Edits
  made during a save are in the next one. Edits made during a load win over what is loaded.
* Automatic saves *merge*: they write and delete only what the journal says, so a persister never deletes
  what it never loaded. An explicit ``save()`` makes the place equal to the Store,
  but for what of it the Store could not take.
* Explicit calls raise. Automatic work reports, and is tried again with back-off.
* A place that was removed or replaced while it was open gets all of the Store where it holds nothing now;
  where it holds something, nothing is written before that is loaded or an explicit ``save()`` refused once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from weft._support.arguments import check_callable
from weft._support.callbacks import check_callback
from weft._support.owner import Owner
from weft._support.uncopied import Uncopied
from weft.errors import DocumentClosedError, StorageError
from weft.persisters._core.adapter import PlaceAdapter
from weft.persisters._core.intervals import SaveInterval
from weft.persisters._core.mergeable_journal import MergeableJournal, create_journal
from weft.persisters._core.replaced import PlaceReplacedError
from weft.persisters._core.retry_timer import RetryTimer
from weft.persisters._core.states import NEXT_WORK, TRANSITIONS, Event, PersisterStatus, Work
from weft.persisters._core.turn_queue import TurnQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from weft.changes import Content
    from weft.persisters._core.unsaved import RawContent, StoredChanges
    from weft.store import Store

__all__ = ["PersisterEngine", "TinyBaseOptions"]

_log = logging.getLogger("weft.persisters")


class TinyBaseOptions(TypedDict, total=False):
    """TinyBase's names of options.

    Attributes:
        on_ignored_error: ``on_error``.
    """

    on_ignored_error: Callable[[Exception], object] | None


class PersisterEngine(Uncopied, PlaceAdapter):
    """The inside of a :class:`weft.persisters.Persister`."""

    first_retry_seconds: float = 0.1
    """How long automatic work pauses after its first failure; doubled after each further one."""
    last_retry_seconds: float = 30.0
    """The longest such pause."""
    expects_use: bool = False
    """Whether never to load or save is a mistake; so it is until something was begun."""
    keeps_document: bool = False
    """Whether what is kept is a CRDT document, which knows what was deleted and what is newer."""
    tells_order: bool = False
    """Whether what it brings during a save is known to come after what is saved, or leaves that out."""

    def __init__(
        self,
        store: Store,
        *,
        on_error: Callable[[Exception], object] | None = None,
        on_ignored_error: Callable[[Exception], object] | None = None,
        connection: object = None,
    ) -> None:
        if on_error is not None and on_ignored_error is not None:
            raise TypeError("on_error and on_ignored_error are two names of one option")
        check_callable("on_error", on_error)
        check_callable("on_ignored_error", on_ignored_error)
        self._store = store
        self._on_error = on_ignored_error if on_error is None else on_error
        if self._on_error is not None:
            check_callback(self._on_error, "on_error")
        self._owner = Owner(f"the {type(self).__name__}")
        self._turns = TurnQueue.of(connection)
        self._journal = create_journal(self, store, self._edited, self._report)
        self.keeps_document = self.keeps_document or isinstance(self._journal, MergeableJournal)
        self._status = PersisterStatus.IDLE
        self._status_listeners: dict[str, Callable[[Any, PersisterStatus], object]] = {}
        self._listener_count = 0
        self._loads = 0
        self._saves = 0
        # Whether the journal says all in which the place lags behind the Store.
        self._known = False
        # Whether the Store holds all that the place holds, so that the place may be written as a whole.
        self._covers = False
        self._auto_loading = False
        self._auto_saving = False
        self._interval = SaveInterval()
        self._end_kept: Callable[[], None] | None = None
        self._watch_handle: object = None
        self._watches = TurnQueue()  # one begins or ends at a time
        self._stale = False
        self._inbox: list[tuple[RawContent | None, StoredChanges | None]] = []
        self._worker: asyncio.Task[None] | None = None
        self._wake: asyncio.Event | None = None
        self._resting: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._left = RetryTimer(self._try_left_again)  # what the place refused
        self._closed = False
        self._released = False
        # Whether the place is known to have held something.
        self._held = False
        # Why automatic saves wait: the place was replaced by another whose content nobody has looked at.
        self._unfamiliar = ""
        self.expects_use = True

    # -- one operation -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._closed:
            raise StorageError(f"this {type(self).__name__} was closed")
        self._owner.check_process()
        self.expects_use = False
        self._journal.attach()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()

    def _expect_home(self) -> None:
        """Refuse to stop in another process, or in another thread while the event loop runs."""
        self._owner.check_process()
        if self._loop is not None:
            with suppress(DocumentClosedError):  # what is in a Store that was closed is saved all the same
                self._journal.attach()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with self._turns.turn():
            if self._closed:
                raise StorageError(f"this {type(self).__name__} was closed")
            yield

    @asynccontextmanager
    async def _operation(self, event: Event) -> AsyncIterator[None]:
        async with self._turn():
            if event is Event.LOAD:
                self._loads += 1
            else:
                self._saves += 1
            self._step(event)
            end = Event.FAILED
            try:
                yield
                end = Event.DONE
            finally:
                self._step(end)

    def _step(self, event: Event) -> None:
        self._status = TRANSITIONS[self._status, event]
        for listener in list(self._status_listeners.values()):
            self._tell_listener(listener, self, self._status)

    def _guarded(self, listener: Callable[..., object] | None) -> Callable[..., object] | None:
        check_callable("on_sql_command", listener)
        return None if listener is None else partial(self._tell_listener, listener)

    def _tell_listener(self, listener: Callable[..., object], *args: object) -> None:
        try:
            listener(*args)
        except Exception as error:  # noqa: BLE001 - reported: a listener must not stop a save
            self._report(error)

    async def _load(self, initial: Content | Callable[[], Content] | None = None) -> None:
        async with self._operation(Event.LOAD):
            self._stale = False
            self._journal.begin_load(keep_unsaved=self._auto_saving)
            try:
                content = await self._read()
                await self._journal.settled()
                if content is not None:
                    self._covers = False
                    self._covers = self._journal.replace(content)
                    self._known = True
                else:
                    self._covers, self._known = True, False
                    if initial is not None:
                        self._journal.set_initial(initial)
                    if self._auto_saving:
                        self._journal.dirty.everything = True
            except BaseException:
                self._stale = self._auto_loading
                raise
            finally:
                self._journal.end_load()
                self._poke()
            self._unfamiliar = ""

    async def _read(self) -> RawContent | None:
        """Read from the place that is there now."""
        try:
            return await self.read()
        except PlaceReplacedError:
            await self._reopen()
        return await self.read()

    async def _reopen(self) -> None:
        self._held = self._known = self._covers = False
        await self.reopen()

    async def _save(self, *, automatic: bool) -> None:
        async with self._turn():
            await self._journal.settled()
            if automatic and not self._journal.dirty:
                return
            if automatic and self._unfamiliar:
                raise StorageError(self._unfamiliar)
            if self._inbox and not self.tells_order:  # older than what is saved now: not delivered after it
                self._inbox.clear()
                self._lost_sight()
            while self._inbox:
                self._deliver(*self._inbox.pop(0))
            try:
                await self._save_now(automatic=automatic)
            except PlaceReplacedError as error:
                await self._move_in(error, automatic=automatic)
                await self._save_now(automatic=automatic)
        self._poke()

    async def _save_now(self, *, automatic: bool) -> None:
        async with self._operation(Event.SAVE):
            taken = self._journal.take_dirty(whole=not automatic)
            changes = self._journal.changes(taken) if automatic else None
            try:
                if changes is None or changes[0] or changes[1]:
                    await self.write(self._journal.content, changes)
                    self._interval.saved(asyncio.get_running_loop())
            except BaseException:
                self._journal.dirty.update(taken)
                self._poke()
                raise
            if not automatic:
                self._covers = not self._stale
                self._unfamiliar = ""
            if not automatic or taken.everything:
                self._known = True
            if not self._journal.not_saved:
                self._left.forget()
            elif self._auto_saving and self._loop is not None:
                self._left.plan(self._loop, self.first_retry_seconds, self.last_retry_seconds)

    async def _move_in(self, error: PlaceReplacedError, *, automatic: bool) -> None:
        """Make sure that what stands where the place was may be written."""
        self._unfamiliar = (
            f"{error}; nothing was written to what is there now: load() takes what it holds, another save()"
            " makes it what the Store holds"
        )
        await self._reopen()
        if await self.read() is None:
            self._report(StorageError(f"{error}; all that the Store holds is written anew"))
            self._unfamiliar = ""
            self._covers = True
            self._journal.dirty.everything = self._journal.dirty.everything or automatic
        elif automatic and self._auto_loading:
            self._report(StorageError(f"{error}; what is there now is loaded"))
            await self._load()
        else:
            self._lost_sight()  # looking at it was no load
            raise StorageError(self._unfamiliar)

    # -- automatic work ----------------------------------------------------------------------------------

    def _try_left_again(self) -> None:
        if self._auto_saving and not self._closed:
            self._journal.again()
            self._poke()

    def _edited(self) -> None:
        if self._auto_saving:
            self._poke()

    def _changed(self, content: RawContent | None = None, changes: StoredChanges | None = None) -> None:
        """Take the news that others changed the place; from any thread."""
        if threading.get_ident() != self._loop_thread:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._changed, content, changes)
            return
        if not self._auto_loading or self._closed:
            return
        in_save = self._status is PersisterStatus.SAVING and not self.tells_order
        if (content is None and changes is None) or in_save:
            self._stale = True  # in a save nobody knows which of the two came first
            self._covers = False
        elif self._turns.free and not self._inbox and not self._journal.replica.is_busy:
            self._deliver(content, changes)
        else:
            self._inbox.append((content, changes))
        self._poke()

    def _deliver(self, content: RawContent | None, changes: StoredChanges | None) -> None:
        self._loads += 1
        self._step(Event.LOAD)
        try:
            if content is not None:
                self._covers = self._journal.replace(content)
                self._known = True
            elif changes is not None:
                self._covers = self._journal.merge(changes) and self._covers
        except Exception as error:  # noqa: BLE001 - reported: what was brought is no content, so we look ourselves
            self._report(error)
            self._lost_sight()
        finally:
            self._step(Event.DONE)

    def _or_emptied(self, content: RawContent | None) -> RawContent | None:
        """Tell a place that others emptied from one that holds nothing yet, for adapters of tables."""
        self._held = self._held or content is not None
        return ({}, {}) if content is None and self._held else content

    def _lost_sight(self) -> None:
        """An adapter found that the place holds what the Store does not."""
        self._covers = False
        self._stale = self._auto_loading

    def _work(self) -> Work:
        if self._closed:
            return Work.NONE
        return NEXT_WORK[
            self._auto_loading and (self._stale or bool(self._inbox)),
            self._auto_saving and bool(self._journal.dirty) and self._interval.is_over(self._loop),
        ]

    def _poke(self) -> None:
        """Have automatic work done, if there is any. It begins in the next turn of the event loop."""
        loop = self._loop
        if self._worker is not None or loop is None or loop.is_closed():
            return
        work = self._work()
        if not work and not (self._auto_saving and self._journal.dirty):
            return
        if threading.get_ident() != self._loop_thread:
            loop.call_soon_threadsafe(self._poke)
        elif work:
            self._wake = asyncio.Event()
            self._worker = loop.create_task(self._do_work(self._wake))
        else:
            self._interval.wait(loop, self._poke)

    async def _do_work(self, wake: asyncio.Event) -> None:
        pause = self.first_retry_seconds
        try:
            while work := self._work():
                failed = False
                if work & Work.LOAD:
                    failed = not await self._try(self._load_news)
                if self._work() & Work.SAVE:
                    failed = not await self._try(partial(self._save, automatic=True)) or failed
                if failed and self._work():
                    if self._resting is not None and not self._resting.done():
                        self._resting.set_result(None)
                    try:
                        async with asyncio.timeout(pause):
                            await wake.wait()
                    except TimeoutError:
                        pause = min(pause * 2, self.last_retry_seconds)
                    wake.clear()
                else:
                    pause = self.first_retry_seconds
        finally:
            self._worker = None
        self._poke()  # edits may wait for the end of the interval

    async def _try(self, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - reported, and tried again
            if not self._closed:
                self._report(error)
            return False
        return True

    async def _load_news(self) -> None:
        if self._inbox:
            async with self._turn():
                await self._journal.settled()
                while self._inbox:
                    self._deliver(*self._inbox.pop(0))
        if self._stale and self._auto_loading:
            await self._load()

    async def _worker_rests(self) -> None:
        """Wait until automatic work has seen that there is less, or nothing, to do."""
        worker = self._worker
        if worker is None or self._work() or self._turns.mine:
            return
        if self._wake is not None:
            self._wake.set()
        # What it is doing may fail, and then there is work again: that is not waited for.
        self._resting = asyncio.get_running_loop().create_future()
        await asyncio.wait([worker, self._resting], return_when=asyncio.FIRST_COMPLETED)

    def _note_kept(self) -> None:
        """Say where this persister loads and saves the Store by itself, which is no cache beside a mirror."""
        if self._auto_saving and self._loads and not self.keeps_document and self._end_kept is None:
            self._end_kept = self._journal.replica.kept_by("persister")

    def _end_auto_save(self) -> None:
        self._auto_saving = False
        self._interval.end()
        self._left.forget()
        end, self._end_kept = self._end_kept, None
        if end is not None:
            end()

    async def _begin_watch(self) -> None:
        async with self._watches.turn():
            await self._end_watch()  # another's, begun meanwhile
            if self._closed:
                raise StorageError(f"this {type(self).__name__} was closed")
            self._auto_loading = True
            try:
                self._watch_handle = await self.watch(self._changed)
            except BaseException:
                self._auto_loading = False
                raise

    async def _end_watch(self) -> None:
        async with self._watches.turn():
            self._auto_loading = False
            self._stale = False
            self._inbox.clear()
            handle, self._watch_handle = self._watch_handle, None
            if handle is not None:
                await self.unwatch(handle)

    def _report(self, error: Exception) -> None:
        if self._on_error is None:
            _log.warning("%s: %s", type(self).__name__, error, exc_info=error)
            return
        try:
            self._on_error(error)
        except Exception:  # noqa: BLE001 - logged
            _log.exception("%s: on_error failed on %r", type(self).__name__, error)
