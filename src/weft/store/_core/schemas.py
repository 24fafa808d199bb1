"""Setting, reading and deleting schemas."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Self, TypeVar, overload

from weft.errors import DataError
from weft.jsoncodec import dumps
from weft.store._core.content import ordered, ordered_tables
from weft.store._core.remote_changes import RemoteChanges
from weft.store._core.transactions import OneWrite
from weft.store._parts.log import SCHEMA
from weft.store._parts.schema_effects import (
    effect_on_cells,
    effect_on_values,
    refused_cells,
    refused_values,
)
from weft.store._parts.schema_rules import describe, keep_places, parse_tables, parse_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weft.store._parts.schema_rules import CellRule, CellSchema, TableRule, TablesSchema, ValuesSchema
    from weft.store._parts.signatures import Refused, RefusedCell, RefusedValue

__all__ = ["Schemas"]

R = TypeVar("R")


class Schemas(RemoteChanges):
    """The schemas of a Store. See ``schema_rules.py`` for what a schema is."""

    __slots__ = ()

    @overload
    def set_tables_schema(self, tables_schema: TablesSchema, *, dry_run: Literal[False] = False) -> Self: ...
    @overload
    def set_tables_schema(
        self, tables_schema: TablesSchema, *, dry_run: Literal[True]
    ) -> list[RefusedCell]: ...
    def set_tables_schema(
        self, tables_schema: TablesSchema, *, dry_run: bool = False
    ) -> Self | list[RefusedCell]:
        """Set the schema of the tables; what is there and does not fit is dropped, defaults are added.

        What is dropped leaves this Store only: a mirrored document, the place of a persister and the other
        peers keep it, and the invalid listeners, mirrors and persisters report it. Defaults are edits.

        Args:
            tables_schema: The schema.
            dry_run: Change nothing, and list what would be dropped, or give way to a default, as
                ``(table_id, row_id, cell_id, cell)``. A row that lacks a required cell is listed whole.

        Returns:
            The Store; the list with ``dry_run``.

        Raises:
            InvalidSchemaError: It is no schema. The one in force stays.
        """
        rules = self._parsed(parse_tables, tables_schema)
        return self._misfit_cells(rules) if dry_run else self._set_schemas(rules, None)

    @overload
    def set_values_schema(self, values_schema: ValuesSchema, *, dry_run: Literal[False] = False) -> Self: ...
    @overload
    def set_values_schema(
        self, values_schema: ValuesSchema, *, dry_run: Literal[True]
    ) -> list[RefusedValue]: ...
    def set_values_schema(
        self, values_schema: ValuesSchema, *, dry_run: bool = False
    ) -> Self | list[RefusedValue]:
        """Set the schema of the keyed values; what is there and does not fit is dropped.

        As :meth:`set_tables_schema`; ``dry_run`` lists ``(value_id, value)``.

        Raises:
            InvalidSchemaError: It is no schema. The one in force stays.
        """
        rules = self._parsed(parse_values, values_schema)
        return self._misfit_values(rules) if dry_run else self._set_schemas(None, rules)

    @overload
    def set_schema(
        self,
        tables_schema: TablesSchema,
        values_schema: ValuesSchema | None = None,
        *,
        dry_run: Literal[False] = False,
    ) -> Self: ...
    @overload
    def set_schema(
        self,
        tables_schema: TablesSchema,
        values_schema: ValuesSchema | None = None,
        *,
        dry_run: Literal[True],
    ) -> list[Refused]: ...
    def set_schema(
        self,
        tables_schema: TablesSchema,
        values_schema: ValuesSchema | None = None,
        *,
        dry_run: bool = False,
    ) -> Self | list[Refused]:
        """Set the schema of the tables, and that of the values if it is given.

        As :meth:`set_tables_schema`; ``dry_run`` lists the cells first and then the values, as
        ``(value_id, value)``.

        Raises:
            InvalidSchemaError: One of them is no schema. Those in force stay.
        """
        values_rules = None if values_schema is None else self._parsed(parse_values, values_schema)
        rules = self._parsed(parse_tables, tables_schema)
        if dry_run:
            return [*self._misfit_cells(rules), *self._misfit_values(values_rules)]
        return self._set_schemas(rules, values_rules)

    def _parsed(self, parse: Callable[..., dict[str, R]], schema: object) -> dict[str, R] | None:
        """Turn a schema into rules; ``None`` where it is none and that is ignored."""
        try:
            return parse(schema, strict=not self._lenient())
        except DataError:
            if self._lenient():
                return None
            raise

    def _set_schemas(
        self, tables_rules: dict[str, TableRule] | None, values_rules: dict[str, CellRule] | None
    ) -> Self:
        with OneWrite(self) as may_write:
            if may_write:
                # What is there was fine under the old rules: dropping it is no mistake of the caller's.
                was = self._receiving
                self._receiving = True
                try:
                    if tables_rules is not None:
                        self._set_tables_rules(tables_rules)
                    if values_rules is not None:
                        self._set_values_rules(values_rules)
                finally:
                    self._receiving = was
        return self

    def _set_tables_rules(self, rules: dict[str, TableRule]) -> None:
        self._change_schema("_schema", keep_places(rules, self._schema))
        if not self._tables:
            return
        tables: object = self.get_tables()
        if not self._raising:
            tables = ordered_tables(tables)  # TinyBase's copy is a JavaScript object
        old = {
            table_id: {r: row.copy() for r, row in table.items()} for table_id, table in self._tables.items()
        }
        start = self._log_length()
        self.del_tables()
        valid = self._valid_tables(tables)
        refused = refused_cells(old, valid)
        if valid:
            self._replace_tables(valid)
        entries = start, self._log_length()
        self._schema_effects.append(effect_on_cells(entries, refused, old, self._tables))

    def _set_values_rules(self, rules: dict[str, CellRule]) -> None:
        values: object = self.get_values()
        if not self._raising:
            values = ordered(values)
        old = self._values.copy()
        self._change_schema("_values_schema", None)
        start = self._log_length()
        self.del_values()
        self._change_schema("_values_schema", rules)
        valid = self._valid_values(values)
        refused = refused_values(old, valid)
        if valid:
            self._replace_values(valid)
        entries = start, self._log_length()
        self._schema_effects.append(effect_on_values(entries, refused, old, self._values))

    def _misfit_cells(self, rules: dict[str, TableRule] | None) -> list[RefusedCell]:
        """List the cells that rules would refuse."""
        if not rules or not self._tables:
            return []
        with self._trying("_schema", rules):
            return refused_cells(self._tables, self._valid_tables(self.get_tables()))

    def _misfit_values(self, rules: dict[str, CellRule] | None) -> list[RefusedValue]:
        """List the values that rules would refuse."""
        if not rules or not self._values:
            return []
        with self._trying("_values_schema", rules):
            return refused_values(self._values, self._valid_values(self.get_values()))

    @contextmanager
    def _trying(self, attribute: str, rules: dict[str, TableRule] | dict[str, CellRule]) -> Iterator[None]:
        """Check by other rules for a moment, and tell no listener of it."""
        was = getattr(self, attribute), self._receiving, self._invalid_cells, self._invalid_values
        setattr(self, attribute, rules)
        self._receiving, self._invalid_cells, self._invalid_values = True, {}, {}
        try:
            yield
        finally:
            old, self._receiving, self._invalid_cells, self._invalid_values = was
            setattr(self, attribute, old)

    def _change_schema(
        self, attribute: str, rules: dict[str, TableRule] | dict[str, CellRule] | None
    ) -> None:
        if self._log is not None:
            self._log.append((SCHEMA, attribute, getattr(self, attribute)))
        setattr(self, attribute, rules)

    def del_tables_schema(self) -> Self:
        """Delete the schema of the tables; the data stays."""
        if self._enter():
            self._change_schema("_schema", None)
            self._leave()
        return self

    def del_values_schema(self) -> Self:
        """Delete the schema of the keyed values; the data stays."""
        if self._enter():
            self._change_schema("_values_schema", None)
            self._leave()
        return self

    def del_schema(self) -> Self:
        """Delete both schemas; the data stays."""
        if self._enter():
            self._change_schema("_schema", None)
            self._change_schema("_values_schema", None)
            self._leave()
        return self

    def has_tables_schema(self) -> bool:
        """Tell whether the tables have a schema."""
        return self._schema is not None

    def has_values_schema(self) -> bool:
        """Tell whether the keyed values have a schema."""
        return self._values_schema is not None

    def get_tables_schema(self) -> dict[str, dict[str, CellSchema]]:
        """Get the schema of the tables; empty where there is none."""
        return {table_id: describe(rule.cells) for table_id, rule in (self._schema or {}).items()}

    def get_values_schema(self) -> dict[str, CellSchema]:
        """Get the schema of the keyed values; empty where there is none."""
        return describe(self._values_schema or {})

    def get_tables_schema_json(self) -> str:
        """Get the schema of the tables as JSON text."""
        return dumps(self.get_tables_schema())

    def get_values_schema_json(self) -> str:
        """Get the schema of the keyed values as JSON text."""
        return dumps(self.get_values_schema())

    def get_schema_json(self) -> str:
        """Get both schemas as JSON text: ``[tables_schema,values_schema]``."""
        return f"[{self.get_tables_schema_json()},{self.get_values_schema_json()}]"
