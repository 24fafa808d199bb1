"""Cells and values as mirrors, persisters and checkpoints bring them: bad ones are left out and reported."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

from weft.errors import InvalidIdError
from weft.jsoncodec import MAX_SAFE_INTEGER
from weft.store._core.content import ContentWrites
from weft.store._parts.ids import check_id
from weft.values import UNDEFINED, decode_received

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from weft.store._parts.log import Net, OldAndNew
    from weft.store._parts.signatures import Refused
    from weft.values import Stored, Undefined

__all__ = ["RemoteChanges"]

_MIN = -MAX_SAFE_INTEGER
_MAX = MAX_SAFE_INTEGER


class RemoteChanges(ContentWrites):
    """The seam of mirrors and persisters, and of checkpoints."""

    __slots__ = ()

    def _apply_stored(
        self, tables: Mapping[str, Mapping[str, Mapping[str, object]]], values: Mapping[str, object]
    ) -> list[Refused]:
        """Write received cells and values, inside a transaction.

        ``UNDEFINED`` deletes a cell, without a default taking its place. Rows that are there get no
        defaults. Never raises for bad data: what is refused is reported to the invalid listeners and left
        out, and so is the cell that stood in its place, as the peer has another there now.

        Returns:
            What was refused: ``(table_id, row_id, cell_id, cell)`` or ``(value_id, value)``.
        """
        if self._depth < 1:
            self._refuse_write()
            return []
        refused: list[Refused] = []
        if self._middleware is not None:
            tables, values = self._middleware.will_apply_received(tables, values)
        was = self._receiving, self._decode, self._undoable
        self._receiving = True
        self._decode = decode_received
        try:
            for table_id, rows in tables.items():
                self._apply_stored_table(table_id, rows, refused)
            for value_id, value in values.items():
                self._apply_stored_value(value_id, value, refused)
        finally:
            self._receiving, self._decode, self._undoable = was
        return refused

    def _clear_received(self) -> None:
        """Delete everything, inside a transaction, asking nobody: it is gone elsewhere."""
        for table_id in list(self._tables):
            self._cut_table(table_id)
        for value_id in list(self._values):
            self._cut_value(value_id)

    def _apply_stored_table(
        self, table_id: Any, rows: Mapping[str, Mapping[str, object]], refused: list[Refused]
    ) -> None:
        fast = self._schema is None and self._middleware is None
        new: dict[str, dict[str, Stored]] = {}  # rows that are not there, to be added in one go
        known: dict[object, str] = {}
        for row_id, cells in rows.items():
            table = self._tables.get(table_id)
            row = None if table is None else table.get(row_id)
            if fast and row is None and type(cells) is dict:
                try:
                    table_id, row_id = check_id(table_id), check_id(row_id)  # noqa: PLW2901
                except InvalidIdError:
                    for cell_id, cell in cells.items():
                        if cell is not UNDEFINED:
                            refused.append((str(table_id), str(row_id), str(cell_id), cell))
                            self._note_invalid_cell(str(table_id), str(row_id), str(cell_id), cell)
                    continue
                valid = self._received_row(table_id, row_id, cells, known, refused)
                if valid:
                    new[row_id] = valid
                continue
            if new:
                self._add_received_rows(table_id, new)
                new = {}
            for cell_id, cell in cells.items():
                self._apply_stored_cell(table_id, row_id, cell_id, cell, refused)
        if new:
            self._add_received_rows(table_id, new)

    def _add_received_rows(self, table_id: str, new: dict[str, dict[str, Stored]]) -> None:
        table = self._tables.get(table_id)
        if table is None:
            self._add_table(table_id, new)
        else:
            self._add_rows(table_id, table, new)

    def _received_row(
        self,
        table_id: str,
        row_id: str,
        cells: dict[str, object],
        known: dict[object, str],
        refused: list[Refused],
    ) -> dict[str, Stored]:
        """Check a row that is not there; ``known`` is as for :meth:`_valid_row`."""
        valid = self._shared_keys.row(cells)
        for given_id, cell in cells.items():
            cell_id = known.get(given_id)
            if cell_id is None:
                try:
                    if cell is not UNDEFINED:
                        cell_id = known[given_id] = intern(check_id(given_id))
                except InvalidIdError:
                    refused.append((table_id, row_id, str(given_id), cell))
                    self._note_invalid_cell(table_id, row_id, str(given_id), cell)
                if cell_id is None:
                    valid.pop(given_id, None)
                    continue
            kind = type(cell)
            if (
                (kind is str and cell.isascii())  # type: ignore[attr-defined]
                or (kind is int and _MIN <= cell <= _MAX)  # type: ignore[operator]
                or kind is bool
                or cell is None
            ):
                valid[cell_id] = cell  # type: ignore[assignment]
            elif kind is float and _MIN <= cell <= _MAX and not cell % 1:  # type: ignore[operator]
                valid[cell_id] = int(cell)  # type: ignore[call-overload]  # Yjs has floats only
            elif cell is UNDEFINED:
                valid.pop(cell_id, None)
            else:
                try:
                    valid[cell_id] = decode_received(cell)
                except (TypeError, ValueError):
                    refused.append((table_id, row_id, cell_id, cell))
                    self._note_invalid_cell(table_id, row_id, cell_id, cell)
                    valid.pop(cell_id, None)
        return valid

    def _apply_stored_cell(
        self, table_id: Any, row_id: Any, cell_id: Any, cell: object, refused: list[Refused]
    ) -> None:
        if cell is UNDEFINED:
            table = self._tables.get(table_id)
            row = None if table is None else table.get(row_id)
            if table is not None and row is not None and cell_id in row:
                self._drop_received(table_id, table, row_id, row, cell_id)
            return
        try:
            check_id(table_id), check_id(row_id), check_id(cell_id)
        except InvalidIdError:
            refused.append((str(table_id), str(row_id), str(cell_id), cell))
            self._note_invalid_cell(str(table_id), str(row_id), str(cell_id), cell)
            return
        try:
            received = decode_received(cell)
            stored = self._valid_cell(table_id, row_id, cell_id, received)
        except (TypeError, ValueError):
            refused.append((table_id, row_id, cell_id, cell))
            self._note_invalid_cell(table_id, row_id, cell_id, cell)
            self._apply_stored_cell(table_id, row_id, cell_id, UNDEFINED, refused)
            return
        rule = None if self._schema is None else self._schema.get(table_id)
        if stored is UNDEFINED or (rule is not None and rule.cells[cell_id].refusal(received) is not None):
            # Where the schema has a default, it takes the place of what was refused.
            refused.append((table_id, row_id, cell_id, cell))
        if stored is UNDEFINED:
            self._apply_stored_cell(table_id, row_id, cell_id, UNDEFINED, refused)
        elif self._middleware is None:
            self._put_cell(table_id, row_id, intern(cell_id), stored)
        else:
            with self._middleware.rows_unasked():
                self._middleware.put_cell(table_id, row_id, cell_id, stored)

    def _drop_received(
        self,
        table_id: str,
        table: dict[str, dict[str, Stored]],
        row_id: str,
        row: dict[str, Stored],
        cell_id: str,
    ) -> None:
        """Delete one received cell; unlike a forced ``del_cell`` the rest of its row stays."""
        if self._middleware is not None and not self._middleware.may_del_cell(table_id, row_id, cell_id):
            return
        self._cut_cell(table_id, row_id, row, cell_id)
        if not row:
            self._cut_row(table_id, table, row_id)

    def _apply_stored_value(self, value_id: Any, value: object, refused: list[Refused]) -> None:
        if value is UNDEFINED:
            if value_id in self._values and (
                self._middleware is None or self._middleware.may_del_value(value_id)
            ):
                self._cut_value(value_id)
            return
        try:
            check_id(value_id)
            received = decode_received(value)
        except (TypeError, ValueError):
            refused.append((str(value_id), value))
            self._note_invalid_value(str(value_id), value)
            self._apply_stored_value(value_id, UNDEFINED, refused)
            return
        rule = None if self._values_schema is None else self._values_schema.get(value_id)
        stored = self._valid_value(value_id, received)
        if stored is UNDEFINED or (rule is not None and rule.refusal(received) is not None):
            refused.append((value_id, value))
        if stored is UNDEFINED:
            self._apply_stored_value(value_id, UNDEFINED, refused)
        else:
            self._put_value(value_id, stored)

    def _restore(
        self,
        cells: Net,
        values: Mapping[str, OldAndNew],
        which: int,
        shared: Mapping[str, Container[str]],
    ) -> None:
        """Write the old (0) or the new (1) of each pair, past the middleware, inside a transaction.

        What the schema has come to refuse is left out and reported, and raises nothing.

        Args:
            cells: Old and new by table, row and cell id.
            values: Old and new by value id.
            which: Which of the two.
            shared: Table id to rows in which others have written: they are not deleted as a whole where a
                cell goes that has a default.
        """
        was = self._middleware, self._receiving, self._decode
        self._middleware, self._receiving, self._decode = None, True, decode_received
        try:
            for table_id, rows in cells.items():
                for row_id, pairs in rows.items():
                    force = row_id not in shared.get(table_id, ())
                    for cell_id, pair in pairs.items():
                        self._restore_cell(table_id, row_id, cell_id, pair[which], force=force)
            for value_id, pair in values.items():
                self._restore_value(value_id, pair[which])
        finally:
            self._middleware, self._receiving, self._decode = was

    def _restore_cell(
        self, table_id: str, row_id: str, cell_id: str, cell: Stored | Undefined, *, force: bool
    ) -> None:
        if cell is not UNDEFINED:
            valid = self._valid_cell(table_id, row_id, cell_id, cell)
            if valid is not UNDEFINED:
                self._put_cell(table_id, row_id, cell_id, valid)
            return
        table = self._tables.get(table_id)
        row = None if table is None else table.get(row_id)
        if table is not None and row is not None and cell_id in row:
            self._drop_cell(table_id, table, row_id, row, cell_id, force=force)

    def _restore_value(self, value_id: str, value: Stored | Undefined) -> None:
        if value is not UNDEFINED:
            valid = self._valid_value(value_id, value)
            if valid is not UNDEFINED:
                self._put_value(value_id, valid)
        elif value_id in self._values:
            self._drop_value(value_id)
