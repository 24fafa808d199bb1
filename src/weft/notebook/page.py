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
    from collections.abc import Callable, Sequence

    from weft.store import Store
    from weft.values import Cell, Undefined

__all__ = ["MAX_COLUMNS", "MAX_TEXT", "TablePage", "kind_of"]

MAX_COLUMNS: Final = 50
"""Columns that are shown unless others are asked for, as in the HTML of a table."""
MAX_TEXT: Final = 500
"""Characters of a cell that are shown."""

Shown: TypeAlias = list[str] | None
"""A cell as it is told: its kind and its text."""
News: TypeAlias = "tuple[bool, dict[str, Cell | Undefined] | None]"
"""Of a row: whether it was gone meanwhile, and its cells that changed, ``None`` where it is gone now."""


class TablePage:
    """A page of a table, which listens to the Store.

    The listener only notes what changed, in whichever thread it is called. All else is for one thread, and
    calls the Store with no lock held: a Store of ``weft.sync`` waits for its own thread then.

    Args:
        store: The Store.
        table_id: The table, which need not be there.
        heard: Called when something was noted, by whoever wrote it.
        columns: The cell ids to show; ``None`` for those that the table has.
        size: Rows of a page.
        sort: Column to sort by; ``None`` for the Store's order.
        descending: Whether the last comes first.
    """

    def __init__(
        self,
        store: Store,
        table_id: str,
        heard: Callable[[], object],
        *,
        columns: Sequence[str] | None,
        size: int,
        sort: str | None,
        descending: bool,
    ) -> None:
        self._store = store
        self._table_id = table_id
        self._heard = heard
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
        self._news: dict[str, News] = {}
        self._is_cleared = False
        # Listening first: what changes while the table is read is read, or noted, or both.
        self._listener = store.add_did_finish_transaction_listener(self._note)
        self._order = self._read_order()

    def close(self) -> None:
        """Stop listening."""
        self._store.del_listener(self._listener)

    def _note(self, store: Store) -> None:
        rows = store.get_transaction_changes()[0].get(self._table_id)
        if rows is None:
            return
        with self._lock:
            if rows is UNDEFINED:
                self._news = {}
                self._is_cleared = True
            else:
                for row_id, cells in rows.items():
                    # Taken out, so that a row that comes again stands after those that came before it.
                    was_gone, before = self._news.pop(row_id, (self._is_cleared, {}))
                    if cells is UNDEFINED:
                        self._news[row_id] = (True, None)
                    else:
                        self._news[row_id] = (was_gone, {**(before or {}), **cells})
        self._heard()

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
        self._ids, self._shown, self._columns = [], {}, []
        change = self.take_change()
        return {
            "is_whole": True, "size": self._size, "columns": self._columns, "ids": self._ids, **change
        }  # fmt: skip

    def take_change(self) -> dict[str, Any]:
        """Give what changed since this or :meth:`take_page` was called last."""
        with self._lock:
            news, self._news = self._news, {}
            is_cleared, self._is_cleared = self._is_cleared, False
        change: dict[str, Any] = {}
        if (columns := self._read_columns()) != self._columns:
            # All of them anew: that happens seldom, and a page is small.
            self._columns = change["columns"] = columns
            self._ids, self._shown = [], {}
        if is_cleared:
            self._order = RowOrder([], is_sorted=self._sort is not None, descending=self._descending)
        if self._enter(news) or is_cleared or not self._ids:
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
            elif row_id in news:
                was_gone, cells = news[row_id]
                new: dict[str, Shown] = dict.fromkeys(shown) if was_gone else {}
                new |= {id_: _shown(cell) for id_, cell in (cells or {}).items() if id_ in self._columns}
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

    def _enter(self, news: dict[str, News]) -> bool:
        """Bring the order up to date; tell whether it changed."""
        changed = False
        order, sort = self._order, self._sort
        for row_id, (was_gone, cells) in news.items():
            if was_gone:
                changed |= order.remove(row_id)
            if cells is not None and (row_id not in order or (sort is not None and sort in cells)):
                changed |= order.put(row_id, UNDEFINED if sort is None else cells.get(sort, UNDEFINED))
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
