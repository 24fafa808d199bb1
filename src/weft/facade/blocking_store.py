"""A Store for programs without an event loop: any thread may call its methods.

Each call runs in the owner thread, which the caller waits for; a listener's calls run where it runs. A
transaction is its thread's alone: what it writes in between changes the Store here and now, and its beginning
and its end, when listeners, mirror and provider are told, are the owner thread's.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Self, TypeVar

from weft._support.callbacks import check_callback
from weft._support.owner import running_loop
from weft.facade.blocking_views import (
    BlockingRow,
    BlockingTable,
    BlockingTables,
    BlockingText,
    BlockingValues,
)
from weft.facade.kept_store import KeptStore
from weft.facade.owner_thread import HERE
from weft.mergeable.stamped import StampedStore
from weft.store import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.facade.blocking_sync import BlockingSync
    from weft.facade.owner_thread import OwnerThread
    from weft.facade.polling import PollQueue
    from weft.facade.presence import Presence
    from weft.providers import Replica

__all__ = ["BlockingStore"]

R = TypeVar("R")


class BlockingStore(KeptStore):
    """A :class:`Store` whose methods any thread may call: that of ``weft.sync.connect`` and ``open``.

    A copy is a plain ``Store``. Functions that are given to it are called in the owner thread: listeners,
    unless ``poll=True`` was said, ``do_rollback``, middleware and ``encode``.
    """

    __slots__ = ("_owner_thread", "_polled", "_presence", "_runs_in", "_sync")

    _sync: BlockingSync

    def __init__(self, owner_thread: OwnerThread, polled: PollQueue | None, **options: Any) -> None:
        super().__init__(**options)
        self._owner_thread = owner_thread
        self._polled = polled
        self._presence: Presence | None = None
        self._runs_in = owner_thread.mark  # the thread whose calls run where they are made

    @property
    def sync(self) -> BlockingSync:
        """How it stands to what keeps it: status, what is pending, waiting for the server."""
        return self._sync

    @property
    def presence(self) -> Presence:
        """Who else is here, and what they say of themselves.

        Raises:
            LocalProtocolError: There is no server to hear of others by.
        """
        if self._presence is None:
            self._presence = self._sync.make_presence()
        return self._presence

    def attach(self, sync: BlockingSync) -> None:
        """Take what keeps it: for who opens it."""
        self._sync = sync

    def _kept_in(self) -> Replica | None:
        return self._sync.replica

    # -- transactions ------------------------------------------------------------------------------------

    if not TYPE_CHECKING:  # whose types are those of Store

        def transaction(self, actions=None, do_rollback=None, *, origin=None):
            """Run several writes as one: see ``Store.transaction``. Meanwhile every other thread waits.

            It is the calling thread's, and is not to wait for anything but the Store.
            """
            if do_rollback is not None:
                check_callback(do_rollback, "do_rollback")
            block = HeldTransaction(self, self._enter_block, self._leave_block, do_rollback, origin)
            if actions is None:
                return block
            with block:
                return super().transaction(actions)

    def start_transaction(self) -> Self:
        """Open a transaction; the thread that did so has to finish it."""
        self._enter_block(None)
        return self

    def finish_transaction(self, do_rollback: Callable[[Self], bool] | None = None) -> Self:
        """Finish a transaction of the calling thread; the outermost commits. Without one, do nothing."""
        if do_rollback is not None:
            check_callback(do_rollback, "do_rollback")
        if HERE.mark is self._runs_in:
            self._leave_block(do_rollback, failed=False)
        return self

    def _enter_block(self, origin: object) -> None:
        if HERE.mark is self._runs_in:
            self._begin(origin)
            return
        self._owner_thread.hold(lambda: self._begin(origin), self._abandoned)
        self._runs_in = HERE.mark
        if running_loop() is not None:  # where an await in the transaction lets another task write into it
            self._guard_transaction()

    def _leave_block(self, do_rollback: Callable[[Self], bool] | None, *, failed: bool) -> None:
        finish = self._fail if failed else partial(super().finish_transaction, do_rollback)
        if self._depth > 1 or self._runs_in is self._owner_thread.mark:
            finish()
            return
        if self._opener is not None:
            self._check_writer()
            self._opener = self._mark = None
        self._runs_in = self._owner_thread.mark
        self._owner_thread.release(finish)

    def _abandoned(self) -> None:
        """Roll back what a thread that has ended left open."""
        self._runs_in = self._owner_thread.mark
        while self._depth > 0:
            self._fail()

    def _check_thread(self) -> None:
        if self._runs_in is self._owner_thread.mark or HERE.mark is not self._runs_in:
            super()._check_thread()

    # -- listeners ---------------------------------------------------------------------------------------

    def _add(
        self, kind: str, path: tuple[str | None, ...], listener: Callable[..., object], mutator: bool
    ) -> str:
        check_callback(listener)
        if self._polled is not None and not mutator:
            listener = self._polled.later(listener, lambda: self._log)
        return self._owner_thread.call(super()._add, kind, path, listener, mutator)

    def _add_phase(self, listeners: dict[str, Callable[..., object]], listener: Callable[..., object]) -> str:
        return self._owner_thread.call(super()._add_phase, listeners, listener)

    def _run_owned(self, function: Callable[..., R], *args: object) -> R:
        if HERE.mark is self._runs_in:
            return function(*args)
        return self._owner_thread.call(function, *args)

    def _called_as_asked(self, listener: Callable[..., object]) -> Callable[..., object]:
        return listener if self._polled is None else partial(self._polled.put, listener)

    # -- views, and the rest -----------------------------------------------------------------------------

    @property
    def tables(self) -> BlockingTables:
        """The tables as a live mapping."""
        return BlockingTables(self)

    @property
    def values(self) -> BlockingValues:
        """The keyed values as a live mapping."""
        return BlockingValues(self)

    def table(self, table_id: str) -> BlockingTable:
        """Get a live mapping of a table, which need not be there yet."""
        self._check_ids(table_id)
        return BlockingTable(self, table_id)

    def row(self, table_id: str, row_id: str) -> BlockingRow:
        """Get a live mapping of a row, which need not be there yet: a write makes it."""
        self._check_ids(table_id, row_id)
        return BlockingRow(self, table_id, row_id)

    def text(self, table_id: str, row_id: str, cell_id: str) -> BlockingText:
        """Get a shared text to edit in place; see :meth:`Store.text`."""
        return BlockingText.of(self._owner_thread.call(super().text, table_id, row_id, cell_id))

    @property
    def transaction_origin(self) -> object:
        """The ``origin`` of the calling thread's transaction; of the running one in a listener."""
        return self._origin if HERE.mark is self._runs_in else None


