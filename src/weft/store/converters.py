"""Python objects as cells, and back: times, UUIDs, decimals and enumerations.

======================================  ====================================================
type                                    cell
======================================  ====================================================
``datetime``, ``date``, ``time``        ISO 8601 text, with the offset where there is one
``uuid.UUID``                           its text
``decimal.Decimal``                     its text, as a number would lose digits
``enum.Enum``                           its value
lists, tuples, sets, dictionaries       the same of what is in them; a set is a list
dataclasses, pydantic models            an object of their fields
======================================  ====================================================

Peers see the cell, whatever language they are written in. :func:`to_cell` is meant for
``Store(encode=to_cell)``, and :func:`from_cell` for the way back, which needs to know the type.
:func:`to_row` and :func:`from_row` do it for whole rows. The schema for the same class is made by
:func:`weft.store.to_tables_schema`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Set
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, overload
from uuid import UUID

from weft._support.scalars import plain_scalar
from weft.errors import DataError, InvalidSchemaError
from weft.store.model_fields import fields_of, is_object, members_of
from weft.values import json_equal

if TYPE_CHECKING:
    from weft.changes import Row
    from weft.values import Cell

__all__ = ["TEXT_TYPES", "fields_in", "from_cell", "from_row", "to_cell", "to_row"]

T = TypeVar("T")
M = TypeVar("M")

TEXT_TYPES: tuple[type, ...] = (dt.date, dt.time, UUID, Decimal)
"""Types, and their subclasses, whose cells are text: a ``datetime`` is a ``date``."""


def to_cell(value: object) -> Cell:
    """Make a cell of a Python object; what is a cell already stays as it is.

    Raises:
        TypeError: There is no cell for this type.
        ValueError: It is the missing time of pandas or NumPy, for which ``None`` stands.
    """
    if value is None or (isinstance(value, (str, bool, int, float)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return to_cell(value.value)
    if isinstance(value, (dt.date, dt.time)):
        return _there(value.isoformat())
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(to_cell(key)): to_cell(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, Set)):
        return [to_cell(item) for item in value]
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__name__ == "datetime64":
        return _there(str(value))
    if is_object(kind):
        return to_row(value)
    scalar = plain_scalar(value)
    if scalar is None:
        raise TypeError(f"there is no cell for the type {kind.__name__}")
    return scalar


def _there(text: str) -> str:
    if text == "NaT":  # pandas' and NumPy's
        raise ValueError("a time that is missing is no text; None stands for it")
    return text


@overload
def from_cell(kind: type[T], cell: Cell) -> T: ...
@overload
def from_cell(kind: object, cell: Cell) -> Any: ...
def from_cell(kind: object, cell: Cell) -> Any:
    """Make a Python object of a cell; the way back from :func:`to_cell`.

    Args:
        kind: The type, also a union with ``None``, or ``list[date]`` and the like.
        cell: The cell. Where the type is none of the table above, it is given back as it is.

    Raises:
        DataError: The cell is none of this type, such as text that is no date.
    """
    members = [member for member in members_of(kind) if member is not None and member is not type(None)]
    if cell is None and len(members) < len(list(members_of(kind))):
        return None
    failed: Exception | None = None
    for member in members:
        try:
            return _as_member(member, cell)
        except (TypeError, ValueError, InvalidOperation) as error:
            failed = error
    raise DataError(f"{cell!r:.200} is no {kind!r}: {failed}") from failed


def _as_member(kind: Any, cell: Any) -> object:
    origin = get_origin(kind) or kind
    if not isinstance(origin, type):
        return cell
    if is_object(origin):
        if isinstance(cell, dict):
            return from_row(origin, cell)
        raise TypeError(f"{origin.__name__} is an object")
    if issubclass(origin, Enum):
        for item in origin:
            if json_equal(to_cell(item), cell):
                return item
        raise ValueError(f"{origin.__name__} has no such value")
    if issubclass(origin, (dt.date, dt.time)):
        if isinstance(cell, str):
            return origin.fromisoformat(cell)
        raise TypeError("times are text")
    if issubclass(origin, (UUID, Decimal)):
        if isinstance(cell, str) or (origin is Decimal and type(cell) in {int, float}):
            return origin(str(cell))
        raise TypeError(f"{origin.__name__} is text")
    if origin is float and type(cell) is int:
        return float(cell)  # a number that is integral is an int in a Store
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    if arguments and isinstance(cell, dict) and issubclass(origin, Mapping):
        return {key: from_cell(arguments[-1], item) for key, item in cell.items()}
    if isinstance(cell, list) and issubclass(origin, (list, tuple, set, frozenset)):
        if hasattr(origin, "_fields"):
            return from_row(origin, dict(zip(origin._fields, cell, strict=False)))
        one_each = issubclass(origin, tuple) and Ellipsis not in get_args(kind)
        kinds = arguments if one_each else arguments[:1] * len(cell)
        return origin(map(from_cell, kinds, cell) if arguments else cell)
    return cell


def to_row(instance: object) -> Row:
    """Make a row of a dataclass, NamedTuple or pydantic object, or of a mapping.

    Raises:
        TypeError: It is none of these, or a field is of a type for which there is no cell.
        ValueError: A field cannot be a cell.
    """
    return {id_: to_cell(value) for id_, value in fields_in(instance).items()}


def fields_in(instance: object) -> dict[str, object]:
    """Give the fields of such an object, or of a mapping, as they are; a dictionary of the caller's own.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(instance, Mapping):
        return dict(instance)
    if hasattr(instance, "_asdict"):  # a namedtuple, also one without types
        return dict(instance._asdict())
    if isinstance(instance, type):
        raise TypeError(f"an object is needed here, not the class {instance.__name__}")
    try:
        fields = list(fields_of(type(instance)))
    except (InvalidSchemaError, TypeError):
        raise TypeError(
            f"an object of type {type(instance).__name__} has no fields to make a row of"
        ) from None
    names = _names(type(instance))
    return {id_: getattr(instance, names.get(id_, id_)) for id_, *_ in fields}


def _names(model: type) -> dict[str, str]:
    """Give the attributes of pydantic's aliases, under which their cells are."""
    fields = getattr(model, "model_fields", None)
    return {info.alias: name for name, info in fields.items() if info.alias} if fields else {}


def from_row(model: type[M], row: Mapping[str, Any]) -> M:
    """Make an object of a row: the way back from :func:`to_row`.

    Args:
        model: A dataclass, TypedDict, NamedTuple or pydantic model. Cells for which it has no field are left
            out.
        row: The row, as ``get_row`` gives it.

    Raises:
        DataError: A cell is none of its field's type, or one is missing that the class must have. pydantic
            models raise pydantic's own errors.
    """
    validate = getattr(model, "model_validate", None)
    if validate is not None:
        made: M = validate(dict(row))
        return made
    given: dict[str, Any] = {}
    unasked = (
        {field.name for field in dataclasses.fields(model) if not field.init}
        if dataclasses.is_dataclass(model)
        else set()
    )
    for name, annotation, _, required in fields_of(model):
        if name in unasked:
            continue
        if name in row:
            try:
                given[name] = from_cell(annotation, row[name])
            except DataError as error:
                raise DataError(f"{model.__name__}, field {name!r}: {error}") from error
        elif required:
            raise DataError(f"the row has no cell {name!r}, which {model.__name__} must have")
    return model(**given)
