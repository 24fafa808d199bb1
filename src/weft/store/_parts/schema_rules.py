"""Schemas: TinyBase's dictionaries, checked and turned into rules.

``TablesSchema = {table_id: {cell_id: CellSchema}}``, ``ValuesSchema = {value_id: CellSchema}``, where a
cell schema has either ``type`` (``"string"``, ``"number"``, ``"boolean"``, ``"object"``, ``"array"``, or a
list of these; or ``"text"``, a string that documents keep as a shared text, which TinyBase does not know) or
``enum`` (a list of strings, numbers and booleans), and may have ``default``,
``allowNull`` and ``required``. The keys are TinyBase's, so that a schema is exchangeable as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from weft.errors import InvalidSchemaError
from weft.store._parts.ids import check_id
from weft.values import UNDEFINED, EncodedCell, decode_cell, encode_cell

if TYPE_CHECKING:
    from weft.values import Stored, Undefined

__all__ = [
    "CellRule",
    "CellSchema",
    "TableRule",
    "TablesSchema",
    "ValuesSchema",
    "describe",
    "keep_places",
    "parse_tables",
    "parse_values",
]

CellType: TypeAlias = Literal["string", "number", "boolean", "object", "array", "text"]


class CellSchema(TypedDict, total=False):
    """What a cell, or a keyed value, may be: ``type`` or ``enum``, and the rest if wanted."""

    type: CellType | list[CellType]
    enum: list[str | int | float | bool]
    default: Any
    allowNull: bool
    required: bool


TablesSchema: TypeAlias = Mapping[str, Mapping[str, CellSchema]]
ValuesSchema: TypeAlias = Mapping[str, CellSchema]

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (),
    "array": (),
    "text": (str,),
}
_KEYS = ("type", "enum", "default", "allowNull", "required")


class CellRule:
    """A cell schema, ready to check stored forms.

    Attributes:
        kinds: Types of stored forms that need no further look.
        default: Stored form of the default, or ``UNDEFINED``.
        schema: The schema as a dictionary, with the keys it was given.
    """

    __slots__ = ("_array", "_choices", "_object", "default", "kinds", "required", "schema")

    def __init__(self, schema: CellSchema, default: Stored | Undefined) -> None:
        self.schema = schema
        self.default = default
        self.required = schema.get("required") is True
        self._choices: frozenset[tuple[type, object]] | None = None
        names: list[str] = []
        if "enum" in schema:
            self._choices = frozenset((type(choice), choice) for choice in map(encode_cell, schema["enum"]))
        else:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]  # type: ignore[assignment]
        kinds = {kind for name in names for kind in _KINDS[name]}
        if schema.get("allowNull"):
            kinds.add(type(None))
        self.kinds = frozenset(kinds)
        self._object = "object" in names
        self._array = "array" in names

    def refusal(self, cell: Stored) -> str | None:
        """Tell why a stored form is refused; ``None`` where it is not."""
        kind = type(cell)
        if kind in self.kinds:
            return None
        if self._choices is not None:
            if (kind, cell) in self._choices:
                return None
            return f"the schema allows {self.schema['enum']!r}"
        if kind is EncodedCell:
            if self._array if cell[1:].lstrip(" \t\n\r")[0] == "[" else self._object:  # type: ignore[index]
                return None
        elif cell is None:
            return "the schema does not allow None here"
        return f"the schema asks for {self.schema['type']!r}"


class TableRule:
    """The schema of a table.

    Attributes:
        cells: Rule by cell id.
        defaults: Stored default by cell id, of those that have one.
        others: Cell ids without default.
        required: Cell ids without default that a whole row must have.
        texts: Cell ids of shared texts.
    """

    __slots__ = ("cells", "defaults", "others", "required", "texts")

    def __init__(self, cells: dict[str, CellRule]) -> None:
        self.cells = cells
        self.defaults: dict[str, Stored] = {}
        self.others: list[str] = []
        self.required: list[str] = []
        self.texts = frozenset(
            cell_id for cell_id, rule in cells.items() if rule.schema.get("type") == "text"
        )
        for cell_id, rule in cells.items():
            if rule.default is not UNDEFINED:
                self.defaults[cell_id] = rule.default
                continue
            self.others.append(cell_id)
            if rule.required:
                self.required.append(cell_id)


def _parse_cell(source: object, *, strict: bool) -> CellRule:
    """Check one cell schema.

    As TinyBase does unless ``strict``: unknown keys and a default that does not fit are dropped.
    """
    if not isinstance(source, Mapping):
        raise InvalidSchemaError(f"a cell schema must be a mapping, not {source!r}")
    schema: dict[str, Any] = {key: source[key] for key in source if key in _KEYS}
    if strict and len(schema) < len(source):
        unknown = [key for key in source if key not in _KEYS]
        raise InvalidSchemaError(f"unknown {unknown!r}; the keys of a cell schema are {', '.join(_KEYS)}")
    if "enum" in schema:
        if "type" in schema:
            raise InvalidSchemaError("a cell schema has either type or enum, not both")
        choices = schema["enum"] = _list(schema["enum"])
        if not choices:
            raise InvalidSchemaError("enum must be a list of at least one choice")
        for choice in choices:
            if choice is None or isinstance(choice, (list, tuple, dict)):
                raise InvalidSchemaError(f"{choice!r} cannot be a choice of an enum")
            try:
                encode_cell(choice)
            except (TypeError, ValueError) as error:
                raise InvalidSchemaError(f"{choice!r} cannot be a choice of an enum: {error}") from None
    else:
        types = schema.get("type")
        names = [types] if isinstance(types, str) else _list(types)
        if not names or not all(isinstance(name, str) and name in _KINDS for name in names):
            raise InvalidSchemaError(f"type must be one or several of {', '.join(_KINDS)}; got {types!r}")
        if not isinstance(types, str):
            if "text" in names:
                raise InvalidSchemaError("the type text stands alone, not in a list of types")
            schema["type"] = names
    if "default" in schema and schema["default"] is None and not schema.get("allowNull"):
        raise InvalidSchemaError("the default None needs allowNull")
    cell_schema: CellSchema = schema  # type: ignore[assignment]
    default: Stored | Undefined = UNDEFINED
    if "default" in schema:
        rule = CellRule(cell_schema, UNDEFINED)
        reason: str | None
        try:
            default = encode_cell(schema["default"])
            reason = rule.refusal(default)
        except (TypeError, ValueError) as error:
            reason = str(error)
        if reason is None and default is not UNDEFINED:
            schema["default"] = decode_cell(default)
        elif strict:
            raise InvalidSchemaError(f"the default {schema['default']!r} does not fit: {reason}")
        else:
            default = UNDEFINED
            del schema["default"]
    return CellRule(cell_schema, default)


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def parse_values(source: object, *, strict: bool, of_table: bool = False) -> dict[str, CellRule]:
    """Check the schema of one table or of the values.

    Args:
        source: What the caller gave.
        strict: Whether an entry that is no schema raises; otherwise it is left out.
        of_table: Whether it is that of a table, whose cells may be texts.

    Raises:
        InvalidSchemaError: It is no schema, or nothing is left of it.
    """
    if not isinstance(source, Mapping):
        raise InvalidSchemaError(f"a schema must be a mapping, not {source!r}")
    rules: dict[str, CellRule] = {}
    for id_, cell_schema in source.items():
        try:
            rule = _parse_cell(cell_schema, strict=strict)
            if not of_table and rule.schema.get("type") == "text":
                raise InvalidSchemaError("only a cell can be a shared text, not a keyed value")
            rules[check_id(id_)] = rule
        except InvalidSchemaError as error:
            if strict:
                raise InvalidSchemaError(f"{id_!r}: {error}") from None
        except ValueError:
            if strict:
                raise
    if not rules:
        raise InvalidSchemaError(
            "an empty schema is none; del_tables_schema and del_values_schema delete one"
        )
    return rules


def parse_tables(source: object, *, strict: bool) -> dict[str, TableRule]:
    """Check a schema of tables; arguments and errors are those of :func:`parse_values`."""
    if not isinstance(source, Mapping):
        raise InvalidSchemaError(f"a schema must be a mapping, not {source!r}")
    rules: dict[str, TableRule] = {}
    for table_id, table_schema in source.items():
        try:
            rules[check_id(table_id)] = TableRule(parse_values(table_schema, strict=strict, of_table=True))
        except InvalidSchemaError as error:
            if strict:
                raise InvalidSchemaError(f"table {table_id!r}: {error}") from None
        except ValueError:
            if strict:
                raise
    if not rules:
        raise InvalidSchemaError("an empty schema is none; del_tables_schema deletes one")
    return rules


def keep_places(rules: dict[str, TableRule], old: dict[str, TableRule] | None) -> dict[str, TableRule]:
    """Put the tables and cells that the rules in force have, too, where they are there, as TinyBase does.

    The defaults keep the order in which they are given.
    """
    for table_id, rule in rules.items():
        if old and table_id in old:
            rule.cells = _in_old_order(rule.cells, old[table_id].cells)
    return _in_old_order(rules, old)


def _in_old_order(rules: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    if not old:
        return rules
    ordered = {id_: rules[id_] for id_ in old if id_ in rules}
    ordered.update(rules)
    return ordered


def describe(rules: Mapping[str, CellRule]) -> dict[str, CellSchema]:
    """Give rules as the dictionaries they came from, free for the caller to change."""
    described: dict[str, CellSchema] = {}
    for id_, rule in rules.items():
        schema = dict(rule.schema)
        if type(rule.default) is EncodedCell:
            schema["default"] = rule.default.decode()
        for key in ("type", "enum"):
            if isinstance(schema.get(key), list):
                schema[key] = list(schema[key])  # type: ignore[call-overload]
        described[id_] = schema  # type: ignore[assignment]
    return described