class HeldTransaction(Transaction[BlockingStore]):
    """A transaction of one thread, which holds the owner thread."""

    __slots__ = ("_enter", "_leave")

    def __init__(
        self,
        store: BlockingStore,
        enter: Callable[[object], None],
        leave: Callable[..., None],
        do_rollback: Callable[[BlockingStore], bool] | None,
        origin: object,
    ) -> None:
        super().__init__(store, do_rollback, origin)
        self._enter = enter
        self._leave = leave

    def __enter__(self) -> BlockingStore:
        self._enter(self._origin)
        return self._store

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._leave(self._do_rollback, failed=error is not None)


def _handed_over(method: Callable[..., R]) -> Callable[..., R]:
    """The method, run in the owner thread; where a thread has a transaction, in that one."""

    @wraps(method)
    def call(self: BlockingStore, *args: Any, **kwargs: Any) -> R:
        if HERE.mark is self._runs_in:
            return method(self, *args, **kwargs)
        return self._owner_thread.call(method, self, *args, **kwargs)

    return call


def _in_transaction(method: Callable[..., R]) -> Callable[..., R]:
    """The method, run in the calling thread while nothing else changes: it calls the caller's functions."""

    @wraps(method)
    def call(self: BlockingStore, *args: Any, **kwargs: Any) -> R:
        with self.transaction():
            return method(self, *args, **kwargs)

    return call


# The last is what the views call when they have read what is to be loaded.
_DUNDERS = ("__copy__", "__deepcopy__", "__reduce_ex__", "__repr__", "_repr_html_", "_load")


def _hand_over_all() -> None:
    for name in (*dir(StampedStore), *_DUNDERS):
        method = getattr(KeptStore, name)
        if (name.startswith("_") and name not in _DUNDERS) or name.startswith("on_"):
            continue  # decorators come to ``_add``
        if name in vars(BlockingStore) or not callable(method):
            continue
        setattr(
            BlockingStore, name, (_in_transaction if name.startswith("for_each_") else _handed_over)(method)
        )


_hand_over_all()
