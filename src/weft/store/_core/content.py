"""Whole content and changes: plain, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from weft.changes import TablesInput, ValuesInput
from weft.errors import DataError, InvalidCellError, InvalidJsonError
from weft.jsoncodec import dumps, in_js_order, loads, tables_text
from weft.store._core.loads import Loads
from weft.store._core.transactions import OneWrite
from weft.values import UNDEFINED, decode_received

if TYPE_CHECKING:
    from weft.values import Stored

__all__ = ["ContentWrites", "ordered", "ordered_tables"]

_LEAVE: Any = object()  # a part of the content that is left as it is

ContentInput: TypeAlias = tuple[TablesInput, ValuesInput]


class ContentWrites(Loads):
    """Content and changes in and out."""

    __slots__ = ()

    def set_content(self, content: ContentInput | Callable[[], ContentInput]) -> Self:
        """Replace everything. Empty tables, or empty values, delete what is there.

        Args:
            content: ``(tables, values)``, or a function that gives it.
        """
        with OneWrite(self) as may_write:
            if may_write:
                self._set_content(content() if callable(content) else content)
        return self

    def _set_content(self, given: object) -> None:
        if isinstance(given, (list, tuple)) and (given or self._lenient()):
            if self._middleware is not None:
                given = self._middleware.will_set_content(given)
            if given is not None:
                self._set_parts(given)
        elif not self._lenient():
            raise InvalidCellError(None, None, None, given, "content must be a pair (tables, values)")

    def _set_parts(self, content: Any) -> None:
        tables = content[0] if content else UNDEFINED
        values = content[1] if len(content) > 1 else UNDEFINED
        # Both are checked before either is written.
        valid_tables = None if _is_empty(tables) else self._valid_tables(tables)
        if values is UNDEFINED and not self._lenient():
            valid_values: dict[str, Stored] | None = {}
        else:
            valid_values = None if _is_empty(values) else self._valid_values(values)
        if valid_tables is None:
            self.del_tables()
        elif valid_tables:
            self._replace_tables(valid_tables)
        if valid_values is None:
            self.del_values()
        elif valid_values:
            self._replace_values(valid_values)

    def apply_changes(self, changes: object) -> Self:
        """Merge changes: what they do not mention stays.

        Args:
            changes: ``(tables, values, 1)``, with ``UNDEFINED`` for a table, row, cell or value to delete.
        """
        if not self._enter():
            return self
        start = self._log_length()
        # A refused piece takes back what was written before it, orders included: they are noted anew.
        self._orders_logged = set()
        was_undoable = self._undoable
        self._undoable = was_undoable or self._raising
        try:
            given: Any = changes
            if self._middleware is not None:
                given = self._middleware.will_apply_changes(given)
            if given is not None or changes is None:
                self._apply(given)
        except BaseException as error:
            if isinstance(error, DataError):
                self._roll_back(start)  # what was written before the piece that was refused
            self._fail(error)
            raise
        self._undoable = was_undoable
        self._leave()
        return self

    def _apply(self, changes: Any) -> None:
        if (
            not isinstance(changes, (list, tuple))
            or len(changes) < 2
            or not all(isinstance(part, Mapping) for part in changes[:2])
        ):
            if self._lenient():
                return
            raise InvalidCellError(None, None, None, changes, "changes must be a triple (tables, values, 1)")
        for table_id, rows in changes[0].items():
            if rows is UNDEFINED:
                self.del_table(table_id)
            elif not isinstance(rows, Mapping):
                self._refuse_cell(table_id, None, None, rows, "changes of a table must be a mapping")
            else:
                self._apply_rows(table_id, rows)
        for value_id, value in changes[1].items():
            if value is UNDEFINED:
                self.del_value(value_id)
            else:
                self.set_value(value_id, value)

    def _apply_rows(self, table_id: str, rows: Mapping[str, Any]) -> None:
        for row_id, cells in rows.items():
            if cells is UNDEFINED:
                self.del_row(table_id, row_id)
            elif not isinstance(cells, Mapping):
                self._refuse_cell(table_id, row_id, None, cells, "changes of a row must be a mapping")
            else:
                for cell_id, cell in cells.items():
                    if cell is UNDEFINED:
                        self.del_cell(table_id, row_id, cell_id, force=True)
                    else:
                        self._apply_cell(table_id, row_id, cell_id, cell)

    def _apply_cell(self, table_id: str, row_id: str, cell_id: str, cell: Any) -> None:
        if self._middleware is None:
            self.set_cell(table_id, row_id, cell_id, cell)
        else:
            with self._middleware.rows_unasked():
                self.set_cell(table_id, row_id, cell_id, cell)

    # JSON, in TinyBase's text: objects as encoded strings, JavaScript's numbers and order of keys.

    def get_tables_json(self) -> str:
        """Get the tables as JSON text."""
        return tables_text(self._tables)

    def get_values_json(self) -> str:
        """Get the keyed values as JSON text."""
        return dumps(self._values)

    def get_json(self) -> str:
        """Get everything as JSON text: ``[tables,values]``."""
        return f"[{self.get_tables_json()},{self.get_values_json()}]"

    def set_tables_json(self, tables_json: str) -> Self:
        """Replace all tables by those of JSON text; ``{}`` deletes them.

        Raises:
            InvalidJsonError: The text is not strict JSON, or no tables. Nothing changed.
        """
        try:
            self._set_read(loads(tables_json), _LEAVE)
        except InvalidJsonError:
            if not self._lenient():
                raise
        return self

    def set_values_json(self, values_json: str) -> Self:
        """Replace all keyed values by those of JSON text; ``{}`` deletes them.

        Raises:
            InvalidJsonError: The text is not strict JSON, or no values. Nothing changed.
        """
        try:
            self._set_read(_LEAVE, loads(values_json))
        except InvalidJsonError:
            if not self._lenient():
                raise
        return self

    def set_json(self, tables_and_values_json: str) -> Self:
        """Replace everything by JSON text, ``[tables,values]``; text of tables alone is taken as such.

        Raises:
            InvalidJsonError: The text is not strict JSON, or no content. Nothing changed.
        """
        try:
            content = loads(tables_and_values_json)
        except InvalidJsonError:
            if not self._lenient():
                raise
            content = [_LEAVE, _LEAVE]  # TinyBase's transaction that changes nothing
        if isinstance(content, list):
            # A list that is too short leaves the rest alone, or reports it as TinyBase does.
            content += [UNDEFINED if self._lenient() else _LEAVE] * 2
            self._set_read(content[0], content[1])
        else:
            self._set_read(content, _LEAVE)
        return self

    def _set_read(self, tables: Any, values: Any) -> None:
        """Replace tables, values or both by what was read from JSON."""
        if not self._lenient():
            for part in (tables, values):
                if part is not _LEAVE and not isinstance(part, dict):
                    raise InvalidJsonError("the JSON text is not content: tables and values are objects")
        with OneWrite(self) as may_write:
            if may_write:
                self._write_read(tables, values)

    def _write_read(self, tables: Any, values: Any) -> None:
        decode = self._decode
        try:
            self._decode = decode_received
            # Both are checked before either is written.
            valid_tables = (
                None if tables is _LEAVE or _is_empty(tables) else self._valid_tables(ordered_tables(tables))
            )
            valid_values = (
                None if values is _LEAVE or _is_empty(values) else self._valid_values(ordered(values))
            )
            if valid_tables:
                self._replace_tables(valid_tables)
            elif _is_empty(tables):
                self.del_tables()
            if valid_values:
                self._replace_values(valid_values)
            elif _is_empty(values):
                self.del_values()
        finally:
            self._decode = decode


def _is_empty(part: object) -> bool:
    return isinstance(part, Mapping) and not part


def ordered(part: Any) -> Any:
    """Order keys as JavaScript's objects do: array indices come first."""
    return in_js_order(part) if isinstance(part, dict) else part


def ordered_tables(tables: Any) -> Any:
    """Order the keys of all levels as JavaScript's objects do."""
    if not isinstance(tables, dict):
        return tables
    ordered = dict(in_js_order(tables))
    for table_id, table in tables.items():
        if isinstance(table, dict):
            rows = ordered[table_id] = in_js_order(table)
            for row_id, row in table.items():
                if isinstance(row, dict) and (cells := in_js_order(row)) is not row:
                    if rows is table:
                        rows = ordered[table_id] = dict(table)
                    rows[row_id] = cells  # type: ignore[index]
    return ordered
