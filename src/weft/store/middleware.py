"""Middleware: functions asked before a Store writes, which may change, or stop, what is written.

The rules are TinyBase's (8.0 and later). A will-set callback is given what is about to be written, as
data of its own, and returns what shall be written instead; ``UNDEFINED`` stops it (and so does ``None``,
except for a cell or a value, where ``None`` is one). A will-del callback returns whether to go on.
Callbacks of a kind are asked in the order they were added. Asking goes from the whole to its parts: to
set a table asks for the table, its rows and their cells. To set one cell asks for its row too, with the
cell in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from weft._support.callbacks import check_callback
from weft._support.uncopied import Uncopied
from weft.store._parts.gate import WriteGate
from weft.values import UNDEFINED, Undefined, decode_cell, decode_received

if TYPE_CHECKING:
    from weft.changes import Changes, Content, Row, Table, Tables, Values
    from weft.store._core.store import Store
    from weft.values import Cell, Stored, Value

    Rows: TypeAlias = dict[str, dict[str, Stored]]

__all__ = ["Middleware", "create_middleware"]


def create_middleware(store: Store) -> Middleware:
    """Get the middleware of a Store; it has one, made at the first call."""
    gate = store._middleware
    if not isinstance(gate, _CallbackGate):
        gate = store._middleware = Middleware(store)._gate
        store._choose_write_path()
    return gate.middleware


def _plain_row(row: Mapping[str, Stored]) -> dict[str, Any]:
    return {cell_id: decode_cell(cell) for cell_id, cell in row.items()}


def _plain_table(table: Mapping[str, Mapping[str, Stored]]) -> dict[str, Any]:
    return {row_id: _plain_row(row) for row_id, row in table.items()}


def _decoded(received: Mapping[str, object]) -> dict[str, object]:
    """Decode what can be; what cannot is refused later, when it is written."""
    decoded: dict[str, object] = {}
    for id_, cell in received.items():
        decoded[id_] = cell
        if isinstance(cell, str):
            with suppress(TypeError, ValueError):
                decoded[id_] = decode_cell(decode_received(cell))
    return decoded


class Middleware(Uncopied):
    """The callbacks asked before writes. Made by :func:`create_middleware`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gate = _CallbackGate(store, self)

    def get_store(self) -> Store:
        """Get the Store whose writes are asked about."""
        return self._store

    def destroy(self) -> None:
        """Forget all callbacks and leave the Store."""
        self._gate.callbacks.clear()
        if self._store._middleware is self._gate:
            self._store._middleware = None
            self._store._choose_write_path()

    def _add(self, kind: str, callback: Callable[..., Any]) -> Self:
        check_callback(callback, "a callback of middleware")
        self._gate.callbacks.setdefault(kind, []).append(callback)
        return self

    def add_will_set_content_callback(
        self, callback: Callable[[Content], Content | Undefined | None]
    ) -> Self:
        """Ask ``(content)`` before the whole content is replaced."""
        return self._add("set_content", callback)

    def add_will_set_tables_callback(self, callback: Callable[[Tables], Tables | Undefined | None]) -> Self:
        """Ask ``(tables)`` before all tables are replaced."""
        return self._add("set_tables", callback)

    def add_will_set_table_callback(self, callback: Callable[[str, Table], Table | Undefined | None]) -> Self:
        """Ask ``(table_id, table)`` before a table is replaced."""
        return self._add("set_table", callback)

    def add_will_set_row_callback(self, callback: Callable[[str, str, Row], Row | Undefined | None]) -> Self:
        """Ask ``(table_id, row_id, row)`` before a row is replaced, or one of its cells is set."""
        return self._add("set_row", callback)

    def add_will_set_cell_callback(self, callback: Callable[[str, str, str, Cell], Cell | Undefined]) -> Self:
        """Ask ``(table_id, row_id, cell_id, cell)`` before a cell is set."""
        return self._add("set_cell", callback)

    def add_will_set_values_callback(self, callback: Callable[[Values], Values | Undefined | None]) -> Self:
        """Ask ``(values)`` before all keyed values are replaced."""
        return self._add("set_values", callback)

    def add_will_set_value_callback(self, callback: Callable[[str, Value], Value | Undefined]) -> Self:
        """Ask ``(value_id, value)`` before a keyed value is set."""
        return self._add("set_value", callback)

    def add_will_del_tables_callback(self, callback: Callable[[], bool]) -> Self:
        """Ask ``()`` before all tables are deleted."""
        return self._add("del_tables", callback)

    def add_will_del_table_callback(self, callback: Callable[[str], bool]) -> Self:
        """Ask ``(table_id)`` before a table is deleted."""
        return self._add("del_table", callback)

    def add_will_del_row_callback(self, callback: Callable[[str, str], bool]) -> Self:
        """Ask ``(table_id, row_id)`` before a row is deleted."""
        return self._add("del_row", callback)

    def add_will_del_cell_callback(self, callback: Callable[[str, str, str], bool]) -> Self:
        """Ask ``(table_id, row_id, cell_id)`` before a cell is deleted."""
        return self._add("del_cell", callback)

    def add_will_del_values_callback(self, callback: Callable[[], bool]) -> Self:
        """Ask ``()`` before all keyed values are deleted."""
        return self._add("del_values", callback)

    def add_will_del_value_callback(self, callback: Callable[[str], bool]) -> Self:
        """Ask ``(value_id)`` before a keyed value is deleted."""
        return self._add("del_value", callback)

    def add_will_apply_changes_callback(
        self, callback: Callable[[Changes], Changes | Undefined | None]
    ) -> Self:
        """Ask ``(changes)`` before changes are merged, also those of a peer."""
        return self._add("apply_changes", callback)


