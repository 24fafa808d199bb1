"""Writing whole rows, tables and values: replacing, merging, adding and deleting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from weft.errors import InvalidIdError
from weft.store._core.cells import CellWrites
from weft.store._core.transactions import OneWrite
from weft.store._parts.ids import check_id
from weft.store._parts.log import COLUMN, ROW, TABLE

if TYPE_CHECKING:
    from weft.changes import RowInput, TableInput, TablesInput, ValuesInput
    from weft.values import Stored

__all__ = ["RowWrites"]


class RowWrites(CellWrites):
    """The writes of rows, tables and all values.

    In all of them what is not mentioned is deleted, unless the method's name says "partial". With
    ``on_invalid="raise"`` a piece that cannot be stored raises before anything changes; with ``"ignore"``
    it is left out. An empty mapping is refused: deleting has methods of its own.
    """

    __slots__ = ()

    def set_tables(self, tables: TablesInput) -> Self:
        """Set all tables, and delete those not mentioned."""
        with OneWrite(self) as may_write:
            if may_write:
                valid = self._valid_tables(tables)
                if valid:
                    self._replace_tables(valid)
        return self

    def set_table(self, table_id: str, table: TableInput) -> Self:
        """Set all rows of a table, and delete those not mentioned."""
        with OneWrite(self) as may_write:
            if may_write:
                try:
                    table_id = check_id(table_id)
                except InvalidIdError as error:
                    self._refuse_id(error, table_id, None, None, table)
                else:
                    valid = self._valid_table(table_id, table)
                    if valid:
                        self._replace_table(table_id, valid)
        return self

    def set_row(self, table_id: str, row_id: str, row: RowInput) -> Self:
        """Set all cells of a row, and delete those not mentioned."""
        if not self._enter():
            return self
        try:
            try:
                table_id = check_id(table_id)
                row_id = check_id(row_id)
            except InvalidIdError as error:
                self._refuse_id(error, table_id, row_id, None, row)
            else:
                valid = self._valid_row(table_id, row_id, row, {})
                if valid:
                    self._replace_row(table_id, row_id, valid)
        except BaseException as error:
            self._fail(error)
            raise
        self._leave()
        return self

    def add_row(self, table_id: str, row: RowInput, reuse_row_ids: bool = True) -> str | None:
        """Add a row under a new id.

        While the Store is alone that is the lowest number not used before, or one given back. With
        ``Store(row_ids="unique")``, and from the moment at which it is mirrored or saved, it is one that no
        other peer makes.

        Args:
            table_id: The table.
            row: The cells.
            reuse_row_ids: Whether the id of a deleted row may be given again; unique ones never are.

        Returns:
            The id; ``None`` where nothing of the row could be stored.
        """
        if not self._enter():
            return None
        row_id = None
        try:
            try:
                table_id = check_id(table_id)
            except InvalidIdError as error:
                self._refuse_id(error, table_id, None, None, row)
            else:
                valid = self._valid_row(table_id, None, row, {})
                if valid:
                    row_id = self._take_row_id(table_id, reuse=reuse_row_ids)
                    self._replace_row(table_id, row_id, valid)
        except BaseException as error:
            self._fail(error)
            raise
        self._leave()
        return row_id

    def set_partial_row(self, table_id: str, row_id: str, partial_row: RowInput) -> Self:
        """Set some cells of a row and leave the others."""
        if not self._enter():
            return self
        try:
            try:
                table_id = check_id(table_id)
                row_id = check_id(row_id)
            except InvalidIdError as error:
                self._refuse_id(error, table_id, row_id, None, partial_row)
            else:
                self._merge_row(
                    table_id, row_id, self._valid_row(table_id, row_id, partial_row, {}, partial=True)
                )
        except BaseException as error:
            self._fail(error)
            raise
        self._leave()
        return self

    def set_values(self, values: ValuesInput) -> Self:
        """Set all keyed values, and delete those not mentioned."""
        with OneWrite(self) as may_write:
            if may_write:
                valid = self._valid_values(values)
                if valid:
                    self._replace_values(valid)
        return self

    def set_partial_values(self, partial_values: ValuesInput) -> Self:
        """Set some keyed values and leave the others."""
        with OneWrite(self) as may_write:
            if may_write:
                for value_id, value in self._valid_values(partial_values, partial=True).items():
                    self._put_value(value_id, value)
        return self

    def del_tables(self) -> Self:
        """Delete all tables."""
        with OneWrite(self) as may_write:
            if may_write and (self._middleware is None or self._middleware.may_del_tables()):
                for table_id in list(self._tables):
                    self._drop_table(table_id)
        return self

    def del_table(self, table_id: str) -> Self:
        """Delete a table."""
        with OneWrite(self) as may_write:
            if may_write:
                if table_id in self._tables:
                    self._drop_table(table_id)
                else:
                    self._check_ids(table_id)
        return self

    def del_row(self, table_id: str, row_id: str) -> Self:
        """Delete a row; a table without rows goes with it."""
        if not self._enter():
            return self
        try:
            table = self._tables.get(table_id)
            if table is not None and row_id in table:
                self._drop_row(table_id, table, row_id)
            else:
                self._check_ids(table_id, row_id)
        except BaseException as error:
            self._fail(error)
            raise
        self._leave()
        return self

    def del_values(self) -> Self:
        """Delete all keyed values; those that have a default in the schema are reset to it."""
        with OneWrite(self) as may_write:
            if may_write and (self._middleware is None or self._middleware.may_del_values()):
                for value_id in list(self._values):
                    self._drop_value(value_id)
        return self

    # The steps. What is passed in is checked and ours: new rows and tables are kept as they are.

    def _replace_tables(self, valid: dict[str, dict[str, dict[str, Stored]]]) -> None:
        if self._middleware is not None:
            self._middleware.replace_tables(valid)
            return
        for table_id, table in valid.items():
            self._replace_table(table_id, table)
        for table_id in list(self._tables):
            if table_id not in valid:
                self._drop_table(table_id)

    def _replace_table(self, table_id: str, valid: dict[str, dict[str, Stored]]) -> None:
        if self._middleware is not None:
            self._middleware.replace_table(table_id, valid)
            return
        table = self._tables.get(table_id)
        if table is None:
            self._add_table(table_id, valid)
            return
        new = {row_id: row for row_id, row in valid.items() if row_id not in table}
        if len(new) < len(valid):
            for row_id, row in valid.items():
                if row_id in new:
                    self._add_rows(table_id, table, {row_id: row})
                else:
                    self._replace_row(table_id, row_id, row)
        else:
            self._add_rows(table_id, table, new)
        if len(table) > len(valid):
            for row_id in list(table):
                if row_id not in valid:
                    self._drop_row(table_id, table, row_id)

    def _add_table(self, table_id: str, rows: dict[str, dict[str, Stored]]) -> None:
        """Add a table that is not there, with its rows."""
        self._tables[table_id] = rows
        self._counts[table_id] = {}
        if self._log is not None:
            self._log.append((TABLE, table_id, 1, None, None, None))
        self._count_rows(table_id, rows)

    def _add_rows(
        self, table_id: str, table: dict[str, dict[str, Stored]], rows: dict[str, dict[str, Stored]]
    ) -> None:
        """Add rows that are not there."""
        table.update(rows)
        self._count_rows(table_id, rows)

    def _count_rows(self, table_id: str, rows: dict[str, dict[str, Stored]]) -> None:
        """Count the cells of new rows, and log the rows."""
        # Rows of a table mostly have the same cells: count by their sequence of ids.
        shapes: dict[tuple[str, ...], int] = {}
        count = self._counts[table_id]
        log = self._log
        if log is None:
            for row in rows.values():
                shape = tuple(row)
                shapes[shape] = shapes.get(shape, 0) + 1
        else:
            for row_id, row in rows.items():
                shape = tuple(row)
                shapes[shape] = shapes.get(shape, 0) + 1
                log.append((ROW, table_id, row_id, 1, shape))
        for shape, number in shapes.items():
            for cell_id in shape:
                seen = count.get(cell_id)
                if seen is None:
                    count[cell_id] = number
                    if log is not None:
                        log.append((COLUMN, table_id, cell_id, 1))
                else:
                    count[cell_id] = seen + number

    def _replace_row(self, table_id: str, row_id: str, valid: dict[str, Stored]) -> None:
        if self._middleware is not None:
            self._middleware.replace_row(table_id, row_id, valid)
            return
        table = self._tables.get(table_id)
        if table is None:
            self._add_table(table_id, {row_id: valid})
            return
        row = table.get(row_id)
        if row is None:
            self._add_rows(table_id, table, {row_id: valid})
            return
        for cell_id, cell in valid.items():
            self._put_in_row(table_id, row_id, row, cell_id, cell)
        if len(row) > len(valid):
            for cell_id in list(row):
                if cell_id not in valid:
                    self._drop_cell(table_id, table, row_id, row, cell_id, force=False)

    def _merge_row(self, table_id: str, row_id: str, valid: dict[str, Stored]) -> None:
        middleware = self._middleware
        for cell_id, cell in valid.items():
            if middleware is None:
                self._put_cell(table_id, row_id, cell_id, cell)
            else:
                middleware.put_cell(table_id, row_id, cell_id, cell)

    def _replace_values(self, valid: dict[str, Stored]) -> None:
        if self._middleware is not None:
            self._middleware.replace_values(valid)
            return
        for value_id, value in valid.items():
            self._keep_value(value_id, value)
        for value_id in list(self._values):
            if value_id not in valid:
                self._drop_value(value_id)

    def _drop_table(self, table_id: str) -> None:
        if self._middleware is not None:
            self._middleware.drop_table(table_id)
            return
        self._cut_table(table_id)

    def _drop_row(self, table_id: str, table: dict[str, dict[str, Stored]], row_id: str) -> None:
        if self._middleware is not None:
            self._middleware.drop_row(table_id, table, row_id)
            return
        self._give_back_row_id(table_id, row_id)
        self._cut_row(table_id, table, row_id)
