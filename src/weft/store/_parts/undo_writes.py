"""What a step of an undo manager writes, where the Store still holds what it left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.deltas import apply, check_cuts, from_cell
from weft.values import UNDEFINED, is_same

if TYPE_CHECKING:
    from weft.changes import StoredTables, StoredValues
    from weft.deltas import Delta
    from weft.store._parts.log import Net, OldAndNew
    from weft.store._parts.stack_item import Edit, StackItem
    from weft.values import Stored, Undefined

__all__ = ["UndoWrites", "undo_writes"]


@dataclass(slots=True)
class UndoWrites:
    """Writes of one step.

    Attributes:
        sets: Cells to be set: each to the first of its pair.
        deletes: Cells to be deleted, likewise.
        edits: Edits of texts.
        values: Values to be set or deleted, likewise.
        shared: Rows of which something stays.
        passed_over: Cells that do not hold what the step left.
    """

    sets: Net = field(default_factory=dict)
    deletes: Net = field(default_factory=dict)
    edits: dict[tuple[str, str, str], Delta] = field(default_factory=dict)
    values: dict[str, OldAndNew] = field(default_factory=dict)
    shared: dict[str, set[str]] = field(default_factory=dict)
    passed_over: list[tuple[str, str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.sets or self.deletes or self.edits or self.values)


def undo_writes(item: StackItem, tables: StoredTables, values: StoredValues) -> UndoWrites:
    """Compute what takes a step back.

    A row that others have removed does not come back. One that the step itself took away does.

    Args:
        item: The step.
        tables: The Store's tables as they are.
        values: Its values.
    """
    writes = UndoWrites()
    for table_id, rows in item.cells.items():
        table = tables.get(table_id, {})
        for row_id, edits in rows.items():
            row = table.get(row_id)
            may_make = row is not None or (table_id, row_id) in item.gone
            for cell_id, edit in edits.items():
                current = UNDEFINED if row is None else row.get(cell_id, UNDEFINED)
                key = table_id, row_id, cell_id
                if not _add(writes, key, edit, current, may_make=may_make):
                    writes.passed_over.append(key)
            deleted = writes.deletes.get(table_id, {}).get(row_id, {})
            if deleted and row is not None:
                stays = row.keys() - deleted.keys() or writes.sets.get(table_id, {}).get(row_id)
                if stays:
                    writes.shared.setdefault(table_id, set()).add(row_id)
    for value_id, edit in item.values.items():
        if is_same(values.get(value_id, UNDEFINED), edit.after):
            writes.values[value_id] = (edit.before, edit.after)
    return writes


def _add(
    writes: UndoWrites, key: tuple[str, str, str], edit: Edit, current: Stored | Undefined, *, may_make: bool
) -> bool:
    table_id, row_id, cell_id = key
    before = edit.before
    if edit.inverse is not None:
        if not isinstance(current, str):
            return False
        try:
            text = from_cell(current)
            left = apply(text, edit.inverse)
            check_cuts(text, edit.inverse)
        except ValueError:
            return False
        if before is not UNDEFINED or edit.is_shared or left:
            if edit.inverse:
                writes.edits[key] = edit.inverse
            return True
    elif not is_same(current, edit.after) or (before is not UNDEFINED and not may_make):
        return False
    part = writes.deletes if before is UNDEFINED else writes.sets
    part.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = (before, current)
    return True
