"""The shapes in which content and changes travel between the layers.

TinyBase's shapes (10.0.1, ``Content`` and ``Changes``), with :data:`weft.values.UNDEFINED` where
JavaScript has ``undefined``::

    content = (tables, values)
    changes = (changed_tables, changed_values, 1)

In changes, ``UNDEFINED`` stands at the highest level that was removed: a removed table is
``{"pets": UNDEFINED}``, a removed row ``{"pets": {"fido": UNDEFINED}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from weft.values import Cell, Undefined, Value

__all__ = [
    "CellChange",
    "ChangedRow",
    "ChangedTable",
    "ChangedTables",
    "ChangedValues",
    "Changes",
    "Content",
    "Row",
    "RowInput",
    "StoredTables",
    "StoredValues",
    "Table",
    "TableInput",
    "Tables",
    "TablesInput",
    "ValueChange",
    "Values",
    "ValuesInput",
]

# What the Store gives: plain dictionaries that are the caller's own.
Row: TypeAlias = dict[str, Cell]
Table: TypeAlias = dict[str, Row]
Tables: TypeAlias = dict[str, Table]
Values: TypeAlias = dict[str, Value]
Content: TypeAlias = tuple[Tables, Values]

# What the Store takes: any mapping, left as it is. Covariant, so that dict[str, dict[str, int]] fits.
RowInput: TypeAlias = Mapping[str, object]
TableInput: TypeAlias = Mapping[str, Mapping[str, object]]
TablesInput: TypeAlias = Mapping[str, Mapping[str, Mapping[str, object]]]
ValuesInput: TypeAlias = Mapping[str, object]

ChangedRow: TypeAlias = dict[str, Cell | Undefined]
ChangedTable: TypeAlias = dict[str, ChangedRow | Undefined]
ChangedTables: TypeAlias = dict[str, ChangedTable | Undefined]
ChangedValues: TypeAlias = dict[str, Value | Undefined]
Changes: TypeAlias = tuple[ChangedTables, ChangedValues, Literal[1]]

# (changed, old, new), as TinyBase's getCellChange and getValueChange return it.
CellChange: TypeAlias = tuple[bool, Cell | Undefined, Cell | Undefined]
ValueChange: TypeAlias = tuple[bool, Value | Undefined, Value | Undefined]

# The stored forms of cells (see weft.values), nested as the Store keeps them.
StoredTables: TypeAlias = dict[str, dict[str, dict[str, "str | int | float | bool | None"]]]
StoredValues: TypeAlias = dict[str, "str | int | float | bool | None"]
