"""Schemas from Python types: dataclasses, TypedDicts, NamedTuples and pydantic models.

::

    @dataclass
    class Pet:
        species: Literal["dog", "cat"]
        price: float | None = None

    store.set_tables_schema(to_tables_schema({"pets": Pet}))

What becomes of a type: ``str`` is ``"string"``, ``int`` and ``float`` are ``"number"``, ``bool`` is
``"boolean"``, lists, tuples, sets and other sequences are ``"array"``, dictionaries and classes with fields
are ``"object"``; ``Literal`` and ``enum.Enum`` are an ``enum``; ``None`` in a union is ``allowNull``; a
union of several is a list of types. A field's default is the ``default``; a field without one that must
be given is ``required``. ``Annotated``, ``Required``, ``NotRequired``, ``ReadOnly`` and ``NewType`` are
seen through.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from weft.errors import InvalidSchemaError
from weft.values import UNDEFINED, encode_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.store._parts.schema_rules import CellSchema, CellType

__all__ = ["to_tables_schema", "to_values_schema"]

_NAMES: dict[object, CellType] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
}
_WRAPPERS = {
    getattr(module, name)
    for name in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar")
    for module in [typing]
    if hasattr(module, name)
}


def to_tables_schema(models: Mapping[str, type]) -> dict[str, dict[str, CellSchema]]:
    """Make the schema of tables from one class per table.

    Args:
        models: Table id to a dataclass, TypedDict, NamedTuple or pydantic model; its fields are the cells.

    Raises:
        InvalidSchemaError: A field has a type that no cell can have, or a class no fields.
    """
    return {table_id: to_values_schema(model) for table_id, model in models.items()}


def to_values_schema(model: type | Mapping[str, object]) -> dict[str, CellSchema]:
    """Make the schema of keyed values from the fields of a class, or from a mapping of ids to types.

    Raises:
        InvalidSchemaError: A field has a type that no value can have, or the class no fields.
    """
    name = "the mapping" if isinstance(model, Mapping) else model.__name__
    schema = {}
    for id_, annotation, default, required in _fields(model):
        try:
            schema[id_] = _cell_schema(annotation, default, required)
        except InvalidSchemaError as error:
            raise InvalidSchemaError(f"{name}, field {id_!r}: {error}") from None
    if not schema:
        raise InvalidSchemaError(f"{name} has no fields")
    return schema


def _fields(model: type | Mapping[str, object]) -> Iterator[tuple[str, object, object, bool]]:
    """Give the name, type, default (``UNDEFINED`` if none) and necessity of each field."""
    if isinstance(model, Mapping):
        for name, annotation in model.items():
            yield name, annotation, UNDEFINED, False
        return
    pydantic_fields = getattr(model, "model_fields", None)
    if isinstance(pydantic_fields, Mapping):
        # pydantic's FieldInfo, read without importing pydantic.
        for name, info in pydantic_fields.items():
            default = UNDEFINED if info.is_required() else info.get_default(call_default_factory=True)
            yield info.alias or name, info.annotation, default, info.is_required()
        return
    hints = typing.get_type_hints(model, include_extras=True)
    if dataclasses.is_dataclass(model):
        for field in dataclasses.fields(model):
            default = UNDEFINED
            if field.default is not dataclasses.MISSING:
                default = field.default
            elif field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            yield field.name, hints[field.name], default, default is UNDEFINED
        return
    if typing.is_typeddict(model):
        required_keys: frozenset[str] = getattr(model, "__required_keys__", frozenset())
        for name, annotation in hints.items():
            # Postponed annotations hide the markers from the class, not from its hints.
            marker = get_origin(annotation)
            required = marker is not typing.NotRequired and (
                marker is typing.Required or name in required_keys
            )
            yield name, annotation, UNDEFINED, required
        return
    if issubclass(model, tuple) and hasattr(model, "_fields"):
        defaults: Mapping[str, object] = getattr(model, "_field_defaults", {})
        for name in model._fields:
            default = defaults.get(name, UNDEFINED)
            yield name, hints[name], default, default is UNDEFINED
        return
    raise InvalidSchemaError(
        f"{model.__name__} is no dataclass, TypedDict, NamedTuple or pydantic model, so it has no fields"
    )


def _cell_schema(annotation: object, default: object, required: bool) -> CellSchema:
    names: list[CellType] = []
    choices: list[str | int | float | bool] = []
    nullable = False
    for member in _members(annotation):
        if member is None or member is type(None):
            nullable = True
        elif get_origin(member) is Literal:
            for choice in get_args(member):
                if choice is None:
                    nullable = True
                else:
                    choices.append(choice.value if isinstance(choice, enum.Enum) else choice)
        elif isinstance(member, type) and issubclass(member, enum.Enum):
            choices.extend(item.value for item in member)
        else:
            name = _type_name(member)
            if name not in names:
                names.append(name)
    schema: CellSchema = {}
    if choices and not names:
        schema["enum"] = list({(type(choice), choice): choice for choice in choices}.values())
    else:
        # A schema has types or choices, not both: beside a type the choices count as theirs.
        for choice in choices:
            name = _NAMES[type(choice)]
            if name not in names:
                names.append(name)
        if not names:
            raise InvalidSchemaError("None alone is no type of a cell")
        schema["type"] = names[0] if len(names) == 1 else names
    if default is not UNDEFINED:
        schema["default"] = _plain_default(default)
        nullable = nullable or schema["default"] is None
    if nullable:
        schema["allowNull"] = True
    if required:
        schema["required"] = True
    return schema


def _plain_default(default: object) -> object:
    value = default.value if isinstance(default, enum.Enum) else default
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    elif hasattr(value, "model_dump"):
        value = value.model_dump()
    elif isinstance(value, (Set, tuple)):
        value = list(value)
    try:
        encode_cell(value)
    except (TypeError, ValueError) as error:
        raise InvalidSchemaError(f"the default {value!r} cannot be a cell: {error}") from None
    return value


def _members(annotation: object) -> Iterator[object]:
    """Take a type apart into the members of its union."""
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        for member in get_args(annotation):
            yield from _members(member)
    elif origin in _WRAPPERS or origin is typing.Annotated:
        yield from _members(get_args(annotation)[0])
    elif hasattr(annotation, "__supertype__"):
        yield from _members(annotation.__supertype__)
    elif hasattr(annotation, "__value__"):  # ``type X = …`` of Python 3.12
        yield from _members(annotation.__value__)
    else:
        yield annotation


def _type_name(member: object) -> CellType:
    kind: Any = get_origin(member) or member
    if kind in _NAMES:
        return _NAMES[kind]
    if isinstance(kind, type):
        if typing.is_typeddict(kind) or dataclasses.is_dataclass(kind) or hasattr(kind, "model_fields"):
            return "object"
        if issubclass(kind, Mapping):
            return "object"
        for base, name in _NAMES.items():
            if issubclass(kind, base):  # type: ignore[arg-type]
                return name
        if issubclass(kind, (Sequence, Set)) and not issubclass(kind, (bytes, bytearray, memoryview)):
            return "array"
    raise InvalidSchemaError(f"no cell can be of type {member!r}")
