"""What a place lacks: the paths edited since the Store and the place last agreed.

Paths and not values, so that any number of edits of one cell are one save of its last value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from weft.store.replica import Paths
from weft.values import UNDEFINED, Stored, Undefined

if TYPE_CHECKING:
    from weft.changes import StoredTables, StoredValues

__all__ = [
    "NotLoaded",
    "RawContent",
    "StoredChanges",
    "StoredContent",
    "changes_at",
    "keep_not_loaded",
    "merge",
    "paths_within",
    "spare",
    "take_touched",
]

StoredContent: TypeAlias = "tuple[StoredTables, StoredValues]"
"""Content with cells in their stored form: lists and objects as :class:`weft.values.EncodedCell`."""

StoredChanges: TypeAlias = (
    "tuple[dict[str, dict[str, dict[str, Stored | Undefined] | Undefined] | Undefined],"
    " dict[str, Stored | Undefined], Literal[1]]"
)
"""Changes with cells in their stored form, and ``UNDEFINED`` at the highest level that is to go."""

RawContent: TypeAlias = "tuple[Mapping[str, Mapping[str, Mapping[str, object]]], Mapping[str, object]]"
"""Content as a place holds it, before the Store has judged it."""


def paths_within(paths: Paths, table_id: str, row_id: str | None, tables: StoredTables) -> Paths:
    """Give those of some paths that are in one row, or in any row of a table."""
    rows: dict[str, dict[str, None]] = {}
    for source in (paths.tables, tables if paths.everything else {}):
        table: Mapping[str, Mapping[str, object]] = source.get(table_id, {})
        for id_ in table if row_id is None else table.keys() & {row_id}:
            rows.setdefault(id_, {}).update(dict.fromkeys(table[id_]))
    rows = {id_: cell_ids for id_, cell_ids in rows.items() if cell_ids}
    within = Paths(
        tables={table_id: rows} if rows else {},
        removed_rows={(table_id, id_) for id_ in rows} & paths.removed_rows,
    )
    if row_id is None:
        within.removed_tables = paths.removed_tables & {table_id}
    return within


def take_touched(paths: Paths, edited: Paths) -> Paths:
    """Take out of some paths, which change, those that edits touch: the values, and of the same rows all.

    Of a table that was removed in either, all of it.
    """
    touched = Paths(values=paths.values)
    paths.values = {}
    removed_tables = paths.removed_tables | edited.removed_tables
    for table_id in (*edited.tables, *(edited.removed_tables - edited.tables.keys())):
        table = paths.tables.pop(table_id, {})
        wanted = table if table_id in removed_tables else edited.tables[table_id]
        rows = {row_id: table.pop(row_id) for row_id in list(wanted.keys() & table.keys())}
        if table:
            paths.tables[table_id] = table
        if rows:
            touched.tables[table_id] = rows
            touched.removed_rows |= {(table_id, row_id) for row_id in rows} & paths.removed_rows
    paths.removed_rows -= touched.removed_rows
    touched.removed_tables = paths.removed_tables & touched.tables.keys()
    paths.removed_tables -= touched.removed_tables
    return touched


def changes_at(paths: Paths, tables: StoredTables, values: StoredValues) -> StoredChanges:
    """Tell what to write so that the place has at these paths what the Store has now."""
    changed: dict[str, dict[str, dict[str, Stored | Undefined] | Undefined] | Undefined] = {}
    if paths.everything:
        changed = {
            table_id: {row_id: dict(row) for row_id, row in table.items()}
            for table_id, table in tables.items()
        }
    for table_id in paths.removed_tables:
        if table_id not in tables:
            changed[table_id] = UNDEFINED
    for table_id, row_ids in paths.tables.items():
        table = tables.get(table_id, {})
        rows = changed.setdefault(table_id, {})
        if isinstance(rows, Undefined):
            continue
        for row_id, cell_ids in row_ids.items():
            row = table.get(row_id)
            if row is None and (table_id, row_id) in paths.removed_rows:
                rows[row_id] = UNDEFINED
                continue
            cells = rows.setdefault(row_id, {})
            if not isinstance(cells, Undefined):
                for cell_id in cell_ids:
                    cells[cell_id] = UNDEFINED if row is None else row.get(cell_id, UNDEFINED)
    changed_values: dict[str, Stored | Undefined] = dict(values) if paths.everything else {}
    for value_id in paths.values:
        changed_values[value_id] = values.get(value_id, UNDEFINED)
    return changed, changed_values, 1


def spare(paths: Paths, content: RawContent, tables: StoredTables, values: StoredValues) -> RawContent:
    """Put what the Store holds at these paths over content that was read: unsaved edits win."""
    merged: tuple[dict[str, dict[str, dict[str, object]]], dict[str, object]] = (
        {
            table_id: {row_id: dict(row) for row_id, row in table.items()}
            for table_id, table in content[0].items()
        },
        dict(content[1]),
    )
    merge(merged, changes_at(paths, tables, values))
    return merged


@dataclass(slots=True)
class NotLoaded:
    """What a place has and the Store could not take: nobody has deleted it, and it stays where it is.

    Attributes:
        cells: Table id to row id to cell ids.
        values: Value ids.
        rows: Table id to the ids of rows of which the Store took nothing.
    """

    cells: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)
    rows: dict[str, set[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cells or self.values)

    def note(self, path: tuple[str, ...], tables: StoredTables) -> None:
        """Add the path of a cell or value, given what the Store has now."""
        if len(path) == 1:
            self.values.add(path[0])
            return
        table_id, row_id, cell_id = path
        self.cells.setdefault(table_id, {}).setdefault(row_id, set()).add(cell_id)
        if row_id not in tables.get(table_id, ()):
            self.rows.setdefault(table_id, set()).add(row_id)


def keep_not_loaded(content: StoredContent, there: RawContent, not_loaded: NotLoaded) -> None:
    """Add to content that is to be all of a place what the place has there that the Store could not take.

    Where the Store has something by now, that counts; and what is in a row that it has deleted goes with it.

    Args:
        content: A copy of the Store's content; changed in place.
        there: What the place holds, which may be anything that JSON can be.
        not_loaded: Where the Store could not take it.
    """
    tables: Any = content[0]
    for table_id, rows in not_loaded.cells.items():
        table_there = there[0].get(table_id)
        for row_id, cell_ids in rows.items():
            row_there = table_there.get(row_id) if isinstance(table_there, Mapping) else None
            if not isinstance(row_there, Mapping):
                continue
            if row_id not in tables.get(table_id, ()) and row_id not in not_loaded.rows.get(table_id, ()):
                continue
            for cell_id in row_there.keys() & cell_ids:
                row = tables.setdefault(table_id, {}).setdefault(row_id, {})
                row.setdefault(cell_id, row_there[cell_id])
    values: Any = content[1]
    for value_id in there[1].keys() & not_loaded.values:
        values.setdefault(value_id, there[1][value_id])


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
