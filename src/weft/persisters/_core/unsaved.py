"""What a place lacks: the paths edited since the Store and the place last agreed.

Paths and not values, so that any number of edits of one cell are one save of its last value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from weft.values import UNDEFINED, Stored, Undefined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weft.changes import StoredTables, StoredValues

__all__ = ["Dirty", "RawContent", "Refused", "StoredChanges", "StoredContent", "merge"]

StoredContent: TypeAlias = "tuple[StoredTables, StoredValues]"
"""Content with cells in their stored form: lists and objects as :class:`weft.values.EncodedCell`."""

StoredChanges: TypeAlias = (
    "tuple[dict[str, dict[str, dict[str, Stored | Undefined] | Undefined] | Undefined],"
    " dict[str, Stored | Undefined], Literal[1]]"
)
"""Changes with cells in their stored form, and ``UNDEFINED`` at the highest level that is to go."""

RawContent: TypeAlias = "tuple[Mapping[str, Mapping[str, Mapping[str, object]]], Mapping[str, object]]"
"""Content as a place holds it, before the Store has judged it."""


@dataclass(slots=True)
class Dirty:
    """A set of paths.

    Attributes:
        everything: The whole Store is to be written, whatever the place has; it deletes nothing.
        tables: Table id to row id to the cell ids written or deleted, as keys in this order.
        values: Value ids likewise.
        removed_tables: Deleted as tables, with whatever the place has in them.
        removed_rows: Deleted as rows, likewise.
    """

    everything: bool = False
    tables: dict[str, dict[str, dict[str, None]]] = field(default_factory=dict)
    values: dict[str, None] = field(default_factory=dict)
    removed_tables: set[str] = field(default_factory=set)
    removed_rows: set[tuple[str, str]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return self.everything or bool(self.tables or self.values or self.removed_tables or self.removed_rows)

    def note(
        self,
        tables: Mapping[str, Mapping[str, Iterable[str]]],
        values: Iterable[str],
        removed_tables: Iterable[str] = (),
        removed_rows: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Add paths."""
        for table_id, rows in tables.items():
            noted = self.tables.setdefault(table_id, {})
            for row_id, cell_ids in rows.items():
                noted.setdefault(row_id, {}).update(dict.fromkeys(cell_ids))
        self.values.update(dict.fromkeys(values))
        # What was made and removed again in one transaction is no change, and deletes nothing of a place.
        self.removed_tables.update(table_id for table_id in removed_tables if table_id in tables)
        self.removed_rows.update(
            (table_id, row_id) for table_id, row_id in removed_rows if row_id in tables.get(table_id, ())
        )

    def add(self, other: Dirty) -> None:
        """Add the paths of another."""
        self.everything = self.everything or other.everything
        self.note(other.tables, other.values, other.removed_tables, other.removed_rows)

    def of_row(self, table_id: str, row_id: str, tables: StoredTables) -> Dirty:
        """The paths of one row."""
        cell_ids = dict.fromkeys(self.tables.get(table_id, {}).get(row_id, ()))
        if self.everything:
            cell_ids.update(dict.fromkeys(tables.get(table_id, {}).get(row_id, ())))
        removed = {(table_id, row_id)} & self.removed_rows
        return Dirty(tables={table_id: {row_id: cell_ids}} if cell_ids else {}, removed_rows=removed)

    def changes(self, tables: StoredTables, values: StoredValues) -> StoredChanges:
        """Tell what to write so that the place has at these paths what the Store has now."""
        changed: dict[str, dict[str, dict[str, Stored | Undefined] | Undefined] | Undefined] = {}
        if self.everything:
            changed = {
                table_id: {row_id: dict(row) for row_id, row in table.items()}
                for table_id, table in tables.items()
            }
        for table_id in self.removed_tables:
            if table_id not in tables:
                changed[table_id] = UNDEFINED
        for table_id, row_ids in self.tables.items():
            table = tables.get(table_id, {})
            rows = changed.setdefault(table_id, {})
            if isinstance(rows, Undefined):
                continue
            for row_id, cell_ids in row_ids.items():
                row = table.get(row_id)
                if row is None and (table_id, row_id) in self.removed_rows:
                    rows[row_id] = UNDEFINED
                    continue
                cells = rows.setdefault(row_id, {})
                if not isinstance(cells, Undefined):
                    for cell_id in cell_ids:
                        cells[cell_id] = UNDEFINED if row is None else row.get(cell_id, UNDEFINED)
        changed_values: dict[str, Stored | Undefined] = dict(values) if self.everything else {}
        for value_id in self.values:
            changed_values[value_id] = values.get(value_id, UNDEFINED)
        return changed, changed_values, 1

    def spare(self, content: RawContent, tables: StoredTables, values: StoredValues) -> RawContent:
        """Put what the Store holds at these paths over content that was read: unsaved edits win."""
        merged: tuple[dict[str, dict[str, dict[str, object]]], dict[str, object]] = (
            {
                table_id: {row_id: dict(row) for row_id, row in table.items()}
                for table_id, table in content[0].items()
            },
            dict(content[1]),
        )
        merge(merged, self.changes(tables, values))
        return merged


@dataclass(slots=True)
class Refused:
    """What a place has and the Store could not take: nobody has deleted it, and it stays where it is.

    Attributes:
        cells: Table id to row id to cell ids.
        values: Value ids.
        rows: Table id to the ids of rows of which the Store took nothing.
    """

    cells: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)
    rows: dict[str, set[str]] = field(default_factory=dict)

    def note(self, path: tuple[str, ...], tables: StoredTables) -> None:
        """Add the path of a cell or value, given what the Store has now."""
        if len(path) == 1:
            self.values.add(path[0])
            return
        table_id, row_id, cell_id = path
        self.cells.setdefault(table_id, {}).setdefault(row_id, set()).add(cell_id)
        if row_id not in tables.get(table_id, ()):
            self.rows.setdefault(table_id, set()).add(row_id)


def merge(
    content: tuple[dict[str, dict[str, dict[str, object]]], dict[str, object]], changes: StoredChanges
) -> None:
    """Apply changes to content, in place. What they do not mention stays; emptied containers go."""
    tables, values = content
    for table_id, rows in changes[0].items():
        if isinstance(rows, Undefined):
            tables.pop(table_id, None)
            continue
        table = tables.get(table_id)
        if not isinstance(table, dict):  # a foreign place may hold anything
            table = tables[table_id] = {}
        for row_id, cells in rows.items():
            if isinstance(cells, Undefined):
                table.pop(row_id, None)
                continue
            row = table.get(row_id)
            if not isinstance(row, dict):
                row = table[row_id] = {}
            for cell_id, cell in cells.items():
                if cell is UNDEFINED:
                    row.pop(cell_id, None)
                else:
                    row[cell_id] = cell
            if not row:
                del table[row_id]
        if not table:
            del tables[table_id]
    for value_id, value in changes[1].items():
        if value is UNDEFINED:
            values.pop(value_id, None)
        else:
            values[value_id] = value
