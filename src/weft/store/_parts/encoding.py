"""Cells that a function of the user's makes of other objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.jsoncodec import MAX_DEPTH
from weft.values import encode_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.values import Cell, Stored

__all__ = ["encoder"]


def encoder(encode: Callable[[Any], Cell]) -> Callable[[object], Stored]:
    """Extend ``encode_cell`` by what a function makes of objects that are no cells.

    Args:
        encode: Called only with what would be refused for its type, and with what of it is in lists and
            dictionaries.
    """

    def encode_any(value: object) -> Stored:
        try:
            return encode_cell(value)
        except TypeError:
            return encode_cell(_inside(value, encode, 0))

    return encode_any


def _inside(value: object, encode: Callable[[Any], Cell], depth: int) -> object:
    if depth > MAX_DEPTH:
        raise ValueError(f"lists and objects may be nested {MAX_DEPTH} deep")
    if isinstance(value, (list, tuple)):
        return [_inside(item, encode, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _inside(item, encode, depth + 1) for key, item in value.items()}
    try:
        encode_cell(value)
    except TypeError:
        return encode(value)
    return value
