"""Turns coded values (language.py) into Python's and back, and evens out what the languages name apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from differential.language import (
    CYCLIC,
    DATE,
    EMPTY_SET,
    FUNCTION,
    INSTANCE,
    Instance,
    in_js_order,
    odd,
    odd_number,
)
from weft.jsoncodec import MAX_SAFE_INTEGER
from weft.values import UNDEFINED, EncodedCell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from differential.language import Op, Value

__all__ = ["SORTERS", "absent", "decode", "encode", "named", "plain_text", "transform"]


def decode(value: Value, ids: Sequence[str] = ()) -> Any:
    """Turn a coded value into a Python value."""
    if isinstance(value, list):
        return [decode(item, ids) for item in value]
    if not isinstance(value, dict):
        return value
    match value["$"]:
        case "o":
            return {key: decode(item, ids) for key, item in value["v"]}
        case "arg":
            return ids[value["i"]]
        case "undefined":
            return UNDEFINED
        case "bigint":
            return int(value["v"])
        case "function":
            return FUNCTION
        case "date":
            return DATE
        case "set":
            return EMPTY_SET
        case "instance":
            return INSTANCE
        case "cyclic":
            return CYCLIC
        case tag:
            return float(tag)


def encode(value: Any) -> Value:
    """Turn a Python value into a coded one. What no TinyBase value could answer to gets a tag of its own."""
    if value is None or isinstance(value, bool):
        return value
    if value is UNDEFINED:
        return odd("undefined")
    if isinstance(value, str):
        # A subclass, such as the stored form of an object cell, must not come out of the Store.
        return value if type(value) is str else odd("foreign", v=repr(value))
    if isinstance(value, int):
        return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else odd("bigint", v=str(value))
    if isinstance(value, float):
        return odd_number(value) or value
    if value is CYCLIC:
        return odd("cyclic")
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return odd("o", v=[[key, encode(value[key])] for key in in_js_order(value)])
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if value is DATE:
        return odd("date")
    if value is EMPTY_SET:
        return odd("set")
    if isinstance(value, Instance):
        return odd("instance")
    if callable(value):
        return odd("function")
    return odd("foreign", v=repr(value))


def absent(result: Any) -> Any:
    """Give what weft calls ``None`` because there is none as TinyBase's ``undefined``."""
    return UNDEFINED if result is None else result


def plain_text(stored: Any) -> Any:
    """Write stored objects as the text that they are."""
    if isinstance(stored, dict):
        return {key: plain_text(item) for key, item in stored.items()}
    if isinstance(stored, list | tuple):
        return [plain_text(item) for item in stored]
    return str(stored) if isinstance(stored, EncodedCell) else stored


def named(refused: dict[str | None, Any], levels: int) -> dict[str, Any]:
    """Write the id ``None`` as JavaScript does where it is the key of an object."""
    return {
        "undefined" if key is None else key: named(item, levels - 1) if levels else item
        for key, item in refused.items()
    }


def _number(key: Any) -> float:
    return key if isinstance(key, int | float) and not isinstance(key, bool) else 0


SORTERS: dict[str, Callable[[Any, Any], float]] = {
    "zero": lambda _one, _two: 0,
    "descending": lambda one, two: _number(two) - _number(one),
}


def in_order(value: Any) -> Any:
    """Put the ids of what a middleware callback returns into JavaScript's order, as its objects do."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in in_js_order(value)}
    return [in_order(item) for item in value] if isinstance(value, list | tuple) else value


def transform(op: Op, thing: Any) -> Any:
    """Do with a thing what a middleware callback is told to."""
    return in_order(_transformed(op, thing))


def _transformed(op: Op, thing: Any) -> Any:
    match op["do"]:
        case "pass":
            return thing
        case "cancel":
            return UNDEFINED
        case "const":
            return decode(op["v"])
    node: Any
    whole = node = list(thing) if isinstance(thing, tuple) else thing
    *path, last = op["path"]
    for key in path:
        if isinstance(node, dict) and not isinstance(node.get(key), dict):
            if op["do"] == "drop":
                return whole
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict):
            return whole
    if op["do"] == "patch":
        node[last] = decode(op["v"])
    elif last in node:
        del node[last]
    return whole
