"""What setting a schema did to the content: what it put out, which nobody has deleted, and what it added."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weft.store._parts.log import DEFAULT
from weft.values import UNDEFINED, decode_cell, is_same

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weft.changes import StoredTables, StoredValues
    from weft.store._parts.log import Entry, Touched, TouchedValues
    from weft.store._parts.signatures import RefusedCell, RefusedValue
    from weft.store._parts.writes import WriteVisitor
    from weft.values import Stored

__all__ = ["SchemaEffect", "effect_on_cells", "effect_on_values", "refused_cells", "refused_values"]


class SchemaEffect(NamedTuple):
    """The effect of one schema, for those who keep the Store equal with another place.

    Attributes:
        entries: The entries of the transaction's log that it made, as a half-open range.
        refused: What stood there and was put out, or had to give way to a default.
        cells: The cells that it wrote otherwise: defaults, and what middleware made of the rest.
        values: The values likewise.
    """

    entries: tuple[int, int]
    refused: list[RefusedCell | RefusedValue]
    cells: list[tuple[str, str, str]]
    values: list[str]

    def add_edits(
        self, changed: Touched, changed_values: TouchedValues, tables: StoredTables, values: StoredValues
    ) -> None:
        """Add to net changes what was written, in its final form."""
        for table_id, row_id, cell_id in self.cells:
            cell = tables.get(table_id, {}).get(row_id, {}).get(cell_id, UNDEFINED)
            changed.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = cell
        for value_id in self.values:
            changed_values[value_id] = values.get(value_id, UNDEFINED)

    def visit_writes(
        self, log: Sequence[Entry], tables: StoredTables, values: StoredValues, visitor: WriteVisitor
    ) -> None:
        """Tell of what was written: defaults, and what middleware made of the rest."""
        defaults = {
            (entry[1], entry[2], id_)
            for entry in log[slice(*self.entries)]
            if entry[0] == DEFAULT
            for id_ in entry[3]
        }
        for table_id, row_id, cell_id in self.cells:
            cell = tables.get(table_id, {}).get(row_id, {}).get(cell_id, UNDEFINED)
            visitor.cell(table_id, row_id, cell_id, cell, (table_id, row_id, cell_id) in defaults)
        for value_id in self.values:
            visitor.value(value_id, values.get(value_id, UNDEFINED), (None, None, value_id) in defaults)

    def spare_refused(
        self, changed: Touched, changed_values: TouchedValues, after: Touched, after_values: TouchedValues
    ) -> None:
        """Take out of net changes what was refused, unless it was written again after that."""
        for path in self.refused:
            if len(path) == 2:
                if path[0] not in after_values:
                    changed_values.pop(path[0], None)
                continue
            table_id, row_id, cell_id, _ = path
            cells = changed.get(table_id, {}).get(row_id, {})
            if cell_id in cells and cell_id not in after.get(table_id, {}).get(row_id, ()):
                del cells[cell_id]
                if not cells:
                    del changed[table_id][row_id]
                    if not changed[table_id]:
                        del changed[table_id]


def refused_cells(old: StoredTables, valid: StoredTables) -> list[RefusedCell]:
    """List the cells that validation left out or replaced."""
    return [
        (table_id, row_id, cell_id, decode_cell(cell))
        for table_id, table in old.items()
        for row_id, row in table.items()
        for cell_id, cell in row.items()
        if not is_same(cell, valid.get(table_id, {}).get(row_id, {}).get(cell_id, UNDEFINED))
    ]


def refused_values(old: StoredValues, valid: StoredValues) -> list[RefusedValue]:
    """List the values that validation left out or replaced."""
    return [
        (value_id, decode_cell(value))
        for value_id, value in old.items()
        if not is_same(value, valid.get(value_id, UNDEFINED))
    ]


def effect_on_cells(
    entries: tuple[int, int], refused: list[RefusedCell], old: StoredTables, new: StoredTables
) -> SchemaEffect:
    """Tell what became of the tables, but for what was refused."""
    spared = {item[:3] for item in refused}
    nothing: Mapping[str, Stored] = {}
    written = [
        (table_id, row_id, cell_id)
        for table_id in dict.fromkeys([*old, *new])
        for row_id in dict.fromkeys([*old.get(table_id, ()), *new.get(table_id, ())])
        for before in [old.get(table_id, {}).get(row_id, nothing)]
        for after in [new.get(table_id, {}).get(row_id, nothing)]
        for cell_id in dict.fromkeys([*before, *after])
        if not is_same(before.get(cell_id, UNDEFINED), after.get(cell_id, UNDEFINED))
    ]
    return SchemaEffect(entries, [*refused], [path for path in written if path not in spared], [])


def effect_on_values(
    entries: tuple[int, int], refused: list[RefusedValue], old: StoredValues, new: StoredValues
) -> SchemaEffect:
    """Tell what became of the values, but for what was refused."""
    spared = {item[0] for item in refused}
    written = [
        value_id
        for value_id in dict.fromkeys([*old, *new])
        if value_id not in spared and not is_same(old.get(value_id, UNDEFINED), new.get(value_id, UNDEFINED))
    ]
    return SchemaEffect(entries, [*refused], [], written)
