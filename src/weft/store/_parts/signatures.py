"""The shapes of what a Store calls: listeners and their arguments, generic over the Store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Required, TypeAlias, TypedDict, TypeVar

from weft.changes import CellChange, ValueChange
from weft.values import Cell, Stored, Undefined, Value

if TYPE_CHECKING:
    from weft.store._parts.sorting import Sorter

S = TypeVar("S")

ForEachCell: TypeAlias = Callable[[Callable[[str, Cell], object]], None]
ForEachRow: TypeAlias = Callable[[Callable[[str, ForEachCell], object]], None]
GetCellChange: TypeAlias = Callable[[str, str, str], CellChange]
GetValueChange: TypeAlias = Callable[[str], ValueChange]
GetIdChanges: TypeAlias = Callable[[], dict[str, int]]

HasTablesListener: TypeAlias = "Callable[[S, bool], object]"
TablesListener: TypeAlias = "Callable[[S, GetCellChange], object]"
TableIdsListener: TypeAlias = "Callable[[S, GetIdChanges], object]"
HasTableListener: TypeAlias = "Callable[[S, str, bool], object]"
TableListener: TypeAlias = "Callable[[S, str, GetCellChange], object]"
TableCellIdsListener: TypeAlias = "Callable[[S, str, GetIdChanges], object]"
HasTableCellListener: TypeAlias = "Callable[[S, str, str, bool], object]"
RowCountListener: TypeAlias = "Callable[[S, str, int], object]"
RowIdsListener: TypeAlias = "Callable[[S, str, GetIdChanges], object]"
SortedRowIdsListener: TypeAlias = "Callable[[S, str, str | None, bool, int, int | None, list[str]], object]"
HasRowListener: TypeAlias = "Callable[[S, str, str, bool], object]"
RowListener: TypeAlias = "Callable[[S, str, str, GetCellChange], object]"
CellIdsListener: TypeAlias = "Callable[[S, str, str, GetIdChanges], object]"
HasCellListener: TypeAlias = "Callable[[S, str, str, str, bool], object]"
CellListener: TypeAlias = (
    "Callable[[S, str, str, str, Cell | Undefined, Cell | Undefined, GetCellChange], object]"
)
InvalidCellListener: TypeAlias = "Callable[[S, str | None, str | None, str | None, list[object]], object]"
HasValuesListener: TypeAlias = "Callable[[S, bool], object]"
ValuesListener: TypeAlias = "Callable[[S, GetValueChange], object]"
ValueIdsListener: TypeAlias = "Callable[[S, GetIdChanges], object]"
HasValueListener: TypeAlias = "Callable[[S, str, bool], object]"
ValueListener: TypeAlias = "Callable[[S, str, Value | Undefined, Value | Undefined, GetValueChange], object]"
InvalidValueListener: TypeAlias = "Callable[[S, str | None, list[object]], object]"
TransactionListener: TypeAlias = "Callable[[S], object]"

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


Refused: TypeAlias = tuple[str, str, str, object] | tuple[str, object]
"""What ``_apply_stored`` left out: ``(table_id, row_id, cell_id, cell)`` or ``(value_id, value)``."""
