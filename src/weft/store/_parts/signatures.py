"""The shapes of what a Store calls listeners with, and of what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Required, TypeAlias, TypedDict

from weft.changes import CellChange, ValueChange
from weft.values import Cell, Stored, Undefined

if TYPE_CHECKING:
    from weft.store._parts.sorting import Sorter

ForEachCell: TypeAlias = Callable[[Callable[[str, Cell], object]], None]
ForEachRow: TypeAlias = Callable[[Callable[[str, ForEachCell], object]], None]
GetCellChange: TypeAlias = Callable[[str, str, str], CellChange]
GetValueChange: TypeAlias = Callable[[str], ValueChange]
GetIdChanges: TypeAlias = Callable[[], dict[str, int]]


TransactionLog: TypeAlias = """tuple[
    bool,
    bool,
    dict[str, dict[str, dict[str, tuple[Stored | Undefined, Stored | Undefined]]]],
    dict[str | None, dict[str | None, dict[str | None, list[object]]]],
    dict[str, tuple[Stored | Undefined, Stored | Undefined]],
    dict[str | None, list[object]],
    dict[str, int],
    dict[str, dict[str, int]],
    dict[str, dict[str, dict[str, int]]],
    dict[str, int],
]"""
"""TinyBase's ten parts: cells touched, values touched, changed cells as (old, new) in stored form,
refused cells, changed values, refused values, changed table ids, row ids, cell ids and value ids."""


class SortedRowIdsArgs(TypedDict, total=False):
    """What to sort by, as one dictionary: the arguments of ``get_sorted_row_ids``."""

    table_id: Required[str]
    cell_id: str | None
    descending: bool
    offset: int
    limit: int | None
    sorter: Sorter | None


RefusedCell: TypeAlias = tuple[str, str, str, object]
"""A cell that the Store did not take: ``(table_id, row_id, cell_id, cell)``."""
RefusedValue: TypeAlias = tuple[str, object]
"""A keyed value that the Store did not take: ``(value_id, value)``."""
Refused: TypeAlias = RefusedCell | RefusedValue
"""Either of them, in lists of both: tell them apart by their length."""
