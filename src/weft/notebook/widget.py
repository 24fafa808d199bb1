"""The widget: a table that changes as anybody edits it. ``live_table.js`` is its other half.

What the browser sends: ``{"type": "hello"}`` when it has drawn an empty table; ``{"type": "show", "offset",
"sort", "descending"}``; and ``{"type": "edit", "row", "cell", "text"}``, which ``{"type": "taken"}`` or
``{"type": "refused"}`` answers. It is sent the messages of ``page.py`` besides, of the type ``"page"``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget

from weft._support.arguments import wrong_kind
from weft.notebook.batches import Batches
from weft.notebook.edits import edit_cell
from weft.notebook.page import TablePage
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["LiveTable", "live"]

_HERE = Path(__file__).parent
_MAX_PAGE = 1000  # rows; a browser draws them all


def live(
    store: Store,
    table_id: str,
    *,
    columns: Sequence[str] | None = None,
    editable: bool | Collection[str] = False,
    page_size: int = 50,
    sort: str | None = None,
    descending: bool = False,
) -> LiveTable:
    """Show a table in a notebook, as it changes.

    Args:
        store: The Store; also one of ``weft.sync``, whose thread is another one.
        table_id: The table, which need not be there yet.
        columns: The cell ids to show, in their order. Without them, those that the table has, 50 at most.
        editable: Whether cells can be edited; or which columns can.
        page_size: Rows that are shown at a time, 1 to 1,000.
        sort: The column to sort by at first; without it, the Store's order. A click on the name of a
            column sorts by it.
        descending: Whether the last comes first.

    Returns:
        The widget: the last expression of a cell is shown. ``close()`` ends it.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: ``page_size`` is out of its range.
    """
    return LiveTable(
        store,
        table_id,
        columns=columns,
        editable=editable,
        page_size=page_size,
        sort=sort,
        descending=descending,
    )


class LiveTable(AnyWidget):
    """A table in a notebook; made by :func:`live`.

    It belongs to the thread that made it, and is told of changes in the Store's.
    """

    _esm = _HERE / "live_table.js"
    _css = _HERE / "live_table.css"
    _is_closed = True  # until all of it is there

    def __init__(
        self,
        store: Store,
        table_id: str,
        *,
        columns: Sequence[str] | None,
        editable: bool | Collection[str],
        page_size: int,
        sort: str | None,
        descending: bool,
    ) -> None:
        if not isinstance(store, Store):
            raise wrong_kind("a weft.Store", store)
        if isinstance(columns, str) or isinstance(editable, str):
            raise TypeError("columns and editable take lists of cell ids, and not one of them")
        if type(page_size) is not int or not 1 <= page_size <= _MAX_PAGE:
            raise ValueError(f"page_size must be a number from 1 to {_MAX_PAGE:,}, not {page_size!r}")
        store.table(table_id)  # raises where this can be no id
        super().__init__()
        self._table_id = table_id
        self._store = store
        self._editable = editable if isinstance(editable, bool) else frozenset(editable)
        self._is_drawn = False
        self._batches = Batches(self._tell_change)
        self._page = TablePage(
            store,
            table_id,
            self._heard,
            columns=columns,
            size=page_size,
            sort=sort,
            descending=descending,
        )
        self.on_msg(self._receive)
        self._is_closed = False

    def close(self) -> None:
        """Stop listening, and take it from the page. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._page.close()
            self._batches.close()
        super().close()

    def _heard(self) -> None:
        if self._is_drawn:
            self._batches.note()

    def _tell_change(self) -> None:
        self._tell(self._page.take_change())

    def _tell(self, page: dict[str, Any]) -> None:
        self.send({"type": "page", **page})

    def _receive(self, _widget: object, message: Any, _buffers: object) -> None:
        """Do what the page asks for."""
        if self._is_closed:
            return
        match message:
            case {"type": "hello"}:
                self._is_drawn = True
                self.send({"type": "editable", "columns": self._editable_columns(), "title": self._table_id})
                self._tell(self._page.take_page())
            case {"type": "show", "offset": int(offset), "sort": sort, "descending": bool(descending)}:
                self._tell(self._page.show(offset, sort, descending))
            case {"type": "edit", "row": str(row_id), "cell": str(cell_id), "text": str(text)}:
                self._edit(row_id, cell_id, text)

    def _editable_columns(self) -> bool | list[str]:
        return self._editable if isinstance(self._editable, bool) else sorted(self._editable)

    def _edit(self, row_id: str, cell_id: str, text: str) -> None:
        place = {"row": row_id, "cell": cell_id}
        may_edit = self._editable if isinstance(self._editable, bool) else cell_id in self._editable
        try:
            if not may_edit:
                raise ValueError("this column cannot be edited here")
            edit_cell(self._store, self._table_id, row_id, cell_id, text)
        except Exception as error:  # noqa: BLE001 - whoever typed it is told, a listener's error included
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            self.send({"type": "refused", **place, "reason": reason})
        else:
            self.send({"type": "taken", **place})
