"""Transactions: opening, finishing, rolling back, and what they tell about themselves.

The rules are TinyBase's. Every write is a transaction of its own unless one is open; transactions nest
by counting, and only the outermost commits. At its finish come the mutators, then ``do_rollback``, the
will-finish listeners, the other listeners, the did-finish listeners. An exception before the commit
rolls everything back; one from a listener that only looks comes too late for that.
"""

from __future__ import annotations

from _thread import get_ident
from contextlib import contextmanager
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from weft._support.callbacks import check_callback
from weft._support.owner import running_loop
from weft.errors import DataError
from weft.store._core.state import GENERAL, LOCKED
from weft.store._core.transaction_changes import TransactionChanges
from weft.store._parts.listener_tree import call_all, pending
from weft.store._parts.log import (
    ADDED,
    CELL,
    COLUMN,
    DEFAULT,
    ORDER,
    POOL,
    ROW,
    SCHEMA,
    TABLE,
    VALUE,
)
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

__all__ = ["OneWrite", "Transaction", "Transactions"]

R = TypeVar("R")
S = TypeVar("S", bound="Transactions")


class Transaction(Generic[S]):
    """A transaction as a context manager: ``with store.transaction():``.

    Leaving the block finishes the transaction; an exception that leaves it rolls back everything, also
    what the transaction around it did, as nested transactions are one.

    The block may ``await``. While it does, the writes of other tasks are refused.
    """

    __slots__ = ("_do_rollback", "_origin", "_store")

    def __init__(self, store: S, do_rollback: Callable[[S], bool] | None, origin: object) -> None:
        self._store = store
        self._do_rollback = do_rollback
        self._origin = origin

    def __enter__(self) -> S:
        store = self._store
        if store._begin(self._origin) and store._depth == 1 and (store._turn or running_loop()):
            store._guard_transaction()
        return store

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        store = self._store
        if store._opener is not None and store._depth == 1:
            # Also in another context, where an asynchronous generator is closed by the event loop.
            store._opener = store._mark = None
        if error is None:
            store.finish_transaction(self._do_rollback)
        else:
            store._fail()


