"""JSON as JavaScript writes and reads it.

Text that JavaScript peers hash, store or compare must be the text ``JSON.stringify`` makes
(ECMA-262, sections 6.1.6.1.20 and 25.5.2): numbers in JavaScript's form (``1e+21``, ``1e-7``, no
``.0``), no spaces, non-ASCII characters as they are, and keys that are array indices first, in
ascending order, then the others as inserted.

Reading is stricter than both languages' defaults (RFC 8259 and I-JSON, RFC 7493): no ``NaN``, no
``Infinity``, no duplicate keys, no lone surrogates, and a bound on depth.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import accumulate, chain
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

from weft._support.scalars import hint_for, plain_scalar
from weft.errors import InvalidJsonError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "MAX_DEPTH",
    "MAX_SAFE_INTEGER",
    "depth_bounded",
    "dumps",
    "in_js_order",
    "is_deep",
    "loads",
    "normal_number",
    "number_text",
    "parse",
    "tables_text",
]

MAX_SAFE_INTEGER = 2**53 - 1  # beyond it a JavaScript number does not name one integer
MAX_DEPTH = 200  # nesting of lists and objects; a recursive reader stays far from Python's 1,000 frames

_MOST_READ = 1_000  # nesting that is read where the stack has no guard; Python's own reader takes some more
_IS_WASM = sys.platform == "emscripten"
_LAST_INDEX = 2**32 - 2  # the largest array index of ECMA-262; larger numbers are ordinary keys
_PLAIN_FROM = 1e-4  # from here up to 2**53 Python and JavaScript write a float alike
_PLAIN_BELOW = float(2**53)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_encode_string = json.encoder.encode_basestring
# What contains itself is found before, by its depth.
_compact = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode


def number_text(number: float) -> str:
    """Write a finite number as JavaScript's ``String(number)`` does.

    Both languages write the shortest digits that read back as the same double; they differ in where
    the exponent form begins (ECMA-262, Number::toString).
    """
    if isinstance(number, int):
        return int.__repr__(number)
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = float.__repr__(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.digits × 10**point.
    point = int(exponent or 0) + (len(whole) if whole != "0" else len(digits) - len(fraction))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def normal_number(number: float) -> int | float:
    """Reduce a float to the one form of its value: an ``int`` where it is a safe integer."""
    if number.is_integer() and -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
        return int(number)
    return number


def in_js_order(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put keys in the order of a JavaScript object: array indices ascending, then as inserted.

    Returns:
        The mapping itself where it is in that order already, otherwise a new dictionary.
    """
    last = -1
    others = False
    for key in mapping:
        if not key.isdigit() or (index := _index(key)) < 0:
            others = True
        elif others or index < last:
            break
        else:
            last = index
    else:
        return mapping
    ordered = {key: mapping[key] for key in sorted((key for key in mapping if _index(key) >= 0), key=int)}
    ordered.update(mapping)
    return ordered


def _index(key: str) -> int:
    """Tell which array index a key is, or -1."""
    # isdigit alone would let "²" and leading zeros through, and int refuses more than some thousand digits.
    if key.isdigit() and key.isascii() and (key[0] != "0" or key == "0") and len(key) <= 10:
        index = int(key)
        return index if index <= _LAST_INDEX else -1
    return -1


def dumps(value: object) -> str:
    """Write JSON text as ``JSON.stringify`` does.

    Args:
        value: Strings, numbers, booleans, ``None``, and lists, tuples and dictionaries of them, nested
            at most :data:`MAX_DEPTH` deep. Integers are within ±(2**53-1).

    Raises:
        TypeError: A type, or a key, that JSON does not have.
        ValueError: NaN, an infinity, an integer out of range, a lone surrogate, or too deep (a
            structure that contains itself is).
    """
    plain, odd = _prepare(value, 0)
    if odd:
        return _write(plain)
    return _compact(plain)


def _prepare(value: object, depth: int) -> tuple[Any, bool]:
    """Check a value and normalise it; tell whether a float in it needs JavaScript's own form."""
    kind = type(value)
    if kind is str:
        check_text(value)  # type: ignore[arg-type]
        return value, False
    if value is None or kind is bool:
        return value, False
    if isinstance(value, int):
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            raise ValueError("an integer must lie within ±(2**53-1)")
        return int(value), False
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("a number must be finite")
        number = normal_number(float(value))
        return number, type(number) is float and not _PLAIN_FROM <= abs(number) < _PLAIN_BELOW
    if depth >= MAX_DEPTH:
        raise ValueError(f"lists and objects may be nested {MAX_DEPTH} deep")
    odd = False
    if isinstance(value, (list, tuple)):
        items = []
        for item in value:
            plain, odd_item = _prepare(item, depth + 1)
            items.append(plain)
            odd = odd or odd_item
        return items, odd
    if isinstance(value, dict):
        entries = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key of an object must be a str, not {type(key).__name__}")
            check_text(key)
            entries[str(key)], odd_item = _prepare(item, depth + 1)
            odd = odd or odd_item
        return in_js_order(entries), odd
    if isinstance(value, str):
        check_text(value)
        return str(value), False
    scalar = plain_scalar(value)
    if scalar is not None:
        return _prepare(scalar, depth)
    raise TypeError(f"JSON has no {kind.__name__}{hint_for(value)}")


