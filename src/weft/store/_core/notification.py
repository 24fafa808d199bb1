"""Telling listeners what a transaction did, in TinyBase's order.

The order within a phase: invalid cells; has_tables; table_ids; has_table; table_cell_ids and
has_table_cell by table; row_count; row_ids and has_row by table; sorted_row_ids; cell_ids and has_cell
by row; then cell, row and table nested in the order of first change; tables; invalid values;
has_values; value_ids; has_value; value; values.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from weft.store._core.listeners import Listeners
from weft.store._core.state import LOCKED
from weft.store._parts.listener_tree import call, call_all, matching, pending
from weft.store._parts.log import ADDED, CELL, ROW, IdChanges, net_cells, net_values, touch
from weft.values import UNDEFINED, EncodedCell, decode_cell, is_same

if TYPE_CHECKING:
    from weft.changes import CellChange, ValueChange
    from weft.store._parts.listener_tree import Leaf, ListenerTree
    from weft.store._parts.log import Entry, Net
    from weft.values import Stored, Undefined

__all__ = ["Notification"]


class Notification(Listeners):
    """The phases in which listeners are called."""

    __slots__ = ()

    def _catch_up(self) -> None:
        """Bring what was touched up to the end of the log."""
        log = self._log
        if log is not None and len(log) > self._touched_to:
            start = self._touched_to
            self._touched_to = len(log)
            touch(islice(log, start, None) if start else log, self._touched, self._touched_values)

    def _cell_change(self, table_id: str, row_id: str, cell_id: str) -> CellChange:
        """Tell a listener about one cell: whether it was written, its old and its new form."""
        self._catch_up()
        now = self.get_cell(table_id, row_id, cell_id, UNDEFINED)
        try:
            old = self._touched[table_id][row_id][cell_id]
        except KeyError:
            return False, now, now
        return True, decode_cell(old), now

    def _value_change(self, value_id: str) -> ValueChange:
        """Tell a listener about one value: whether it was written, its old and its new form."""
        self._catch_up()
        now = self.get_value(value_id, UNDEFINED)
        if value_id not in self._touched_values:
            return False, now, now
        return True, decode_cell(self._touched_values[value_id]), now

    def _call_phase(self, tree: ListenerTree) -> None:
        """Call the data listeners of one phase."""
        if tree.invalid_cell and self._invalid_cells:
            self._call_invalid_cells(tree)
        self._catch_up()
        if self._touched:
            self._call_tables(tree)
        if tree.invalid_value and self._invalid_values:
            for value_id, refused in list(self._invalid_values.items()):
                call(matching(tree.invalid_value, value_id), self, value_id, refused)
        self._catch_up()  # mutators may have written meanwhile
        if self._touched_values:
            self._call_values(tree)

    def _call_tables(self, tree: ListenerTree) -> None:
        # Mutators change what is there: the changes of this phase are taken at its beginning.
        # Whether a group of listeners is called is decided then too.
        ids = None
        if tree.wants_ids():
            ids = IdChanges(self._log or [])
        wants_sorted = bool(tree.sorted_row_ids)
        wants_cells = bool(tree.cell or tree.row or tree.table or tree.tables)
        # Where listeners only look, cells are compared on the way: there may be a hundred thousand.
        looks = self._depth < 0
        net = net_cells(self._touched, self._tables) if wants_sorted or (wants_cells and not looks) else {}
        if tree.has_tables and bool(self._tables) != self._had_tables:
            call(matching(tree.has_tables, ""), self, bool(self._tables))
        if ids is not None:
            self._call_table_ids(tree, ids, net, wants_sorted=wants_sorted)
        if wants_cells and looks:
            self._call_cells_locked(tree)
        elif wants_cells and net:
            self._call_cells(tree, net)

    def _tell_cell(
        self,
        table_id: str,
        row_id: str,
        cell_id: str,
        old: Stored | Undefined,
        new: Stored,
        *,
        is_new_row: bool = False,
    ) -> None:
        """Tell the listeners, which only look, of a transaction that wrote one cell.

        What :meth:`_finish` would do, without the detours. There is no listener to ids coming or going
        where the cell is new: such a write takes the general path.
        """
        if is_new_row:
            entry: Entry = (ROW, table_id, row_id, 1, (cell_id,))
        elif old is UNDEFINED:
            entry = (ADDED, table_id, row_id, cell_id)
        else:
            entry = (CELL, table_id, row_id, cell_id, old, new)
        self._log = [entry]
        self._depth = LOCKED
        self._mode = self._locked_mode
        failed: BaseException | None = None
        tree = self._listeners
        try:
            get_cell_change = self._cell_change
            if tree.cell:
                leaves = tree.any_cell or matching(tree.cell, table_id, row_id, cell_id)
                self._call_cell(leaves, table_id, row_id, cell_id, old, new)
            if tree.row:
                call(matching(tree.row, table_id, row_id), self, table_id, row_id, get_cell_change)
            if tree.table:
                call(matching(tree.table, table_id), self, table_id, get_cell_change)
            if tree.tables:
                call(matching(tree.tables, ""), self, get_cell_change)
        except BaseException as error:  # noqa: BLE001 - raised below, when the last listeners have been told
            failed = error
        if self._did_finish_listeners:
            try:
                call_all(self._did_finish_listeners, self)
            except BaseException as error:  # noqa: BLE001 - raised below
                failed = failed or error
        self._depth = 0
        self._log = None
        if self._touched_to:
            self._touched = {}
            self._touched_to = 0
        self._mode = self._idle_mode
        if self._end_hooks:
            self._call_end_hooks()
        if failed is not None:
            raise failed

    def _call_cell(
        self,
        leaves: list[Leaf],
        table_id: str,
        row_id: str,
        cell_id: str,
        old: Stored | Undefined,
        new: Stored | Undefined,
    ) -> None:
        """Call listeners to a cell, as ``call`` does but without packing arguments: they are common."""
        get_cell_change = self._cell_change
        old_cell = old.decode() if type(old) is EncodedCell else old
        new_cell = new.decode() if type(new) is EncodedCell else new
        for leaf in leaves:
            calls = leaf.calls
            ids = leaf.ids
            for position, listener in enumerate(calls, 1):
                listener(self, table_id, row_id, cell_id, new_cell, old_cell, get_cell_change)
                if leaf.calls is not calls:
                    done = dict(zip(ids[:position], calls, strict=False))
                    for late in pending(leaf.by_id, done):
                        late(self, table_id, row_id, cell_id, new_cell, old_cell, get_cell_change)
                    break

    def _call_end_hooks(self) -> None:
        for hook in tuple(self._end_hooks):
            hook()

    def _call_invalid_cells(self, tree: ListenerTree) -> None:
        found = [
            (table_id, row_id, cell_id, refused)
            for table_id, rows in self._invalid_cells.items()
            for row_id, cells in rows.items()
            for cell_id, refused in cells.items()
        ]
        for table_id, row_id, cell_id, refused in found:
            leaves = matching(tree.invalid_cell, table_id, row_id, cell_id)
            call(leaves, self, table_id, row_id, cell_id, refused)

    def _call_table_ids(self, tree: ListenerTree, ids: IdChanges, net: Net, *, wants_sorted: bool) -> None:
        self._call_ids(tree.table_ids, tree.has_table, ids.tables)
        for table_id, changed in ids.columns.items():
            self._call_ids(tree.table_cell_ids, tree.has_table_cell, changed, table_id)
        if tree.row_count:
            for table_id, growth in ids.row_counts.items():
                if growth:
                    leaves = matching(tree.row_count, table_id)
                    call(leaves, self, table_id, self.get_row_count(table_id))
        sorted_tables = set()
        for table_id, changed in ids.rows.items():
            if changed:
                self._call_ids(tree.row_ids, tree.has_row, changed, table_id)
                if wants_sorted:
                    sorted_tables.add(table_id)
                    for node in matching(tree.sorted_row_ids, table_id):
                        call(list(node.values()), self)  # type: ignore[attr-defined]
        if wants_sorted:
            for table_id, rows in net.items():
                if table_id not in sorted_tables:
                    for cell_id in dict.fromkeys(cell_id for cells in rows.values() for cell_id in cells):
                        call(matching(tree.sorted_row_ids, table_id, cell_id), self)
        if tree.cell_ids or tree.has_cell:
            for table_id, changed_rows in ids.cells().items():
                for row_id, changed in changed_rows.items():
                    self._call_ids(tree.cell_ids, tree.has_cell, changed, table_id, row_id)

    def _call_ids(
        self,
        ids_tree: dict[str | None, Any],
        has_tree: dict[str | None, Any],
        changed: dict[str, int],
        *path: str,
    ) -> None:
        if not changed:
            return
        if ids_tree:
            call(matching(ids_tree, *(path or ("",))), self, *path, lambda: dict(changed))
        if has_tree:
            for id_, sign in list(changed.items()):
                call(matching(has_tree, *path, id_), self, *path, id_, sign == 1)

    def _call_cells(self, tree: ListenerTree, net: Net) -> None:
        get_cell_change = self._cell_change
        by_cell = tree.cell
        by_row = tree.row
        by_table = tree.table
        for table_id, rows in net.items():
            for row_id, cells in rows.items():
                if by_cell:
                    for cell_id, (old, new) in cells.items():
                        leaves = tree.any_cell or matching(by_cell, table_id, row_id, cell_id)
                        if leaves:
                            self._call_cell(leaves, table_id, row_id, cell_id, old, new)
                if by_row:
                    call(matching(by_row, table_id, row_id), self, table_id, row_id, get_cell_change)
            if by_table:
                call(matching(by_table, table_id), self, table_id, get_cell_change)
        if tree.tables:
            call(matching(tree.tables, ""), self, get_cell_change)

    def _call_cells_locked(self, tree: ListenerTree) -> None:
        """Do as :meth:`_call_cells`, where nothing changes while listeners are called."""
        get_cell_change = self._cell_change
        by_cell = tree.cell
        tables = self._tables
        no_table: dict[str, dict[str, Stored]] = {}
        no_row: dict[str, Stored] = {}
        tables_changed = False
        for table_id, rows in self._touched.items():
            table = tables.get(table_id, no_table)
            table_changed = False
            for row_id, cells in rows.items():
                row = table.get(row_id, no_row)
                row_changed = False
                for cell_id, old in cells.items():
                    new = row.get(cell_id, UNDEFINED)
                    if new is old if old is UNDEFINED or new is UNDEFINED else is_same(old, new):
                        continue
                    row_changed = True
                    if by_cell:
                        leaves = tree.any_cell or matching(by_cell, table_id, row_id, cell_id)
                        if leaves:
                            self._call_cell(leaves, table_id, row_id, cell_id, old, new)
                if row_changed:
                    table_changed = True
                    if tree.row:
                        leaves = matching(tree.row, table_id, row_id)
                        call(leaves, self, table_id, row_id, get_cell_change)
            if table_changed:
                tables_changed = True
                if tree.table:
                    call(matching(tree.table, table_id), self, table_id, get_cell_change)
        if tables_changed and tree.tables:
            call(matching(tree.tables, ""), self, get_cell_change)

    def _call_values(self, tree: ListenerTree) -> None:
        net = net_values(self._touched_values, self._values) if tree.value or tree.values else {}
        ids = IdChanges(self._log or []) if tree.value_ids or tree.has_value else None
        if tree.has_values and bool(self._values) != self._had_values:
            call(matching(tree.has_values, ""), self, bool(self._values))
        if ids is not None:
            self._call_ids(tree.value_ids, tree.has_value, ids.values)
        get_value_change = self._value_change
        for value_id, (old, new) in net.items():
            leaves = matching(tree.value, value_id)
            if leaves:
                call(leaves, self, value_id, decode_cell(new), decode_cell(old), get_value_change)
        if net:
            call(matching(tree.values, ""), self, get_value_change)