class OneWrite:
    """The transaction of one write: ``with OneWrite(self) as may_write:``.

    Where writes are ignored, ``may_write`` is false and no transaction was opened. Writes of one cell, value
    or row, and of changes, have the same written out: this would cost them a fifth of their time.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Transactions) -> None:
        self._store = store

    def __enter__(self) -> bool:
        return self._store._enter()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._store._fail(error)
        elif self._store._depth != LOCKED:
            self._store._leave()


class Transactions(TransactionChanges):
    """The transactions of a Store."""

    __slots__ = ()

    @overload
    def transaction(
        self,
        actions: None = None,
        do_rollback: Callable[[Self], bool] | None = None,
        *,
        origin: object = None,
    ) -> Transaction[Self]: ...
    @overload
    def transaction(
        self,
        actions: Callable[[], R],
        do_rollback: Callable[[Self], bool] | None = None,
        *,
        origin: object = None,
    ) -> R: ...
    def transaction(
        self,
        actions: Callable[[], R] | None = None,
        do_rollback: Callable[[Self], bool] | None = None,
        *,
        origin: object = None,
    ) -> Transaction[Self] | R | None:
        """Run several writes as one.

        Args:
            actions: What to run. Without it, a context manager is returned.
            do_rollback: Asked at the end of the outermost transaction, after the mutators; a true answer
                undoes everything.
            origin: Who is writing; see :attr:`transaction_origin`. That of the outermost transaction
                counts. Compared by identity.

        Returns:
            What ``actions`` returned; ``None``, and ``actions`` is not run, where writes are ignored. Or
            the context manager.

        Raises:
            ReadOnlyError: Called by a listener that may only look.
            WrongThreadError: The Store is attached to something in another thread.
            WrongTaskError: Another task holds a transaction across an ``await``.
        """
        if do_rollback is not None:
            check_callback(do_rollback, "do_rollback")
        if actions is None:
            return Transaction(self, do_rollback, origin)
        if not self._begin(origin):
            return None
        try:
            result = actions()
            if isinstance(result, CoroutineType):
                result.close()
                raise TypeError(
                    "the actions of a transaction are called and not awaited, so that a coroutine function "
                    "would run after it: await first, and write then"
                )
        except BaseException:
            self._fail()
            raise
        self.finish_transaction(do_rollback)
        return result

    @property
    def transaction_origin(self) -> object:
        """The ``origin`` of the running transaction; ``None`` where it has none, or none is running."""
        return self._origin

    def start_transaction(self) -> Self:
        """Open a transaction, or one inside the open one; each needs a :meth:`finish_transaction`."""
        self._begin(None)
        return self

    def finish_transaction(self, do_rollback: Callable[[Self], bool] | None = None) -> Self:
        """Finish a transaction; the outermost commits. Nothing happens where none is open."""
        if do_rollback is not None:
            check_callback(do_rollback, "do_rollback")
        if self._mode > GENERAL and (get_ident() != self._thread or self._opener is not None):
            self._check_writer()
        if self._depth > 1:
            self._depth -= 1
        elif self._depth == 1 and not self._finishing:
            self._finish(do_rollback)
        return self

    def _begin(self, origin: object) -> bool:
        """Open a transaction; tell whether it may write."""
        if self._mode > GENERAL and (get_ident() != self._thread or self._opener is not None):
            self._check_writer()
        depth = self._depth
        if depth > 0:
            self._depth = depth + 1
            return True
        if depth < 0:
            self._refuse_write()
            return False
        self._origin = origin
        self._open(undoable=True)
        return True

    @contextmanager
    def _received_transaction(self, origin: object, report: Callable[[Exception], object]) -> Iterator[None]:
        """Open the transaction in which received data is applied.

        What listeners raise is reported and stops nothing: the data stands elsewhere already, so that to
        roll it back here would only make the two differ.
        """
        before, self._error_handler = self._error_handler, report
        try:
            self._begin(origin)
            try:
                yield
            except BaseException:
                self._fail()
                raise
            self.finish_transaction()
        finally:
            self._error_handler = before

    @property
    def _is_received(self) -> bool:
        """Whether the running transaction applies received data; its listeners belong to it."""
        return self._error_handler is not None

    def _run(self, listeners: Callable[..., object], *args: object) -> None:
        """Call listeners, containing what they raise where that was asked for."""
        try:
            listeners(*args)
        except Exception as error:
            if self._error_handler is None:
                raise
            self._error_handler(error)

    def _enter(self) -> bool:
        """Open the transaction of one write; tell whether it may write."""
        if self._mode > GENERAL and (get_ident() != self._thread or self._opener is not None):
            self._check_writer()
        depth = self._depth
        if depth > 0:
            self._depth = depth + 1
            return True
        if depth < 0:
            self._refuse_write()
            return False
        # One write is checked before it changes anything: only the code of others can fail after that.
        others = (
            self._start_listeners
            or self._will_finish_listeners
            or self._mutators
            or self._middleware is not None
        )
        self._open(undoable=bool(others))
        return True

    def _leave(self) -> None:
        """Finish the transaction of one write."""
        if self._depth > 1:
            self._depth -= 1
        else:
            self._finish(None)

    def _open(self, *, undoable: bool) -> None:
        self._depth = 1
        self._log = []
        self._undoable = undoable
        self._had_tables = bool(self._tables)
        self._had_values = bool(self._values)
        self._mode = self._open_mode
        if self._start_listeners:
            try:
                for listener in pending(self._start_listeners, {}):
                    self._run(listener, self)
            except BaseException:
                self._fail()
                raise

    def _fail(self, error: BaseException | None = None) -> None:
        """Leave a transaction because of an exception.

        A refused piece of data has changed nothing: whoever catches that error inside an open
        transaction may go on. Everything else dooms the outermost transaction.
        """
        if self._depth > 1:
            self._depth -= 1
            # Middleware may give data that is refused only when half has been written.
            harmless = self._raising and isinstance(error, DataError) and self._middleware is None
            if self._error_handler is None and not harmless:
                self._rollback_requested = True
        elif self._depth == 1:
            if self._finishing:
                # A listener of the finishing transaction failed in a nested one: it decides.
                self._rollback_requested = True
            else:
                self._roll_back()
                self._reset()

    def _finish(self, do_rollback: Callable[[Self], bool] | None) -> None:
        if not self._watchers and do_rollback is None and not self._rollback_requested:
            self._reset()
            return
        self._finishing = True
        committed = False
        tell_did = False
        failed: BaseException | None = None
        try:
            if self._rollback_requested:
                self._roll_back()
            else:
                if self._mutators:
                    self._run(self._call_phase, self._mutators)
                if do_rollback is not None and do_rollback(self):
                    self._roll_back()
                tell_did = True
                if self._will_finish_listeners:
                    self._run(call_all, self._will_finish_listeners, self)
                self._lock()
                committed = True
                if self._listeners:
                    self._run(self._call_phase, self._listeners)
        except BaseException as error:  # noqa: BLE001 - raised below, when the last listeners have been told
            failed = error
            if not committed:
                self._roll_back()
        if tell_did and self._did_finish_listeners:
            self._lock()
            try:
                self._run(call_all, self._did_finish_listeners, self)
            except BaseException as error:  # noqa: BLE001 - raised below
                failed = failed or error
        self._reset()
        if failed is not None:
            raise failed

    def _lock(self) -> None:
        self._depth = LOCKED
        self._mode = self._locked_mode

    def _reset(self) -> None:
        self._depth = 0
        self._log = None
        self._origin = None
        self._rollback_requested = False
        self._finishing = False
        if self._touched_to:
            self._touched = {}
            self._touched_values = {}
            self._touched_to = 0
        if self._orders_logged:
            self._orders_logged = set()
        if self._schema_effects:
            self._schema_effects = []
        if self._invalid_cells:
            self._invalid_cells = {}
        if self._invalid_values:
            self._invalid_values = {}
        if self._opener is not None:
            self._opener = self._mark = None
        self._mode = self._idle_mode
        if self._end_hooks:
            self._call_end_hooks()

    def _note_order(self, mapping: dict[str, Any]) -> None:
        """Log the order of keys before the first deletion from a mapping, for the way back."""
        # Where received data is applied, a rollback restores content but no order: to note the order of
        # all rows would make a peer's deletion cost what the table holds.
        if self._undoable and self._error_handler is None and id(mapping) not in self._orders_logged:
            # The log holds the mapping, so its id stays its own for as long as the note is kept.
            self._orders_logged.add(id(mapping))
            if self._log is not None:
                self._log.append((ORDER, mapping, list(mapping)))

    def _roll_back(self, start: int = 0) -> None:
        """Undo the log from its end to ``start``: content, order of ids, pools of row ids and schemas."""
        tables = self._tables
        counts = self._counts
        log = self._log if self._log is not None else []
        for hook in self._rollback_hooks:
            hook(start)
        for entry in reversed(log[start:]):
            kind = entry[0]
            if kind == ADDED:
                _, table_id, row_id, cell_id = entry
                del tables[table_id][row_id][cell_id]
                _uncount(counts[table_id], cell_id)
            elif kind == CELL:
                _, table_id, row_id, cell_id, old, new = entry
                if new is UNDEFINED:
                    counts[table_id][cell_id] = counts[table_id].get(cell_id, 0) + 1
                tables[table_id][row_id][cell_id] = old
            elif kind == ROW:
                _, table_id, row_id, sign, content = entry
                if sign > 0:
                    del tables[table_id][row_id]
                    for cell_id in content:
                        _uncount(counts[table_id], cell_id)
                else:
                    tables[table_id][row_id] = content
                    count = counts[table_id]
                    for cell_id in content:
                        count[cell_id] = count.get(cell_id, 0) + 1
            elif kind == TABLE:
                _, table_id, sign, rows, count, pool = entry
                if sign > 0:
                    del tables[table_id], counts[table_id]
                    self._pools.pop(table_id, None)
                else:
                    tables[table_id] = rows
                    counts[table_id] = count
                    if pool is not None:
                        self._pools[table_id] = pool
            elif kind == VALUE:
                _, value_id, old, _ = entry
                if old is UNDEFINED:
                    del self._values[value_id]
                else:
                    self._values[value_id] = old
            elif kind == ORDER:
                _, mapping, keys = entry
                items = [(key, mapping[key]) for key in keys]
                mapping.clear()
                mapping.update(items)
                self._orders_logged.discard(id(mapping))
            elif kind == POOL:
                entry[2](entry[1], entry[3])
            elif kind == SCHEMA:
                setattr(self, entry[1], entry[2])
            else:
                assert kind in {COLUMN, DEFAULT}  # noqa: S101 - the counts carry the columns
        del log[start:]
        if self._schema_effects:
            self._schema_effects = [effect for effect in self._schema_effects if effect.entries[1] <= start]
        self._touched = {}
        self._touched_values = {}
        self._touched_to = 0
        self._enter_mode()


def _uncount(counts: dict[str, int], cell_id: str) -> None:
    left = counts[cell_id] - 1
    if left:
        counts[cell_id] = left
    else:
        del counts[cell_id]
