"""Checking what is to be written, before anything changes.

What a caller passes is brought into fresh dictionaries of stored forms; defaults are added; what cannot
be stored is refused. Refusing raises with ``on_invalid="raise"``. With ``"ignore"``, and for what peers
sent, the piece is left out and reported to the invalid listeners.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from sys import intern
from typing import TYPE_CHECKING

from weft.errors import (
    InvalidCellError,
    InvalidCellTypeError,
    InvalidIdError,
    InvalidValueError,
    InvalidValueTypeError,
)
from weft.jsoncodec import MAX_SAFE_INTEGER
from weft.store._core.transactions import Transactions
from weft.store._parts.ids import check_id
from weft.store._parts.log import DEFAULT
from weft.values import UNDEFINED, decode_cell

if TYPE_CHECKING:
    from weft.store._parts.schema_rules import CellRule
    from weft.values import Stored, Undefined

__all__ = ["Validation"]

_MIN = -MAX_SAFE_INTEGER
_MAX = MAX_SAFE_INTEGER


class Validation(Transactions):
    """The checks of a Store."""

    __slots__ = ()

    # Refusing.

    def _refuse_cell(
        self,
        table_id: str | None,
        row_id: str | None,
        cell_id: str | None,
        cell: object,
        reason: str | Exception,
    ) -> None:
        """Raise, or note for the invalid listeners."""
        if self._raising and not self._receiving:
            kind = InvalidCellTypeError if isinstance(reason, TypeError) else InvalidCellError
            raise kind(table_id, row_id, cell_id, cell, str(reason)) from None
        self._note_invalid_cell(table_id, row_id, cell_id, cell)

    def _note_invalid_cell(
        self, table_id: str | None, row_id: str | None, cell_id: str | None, cell: object
    ) -> None:
        rows = self._invalid_cells.setdefault(table_id, {})
        # What is restored comes in stored form, and is shown as a caller would write it.
        rows.setdefault(row_id, {}).setdefault(cell_id, []).append(decode_cell(cell))

    def _refuse_value(self, value_id: str | None, value: object, reason: str | Exception) -> None:
        """Raise, or note for the invalid listeners."""
        if self._raising and not self._receiving:
            kind = InvalidValueTypeError if isinstance(reason, TypeError) else InvalidValueError
            raise kind(value_id, value, str(reason)) from None
        self._note_invalid_value(value_id, value)

    def _note_invalid_value(self, value_id: str | None, value: object) -> None:
        self._invalid_values.setdefault(value_id, []).append(decode_cell(value))

    def _refuse_id(
        self, error: InvalidIdError, table_id: object, row_id: object, cell_id: object, cell: object
    ) -> None:
        """Raise, or note the cell, row or table that an unusable id was given for."""
        if self._raising and not self._receiving:
            raise error from None
        table, row, column = (None if id_ is None else str(id_) for id_ in (table_id, row_id, cell_id))
        self._note_invalid_cell(table, row, column, cell)

    def _note_defaults(self, table_id: str | None, row_id: str | None, ids: Set[str]) -> None:
        """Log which cells of a row, or without one which values, the schema is about to add.

        Who gives each write a stamp of its own gives these none, as nobody has written them.
        """
        if ids and self._log is not None:
            self._log.append((DEFAULT, table_id, row_id, ids))

    # Checking.

    def _valid_cell(
        self, table_id: str, row_id: str | None, cell_id: str, cell: object
    ) -> Stored | Undefined:
        """Bring a cell into its stored form; ``UNDEFINED`` where it was refused.

        Where the schema has a default, a refused cell is replaced by it.
        """
        reason: str | Exception | None
        stored: Stored = None
        try:
            stored = self._decode(cell)
            reason = None
        except (TypeError, ValueError) as error:
            reason = error
        schema = self._schema
        if schema is None:
            if reason is None:
                return stored
            self._refuse_cell(table_id, row_id, cell_id, cell, reason)
            return UNDEFINED
        table_rule = schema.get(table_id)
        rule = None if table_rule is None else table_rule.cells.get(cell_id)
        if rule is None:
            where = "this table" if table_rule is None else "this cell"
            self._refuse_cell(table_id, row_id, cell_id, cell, f"the schema does not have {where}")
            return UNDEFINED
        if reason is None:
            reason = rule.refusal(stored)
            if reason is None:
                return stored
        self._refuse_cell(table_id, row_id, cell_id, cell, reason)
        return rule.default

    def _valid_value(self, value_id: str, value: object) -> Stored | Undefined:
        """Bring a keyed value into its stored form, as :meth:`_valid_cell` does a cell."""
        reason: str | Exception | None
        stored: Stored = None
        try:
            stored = self._decode(value)
            reason = None
        except (TypeError, ValueError) as error:
            reason = error
        schema = self._values_schema
        rule: CellRule | None = None
        if schema is not None:
            rule = schema.get(value_id)
            if rule is None:
                self._refuse_value(value_id, value, "the schema does not have this value")
                return UNDEFINED
            if reason is None:
                reason = rule.refusal(stored)
        if reason is None:
            return stored
        self._refuse_value(value_id, value, reason)
        return UNDEFINED if rule is None else rule.default

    def _valid_tables(self, tables: object) -> dict[str, dict[str, dict[str, Stored]]]:
        """Check whole tables; empty where nothing is left."""
        valid: dict[str, dict[str, dict[str, Stored]]] = {}
        if not isinstance(tables, Mapping) or not tables:
            shown = UNDEFINED if self._lenient() else tables
            self._refuse_cell(None, None, None, shown, _not_a("tables", tables, "del_tables"))
            return valid
        for table_id, table in tables.items():
            try:
                text = check_id(table_id)
            except InvalidIdError as error:
                self._refuse_id(error, table_id, None, None, table)
                continue
            rows = self._valid_table(text, table)
            if rows:
                valid[text] = rows
        return valid

    def _valid_table(self, table_id: str, table: object) -> dict[str, dict[str, Stored]]:
        """Check a whole table; empty where nothing is left."""
        valid: dict[str, dict[str, Stored]] = {}
        if self._schema is not None and table_id not in self._schema:
            self._refuse_cell(table_id, None, None, UNDEFINED, "the schema does not have this table")
            return valid
        if not isinstance(table, Mapping) or not table:
            self._refuse_table(table_id, table)
            return valid
        known: dict[object, str] = {}
        valid_row = self._valid_row
        for row_id, row in table.items():
            if type(row_id) is not str or not row_id.isascii():
                try:
                    row_id = check_id(row_id)  # noqa: PLW2901
                except InvalidIdError as error:
                    self._refuse_id(error, table_id, row_id, None, row)
                    continue
            cells = valid_row(table_id, row_id, row, known)
            if cells:
                valid[row_id] = cells
        return valid

    def _refuse_table(self, table_id: str, table: object) -> None:
        shown = UNDEFINED if self._lenient() else table
        self._refuse_cell(table_id, None, None, shown, _not_a("table", table, "del_table"))

    def _refuse_row(self, table_id: str, row_id: str | None, row: object) -> None:
        shown = UNDEFINED if self._lenient() else row
        self._refuse_cell(table_id, row_id, None, shown, _not_a("row", row, "del_row"))

    def _lenient(self) -> bool:
        return self._receiving or not self._raising

    def _valid_row(
        self,
        table_id: str,
        row_id: str | None,
        row: object,
        known: dict[object, str],
        *,
        partial: bool = False,
    ) -> dict[str, Stored]:
        """Check a row; empty where nothing is left, or something required is missing.

        Args:
            table_id: Its table.
            row_id: Its id; ``None`` where it has none yet.
            row: What the caller gave.
            known: Cell ids known to be good, as they are kept; those found good are added.
            partial: Whether the row adds to what is there, so that defaults do not matter.
        """
        if type(row) is not dict and not isinstance(row, Mapping):
            self._refuse_row(table_id, row_id, row)
            return {}
        schema = self._schema
        if schema is None and not row:
            self._refuse_row(table_id, row_id, row)
            return {}
        # With a schema, defaults may be added to what was given.
        valid = {} if partial or schema is not None else self._shared_keys.row(row)
        rule = None if schema is None or partial else schema.get(table_id)
        if rule is not None:
            for cell_id in rule.others:
                if cell_id not in row:
                    self._note_invalid_cell(table_id, row_id, cell_id, UNDEFINED)
        for given_id, cell in row.items():
            known_id = known.get(given_id)
            if known_id is not None:
                cell_id = known_id
            else:
                try:
                    cell_id = known[given_id] = intern(check_id(given_id))
                except InvalidIdError as error:
                    self._refuse_id(error, table_id, row_id, given_id, cell)
                    valid.pop(given_id, None)
                    continue
            # What most cells are is accepted here: a call for each would double the time.
            kind = type(cell)
            if schema is None and (
                (kind is str and cell.isascii())
                or (kind is int and _MIN <= cell <= _MAX)
                or kind is bool
                or cell is None
            ):
                valid[cell_id] = cell
                continue
            stored = self._valid_cell(table_id, row_id, cell_id, cell)
            if stored is not UNDEFINED:
                valid[cell_id] = stored
            else:
                valid.pop(cell_id, None)
        if rule is not None:
            valid.update({cell_id: cell for cell_id, cell in rule.defaults.items() if cell_id not in row})
            for cell_id in rule.required:
                if cell_id not in valid:
                    if cell_id not in row and not self._lenient():
                        self._refuse_cell(
                            table_id, row_id, cell_id, UNDEFINED, "the schema requires this cell"
                        )
                    if not valid and not row:
                        self._refuse_row(table_id, row_id, row)  # after its cells, as TinyBase does
                    return {}
        if rule is not None and row_id is not None:
            self._note_defaults(table_id, row_id, rule.defaults.keys() - row.keys())
        if not valid and not row:
            self._refuse_row(table_id, row_id, row)
        return valid

    def _valid_values(self, values: object, *, partial: bool = False) -> dict[str, Stored]:
        """Check all keyed values; empty where nothing is left, or something required is missing."""
        valid: dict[str, Stored] = {}
        schema = self._values_schema
        if not isinstance(values, Mapping) or (schema is None and not values):
            shown = UNDEFINED if self._lenient() else values
            self._refuse_value(None, shown, _not_a("values", values, "del_values"))
            return valid
        whole = None if partial else schema
        if whole is not None:
            for value_id, rule in whole.items():
                if rule.default is UNDEFINED and value_id not in values:
                    self._note_invalid_value(value_id, UNDEFINED)
        for value_id, value in values.items():
            try:
                text = check_id(value_id)
            except InvalidIdError as error:
                if not self._lenient():
                    raise
                self._note_invalid_value(str(error.id), value)
                continue
            stored = self._valid_value(text, value)
            if stored is not UNDEFINED:
                valid[text] = stored
        if whole is not None:
            for value_id, rule in whole.items():
                if rule.default is not UNDEFINED and value_id not in values:
                    valid[value_id] = rule.default
        if not valid and not values:
            self._refuse_value(None, UNDEFINED, _not_a("values", values, "del_values"))
        for value_id, rule in (whole or {}).items():
            if rule.required and rule.default is UNDEFINED and value_id not in valid:
                if value_id not in values and not self._lenient():
                    self._refuse_value(value_id, UNDEFINED, "the schema requires this value")
                return {}
        if whole is not None:
            self._note_defaults(None, None, {v for v in valid if v not in values})
        return valid


def _not_a(what: str, given: object, instead: str) -> str | TypeError:
    if isinstance(given, Mapping):
        return f"an empty {what} cannot be stored; {instead} deletes"
    return TypeError(f"{what} must be a mapping")
