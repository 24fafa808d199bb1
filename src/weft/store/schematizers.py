"""Schemas from Python types: dataclasses, TypedDicts, NamedTuples and pydantic models.

::

    @dataclass
    class Pet:
        species: Literal["dog", "cat"]
        price: float | None = None

    store.set_tables_schema(to_tables_schema({"pets": Pet}))
    store.set_row("pets", "fido", to_row(Pet("dog")))
    pet = from_row(Pet, store.get_row("pets", "fido"))

What becomes of a type: ``str`` is ``"string"``, ``int`` and ``float`` are ``"number"``, ``bool`` is
``"boolean"``, lists, tuples, sets and other sequences are ``"array"``, dictionaries and classes with fields
are ``"object"``; times, UUIDs and decimals are ``"string"``, as ``to_cell`` makes them; ``Literal`` and
``enum.Enum`` are an ``enum``; ``None`` in a union is ``allowNull``; a union of several is a list of types. A
field's default is the ``default``; a field without one that must be given is ``required``. ``Annotated``,
``Required``, ``NotRequired``, ``ReadOnly`` and ``NewType`` are seen through.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from weft.errors import InvalidSchemaError
from weft.store.converters import TEXT_TYPES, to_cell
from weft.store.model_fields import fields_of, members_of
from weft.values import UNDEFINED, encode_cell

if TYPE_CHECKING:
    from weft.store._parts.schema_rules import CellSchema, CellType

__all__ = ["to_tables_schema", "to_values_schema"]

_NAMES: dict[object, CellType] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
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
    for id_, annotation, default, required in fields_of(model):
        try:
            schema[id_] = _cell_schema(annotation, default, required)
        except InvalidSchemaError as error:
            raise InvalidSchemaError(f"{name}, field {id_!r}: {error}") from None
    if not schema:
        raise InvalidSchemaError(f"{name} has no fields")
    return schema


def _cell_schema(annotation: object, default: object, required: bool) -> CellSchema:
    names: list[CellType] = []
    choices: list[str | int | float | bool] = []
    nullable = False
    for member in members_of(annotation):
        if member is None or member is type(None):
            nullable = True
        elif get_origin(member) is Literal:
            for choice in get_args(member):
                if choice is None:
                    nullable = True
                else:
                    choices.append(_choice(choice))
        elif isinstance(member, type) and issubclass(member, enum.Enum):
            choices.extend(map(_choice, member))
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


def _choice(choice: Any) -> Any:
    return to_cell(choice) if isinstance(choice, enum.Enum) else choice


def _plain_default(default: object) -> object:
    value = to_cell(default) if isinstance(default, (enum.Enum, *TEXT_TYPES)) else default
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


def _type_name(member: object) -> CellType:
    kind: Any = get_origin(member) or member
    if kind in _NAMES:
        return _NAMES[kind]
    if isinstance(kind, type):
        if typing.is_typeddict(kind) or dataclasses.is_dataclass(kind) or hasattr(kind, "model_fields"):
            return "object"
        if issubclass(kind, Mapping):
            return "object"
        if issubclass(kind, TEXT_TYPES):
            return "string"
        for base, name in _NAMES.items():
            if issubclass(kind, base):  # type: ignore[arg-type]
                return name
        if issubclass(kind, (Sequence, Set)) and not issubclass(kind, (bytes, bytearray, memoryview)):
            return "array"
    raise InvalidSchemaError(f"no cell can be of type {member!r}")
