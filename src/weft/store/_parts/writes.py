"""The writes of a transaction one by one, in the order in which they were made, read from its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weft.store._parts.log import ADDED, CELL, DEFAULT, ROW, TABLE, VALUE
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.changes import StoredTables
    from weft.store._parts.log import Entry
    from weft.values import Stored, Undefined

__all__ = ["WriteVisitor", "visit_writes"]


class WriteVisitor(Protocol):
    """Whoever is told of each write."""

    def cell(
        self, table_id: str, row_id: str, cell_id: str, new: Stored | Undefined, is_default: bool, /
    ) -> None:
        """A cell was written.

        Args:
            table_id: Its table.
            row_id: Its row.
            cell_id: The cell.
            new: What it became; ``UNDEFINED`` where it was deleted. Of a new cell that was written again
                it may be what it holds now.
            is_default: Whether it was not there and the schema added it.
        """
        ...  # pragma: no cover

    def value(self, value_id: str, new: Stored | Undefined, is_default: bool, /) -> None:
        """A value was written; as :meth:`cell`."""
        ...  # pragma: no cover


def visit_writes(entries: Iterable[Entry], tables: StoredTables, visitor: WriteVisitor) -> None:
    """Tell of each write, of a deleted table or row for each of its cells.

    Args:
        entries: A part of the log, up to its present end.
        tables: The tables as they are now.
        visitor: Who is told.
    """
    defaults: set[tuple[str | None, str | None, str]] = set()
    nothing: dict[str, Stored] = {}
    told_cell = visitor.cell
    for entry in entries:
        kind = entry[0]
        if kind == CELL:
            _, table_id, row_id, cell_id, _, new = entry
            if defaults:  # one that had something else before is not added
                defaults.discard((table_id, row_id, cell_id))
            told_cell(table_id, row_id, cell_id, new, False)
        elif kind == ADDED or (kind == ROW and entry[3] > 0):
            table_id, row_id = entry[1], entry[2]
            row = tables.get(table_id, {}).get(row_id, nothing)
            for cell_id in (entry[3],) if kind == ADDED else entry[4]:
                place = table_id, row_id, cell_id
                is_default = place in defaults
                if is_default:
                    defaults.discard(place)
                told_cell(table_id, row_id, cell_id, row.get(cell_id, UNDEFINED), is_default)
        elif kind == VALUE:
            _, value_id, old, new = entry
            is_default = (None, None, value_id) in defaults
            if is_default:
                defaults.discard((None, None, value_id))
            visitor.value(value_id, new, is_default and old is UNDEFINED)
        elif kind == ROW:
            for cell_id in entry[4]:
                told_cell(entry[1], entry[2], cell_id, UNDEFINED, False)
        elif kind == TABLE and entry[3]:
            for row_id, cells in entry[3].items():
                for cell_id in cells:
                    told_cell(entry[1], row_id, cell_id, UNDEFINED, False)
        elif kind == DEFAULT:
            _, table_id, row_id, ids = entry
            defaults.update([(table_id, row_id, id_) for id_ in ids])
