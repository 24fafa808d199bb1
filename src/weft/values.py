"""Cells and values: what can be stored, in which form, and when two are the same.

The rules are TinyBase's (10.0.1). A cell is a string, a finite number, a boolean, ``None``, a list or
an object. Lists and objects are kept as one string: U+FFFD followed by their JSON text. That string is
what documents, files and hashes carry, so peers agree on it byte for byte. Hence no string of a caller
may begin with U+FFFD, nor be exactly U+FFFC, which stands for "undefined" in TinyBase's JSON.
"""

from __future__ import annotations

from enum import Enum
from math import isfinite
from typing import Any, Final, TypeAlias, overload

from weft._support.scalars import hint_for, plain_scalar
from weft.jsoncodec import MAX_DEPTH, MAX_SAFE_INTEGER, check_text, dumps, normal_number, parse

__all__ = [
    "JSON_PREFIX",
    "UNDEFINED",
    "UNDEFINED_MARK",
    "Cell",
    "EncodedCell",
    "Stored",
    "Undefined",
    "Value",
    "decode_cell",
    "decode_received",
    "encode_cell",
    "is_same",
    "json_equal",
]

JSON_PREFIX: Final = "\ufffd"
UNDEFINED_MARK: Final = "\ufffc"


class Undefined(Enum):
    """The type of :data:`UNDEFINED`; an enumeration, so that type checkers narrow ``is UNDEFINED``."""

    UNDEFINED = "UNDEFINED"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"

    __str__ = __repr__


UNDEFINED: Final = Undefined.UNDEFINED
"""What is absent. ``None`` is a value; this is not. Falsy, and itself after copying and pickling."""

Cell: TypeAlias = str | int | float | bool | list[Any] | dict[str, Any] | None
Value: TypeAlias = Cell
Stored: TypeAlias = str | int | float | bool | None
"""A cell as it is kept: an :class:`EncodedCell` where the cell is a list or an object."""


class EncodedCell(str):
    """A list or object cell in its stored form: U+FFFD and its JSON text.

    A ``str``, so that documents and JSON writers take it as it is.
    """

    __slots__ = ()

    def decode(self) -> list[Any] | dict[str, Any]:
        """Make a fresh list or dictionary, with numbers in their one form."""
        decoded: list[Any] | dict[str, Any] = parse(str.__getitem__(self, slice(1, None)))
        return decoded

    def __repr__(self) -> str:
        return f"EncodedCell({str.__repr__(self)})"


def encode_cell(value: object) -> Stored:
    """Bring a cell of a caller into its stored form.

    Args:
        value: ``str``, ``bool``, ``None``, ``int`` within ±(2**53-1), finite ``float``, or a list, tuple
            or dictionary of these. Subclasses of ``str``, ``int`` and ``float`` are reduced to the base, and
            the integers, floats and booleans of NumPy and the like are taken for Python's.

    Returns:
        The stored form. A float that is a safe integer becomes an ``int``, and ``-0.0`` becomes 0.

    Raises:
        TypeError: No cell can be of this type.
        ValueError: The type is right, the value is not.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value  # type: ignore[return-value]
    if isinstance(value, str):
        text = value if kind is str else str.__str__(value)
        if not text.isascii():
            if text[0] == JSON_PREFIX:
                raise ValueError("a string must not begin with U+FFFD, which marks an encoded object")
            if text == UNDEFINED_MARK:
                raise ValueError("the string U+FFFC is reserved for what is undefined")
            check_text(text)
        return text
    if isinstance(value, int):
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            raise ValueError("an integer must lie within ±(2**53-1)")
        return value if kind is int else int(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("a number must be finite")
        return normal_number(value if kind is float else float(value))
    if isinstance(value, (list, tuple, dict)):
        return EncodedCell(JSON_PREFIX + dumps(value))
    scalar = plain_scalar(value)
    if scalar is not None:
        return encode_cell(scalar)
    raise TypeError(f"a cell cannot be of type {kind.__name__}{hint_for(value)}")


@overload
def decode_cell(stored: Stored) -> Cell: ...
@overload
def decode_cell(stored: Stored | Undefined) -> Cell | Undefined: ...
@overload
def decode_cell(stored: object) -> object: ...
def decode_cell(stored: object) -> object:
    """Give a stored form as a cell of the caller's own: a list or an object is made anew, all else stays."""
    return stored.decode() if type(stored) is EncodedCell else stored


def decode_received(value: object) -> Stored:
    """Bring a cell of a peer or a file into its stored form.

    As :func:`encode_cell`, and a string that begins with U+FFFD is accepted where a JSON list or object
    follows.

    Raises:
        TypeError: No cell can be of this type.
        ValueError: The type is right, the value is not.
    """
    if isinstance(value, str) and value[:1] == JSON_PREFIX:
        if type(value) is EncodedCell:
            return value  # checked when it was made
        text = str.__str__(value)
        check_text(text)
        try:
            decoded = parse(text[1:])
        except RecursionError:
            raise ValueError(f"lists and objects may be nested {MAX_DEPTH} deep") from None
        except ValueError as error:
            raise ValueError(f"U+FFFD is not followed by JSON text: {error}") from None
        if type(decoded) is not dict and type(decoded) is not list:
            raise ValueError("U+FFFD must be followed by a JSON list or object")
        if text.count("[") + text.count("{") > MAX_DEPTH and _depth(decoded) > MAX_DEPTH:
            raise ValueError(f"lists and objects may be nested {MAX_DEPTH} deep")
        return EncodedCell(text)
    return encode_cell(value)


def _depth(value: object) -> int:
    """Count the levels of nesting without recursion."""
    depth = 0
    level: list[object] = [value]
    while True:
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not any(isinstance(item, (list, dict)) for item in level):
            return depth
        depth += 1
        level = below


def is_same(a: object, b: object) -> bool:
    """Tell whether two stored forms are the same cell under JSON equality.

    ``True`` is not 1; objects are the same whatever the order of their keys.
    """
    kind = type(a)
    if kind is not type(b):
        return False
    if a == b:
        return True
    if kind is EncodedCell:
        return json_equal(a.decode(), b.decode())  # type: ignore[attr-defined]
    return False


def json_equal(a: object, b: object) -> bool:
    """Compare decoded JSON: ``1 == 1.0``, ``True != 1``, order of keys does not matter."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict):
        return (
            isinstance(b, dict)
            and len(a) == len(b)
            and all(key in b and json_equal(item, b[key]) for key, item in a.items())
        )
    if isinstance(a, (list, tuple)):
        return (
            isinstance(b, (list, tuple))
            and len(a) == len(b)
            and all(json_equal(x, y) for x, y in zip(a, b, strict=True))
        )
    return a == b
