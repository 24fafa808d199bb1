"""What one step of undo covers, and what of it others have overwritten since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from weft.values import UNDEFINED, is_same

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.changes import StoredTables, StoredValues
    from weft.store._parts.log import OldAndNew
    from weft.values import Stored, Undefined

__all__ = ["Overwritten", "UndoStep"]

_Pairs: TypeAlias = "dict[str, OldAndNew]"
_LOOK: Final = 1000


class Overwritten:
    """The places at which others have written: there a step is taken only where it still holds.

    Only rows and values that some step covers are noted, so that it does not grow with what others write.
    """

    __slots__ = ("_count", "_covered_rows", "_covered_values", "_most", "cells", "values")

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, set[str]]] = {}
        self.values: set[str] = set()
        self._covered_rows: dict[str, set[str]] = {}
        self._covered_values: set[str] = set()
        self._count = 0  # how often something was covered since the last look at which still are
        self._most = _LOOK

    def cover_row(self, table_id: str, row_id: str) -> None:
        """A step covers cells of this row."""
        self._covered_rows.setdefault(table_id, set()).add(row_id)
        self._count += 1

    def cover_value(self, value_id: str) -> None:
        """A step covers this value."""
        self._covered_values.add(value_id)
        self._count += 1

    @property
    def is_due(self) -> bool:
        """Whether enough was covered for :meth:`keep` to be worth its time."""
        return self._count > self._most

    def keep(self, steps: Iterable[UndoStep]) -> None:
        """Forget what none of these steps covers any more."""
        rows: dict[str, set[str]] = {}
        values: set[str] = set()
        for step in steps:
            for table_id, covered in step.cells.items():
                rows.setdefault(table_id, set()).update(covered)
            values.update(step.values)
        self._covered_rows, self._covered_values = rows, values
        self.cells = {
            table_id: left
            for table_id, noted in self.cells.items()
            if (left := {id_: cells for id_, cells in noted.items() if id_ in rows.get(table_id, ())})
        }
        self.values &= values
        self._count = 0
        self._most = max(_LOOK, 2 * (len(values) + sum(map(len, rows.values()))))

    def note_cell(self, table_id: str, row_id: str, cell_id: str) -> None:
        """Note that others have written a cell."""
        if row_id in self._covered_rows.get(table_id, ()):
            self.cells.setdefault(table_id, {}).setdefault(row_id, set()).add(cell_id)

    def note_value(self, value_id: str) -> None:
        """Note that others have written a value."""
        if value_id in self._covered_values:
            self.values.add(value_id)

    def __bool__(self) -> bool:
        return bool(self.cells or self.values)


class UndoStep:
    """What changed between two checkpoints: old and new of each cell and value."""

    __slots__ = ("cells", "values")

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, _Pairs]] = {}
        self.values: _Pairs = {}

    def __bool__(self) -> bool:
        return bool(self.cells or self.values)

    def note_cell(
        self, table_id: str, row_id: str, cell_id: str, old: Stored | Undefined, new: Stored | Undefined
    ) -> None:
        """Note a change; one that came back to where it began is none."""
        pairs = self.cells.setdefault(table_id, {}).setdefault(row_id, {})
        _note(pairs, cell_id, old, new)
        if not pairs:
            self._prune(table_id, row_id)

    def note_value(self, value_id: str, old: Stored | Undefined, new: Stored | Undefined) -> None:
        """Note a change of a value, likewise."""
        _note(self.values, value_id, old, new)

    def forget_cell(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Forget a change; tell whether there was one."""
        pairs = self.cells.get(table_id, {}).get(row_id, {})
        if pairs.pop(cell_id, None) is None:
            return False
        if not pairs:
            self._prune(table_id, row_id)
        return True

    def _prune(self, table_id: str, row_id: str) -> None:
        rows = self.cells[table_id]
        del rows[row_id]
        if not rows:
            del self.cells[table_id]

    def forget_overwritten(
        self, overwritten: Overwritten, tables: StoredTables, values: StoredValues, which: int
    ) -> None:
        """Forget what others have overwritten: where the Store no longer has the old (0) or the new (1)."""
        gone = [
            (table_id, row_id, cell_id)
            for table_id, rows in overwritten.cells.items()
            for row_id, pairs in self.cells.get(table_id, {}).items()
            for cell_id in pairs.keys() & rows.get(row_id, ())
            if not is_same(
                tables.get(table_id, {}).get(row_id, {}).get(cell_id, UNDEFINED), pairs[cell_id][which]
            )
        ]
        for place in gone:
            self.forget_cell(*place)
        for value_id in self.values.keys() & overwritten.values:
            if not is_same(values.get(value_id, UNDEFINED), self.values[value_id][which]):
                del self.values[value_id]


def _note(pairs: _Pairs, id_: str, old: Stored | Undefined, new: Stored | Undefined) -> None:
    first = pairs[id_][0] if id_ in pairs else old
    if is_same(first, new):
        pairs.pop(id_, None)
    else:
        pairs[id_] = (first, new)
