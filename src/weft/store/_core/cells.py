"""Writing single cells and values: the hot methods, and the steps that all writes are made of.

The steps (``_put_cell``, ``_cut_cell`` …) take stored forms that have been checked, keep the counts of
cell ids, and log what they do where a log is kept.
"""

from __future__ import annotations

from _thread import get_ident
from sys import intern
from typing import TYPE_CHECKING, Any, Self

from weft.errors import InvalidIdError
from weft.jsoncodec import MAX_SAFE_INTEGER
from weft.store._core.state import DIRECT, GENERAL, LOGGED, PATHS, WATCHED
from weft.store._core.validation import Validation
from weft.store._parts.context_mark import present_mark
from weft.store._parts.ids import check_id
from weft.store._parts.log import ADDED, CELL, COLUMN, POOL, ROW, TABLE, VALUE
from weft.store._parts.row_ids import RowIdPool
from weft.values import UNDEFINED, encode_cell, is_same

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.values import Cell, Stored, Undefined, Value

__all__ = ["CellWrites"]

_MIN = -MAX_SAFE_INTEGER
_MAX = MAX_SAFE_INTEGER
_TRIES = 1000  # to find a row id, of a function that may give the same ones again
_SIMPLE = frozenset({str, int, float, bool, type(None)})


class CellWrites(Validation):
    """The writes of single cells and values."""

    __slots__ = ()

    def set_cell(self, table_id: str, row_id: str, cell_id: str, cell: Cell | Callable[[Any], Cell]) -> Self:
        """Set a cell; its row and table are made where they are missing.

        Args:
            table_id: The table.
            row_id: The row.
            cell_id: The cell.
            cell: The cell, or a function that makes it from the present one (``UNDEFINED`` where absent).

        Raises:
            InvalidCellError: It cannot be a cell, or the schema refuses it. Nothing changed.
            InvalidIdError: An id cannot be one. Nothing changed.
            ReadOnlyError: Called by a listener that may only look.
            WrongThreadError: The Store is attached to something in another thread. Nothing changed.
            WrongTaskError: Another task holds a transaction across an ``await``. Nothing changed.
        """
        # The speed of a Store is measured by this method: the commonest cells take the shortest way, all
        # others the general one.
        mode = self._mode
        if mode >= GENERAL:
            if mode == GENERAL:
                return self._set_cell(table_id, row_id, cell_id, cell)
            if (thread := self._thread) and get_ident() != thread:
                self._check_writer()
            if (mark := self._mark) is not None and present_mark() is not mark:
                self._check_writer()
            mode &= PATHS
            if mode == GENERAL:
                return self._set_cell(table_id, row_id, cell_id, cell)
        kind = type(cell)
        if not (
            (kind is str and cell.isascii())  # type: ignore[union-attr]
            or (kind is int and _MIN <= cell <= _MAX)  # type: ignore[operator]
            or kind is bool
            or cell is None
            # finite, and not integral
            or (kind is float and cell - cell == 0 and cell % 1)  # type: ignore[operator]
        ):
            return self._set_cell(table_id, row_id, cell_id, cell)
        try:
            if self._schema is not None and kind not in self._schema[table_id].cells[cell_id].kinds:
                return self._set_cell(table_id, row_id, cell_id, cell)
            table = self._tables[table_id]
            row = table.get(row_id)
            old: Stored | Undefined = UNDEFINED if row is None else row.get(cell_id, UNDEFINED)
        except (KeyError, TypeError):  # what is not there yet, or an id that cannot be hashed
            return self._set_cell(table_id, row_id, cell_id, cell)
        if mode == WATCHED:
            watched = self._watched_rows
            interest = self._interest
            if watched is not None and row_id not in watched:
                mode = DIRECT
            elif interest is not None:
                rows = interest.get(table_id)
                if rows is None:
                    mode = DIRECT
                elif rows is not True:
                    cells = rows.get(row_id)
                    if cells is None or (cells is not True and cell_id not in cells):
                        mode = DIRECT
            # Listeners to ids coming and going are called by the general path.
            if mode == WATCHED and self._structural:
                new_ids = row is None or (old is UNDEFINED and self._structural_cells)
                if new_ids or self._listeners.sorted_row_ids:
                    return self._set_cell(table_id, row_id, cell_id, cell)
        stored: Stored = cell  # type: ignore[assignment]
        if old is not UNDEFINED:
            if mode == DIRECT:
                row[cell_id] = stored  # type: ignore[index]
            elif old != stored or type(old) is not kind:
                row[cell_id] = stored  # type: ignore[index]
                if mode == LOGGED:
                    self._log.append((CELL, table_id, row_id, cell_id, old, stored))  # type: ignore[union-attr]
                else:
                    self._tell_cell(table_id, row_id, cell_id, old, stored)
            elif mode == WATCHED and self._did_finish_listeners:
                return self._set_cell(table_id, row_id, cell_id, cell)
            return self
        count = self._counts[table_id]
        if cell_id not in count or type(cell_id) is not str:
            return self._set_cell(table_id, row_id, cell_id, cell)
        if row is not None:
            # Interned: callers make ids anew for each cell, and a hundred thousand of them are megabytes.
            row[intern(cell_id)] = stored
            count[cell_id] += 1
            if mode == LOGGED:
                self._log.append((ADDED, table_id, row_id, cell_id))  # type: ignore[union-attr]
        else:
            if self._schema is not None or type(row_id) is not str or not row_id.isascii():
                return self._set_cell(table_id, row_id, cell_id, cell)
            table[row_id] = {intern(cell_id): stored}
            count[cell_id] += 1
            if mode == LOGGED:
                self._log.append((ROW, table_id, row_id, 1, (cell_id,)))  # type: ignore[union-attr]
        if mode == WATCHED:
            self._tell_cell(table_id, row_id, cell_id, UNDEFINED, stored, is_new_row=row is None)
        return self

    def _set_cell(self, table_id: str, row_id: str, cell_id: str, cell: object) -> Self:
        """Set a cell by the general path."""
        if not self._enter():
            return self
        try:
            try:
                if not (type(table_id) is type(row_id) is type(cell_id) is str):
                    table_id, row_id, cell_id = check_id(table_id), check_id(row_id), check_id(cell_id)
                elif not (table_id.isascii() and row_id.isascii() and cell_id.isascii()):
                    check_id(table_id), check_id(row_id), check_id(cell_id)
            except InvalidIdError as error:
                self._refuse_id(error, table_id, row_id, cell_id, cell)
            else:
                if callable(cell):
                    cell = cell(self.get_cell(table_id, row_id, cell_id, UNDEFINED))
                stored = self._valid_cell(table_id, row_id, cell_id, cell)
                if stored is not UNDEFINED:
                    if self._middleware is None:
                        self._put_cell(table_id, row_id, cell_id, stored)
                    else:
                        self._middleware.set_cell(table_id, row_id, cell_id, stored)
        except BaseException as error:
            self._fail(error)
            raise
        self._leave()
        return self

    def _put_cell(self, table_id: str, row_id: str, cell_id: str, cell: Stored) -> None:
        """Put a checked cell where it belongs, with defaults where the row is new."""
        table = self._tables.get(table_id)
        if table is None:
            table = self._make_table(table_id)
        row = table.get(row_id)
        if row is not None:
            self._put_in_row(table_id, row_id, row, cell_id, cell)
            return
        row = self._make_row(table_id, table, row_id)
        self._put_in_row(table_id, row_id, row, cell_id, cell)
        rule = None if self._schema is None else self._schema.get(table_id)
        if rule is not None:
            self._note_defaults(table_id, row_id, rule.defaults.keys() - {cell_id})
            for other_id, default in rule.defaults.items():
                if other_id != cell_id:
                    self._put_in_row(table_id, row_id, row, other_id, default)
            for other_id in rule.others:
                if other_id != cell_id:
                    self._note_invalid_cell(table_id, row_id, other_id, UNDEFINED)

    def _make_table(self, table_id: str) -> dict[str, dict[str, Stored]]:
        table: dict[str, dict[str, Stored]] = {}
        self._tables[table_id] = table
        self._counts[table_id] = {}
        if self._log is not None:
            self._log.append((TABLE, table_id, 1, None, None, None))
        return table

    def _make_row(self, table_id: str, table: dict[str, dict[str, Stored]], row_id: str) -> dict[str, Stored]:
        row: dict[str, Stored] = {}
        table[row_id] = row
        if self._log is not None:
            self._log.append((ROW, table_id, row_id, 1, ()))
        return row

    def _put_in_row(
        self, table_id: str, row_id: str, row: dict[str, Stored], cell_id: str, cell: Stored
    ) -> None:
        old = row.get(cell_id, UNDEFINED)
        log = self._log
        if old is UNDEFINED:
            count = self._counts[table_id]
            seen = count.get(cell_id)
            if seen is None:
                count[cell_id] = 1
                if log is not None:
                    log.append((COLUMN, table_id, cell_id, 1))
            else:
                count[cell_id] = seen + 1
            row[intern(cell_id)] = cell
            if log is not None:
                log.append((ADDED, table_id, row_id, cell_id))
        elif not is_same(old, cell):
            row[cell_id] = cell
            if log is not None:
                log.append((CELL, table_id, row_id, cell_id, old, cell))

    def del_cell(self, table_id: str, row_id: str, cell_id: str, force: bool = False) -> Self:
        """Delete a cell; a row without cells, and a table without rows, go with it.

        Args:
            table_id: The table.
            row_id: The row.
            cell_id: The cell. One that has a default in the schema is reset to it instead.
            force: Delete the whole row where the cell has a default.
        """
        if not self._enter():
            return self
        try:
            table = self._tables.get(table_id)
            row = None if table is None else table.get(row_id)
            if table is not None and row is not None and cell_id in row:
                self._drop_cell(table_id, table, row_id, row, cell_id, force=force)
            else:
                self._check_ids(table_id, row_id, cell_id)
        except BaseException as error:
            self._fail(error)
            raise
        self._leave()
        return self

    def _drop_cell(
        self,
        table_id: str,
        table: dict[str, dict[str, Stored]],
        row_id: str,
        row: dict[str, Stored],
        cell_id: str,
        *,
        force: bool,
    ) -> None:
        """Delete a cell that is there, or reset it to its default."""
        rule = None if self._schema is None else self._schema.get(table_id)
        has_default = rule is not None and cell_id in rule.defaults
        if rule is not None and has_default and not force:
            default = rule.defaults[cell_id]
            if self._middleware is None:
                self._put_in_row(table_id, row_id, row, cell_id, default)
            else:
                self._middleware.put_in_row(table_id, row_id, cell_id, default)
            return
        if self._middleware is not None and not self._middleware.may_del_cell(table_id, row_id, cell_id):
            return
        if has_default:
            for other_id in list(row):
                self._cut_cell(table_id, row_id, row, other_id)
        else:
            self._cut_cell(table_id, row_id, row, cell_id)
        if not row:
            self._cut_row(table_id, table, row_id)

    def _cut_cell(self, table_id: str, row_id: str, row: dict[str, Stored], cell_id: str) -> None:
        if self._undoable:
            self._note_order(row)
        # Counted before it is logged: the way back counts again, and only then restores an order.
        self._count_down(table_id, cell_id)
        old = row.pop(cell_id)
        if self._log is not None:
            self._log.append((CELL, table_id, row_id, cell_id, old, UNDEFINED))

    def _count_down(self, table_id: str, cell_id: str) -> None:
        count = self._counts[table_id]
        left = count[cell_id] - 1
        if left:
            count[cell_id] = left
            return
        if self._undoable:
            self._note_order(count)
        del count[cell_id]
        if self._log is not None:
            self._log.append((COLUMN, table_id, cell_id, -1))

    def _cut_row(self, table_id: str, table: dict[str, dict[str, Stored]], row_id: str) -> None:
        """Take out a row, and the table with its last row. The row is empty, or still holds its cells."""
        if self._undoable:
            self._note_order(table)
        row = table.pop(row_id)
        for cell_id in row:
            self._count_down(table_id, cell_id)
        if self._log is not None:
            self._log.append((ROW, table_id, row_id, -1, row))
        if not table:
            self._cut_table(table_id)

    def _cut_table(self, table_id: str) -> None:
        """Take out a table, empty or with its rows, and the pool of its row ids."""
        if self._undoable:
            self._note_order(self._tables)
        table = self._tables.pop(table_id)
        count = self._counts.pop(table_id)
        pool = self._pools.pop(table_id, None)
        if self._log is not None:
            self._log.append((TABLE, table_id, -1, table, count, pool))

    # Row ids.

    def _take_row_id(self, table_id: str, *, reuse: bool) -> str:
        """Find an id for a new row: one given back, or the next number that no row has; or a unique one."""
        if self._make_row_id is not None:
            return self._made_row_id(table_id, self._make_row_id)
        pool = self._pools.get(table_id)
        if pool is None:
            pool = self._pools[table_id] = RowIdPool()
        table = self._tables.get(table_id, {})
        while True:
            reused = reuse and bool(pool.free)
            row_id = pool.take(reuse=reuse)
            if self._undoable and self._log is not None:
                undo = RowIdPool.undo_reuse if reused else RowIdPool.undo_next
                self._log.append((POOL, pool, undo, row_id))
            if row_id not in table:
                return row_id

    def _made_row_id(self, table_id: str, make: Callable[[], str]) -> str:
        table = self._tables.get(table_id, ())
        for _ in range(_TRIES):
            row_id = check_id(make())
            if row_id not in table:
                return row_id
        raise InvalidIdError(row_id, f"row_ids made ids that table {table_id!r} has, {_TRIES} times in a row")

    def _give_back_row_id(self, table_id: str, row_id: str) -> None:
        if row_id.isdigit():
            pool = self._pools.get(table_id)
            if pool is None:
                pool = self._pools[table_id] = RowIdPool()
            if pool.give_back(row_id) and self._undoable and self._log is not None:
                self._log.append((POOL, pool, RowIdPool.undo_give_back, row_id))

    # Keyed values.

    def set_value(self, value_id: str, value: Value | Callable[[Any], Value]) -> Self:
        """Set a keyed value.

        Args:
            value_id: Its id.
            value: The value, or a function that makes it from the present one (``UNDEFINED`` where absent).

        Raises:
            InvalidValueError: It cannot be a value, or the schema refuses it. Nothing changed.
            InvalidIdError: The id cannot be one. Nothing changed.
            ReadOnlyError: Called by a listener that may only look.
        """
        if self._mode == DIRECT and self._values_schema is None and type(value) in _SIMPLE:
            # The shortest way, as in set_cell; there is no more to it where the value is there already.
            try:
                if value_id in self._values:
                    self._values[value_id] = encode_cell(value)
                    return self
            except (TypeError, ValueError):
                pass  # the general way tells what is wrong
        if not self._enter():
            return self
        try:
            if callable(value):
                value = value(self.get_value(value_id, UNDEFINED))
            try:
                value_id = check_id(value_id)
            except InvalidIdError:
                if not self._lenient():
                    raise
                self._note_invalid_value(str(value_id), value)
            else:
                stored = self._valid_value(value_id, value)
                if stored is not UNDEFINED:
                    self._put_value(value_id, stored)
        except BaseException as error:
            self._fail(error)
            raise
        self._leave()
        return self

    def _put_value(self, value_id: str, value: Stored) -> None:
        if self._middleware is not None:
            self._middleware.put_value(value_id, value)
        else:
            self._keep_value(value_id, value)

    def _keep_value(self, value_id: str, value: Stored) -> None:
        old = self._values.get(value_id, UNDEFINED)
        if old is UNDEFINED or not is_same(old, value):
            self._values[value_id] = value
            if self._log is not None:
                self._log.append((VALUE, value_id, old, value))

    def del_value(self, value_id: str) -> Self:
        """Delete a keyed value; one that has a default in the schema is reset to it."""
        if not self._enter():
            return self
        try:
            if value_id in self._values:
                self._drop_value(value_id)
            else:
                self._check_ids(value_id)
        except BaseException as error:
            self._fail(error)
            raise
        self._leave()
        return self

    def _drop_value(self, value_id: str) -> None:
        rule = None if self._values_schema is None else self._values_schema.get(value_id)
        if rule is not None and rule.default is not UNDEFINED:
            self._put_value(value_id, rule.default)
            return
        if self._middleware is None or self._middleware.may_del_value(value_id):
            self._cut_value(value_id)

    def _cut_value(self, value_id: str) -> None:
        if self._undoable:
            self._note_order(self._values)
        old = self._values.pop(value_id)
        if self._log is not None:
            self._log.append((VALUE, value_id, old, UNDEFINED))
