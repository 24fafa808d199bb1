"""Places of a document that are a Store's, and what the Store holds there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weft.values import UNDEFINED, decode_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weft.changes import ChangedTables, ChangedValues, Changes
    from weft.values import Stored

__all__ = ["TABLES", "VALUES", "Place", "changes_at"]

TABLES, VALUES = "t", "v"

Place: TypeAlias = tuple[str, ...]
"""``t`` and up to three ids, of table, row and cell; or ``v`` and a value's id."""


def changes_at(
    tables: Mapping[str, Mapping[str, Mapping[str, Stored]]],
    values: Mapping[str, Stored],
    written: Iterable[Place],
    deleted: Iterable[Place],
) -> Changes:
    """What a Store holds at places, in TinyBase's form of changes.

    Args:
        tables: Of the Store.
        values: Of the Store.
        written: Places at which something was written; of containers, nothing is said.
        deleted: Places from which something went; of containers that are there nothing is said, either.
    """
    changed_tables: ChangedTables = {}
    changed_values: ChangedValues = {}

    def note(table_id: str, row_id: str, cell_id: str | None) -> None:
        rows = tables.get(table_id)
        row = None if rows is None else rows.get(row_id)
        if row is None:
            changed = None if rows is None else changed_tables.setdefault(table_id, {})
            if changed is None:
                changed_tables[table_id] = UNDEFINED
            elif changed is not UNDEFINED:
                changed[row_id] = UNDEFINED
        elif cell_id is not None:
            changed = changed_tables.setdefault(table_id, {})
            cells = UNDEFINED if changed is UNDEFINED else changed.setdefault(row_id, {})
            if cells is not UNDEFINED:
                cells[cell_id] = decode_cell(row.get(cell_id, UNDEFINED))

    for is_gone, places in ((False, written), (True, deleted)):
        for place in places:
            match place:
                case ("v", value_id):
                    changed_values[value_id] = decode_cell(values.get(value_id, UNDEFINED))
                case ("t", table_id, row_id, cell_id):
                    note(table_id, row_id, cell_id)
                case ("t", table_id, row_id) if is_gone:
                    note(table_id, row_id, None)
                case ("t", table_id) if is_gone and table_id not in tables:
                    changed_tables[table_id] = UNDEFINED
    return changed_tables, changed_values, 1
