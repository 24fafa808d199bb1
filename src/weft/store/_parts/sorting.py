"""The order of rows by a cell: JavaScript's ``(a ?? 0) < (b ?? 0) ? -1 : 1``.

That comparison never says "equal"; with the sort of ECMA-262 (stable, a merge of sorted runs) it still
gives, where the cells can be ordered at all, the stable ascending order, and for descending its exact
reverse. Where numbers and text that is no number meet, ``<`` is false both ways and there is no order:
then only the same algorithm gives the same result, which below 64 rows ours is. Up to
CPython 3.12 ``list.sort`` and V8's ``Array.prototype.sort`` are the same timsort; since 3.13 Python's
begins in another way. Below 64 items timsort is what :func:`run_sorted` does.
"""

from __future__ import annotations

import re
from functools import cmp_to_key
from math import inf, nan
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from weft.jsoncodec import number_text
from weft.values import UNDEFINED, decode_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.values import Cell, Stored, Undefined

    Sorter: TypeAlias = Callable[[Any, Any], float]

__all__ = ["SHORT", "run_sorted", "sorted_ids"]

# Below this many items timsort only finds a run and inserts the rest into it; from here on it merges.
SHORT: Final = 64

T = TypeVar("T")

_NUMBERS = frozenset({int, float, bool})
_TEXT = frozenset({str})
# White space and line ends of ECMA-262, which its numbers may be surrounded by.
_JS_SPACE = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def sorted_ids(
    table: dict[str, dict[str, Stored]], cell_id: str | None, descending: bool, sorter: Sorter | None
) -> list[str]:
    """List the row ids of a table in order of a cell, or of themselves."""
    if sorter is not None:
        return _custom(table, cell_id, descending, sorter)
    if cell_id is None:
        ids = list(table)
        # ASCII text compares alike in code points and in UTF-16 units.
        if all(map(str.isascii, ids)):
            ids.sort()
        else:
            ids.sort(key=_utf16)
        if descending:
            ids.reverse()
        return ids
    keys: list[Stored] = [row.get(cell_id) for row in table.values()]
    kinds = set(map(type, keys))
    if type(None) in kinds:
        keys = [0 if key is None else key for key in keys]
        kinds = set(map(type, keys))
    if kinds <= _TEXT and not all(map(str.isascii, keys)):  # type: ignore[arg-type]
        keys = list(map(_utf16, keys))  # type: ignore[arg-type]
    elif not kinds <= _NUMBERS and not kinds <= _TEXT:
        return _mixed(table, keys, descending)
    # A sort asks for the keys once each, in order: half the time of sorting pairs.
    following = iter(keys)
    ids = sorted(table, key=lambda _: next(following))  # type: ignore[arg-type,return-value]
    if descending:
        ids.reverse()
    return ids


def _custom(
    table: dict[str, dict[str, Stored]], cell_id: str | None, descending: bool, sorter: Sorter
) -> list[str]:
    sign = -1 if descending else 1
    pairs: list[tuple[Cell | Undefined, str]]
    if cell_id is None:
        pairs = [(row_id, row_id) for row_id in table]
    else:
        pairs = [(decode_cell(row.get(cell_id, UNDEFINED)), row_id) for row_id, row in table.items()]

    def compare(a: tuple[Cell | Undefined, str], b: tuple[Cell | Undefined, str]) -> int:
        order = sign * sorter(a[0], b[0])
        return -1 if order < 0 else int(order > 0)

    pairs.sort(key=cmp_to_key(compare))
    return [row_id for _, row_id in pairs]


def _mixed(table: dict[str, dict[str, Stored]], cells: list[Stored], descending: bool) -> list[str]:
    """Sort as JavaScript does where kinds meet: by its comparison, which need not be an order."""
    pairs = [(_primitive(decode_cell(cell)), row_id) for cell, row_id in zip(cells, table, strict=True)]

    def less(a: tuple[str | float, str], b: tuple[str | float, str]) -> bool:
        return _js_less(a[0], b[0]) is not descending

    def compare(a: tuple[str | float, str], b: tuple[str | float, str]) -> int:
        return -1 if less(a, b) else 1

    if len(pairs) < SHORT:
        run_sorted(pairs, less)
    else:
        pairs.sort(key=cmp_to_key(compare))
    return [row_id for _, row_id in pairs]


def _primitive(cell: object) -> str | int | float:
    """Convert as ECMA-262 ToPrimitive does; ``None`` has become 0 before."""
    if isinstance(cell, list):
        return _joined(cell)
    if isinstance(cell, dict):
        return "[object Object]"
    return cell  # type: ignore[return-value]


def _joined(items: list[object]) -> str:
    parts = []
    for item in items:
        if item is None:
            parts.append("")
        elif isinstance(item, bool):
            parts.append("true" if item else "false")
        elif isinstance(item, (int, float)):
            parts.append(number_text(item))
        else:
            parts.append(str(_primitive(item)))
    return ",".join(parts)


def _js_less(a: str | float, b: str | float) -> bool:
    """Compare as ECMA-262 IsLessThan does."""
    if isinstance(a, str) and isinstance(b, str):
        return _utf16(a) < _utf16(b)
    return _number(a) < _number(b)


def _number(value: str | float) -> float:
    """Convert as ECMA-262 StringToNumber does; NaN compares false with everything."""
    if not isinstance(value, str):
        return value
    text = value.strip(_JS_SPACE)
    if not text:
        return 0
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _RADIX.fullmatch(text):
        try:
            return float(int(text, 0))
        except OverflowError:
            return inf
    if text in {"Infinity", "+Infinity"}:
        return inf
    return -inf if text == "-Infinity" else nan


def run_sorted(items: list[T], less: Callable[[T, T], bool]) -> list[T]:
    """Sort fewer than :data:`SHORT` items as CPython 3.12 and V8 do: find a run, insert the rest into it.

    Args:
        items: Sorted in place.
        less: Whether the first comes before the second; asked for the later item first.
    """
    length = len(items)
    if length < 2:
        return items
    end = 2
    if less(items[1], items[0]):
        while end < length and less(items[end], items[end - 1]):
            end += 1
        items[:end] = items[end - 1 :: -1]
    else:
        while end < length and not less(items[end], items[end - 1]):
            end += 1
    for index in range(end, length):
        pivot = items[index]
        low, high = 0, index
        while low < high:
            middle = (low + high) // 2
            if less(pivot, items[middle]):
                high = middle
            else:
                low = middle + 1
        del items[index]
        items.insert(low, pivot)
    return items
