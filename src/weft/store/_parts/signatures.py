"""The shapes of what a Store calls: listeners and their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Required, TypeAlias, TypedDict

from weft.changes import CellChange, ValueChange
from weft.values import Cell, Stored, Undefined, Value

if TYPE_CHECKING:
    from weft.store._core.store import Store
    from weft.store._parts.sorting import Sorter

ForEachCell: TypeAlias = Callable[[Callable[[str, Cell], object]], None]
ForEachRow: TypeAlias = Callable[[Callable[[str, ForEachCell], object]], None]
GetCellChange: TypeAlias = Callable[[str, str, str], CellChange]
GetValueChange: TypeAlias = Callable[[str], ValueChange]
GetIdChanges: TypeAlias = Callable[[], dict[str, int]]

HasTablesListener: TypeAlias = "Callable[[Store, bool], object]"
TablesListener: TypeAlias = "Callable[[Store, GetCellChange], object]"
TableIdsListener: TypeAlias = "Callable[[Store, GetIdChanges], object]"
HasTableListener: TypeAlias = "Callable[[Store, str, bool], object]"
TableListener: TypeAlias = "Callable[[Store, str, GetCellChange], object]"
TableCellIdsListener: TypeAlias = "Callable[[Store, str, GetIdChanges], object]"
HasTableCellListener: TypeAlias = "Callable[[Store, str, str, bool], object]"
RowCountListener: TypeAlias = "Callable[[Store, str, int], object]"
RowIdsListener: TypeAlias = "Callable[[Store, str, GetIdChanges], object]"
SortedRowIdsListener: TypeAlias = (
    "Callable[[Store, str, str | None, bool, int, int | None, list[str]], object]"
)
HasRowListener: TypeAlias = "Callable[[Store, str, str, bool], object]"
RowListener: TypeAlias = "Callable[[Store, str, str, GetCellChange], object]"
CellIdsListener: TypeAlias = "Callable[[Store, str, str, GetIdChanges], object]"
HasCellListener: TypeAlias = "Callable[[Store, str, str, str, bool], object]"
CellListener: TypeAlias = (
    "Callable[[Store, str, str, str, Cell | Undefined, Cell | Undefined, GetCellChange], object]"
)
InvalidCellListener: TypeAlias = "Callable[[Store, str | None, str | None, str | None, list[object]], object]"
HasValuesListener: TypeAlias = "Callable[[Store, bool], object]"
ValuesListener: TypeAlias = "Callable[[Store, GetValueChange], object]"
ValueIdsListener: TypeAlias = "Callable[[Store, GetIdChanges], object]"
HasValueListener: TypeAlias = "Callable[[Store, str, bool], object]"
ValueListener: TypeAlias = (
    "Callable[[Store, str, Value | Undefined, Value | Undefined, GetValueChange], object]"
)
InvalidValueListener: TypeAlias = "Callable[[Store, str | None, list[object]], object]"
TransactionListener: TypeAlias = "Callable[[Store], object]"

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
