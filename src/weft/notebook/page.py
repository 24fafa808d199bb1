"""The page of a table that is shown, and what of it has changed since it was last told.

It knows nothing of a notebook. What it gives are messages of plain dictionaries and lists, for
``live_table.js``::

    {"total": 1234, "offset": 0, "size": 50, "sort": "price", "descending": False, "more_columns": 0,
     "columns": ["species", "price"], "ids": ["fido"],
     "rows": {"fido": {"species": ["text", "dog"], "price": ["number", "5"]}}}

A whole page has all of that, and ``"is_whole": True``. A change has what changed: in ``rows`` only cells that
are other ones now, ``None`` where one is gone, and ``ids`` and ``columns`` only where these changed. A cell
is its kind and its text; of long ones the kind is ``"cut"``.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from weft.jsoncodec import dumps
from weft.notebook.order import RowOrder
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.store import Store

__all__ = ["MAX_COLUMNS", "MAX_TEXT", "TablePage", "kind_of"]

MAX_COLUMNS: Final = 50
"""Columns that are shown unless others are asked for, as in the HTML of a table."""
MAX_TEXT: Final = 500
"""Characters of a cell that are shown."""

Shown: TypeAlias = list[str] | None
"""A cell as it is told: its kind and its text."""


class TablePage:
    """A page of a table, which listens to the Store.

    Listeners only note what changed, in whichever thread they are called. All else is for one thread, and
    calls the Store with no lock held: a Store of ``weft.sync`` waits for its own thread then.

    Args:
        store: The Store.
        table_id: The table, which need not be there.
        columns: The cell ids to show; ``None`` for those that the table has.
        size: Rows of a page.
        sort: Column to sort by; ``None`` for the Store's order.
        descending: Whether the last comes first.
    """

    def __init__(
        self,
        store: Store,
        table_id: str,
        *,
        columns: Sequence[str] | None,
        size: int,
        sort: str | None,
        descending: bool,
    ) -> None:
        self._store = store
        self._table_id = table_id
        self._wanted = None if columns is None else list(columns)
        self._size = size
        self._offset = 0
        self._sort = sort
        self._descending = descending
        self._ids: list[str] = []
        self._columns: list[str] = []
        self._more_columns = 0
        self._shown: dict[str, dict[str, Shown]] = {}
        self._lock = Lock()
        self._new_cells: dict[str, dict[str, object]] = {}
        self._new_rows: dict[str, tuple[bool, bool]] = {}  # whether it was gone, and whether it is there
        self._has_new_columns = False
        # Listening first: what changes while the table is read is read, or noted, or both.
        self._listeners = [
            store.add_cell_listener(table_id, None, None, self._note_cell),
            store.add_has_row_listener(table_id, None, self._note_row),
            store.add_table_cell_ids_listener(table_id, self._note_columns),
        ]
        self._order = self._read_order()

    def close(self) -> None:
        """Stop listening. A second call does nothing."""
        while self._listeners:
            self._store.del_listener(self._listeners.pop())

    # Noting.

    def _note_cell(
        self, _store: Store, _table_id: str, row_id: str, cell_id: str, new: object, *_: Any
    ) -> None:
        with self._lock:
            self._new_cells.setdefault(row_id, {})[cell_id] = new

    def _note_row(self, _store: Store, _table_id: str, row_id: str, has_row: bool) -> None:
        with self._lock:
            was_gone, _ = self._new_rows.pop(row_id, (False, False))
            self._new_rows[row_id] = (was_gone or not has_row, has_row)

    def _note_columns(self, *_: Any) -> None:
        with self._lock:
            self._has_new_columns = True

    @property
    def has_changed(self) -> bool:
        """Whether anything was noted since the last change was taken."""
        return bool(self._new_cells or self._new_rows or self._has_new_columns)

    # Telling.

    def show(self, offset: int, sort: str | None, descending: bool) -> dict[str, Any]:
        """Turn to another page or order, and give it whole."""
        if (sort, descending) != (self._sort, self._descending):
            self._sort, self._descending = sort, descending
            self.take_change()  # or it would be entered into the new order without its cells
            self._order = self._read_order()
        self._offset = offset
        return self.take_page()

    def take_page(self) -> dict[str, Any]:
        """Give the whole page."""
        self._has_new_columns = True
        self._ids, self._shown, self._columns = [], {}, []
        change = self.take_change()
        return {
            "is_whole": True, "size": self._size, "columns": self._columns, "ids": self._ids, **change
        }  # fmt: skip

    def take_change(self) -> dict[str, Any]:
        """Give what changed since this or :meth:`take_page` was called last."""
        with self._lock:
            cells, self._new_cells = self._new_cells, {}
            rows, self._new_rows = self._new_rows, {}
            has_new_columns, self._has_new_columns = self._has_new_columns, False
        change: dict[str, Any] = {}
        if has_new_columns and (columns := self._read_columns()) != self._columns:
            # All of them anew: that happens seldom, and a page is small.
            self._columns = change["columns"] = columns
            self._ids, self._shown = [], {}
        if self._enter(cells, rows) or not self._ids:
            self._offset = max(0, min(self._offset, (len(self._order) - 1) // self._size * self._size))
            ids = self._order.part(self._offset, self._offset + self._size)
            if ids != self._ids or "columns" in change:
                self._ids = change["ids"] = ids
        changed_rows: dict[str, dict[str, Shown]] = {}
        for row_id in self._ids:
            shown = self._shown.get(row_id)
            if shown is None:
                row = self._store.get_row(self._table_id, row_id)
                changed_rows[row_id] = {id_: _shown(row[id_]) for id_ in self._columns if id_ in row}
            elif row_id in cells:
                new = {id_: _shown(cell) for id_, cell in cells[row_id].items() if id_ in self._columns}
                new = {id_: cell for id_, cell in new.items() if cell != shown.get(id_)}
                if new:
                    changed_rows[row_id] = new
        if changed_rows:
            change["rows"] = changed_rows
        if "ids" in change:
            self._shown = {row_id: self._shown.get(row_id, {}) for row_id in self._ids}
        for row_id, new in changed_rows.items():
            self._shown[row_id].update(new)
        change |= {
            "total": len(self._order), "offset": self._offset, "sort": self._sort,
            "descending": self._descending, "more_columns": self._more_columns,
        }  # fmt: skip
        return change

    def _enter(self, cells: dict[str, dict[str, object]], rows: dict[str, tuple[bool, bool]]) -> bool:
        """Bring the order up to date; tell whether it changed."""
        changed = False
        order, sort = self._order, self._sort
        for row_id, (was_gone, has_row) in rows.items():
            if was_gone:
                changed |= order.remove(row_id)
            if has_row:
                cell = None if sort is None else self._store.get_cell(self._table_id, row_id, sort)
                changed |= order.put(row_id, cell)
        if sort is not None:
            for row_id, changed_cells in cells.items():
                if sort in changed_cells and row_id in order:
                    changed |= order.put(row_id, changed_cells[sort])
        return changed

    def _read_order(self) -> RowOrder:
        sort = self._sort
        rows: list[tuple[str, object]]
        if sort is None:
            rows = [(row_id, None) for row_id in self._store.get_row_ids(self._table_id)]
        else:
            table = self._store.get_table(self._table_id)
            rows = [(row_id, row.get(sort, UNDEFINED)) for row_id, row in table.items()]
        return RowOrder(rows, is_sorted=sort is not None, descending=self._descending)

    def _read_columns(self) -> list[str]:
        if self._wanted is not None:
            return self._wanted
        columns = self._store.get_table_cell_ids(self._table_id)
        self._more_columns = max(0, len(columns) - MAX_COLUMNS)
        return columns[:MAX_COLUMNS]


def kind_of(cell: object) -> str:
    """Name the kind of a cell: ``"text"``, ``"number"``, ``"truth"``, ``"null"`` or ``"json"``."""
    if cell is None:
        return "null"
    if isinstance(cell, bool):
        return "truth"
    if isinstance(cell, (int, float)):
        return "number"
    return "text" if isinstance(cell, str) else "json"


def _shown(cell: object) -> Shown:
    if cell is UNDEFINED:
        return None
    text = cell if isinstance(cell, str) else dumps(cell)
    return [kind_of(cell), text] if len(text) <= MAX_TEXT else ["cut", f"{text[:MAX_TEXT]}…"]
