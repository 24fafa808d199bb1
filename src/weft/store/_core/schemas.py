"""Setting, reading and deleting schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from weft.errors import DataError
from weft.jsoncodec import dumps
from weft.store._core.content import ordered, ordered_tables
from weft.store._core.remote_changes import RemoteChanges
from weft.store._core.transactions import OneWrite
from weft.store._parts.log import SCHEMA
from weft.store._parts.schema_rules import describe, keep_places, parse_tables, parse_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.store._parts.schema_rules import CellRule, CellSchema, TableRule, TablesSchema, ValuesSchema

__all__ = ["Schemas"]

R = TypeVar("R")


class Schemas(RemoteChanges):
    """The schemas of a Store. See ``schema_rules.py`` for what a schema is."""

    __slots__ = ()

    def set_tables_schema(self, tables_schema: TablesSchema) -> Self:
        """Set the schema of the tables; what is there and does not fit is dropped, defaults are added.

        Raises:
            InvalidSchemaError: It is no schema. The one in force stays.
        """
        return self._set_schemas(self._parsed(parse_tables, tables_schema), None)

    def set_values_schema(self, values_schema: ValuesSchema) -> Self:
        """Set the schema of the keyed values; what is there and does not fit is dropped.

        Raises:
            InvalidSchemaError: It is no schema. The one in force stays.
        """
        return self._set_schemas(None, self._parsed(parse_values, values_schema))

    def set_schema(self, tables_schema: TablesSchema, values_schema: ValuesSchema | None = None) -> Self:
        """Set the schema of the tables, and that of the values if it is given.

        Raises:
            InvalidSchemaError: One of them is no schema. Those in force stay.
        """
        values_rules = None if values_schema is None else self._parsed(parse_values, values_schema)
        return self._set_schemas(self._parsed(parse_tables, tables_schema), values_rules)

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
        self.del_tables()
        valid = self._valid_tables(tables)
        if valid:
            self._replace_tables(valid)

    def _set_values_rules(self, rules: dict[str, CellRule]) -> None:
        values: object = self.get_values()
        if not self._raising:
            values = ordered(values)
        self._change_schema("_values_schema", None)
        self.del_values()
        self._change_schema("_values_schema", rules)
        valid = self._valid_values(values)
        if valid:
            self._replace_values(valid)

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
