"""Listeners that are called when somebody asks for it, in the thread that asks: ``store.sync.poll()``."""

from __future__ import annotations

import logging
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from weft.values import decode_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import CellChange, ValueChange
    from weft.store import Store
    from weft.values import Stored, Undefined

__all__ = ["PollQueue"]

_log = logging.getLogger("weft")

_MANY = 10_000  # waiting calls from which on it is likely that nobody asks for them


class PollQueue:
    """What listeners are to be called with, in order.

    None is dropped, so that a queue that nobody polls grows: there is a warning in the log when it is long.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()
        self._changes: Changes | None = None
        self._has_warned = False  # since it was last empty

    def put(self, listener: Callable[..., object], *args: object) -> None:
        """Have a listener called when somebody asks for it."""
        self._calls.put((listener, args))
        if not self._has_warned and self._calls.qsize() >= _MANY:
            self._has_warned = True
            _log.warning(
                "%d calls of listeners wait for store.sync.poll(), and are kept until then: call it more "
                "often, or open the Store without poll=True",
                _MANY,
            )

    def later(self, listener: Callable[..., object], log: Callable[[], object]) -> Callable[..., None]:
        """A listener to a Store's data that has the given one called when somebody asks for it.

        Args:
            listener: It.
            log: Gets an object that is another one for each transaction.
        """

        def enqueue(store: Store, *args: object) -> None:
            transaction = log()
            if self._changes is None or self._changes.transaction is not transaction:
                self._changes = Changes(store, transaction)
            self.put(listener, store, *map(self._changes.kept, args))

        return enqueue

    def poll(self, seconds: float | None) -> int:
        """Call the listeners that wait for it, in order, and return how many there were.

        What one raises is raised here; those after it wait for the next call.

        Args:
            seconds: How long to wait for the first; ``None`` as long as it takes.
        """
        count = 0
        try:
            listener, args = self._calls.get(seconds != 0, seconds)
            # Not those that come meanwhile: the caller wants to go on.
            for _ in range(self._calls.qsize()):
                count += 1
                listener(*args)
                listener, args = self._calls.get_nowait()
            count += 1
            listener(*args)
        except Empty:
            pass
        if self._calls.empty():
            self._has_warned = False
        return count


class Changes:
    """What a transaction changed, for who asks when it is over."""

    def __init__(self, store: Store, transaction: object) -> None:
        self.transaction = transaction
        self._store = store
        _, _, self._cells, _, self._values, *_ = store.get_transaction_log()

    def kept(self, arg: Any) -> Any:
        """What a listener is called with, in a form that holds when the transaction is over."""
        if not callable(arg):
            return arg
        name = getattr(arg, "__name__", "")
        if name == "_cell_change":
            return self._cell_change
        if name == "_value_change":
            return self._value_change
        ids = arg()  # which came and went
        return lambda: ids

    def _cell_change(self, table_id: str, row_id: str, cell_id: str) -> CellChange:
        change = self._cells.get(table_id, {}).get(row_id, {}).get(cell_id)
        if change is None:
            now = self._store.get_cell(table_id, row_id, cell_id)
            return False, now, now
        return True, *_decoded(change)

    def _value_change(self, value_id: str) -> ValueChange:
        change = self._values.get(value_id)
        if change is None:
            now = self._store.get_value(value_id)
            return False, now, now
        return True, *_decoded(change)


def _decoded(change: tuple[Stored | Undefined, Stored | Undefined]) -> tuple[Any, Any]:
    old, new = change
    return decode_cell(old), decode_cell(new)
