"""Reading: contents, ids, counts, and whether something is there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar, overload

from weft.store._core.state import StoreState
from weft.store._parts.ids import check_id
from weft.store._parts.sorting import sorted_ids
from weft.values import EncodedCell, decode_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Content, Row, Table, Tables, Values
    from weft.store._parts.signatures import ForEachCell, ForEachRow, SortedRowIdsArgs
    from weft.store._parts.sorting import Sorter
    from weft.values import Cell, Stored, Value

__all__ = ["Getters"]

D = TypeVar("D")


def _decoded_row(row: dict[str, Stored]) -> Row:
    if EncodedCell in set(map(type, row.values())):
        return {cell_id: decode_cell(cell) for cell_id, cell in row.items()}
    return row.copy()  # type: ignore[return-value]  # no encoded cells in it


class Getters(StoreState):
    """The getters of a Store. What they return is the caller's own.

    With ``on_invalid="raise"`` an id that is no ``str`` raises ``InvalidIdTypeError``, as nothing is ever
    there under it. That is looked at only where nothing was found, and by a call only where it is no ``str``:
    reads are as fast as without.
    """

    __slots__ = ()

    def _check_ids(self, *ids: object) -> None:
        """Refuse ids that cannot be ids, where nothing was found under them."""
        if self._raising:
            for id_ in ids:
                if type(id_) is not str:
                    check_id(id_)

    def get_content(self) -> Content:
        """Get everything: the tables and the keyed values."""
        return self.get_tables(), self.get_values()

    def get_tables(self) -> Tables:
        """Get all tables."""
        return {
            table_id: {row_id: _decoded_row(row) for row_id, row in table.items()}
            for table_id, table in self._tables.items()
        }

    def get_table_ids(self) -> list[str]:
        """Get the ids of all tables, in the order they were made."""
        return list(self._tables)

    def get_table(self, table_id: str) -> Table:
        """Get a table; an empty dictionary where there is none."""
        table = self._tables.get(table_id)
        if table is None:
            if type(table_id) is not str:
                self._check_ids(table_id)
            return {}
        return {row_id: _decoded_row(row) for row_id, row in table.items()}

    def get_table_cell_ids(self, table_id: str) -> list[str]:
        """Get the cell ids used by any row of a table, in the order they appeared."""
        count = self._counts.get(table_id)
        if count is None:
            if type(table_id) is not str:
                self._check_ids(table_id)
            return []
        return list(count)

    def get_row_count(self, table_id: str) -> int:
        """Count the rows of a table; 0 where there is none."""
        table = self._tables.get(table_id)
        if table is None:
            if type(table_id) is not str:
                self._check_ids(table_id)
            return 0
        return len(table)

    def get_row_ids(self, table_id: str) -> list[str]:
        """Get the ids of a table's rows, in the order they were made."""
        table = self._tables.get(table_id)
        if table is None:
            if type(table_id) is not str:
                self._check_ids(table_id)
            return []
        return list(table)

    @overload
    def get_sorted_row_ids(self, table_id: SortedRowIdsArgs) -> list[str]: ...
    @overload
    def get_sorted_row_ids(
        self,
        table_id: str,
        cell_id: str | None = None,
        descending: bool = False,
        offset: int = 0,
        limit: int | None = None,
        sorter: Sorter | None = None,
    ) -> list[str]: ...
    def get_sorted_row_ids(
        self,
        table_id: str | SortedRowIdsArgs,
        cell_id: str | None = None,
        descending: bool = False,
        offset: int = 0,
        limit: int | None = None,
        sorter: Sorter | None = None,
    ) -> list[str]:
        """Get the ids of a table's rows in order of one of their cells.

        The order is TinyBase's, which is JavaScript's ``<``: numbers and booleans by value, text by its
        UTF-16 code units, a missing or ``None`` cell as 0. Rows that compare equal stay in the order they
        were made; descending is the exact reverse.

        Args:
            table_id: The table; or all of these as one dictionary.
            cell_id: Cell to sort by; ``None`` sorts by row id.
            descending: Whether the largest comes first.
            offset: Rows to leave out at the beginning; negative counts from the end.
            limit: Rows to give at most.
            sorter: Compares two cells (or ids): negative where the first comes first. A missing cell is
                ``UNDEFINED``.
        """
        if isinstance(table_id, dict):
            return self.get_sorted_row_ids(**table_id)
        table = self._tables.get(table_id)
        if cell_id is not None and type(cell_id) is not str:
            self._check_ids(cell_id)
        if table is None:
            if type(table_id) is not str:
                self._check_ids(table_id)
            return []
        ids = sorted_ids(table, cell_id, descending, sorter)
        if offset == 0 and limit is None:
            return ids
        return ids[offset : None if limit is None else _js_end(offset, limit)]

    def get_row(self, table_id: str, row_id: str) -> Row:
        """Get a row; an empty dictionary where there is none."""
        table = self._tables.get(table_id)
        row = None if table is None else table.get(row_id)
        if row is None:
            if not (type(table_id) is type(row_id) is str):
                self._check_ids(table_id, row_id)
            return {}
        return _decoded_row(row)

    def get_cell_ids(self, table_id: str, row_id: str) -> list[str]:
        """Get the ids of a row's cells, in the order they were set."""
        table = self._tables.get(table_id)
        row = None if table is None else table.get(row_id)
        if row is None:
            if not (type(table_id) is type(row_id) is str):
                self._check_ids(table_id, row_id)
            return []
        return list(row)

    @overload
    def get_cell(self, table_id: str, row_id: str, cell_id: str) -> Cell: ...
    @overload
    def get_cell(self, table_id: str, row_id: str, cell_id: str, default: D) -> Cell | D: ...
    def get_cell(self, table_id: str, row_id: str, cell_id: str, default: object = None) -> object:
        """Get a cell.

        Args:
            table_id: The table.
            row_id: The row.
            cell_id: The cell.
            default: What to give where there is no such cell. ``None`` is a cell too: where that matters,
                pass ``UNDEFINED``.
        """
        try:
            cell = self._tables[table_id][row_id][cell_id]
        except KeyError:
            if not (type(table_id) is type(row_id) is type(cell_id) is str):
                self._check_ids(table_id, row_id, cell_id)
            return default
        return cell.decode() if type(cell) is EncodedCell else cell

    def get_values(self) -> Values:
        """Get all keyed values."""
        return _decoded_row(self._values)

    def get_value_ids(self) -> list[str]:
        """Get the ids of all keyed values, in the order they were set."""
        return list(self._values)

    @overload
    def get_value(self, value_id: str) -> Value: ...
    @overload
    def get_value(self, value_id: str, default: D) -> Value | D: ...
    def get_value(self, value_id: str, default: object = None) -> object:
        """Get a keyed value, or ``default`` where there is none."""
        try:
            value = self._values[value_id]
        except KeyError:
            if type(value_id) is not str:
                self._check_ids(value_id)
            return default
        return decode_cell(value)

    def has_tables(self) -> bool:
        """Tell whether there is any table."""
        return bool(self._tables)

    def has_table(self, table_id: str) -> bool:
        """Tell whether a table is there."""
        if table_id in self._tables:
            return True
        if type(table_id) is not str:
            self._check_ids(table_id)
        return False

    def has_table_cell(self, table_id: str, cell_id: str) -> bool:
        """Tell whether any row of a table has a cell of this id."""
        if cell_id in self._counts.get(table_id, ()):
            return True
        if not (type(table_id) is type(cell_id) is str):
            self._check_ids(table_id, cell_id)
        return False

    def has_row(self, table_id: str, row_id: str) -> bool:
        """Tell whether a row is there."""
        if row_id in self._tables.get(table_id, ()):
            return True
        if not (type(table_id) is type(row_id) is str):
            self._check_ids(table_id, row_id)
        return False

    def has_cell(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Tell whether a cell is there; a cell that is ``None`` is."""
        table = self._tables.get(table_id)
        if table is not None and cell_id in table.get(row_id, ()):
            return True
        if not (type(table_id) is type(row_id) is type(cell_id) is str):
            self._check_ids(table_id, row_id, cell_id)
        return False

    def has_values(self) -> bool:
        """Tell whether there is any keyed value."""
        return bool(self._values)

    def has_value(self, value_id: str) -> bool:
        """Tell whether a keyed value is there."""
        if value_id in self._values:
            return True
        if type(value_id) is not str:
            self._check_ids(value_id)
        return False

    # The callbacks go through a copy of the ids: they may write.

    def for_each_table(self, callback: Callable[[str, ForEachRow], object]) -> None:
        """Call ``callback(table_id, for_each_row)`` for each table."""
        for table_id in list(self._tables):
            callback(table_id, partial(self.for_each_row, table_id))

    def for_each_table_cell(self, table_id: str, callback: Callable[[str, int], object]) -> None:
        """Call ``callback(cell_id, count)`` for each cell id of a table; count is of rows that have it."""
        counts = self._counts.get(table_id)
        if counts is None:
            if type(table_id) is not str:
                self._check_ids(table_id)
            return
        for cell_id, count in list(counts.items()):
            callback(cell_id, count)

    def for_each_row(self, table_id: str, callback: Callable[[str, ForEachCell], object]) -> None:
        """Call ``callback(row_id, for_each_cell)`` for each row of a table."""
        for row_id in self.get_row_ids(table_id):
            callback(row_id, partial(self.for_each_cell, table_id, row_id))

    def for_each_cell(self, table_id: str, row_id: str, callback: Callable[[str, Cell], object]) -> None:
        """Call ``callback(cell_id, cell)`` for each cell of a row."""
        table = self._tables.get(table_id)
        row = None if table is None else table.get(row_id)
        if row is None:
            if not (type(table_id) is type(row_id) is str):
                self._check_ids(table_id, row_id)
            return
        for cell_id, cell in list(row.items()):
            callback(cell_id, decode_cell(cell))

    def for_each_value(self, callback: Callable[[str, Value], object]) -> None:
        """Call ``callback(value_id, value)`` for each keyed value."""
        for value_id, value in list(self._values.items()):
            callback(value_id, decode_cell(value))


def _js_end(offset: int, limit: int) -> int | None:
    """Find the end of JavaScript's ``slice(offset, offset + limit)`` for Python's."""
    end = offset + limit
    # From below zero up to the end of the list: Python would read an end of 0 as the beginning.
    return end if offset >= 0 or end != 0 else 0