def check_text(text: str) -> None:
    """Refuse lone surrogates: no UTF-8 and no CRDT can carry them.

    Raises:
        ValueError: The text contains one.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("text must not contain lone surrogates") from None


def _write(value: Any) -> str:
    """Write prepared data in pure Python, with JavaScript's number text."""
    if isinstance(value, str):
        return _encode_string(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_encode_string(key)}:{_write(item)}" for key, item in value.items()]) + "}"
    return "[" + ",".join([_write(item) for item in value]) + "]"


def tables_text(tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Write tables of stored forms, which need no checks, as :func:`dumps` would."""
    odd = False
    ordered_tables = {}
    for table_id, table in in_js_order(tables).items():
        rows = in_js_order(table)
        # All cells of a table together: most tables have no index among their cell ids, and no float.
        if max(map(_index, set(chain.from_iterable(table.values()))), default=-1) >= 0:
            rows = {row_id: in_js_order(row) for row_id, row in rows.items()}
        if float in set(map(type, chain.from_iterable([row.values() for row in table.values()]))):
            odd = odd or any(_has_odd_float(row) for row in table.values())
        ordered_tables[table_id] = rows
    if not odd:
        return _compact(ordered_tables)
    # Only the rows that need it are written the slow way.
    texts = [
        f"{_encode_string(table_id)}:{{{','.join([_row_text(*row) for row in rows.items()])}}}"
        for table_id, rows in ordered_tables.items()
    ]
    return f"{{{','.join(texts)}}}"


def _row_text(row_id: str, row: Mapping[str, Any]) -> str:
    return f"{_encode_string(row_id)}:{_write(row) if _has_odd_float(row) else _compact(row)}"


def _has_odd_float(row: Mapping[str, Any]) -> bool:
    """Tell whether a float in a row needs JavaScript's own form."""
    return any(type(cell) is float and not _PLAIN_FROM <= abs(cell) < _PLAIN_BELOW for cell in row.values())


def _read_int(text: str) -> int | float:
    """Read an integer as JavaScript does: as the nearest double where it is not safe."""
    return int(text) if len(text) < 16 else _read_float(text)  # 15 digits are safe whatever they are


def _read_float(text: str) -> int | float:
    return normal_number(float(text))


def _read_finite_int(text: str) -> int | float:
    return int(text) if len(text) < 16 else _read_finite_float(text)


def _read_finite_float(text: str) -> int | float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number is beyond the range of a double")
    return normal_number(number)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        seen: set[str] = set()
        key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {key[:100]!r} stands twice in one object")
    return entries


_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one level down, one up
_NO_BRACKETS = bytes(set(range(256)) - set(b'"[]{}'))


def is_deep(text: str, most: int = _MOST_READ) -> bool:
    """Tell whether a reader of JSON text gets more than ``most`` lists and objects deep, without reading it.

    In a few passes over the text, each by one call, and one over what brackets there are.
    """
    if text.count("[") + text.count("{") <= most:
        return False
    data = text.encode("utf-8", "surrogatepass")
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes side by side are a string without a bracket in it, or one's end and the next one's begin.
    data = data.translate(_STEPS, _NO_BRACKETS).replace(b'""', b"")
    if b'"' in data:
        data = b"".join(data.split(b'"')[::2])
    return max(accumulate(memoryview(data).cast("b")), default=0) > most


def depth_bounded(decode: Callable[[str], Any]) -> Callable[[str], Any]:
    """Have a decoder of Python's raise ``RecursionError`` for deep text also under WebAssembly.

    There, 20,000 brackets kill the interpreter, whose stack is the browser's: the page's memory is lost.
    """
    if not _IS_WASM:
        return decode

    def bounded(text: str) -> Any:
        if is_deep(text):
            raise RecursionError("lists and objects are nested too deeply")
        return decode(text)

    return bounded


_strict = depth_bounded(
    json.JSONDecoder(
        object_pairs_hook=_unique,
        parse_int=_read_int,
        parse_float=_read_float,
        parse_constant=_refuse_constant,
    ).decode
)

# JSON.parse of JavaScript: the last of two equal keys wins.
parse = depth_bounded(
    json.JSONDecoder(
        parse_int=_read_finite_int, parse_float=_read_finite_float, parse_constant=_refuse_constant
    ).decode
)
"""Read JSON text as JavaScript's ``JSON.parse`` does, except for numbers no double can hold.

Raises:
    ValueError: The text is not JSON.
    RecursionError: It is nested too deeply.
"""


def loads(text: str, *, halves: bool = False) -> Any:
    """Read strict JSON text.

    Numbers are JavaScript's: doubles, in the one form of their value (see :func:`normal_number`). One beyond
    the range of a double is infinite, as in JavaScript, and no cell.

    Args:
        text: The text.
        halves: Whether an escape may stand for half a pair of UTF-16, as in JavaScript.

    Raises:
        InvalidJsonError: The text is not strict JSON.
    """
    try:
        check_text(text)
        value = _strict(text)
        if not halves and _SURROGATE_ESCAPE.search(text):
            check_text(_compact(value))  # a pair of escapes is one character by now, a lone one is not
    except RecursionError:
        raise InvalidJsonError("JSON text is nested too deeply") from None
    except ValueError as error:  # JSONDecodeError is one
        raise InvalidJsonError(f"not strict JSON: {error}") from error
    return value
