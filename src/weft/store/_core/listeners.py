"""Adding, calling and removing listeners: 25 kinds, with wildcards and mutators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, overload

from weft._support.callbacks import check_callback
from weft.store._core.getters import Getters
from weft.store._parts.ids import check_id
from weft.store._parts.listener_tree import KINDS, rows_watched, widened
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.store._parts.listener_tree import ListenerStats
    from weft.store._parts.signatures import GetCellChange, GetIdChanges, GetValueChange, SortedRowIdsArgs
    from weft.store._parts.sorting import Sorter
    from weft.values import Cell, Undefined, Value

__all__ = ["Listeners"]

_NO_IDS = ("",)
_BY_ROW_ID: Any = UNDEFINED


class Listeners(Getters):
    """The listeners of a Store.

    Every ``add_…_listener`` returns the listener's id, for :meth:`del_listener`. ``None`` for an id means
    any. A listener added with ``mutator=True`` may write: it is called before the transaction is final.
    The first argument of each call is the Store.
    """

    __slots__ = ()

    def _add(
        self, kind: str, path: tuple[str | None, ...], listener: Callable[..., object], mutator: bool
    ) -> str:
        check_callback(listener)
        if self._raising:
            for id_ in path:
                if type(id_) is not str and id_ is not None and id_ is not _BY_ROW_ID:
                    check_id(id_)
        listener_id = self._listener_ids.take(reuse=True)
        tree = self._mutators if mutator else self._listeners
        tree.add(kind, path or _NO_IDS, listener_id, listener)
        self._watchers[listener_id] = (tree, kind, path, listener)
        self._widen(kind, path)
        self._choose_write_path()
        return listener_id

    def _widen(self, kind: str, path: tuple[str | None, ...]) -> None:
        """Note what a listener wants to hear of, for the writes that nobody does."""
        self._interest = widened(self._interest, kind, path)
        self._watched_rows = rows_watched(self._watched_rows, kind, path)
        self._interest_size += 1

    def _add_phase(self, listeners: dict[str, Callable[..., object]], listener: Callable[..., object]) -> str:
        check_callback(listener)
        listener_id = self._listener_ids.take(reuse=True)
        listeners[listener_id] = listener
        self._watchers[listener_id] = (listeners, "transaction", (), listener)
        self._widen("transaction", ())
        self._choose_write_path()
        return listener_id

    def add_has_tables_listener(self, listener: Callable[[Self, bool], object], mutator: bool = False) -> str:
        """Listen to tables appearing in an empty Store, or all disappearing: ``(store, has_tables)``."""
        return self._add("has_tables", (), listener, mutator)

    def add_tables_listener(
        self, listener: Callable[[Self, GetCellChange], object], mutator: bool = False
    ) -> str:
        """Listen to any change in the tables: ``(store, get_cell_change)``."""
        return self._add("tables", (), listener, mutator)

    def add_table_ids_listener(
        self, listener: Callable[[Self, GetIdChanges], object], mutator: bool = False
    ) -> str:
        """Listen to tables coming and going: ``(store, get_id_changes)``."""
        return self._add("table_ids", (), listener, mutator)

    def add_has_table_listener(
        self, table_id: str | None, listener: Callable[[Self, str, bool], object], mutator: bool = False
    ) -> str:
        """Listen to a table coming or going: ``(store, table_id, has_table)``."""
        return self._add("has_table", (table_id,), listener, mutator)

    def add_table_listener(
        self,
        table_id: str | None,
        listener: Callable[[Self, str, GetCellChange], object],
        mutator: bool = False,
    ) -> str:
        """Listen to any change in a table: ``(store, table_id, get_cell_change)``."""
        return self._add("table", (table_id,), listener, mutator)

    def add_table_cell_ids_listener(
        self,
        table_id: str | None,
        listener: Callable[[Self, str, GetIdChanges], object],
        mutator: bool = False,
    ) -> str:
        """Listen to cell ids coming and going in a table: ``(store, table_id, get_id_changes)``."""
        return self._add("table_cell_ids", (table_id,), listener, mutator)

    def add_has_table_cell_listener(
        self,
        table_id: str | None,
        cell_id: str | None,
        listener: Callable[[Self, str, str, bool], object],
        mutator: bool = False,
    ) -> str:
        """Listen to a cell id coming or going in a table: ``(store, table_id, cell_id, has_cell)``."""
        return self._add("has_table_cell", (table_id, cell_id), listener, mutator)

    def add_row_count_listener(
        self, table_id: str | None, listener: Callable[[Self, str, int], object], mutator: bool = False
    ) -> str:
        """Listen to the number of rows of a table: ``(store, table_id, count)``."""
        return self._add("row_count", (table_id,), listener, mutator)

    def add_row_ids_listener(
        self,
        table_id: str | None,
        listener: Callable[[Self, str, GetIdChanges], object],
        mutator: bool = False,
    ) -> str:
        """Listen to rows coming and going: ``(store, table_id, get_id_changes)``."""
        return self._add("row_ids", (table_id,), listener, mutator)

    @overload
    def add_sorted_row_ids_listener(
        self,
        args: SortedRowIdsArgs,
        listener: Callable[[Self, str, str | None, bool, int, int | None, list[str]], object],
        mutator: bool = False,
        /,
    ) -> str: ...
    @overload
    def add_sorted_row_ids_listener(
        self,
        table_id: str,
        cell_id: str | None,
        descending: bool,
        offset: int,
        limit: int | None,
        listener: Callable[[Self, str, str | None, bool, int, int | None, list[str]], object],
        mutator: bool = False,
        *,
        sorter: Sorter | None = None,
    ) -> str: ...
    def add_sorted_row_ids_listener(
        self, table_id: str | SortedRowIdsArgs, *args: Any, sorter: Sorter | None = None, **named: Any
    ) -> str:
        """Listen to what :meth:`get_sorted_row_ids` gives for the same arguments.

        Called with ``(store, table_id, cell_id, descending, offset, limit, row_ids)`` when it changed. The
        arguments may come as one dictionary, with the listener after it.
        """
        if isinstance(table_id, dict):
            return self._add_sorted(*args, **table_id)
        names = ("cell_id", "descending", "offset", "limit", "listener", "mutator")
        named.update(zip(names, args, strict=False))
        return self._add_sorted(table_id=table_id, sorter=sorter, **named)

    def _add_sorted(
        self,
        listener: Callable[[Self, str, str | None, bool, int, int | None, list[str]], object],
        mutator: bool = False,
        *,
        table_id: str,
        cell_id: str | None = None,
        descending: bool = False,
        offset: int = 0,
        limit: int | None = None,
        sorter: Sorter | None = None,
    ) -> str:
        check_callback(listener)
        last = self.get_sorted_row_ids(table_id, cell_id, descending, offset, limit, sorter)

        def changed(store: Any, *_: object) -> None:
            nonlocal last
            now = store.get_sorted_row_ids(table_id, cell_id, descending, offset, limit, sorter)
            if now != last:
                last = now
                listener(store, table_id, cell_id, descending, offset, limit, list(now))

        # By row id no cell matters: a key that is no cell id keeps the writes of cells away.
        path = (table_id, _BY_ROW_ID if cell_id is None else cell_id)
        return self._add("sorted_row_ids", path, changed, mutator)

    def add_has_row_listener(
        self,
        table_id: str | None,
        row_id: str | None,
        listener: Callable[[Self, str, str, bool], object],
        mutator: bool = False,
    ) -> str:
        """Listen to a row coming or going: ``(store, table_id, row_id, has_row)``."""
        return self._add("has_row", (table_id, row_id), listener, mutator)

    def add_row_listener(
        self,
        table_id: str | None,
        row_id: str | None,
        listener: Callable[[Self, str, str, GetCellChange], object],
        mutator: bool = False,
    ) -> str:
        """Listen to any change in a row: ``(store, table_id, row_id, get_cell_change)``."""
        return self._add("row", (table_id, row_id), listener, mutator)

    def add_cell_ids_listener(
        self,
        table_id: str | None,
        row_id: str | None,
        listener: Callable[[Self, str, str, GetIdChanges], object],
        mutator: bool = False,
    ) -> str:
        """Listen to cells coming and going in a row: ``(store, table_id, row_id, get_id_changes)``."""
        return self._add("cell_ids", (table_id, row_id), listener, mutator)

    def add_has_cell_listener(
        self,
        table_id: str | None,
        row_id: str | None,
        cell_id: str | None,
        listener: Callable[[Self, str, str, str, bool], object],
        mutator: bool = False,
    ) -> str:
        """Listen to a cell coming or going: ``(store, table_id, row_id, cell_id, has_cell)``."""
        return self._add("has_cell", (table_id, row_id, cell_id), listener, mutator)

    def add_cell_listener(
        self,
        table_id: str | None,
        row_id: str | None,
        cell_id: str | None,
        listener: Callable[[Self, str, str, str, Cell | Undefined, Cell | Undefined, GetCellChange], object],
        mutator: bool = False,
    ) -> str:
        """Listen to a cell: ``(store, table_id, row_id, cell_id, new, old, get_cell_change)``.

        ``new`` or ``old`` is ``UNDEFINED`` where the cell is or was absent.
        """
        return self._add("cell", (table_id, row_id, cell_id), listener, mutator)

    def add_invalid_cell_listener(
        self,
        table_id: str | None,
        row_id: str | None,
        cell_id: str | None,
        listener: Callable[[Self, str | None, str | None, str | None, list[object]], object],
        mutator: bool = False,
    ) -> str:
        """Listen to cells refused: ``(store, table_id, row_id, cell_id, [refused, …])``.

        An id is ``None`` where a whole row, table or content was refused.
        """
        return self._add("invalid_cell", (table_id, row_id, cell_id), listener, mutator)

    def add_has_values_listener(self, listener: Callable[[Self, bool], object], mutator: bool = False) -> str:
        """Listen to values appearing, or all disappearing: ``(store, has_values)``."""
        return self._add("has_values", (), listener, mutator)

    def add_values_listener(
        self, listener: Callable[[Self, GetValueChange], object], mutator: bool = False
    ) -> str:
        """Listen to any change in the values: ``(store, get_value_change)``."""
        return self._add("values", (), listener, mutator)

    def add_value_ids_listener(
        self, listener: Callable[[Self, GetIdChanges], object], mutator: bool = False
    ) -> str:
        """Listen to values coming and going: ``(store, get_id_changes)``."""
        return self._add("value_ids", (), listener, mutator)

    def add_has_value_listener(
        self, value_id: str | None, listener: Callable[[Self, str, bool], object], mutator: bool = False
    ) -> str:
        """Listen to a value coming or going: ``(store, value_id, has_value)``."""
        return self._add("has_value", (value_id,), listener, mutator)

    def add_value_listener(
        self,
        value_id: str | None,
        listener: Callable[[Self, str, Value | Undefined, Value | Undefined, GetValueChange], object],
        mutator: bool = False,
    ) -> str:
        """Listen to a value: ``(store, value_id, new, old, get_value_change)``."""
        return self._add("value", (value_id,), listener, mutator)

    def add_invalid_value_listener(
        self,
        value_id: str | None,
        listener: Callable[[Self, str | None, list[object]], object],
        mutator: bool = False,
    ) -> str:
        """Listen to values refused: ``(store, value_id, [refused, …])``."""
        return self._add("invalid_value", (value_id,), listener, mutator)

    def add_start_transaction_listener(self, listener: Callable[[Self], object]) -> str:
        """Be called ``(store)`` when the outermost transaction opens. It may write."""
        return self._add_phase(self._start_listeners, listener)

    def add_will_finish_transaction_listener(self, listener: Callable[[Self], object]) -> str:
        """Be called ``(store)`` after the mutators, before the other listeners. It may write."""
        return self._add_phase(self._will_finish_listeners, listener)

    def add_did_finish_transaction_listener(self, listener: Callable[[Self], object]) -> str:
        """Be called ``(store)`` last. It cannot write; the transaction's changes can still be read."""
        return self._add_phase(self._did_finish_listeners, listener)

    def _hear_first(self, listener: Callable[[Self], object]) -> str:
        """The same before all others that are there: a mirror has not written to its document yet."""
        listeners = self._did_finish_listeners
        listener_id = self._add_phase(listeners, listener)
        for other_id in [other_id for other_id in listeners if other_id != listener_id]:
            listeners[other_id] = listeners.pop(other_id)
        return listener_id

    def del_listener(self, listener_id: str) -> Self:
        """Remove a listener; nothing happens where there is none."""
        watcher = self._watchers.pop(listener_id, None)
        if watcher is None:
            return self
        tree, kind, path, _ = watcher
        if kind == "transaction":
            del tree[listener_id]
        else:
            tree.remove(kind, path or _NO_IDS, listener_id)
        self._listener_ids.give_back(listener_id)
        if self._interest_size > 2 * len(self._watchers):
            # Only now and then: to narrow it at each removal would cost what there are listeners.
            self._interest = {}
            self._watched_rows = set()
            self._interest_size = 0
            for _, kind, path, _ in self._watchers.values():
                self._widen(kind, path)
        self._choose_write_path()
        return self

    def call_listener(self, listener_id: str) -> Self:
        """Call a listener with what is there now, whether or not it changed.

        A wildcard goes through the ids that exist. Old and new are the same; where a listener would be
        given a function that tells the changes, it is given ``None``.
        """
        watcher = self._watchers.get(listener_id)
        if watcher is None:
            return self
        _, kind, path, listener = watcher
        if kind in {"transaction", "sorted_row_ids"}:
            listener(self)
            return self
        self._force(kind, path, listener, ())
        return self

    def _force(
        self,
        kind: str,
        path: tuple[str | None, ...],
        listener: Callable[..., object],
        ids: tuple[str, ...],
    ) -> None:
        """Call a listener for all that its path stands for, level by level: it may write meanwhile."""
        if len(ids) == len(path):
            listener(self, *ids, *self._current(kind, ids))
            return
        id_ = path[len(ids)]
        if id_ is not None:
            self._force(kind, path, listener, (*ids, id_))
        elif kind not in {"invalid_cell", "invalid_value"}:  # nothing tells what was refused before
            for below in self._ids_below(kind, ids):
                self._force(kind, path, listener, (*ids, below))

    def _ids_below(self, kind: str, ids: tuple[str, ...]) -> list[str]:
        if kind in {"has_value", "value"}:
            return self.get_value_ids()
        if not ids:
            return self.get_table_ids()
        if kind == "has_table_cell":
            return self.get_table_cell_ids(ids[0])
        return self.get_row_ids(ids[0]) if len(ids) == 1 else self.get_cell_ids(ids[0], ids[1])

    def _current(self, kind: str, ids: tuple[str, ...]) -> tuple[object, ...]:
        """Give what follows the ids in a forced call."""
        if kind.startswith("has_"):
            return (getattr(self, kind)(*ids),)
        if kind == "cell":
            cell = self.get_cell(ids[0], ids[1], ids[2], UNDEFINED)
            return cell, cell, None
        if kind == "value":
            value = self.get_value(ids[0], UNDEFINED)
            return value, value, None
        return (None,)

    def get_listener_stats(self) -> ListenerStats:
        """Count the listeners by kind."""
        stats: Any = dict.fromkeys([*KINDS, "transaction"], 0)
        for _, kind, _, _ in self._watchers.values():
            stats[kind] += 1
        counted: ListenerStats = stats
        return counted
