"""The fields of a class: of a dataclass, TypedDict, NamedTuple or pydantic model, with their types."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Union, get_args, get_origin

from weft.errors import InvalidSchemaError
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fields_of", "is_object", "members_of"]

_WRAPPERS = {
    getattr(typing, name)
    for name in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar")
    if hasattr(typing, name)
}


def fields_of(model: type | Mapping[str, object]) -> Iterator[tuple[str, object, object, bool]]:
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


def is_object(kind: type) -> bool:
    """Tell whether a cell for this class is an object with its fields; a NamedTuple is a list."""
    return dataclasses.is_dataclass(kind) or hasattr(kind, "model_fields") or typing.is_typeddict(kind)


def members_of(annotation: object) -> Iterator[object]:
    """Take a type apart into the members of its union."""
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        for member in get_args(annotation):
            yield from members_of(member)
    elif origin in _WRAPPERS or origin is typing.Annotated:
        yield from members_of(get_args(annotation)[0])
    elif hasattr(annotation, "__supertype__"):
        yield from members_of(annotation.__supertype__)
    elif hasattr(annotation, "__value__"):  # ``type X = …`` of Python 3.12
        yield from members_of(annotation.__value__)
    else:
        yield annotation