class _CallbackGate(WriteGate):
    """Asks the callbacks, and writes what they answer."""

    def __init__(self, store: Store, middleware: Middleware) -> None:
        self.middleware = middleware
        self.callbacks: dict[str, list[Callable[..., Any]]] = {}
        self._store = store
        self._ask_rows = True

    # Asking.

    def _whole(self, kind: str, whole: Any, *ids: str) -> Any:
        """Pass containers through their callbacks; ``None`` where one stopped them."""
        for callback in self.callbacks.get(kind, ()):
            whole = callback(*ids, whole)
            if whole is UNDEFINED or whole is None:
                return None
        return whole

    def _one(self, kind: str, cell: Any, *ids: str) -> Any:
        """Pass a cell or a value through its callbacks; ``UNDEFINED`` where one stopped it."""
        for callback in self.callbacks.get(kind, ()):
            if cell is UNDEFINED:
                break
            cell = callback(*ids, cell)
        return cell

    def _may(self, kind: str, *ids: str) -> bool:
        return all(callback(*ids) for callback in self.callbacks.get(kind, ()))

    def may_del_tables(self) -> bool:
        return self._may("del_tables")

    def may_del_cell(self, table_id: str, row_id: str, cell_id: str) -> bool:
        return self._may("del_cell", table_id, row_id, cell_id)

    def may_del_values(self) -> bool:
        return self._may("del_values")

    def may_del_value(self, value_id: str) -> bool:
        return self._may("del_value", value_id)

    def will_set_content(self, content: Any) -> Any:
        return self._whole("set_content", deepcopy(content)) if "set_content" in self.callbacks else content

    def will_apply_changes(self, changes: Any) -> Any:
        if "apply_changes" not in self.callbacks:
            return changes
        return self._whole("apply_changes", deepcopy(changes))

    def will_apply_received(
        self, tables: Mapping[str, Mapping[str, Mapping[str, object]]], values: Mapping[str, object]
    ) -> tuple[Mapping[str, Mapping[str, Mapping[str, object]]], Mapping[str, object]]:
        # As the callbacks know data: decoded.
        if "apply_changes" not in self.callbacks:
            return tables, values
        shown = (
            {t: {r: _decoded(cells) for r, cells in rows.items()} for t, rows in tables.items()},
            _decoded(values),
            1,
        )
        changes = self._whole("apply_changes", shown)
        return ({}, {}) if changes is None else (changes[0], changes[1])

    @contextmanager
    def rows_unasked(self) -> Iterator[None]:
        was = self._ask_rows
        self._ask_rows = False
        try:
            yield
        finally:
            self._ask_rows = was

    # Writing what was answered.

    def replace_tables(self, valid: dict[str, Rows]) -> None:
        tables = self._whole(
            "set_tables", {table_id: _plain_table(table) for table_id, table in valid.items()}
        )
        if not isinstance(tables, Mapping):
            return
        for table_id, table in tables.items():
            self._table(table_id, table)
        for table_id in list(self._store._tables):
            if table_id not in tables:
                self.drop_table(table_id)

    def replace_table(self, table_id: str, valid: Rows) -> None:
        self._table(table_id, _plain_table(valid))

    def _table(self, table_id: str, given: object) -> None:
        rows = self._whole("set_table", given, table_id)
        if not isinstance(rows, Mapping):
            return
        for row_id, row in rows.items():
            self._row(table_id, row_id, row)
        table = self._store._tables.get(table_id)
        for row_id in list(table or ()):
            if table is not None and row_id not in rows:
                self._store._drop_row(table_id, table, row_id)

    def replace_row(self, table_id: str, row_id: str, valid: dict[str, Stored]) -> None:
        self._row(table_id, row_id, _plain_row(valid))

    def _row(self, table_id: str, row_id: str, given: object) -> None:
        cells = self._whole("set_row", given, table_id, row_id)
        if isinstance(cells, Mapping):
            self._cells(table_id, row_id, cells, force=False)

    def _cells(self, table_id: str, row_id: str, cells: Mapping[str, object], *, force: bool) -> None:
        """Make a row hold these cells and no others."""
        for cell_id, cell in cells.items():
            # The row of a single cell is checked before its cells are asked about.
            if force:
                stored = self._store._valid_cell(table_id, row_id, cell_id, cell)
                if stored is not UNDEFINED:
                    self._cell(table_id, row_id, cell_id, decode_cell(stored))
            else:
                self._cell(table_id, row_id, cell_id, cell)
        row = self._store._tables.get(table_id, {}).get(row_id)
        for cell_id in list(row or ()):
            if row is not None and cell_id in row and cell_id not in cells:
                self._store._drop_cell(
                    table_id, self._store._tables[table_id], row_id, row, cell_id, force=force
                )

    def _cell(self, table_id: str, row_id: str, cell_id: str, given: Any) -> None:
        """Set a cell, making its row without defaults where it is missing."""
        cell = self._one("set_cell", given, table_id, row_id, cell_id)
        if cell is UNDEFINED:
            return
        stored = self._store._valid_cell(table_id, row_id, cell_id, cell)
        if stored is UNDEFINED:
            return
        table = self._store._tables.get(table_id)
        if table is None:
            table = self._store._make_table(table_id)
        row = table.get(row_id)
        if row is None:
            row = self._store._make_row(table_id, table, row_id)
        self._store._put_in_row(table_id, row_id, row, cell_id, stored)

    def put_in_row(self, table_id: str, row_id: str, cell_id: str, stored: Stored) -> None:
        self._cell(table_id, row_id, cell_id, decode_cell(stored))

    def put_cell(self, table_id: str, row_id: str, cell_id: str, stored: Stored) -> None:
        rule = None if self._store._schema is None else self._store._schema.get(table_id)
        if rule is None or row_id in self._store._tables.get(table_id, ()):
            self._cell(table_id, row_id, cell_id, decode_cell(stored))
            return
        for other_id in rule.others:
            if other_id != cell_id:
                self._store._note_invalid_cell(table_id, row_id, other_id, UNDEFINED)
        self._cell(table_id, row_id, cell_id, decode_cell(stored))
        self._store._note_defaults(table_id, row_id, rule.defaults.keys() - {cell_id})
        for other_id, default in rule.defaults.items():
            if other_id != cell_id:
                self._cell(table_id, row_id, other_id, decode_cell(default))

    def set_cell(self, table_id: str, row_id: str, cell_id: str, stored: Stored) -> None:
        if not self._ask_rows or "set_row" not in self.callbacks:
            self.put_cell(table_id, row_id, cell_id, stored)
            return
        row = _plain_row(self._store._tables.get(table_id, {}).get(row_id, {}))
        row[cell_id] = decode_cell(stored)
        cells = self._whole("set_row", row, table_id, row_id)
        if isinstance(cells, Mapping):
            self._cells(table_id, row_id, cells, force=True)

    def drop_table(self, table_id: str) -> None:
        if not self._may("del_table", table_id):
            return
        if "del_row" not in self.callbacks and "del_cell" not in self.callbacks:
            self._store._cut_table(table_id)
            return
        table = self._store._tables[table_id]
        for row_id in list(table):
            self.drop_row(table_id, table, row_id)

    def drop_row(self, table_id: str, table: Rows, row_id: str) -> None:
        if not self._may("del_row", table_id, row_id):
            return
        self._store._give_back_row_id(table_id, row_id)
        if "del_cell" not in self.callbacks:
            self._store._cut_row(table_id, table, row_id)
            return
        row = table[row_id]
        for cell_id in list(row):
            if cell_id in row:
                self._store._drop_cell(table_id, table, row_id, row, cell_id, force=True)

    def replace_values(self, valid: dict[str, Stored]) -> None:
        values = self._whole("set_values", _plain_row(valid))
        if not isinstance(values, Mapping):
            return
        for value_id, value in values.items():
            self._value(value_id, value)
        for value_id in list(self._store._values):
            if value_id not in values:
                self._store._drop_value(value_id)

    def put_value(self, value_id: str, stored: Stored) -> None:
        self._value(value_id, decode_cell(stored))

    def _value(self, value_id: str, given: Any) -> None:
        value = self._one("set_value", given, value_id)
        if value is not UNDEFINED:
            stored = self._store._valid_value(value_id, value)
            if stored is not UNDEFINED:
                self._store._keep_value(value_id, stored)
