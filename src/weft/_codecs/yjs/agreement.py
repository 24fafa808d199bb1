"""Whether what is received under ids that are known says the same as what is known.

Two that write under one client id part for good: each peer keeps what came first, and nobody hears of it. So
that is noticed. It must never be said of honest peers, which send again what they have in other words: joined
or cut elsewhere; deleted or collected; a surrogate pair that was cut, as U+FFFD twice; and, in what yrs has
written, BigInt as a number, keys in another order, the last digit of a fraction in a format or an embed, and
clocks that are off behind a pair that was cut.
"""

from __future__ import annotations

import json
import re
from math import isclose
from struct import unpack_from
from typing import TYPE_CHECKING

from weft._codecs.yjs.items import ANY, DELETED, GC, JSON, STRING, StoredItem
from weft._codecs.yjs.skip import skip_values, uint
from weft._codecs.yjs.stored import UNBOUNDED

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["contradiction"]

_UNKNOWN = frozenset({GC, DELETED})
_EMBED, _FORMAT, _TYPE, _DOC = 5, 6, 7, 9
# The first byte of a character that is a pair of surrogates, or U+FFFD, as half of one is written.
_PAIR = re.compile(rb"[\xf0-\xff]|\xef\xbf\xbd")
_LAST_DIGIT = 1e-15
_MOST = 256  # pieces that are compared of one run, which takes 3 ms


def contradiction(known: Iterator[StoredItem], received: Iterator[StoredItem], end: int) -> int | None:
    """The first clock of which two lists of one client's structs say other things.

    Args:
        known: Structs from one that holds the first of the received ones on.
        received: What claims to be the same.
        end: Clock up to which they are compared; what is beyond some hundred pieces is not.
    """
    old = next(known, None)
    is_off = old is not None and _may_be_off(old)
    left = _MOST
    for new in received:
        start = new.clock
        is_off = is_off or _may_be_off(new)
        while start < min(new.end, end):
            while old is not None and old.end <= start:
                old = next(known, None)
                is_off = is_off or (old is not None and _may_be_off(old))
            if old is None or is_off or not left:
                return None
            left -= 1
            stop = min(old.end, new.end, end)
            if _UNKNOWN.isdisjoint((old.ref, new.ref)) and not (
                _is_alike(old, new, start) and _agree(old, new, start, stop)
            ):
                return start
            start = stop
        if start >= end:
            return None
    return None


def _may_be_off(item: StoredItem) -> bool:
    """Whether an item holds a pair of surrogates, or a half of one."""
    if item.ref != STRING:
        return False
    text = item.content(item.clock, item.end)
    return not text.isascii() and _PAIR.search(text) is not None


def _is_alike(old: StoredItem, new: StoredItem, clock: int) -> bool:
    """Whether two items place a clock alike."""
    return (
        old.origin_at(clock) == new.origin_at(clock)
        and old.right_origin == new.right_origin
        and (clock != old.clock or clock != new.clock or _spelled(old) == _spelled(new))
    )


def _spelled(item: StoredItem) -> object:
    """Its parent and key, as far as they are spelled out."""
    place = item.place()
    if not place:
        return None
    parent: object = item.parent
    if item.parent is None:
        parent, at = _text(place, 1)
    else:
        at = uint(place, uint(place, 1)[1])[1]
    return parent, _text(place, at)[0] if at < len(place) else None


def _agree(old: StoredItem, new: StoredItem, start: int, end: int) -> bool:
    """Whether two items say the same of what is between two clocks, as far as can be told."""
    if old.ref != new.ref:
        return {old.ref, new.ref} <= {ANY, JSON}
    before, after = old.content(start, end), new.content(start, end)
    if before == after or old.ref in {JSON, _DOC}:
        return True
    if old.ref == ANY:
        return _same_values(before, after, end - start)
    if old.ref == _EMBED:
        return _same_json(before, after)
    if old.ref == _FORMAT:
        key, at = _text(before, 0)
        other, to = _text(after, 0)
        return key == other and _same_json(before[at:], after[to:])
    return False


def _same_json(before: bytes, after: bytes) -> bool:
    return _same(json.loads(_text(before, 0)[0]), json.loads(_text(after, 0)[0]))


def _same_values(before: bytes, after: bytes, count: int) -> bool:
    at = to = 0
    for _ in range(count):
        end, stop = skip_values(before, at, 1, UNBOUNDED), skip_values(after, to, 1, UNBOUNDED)
        if before[at:end] != after[to:stop] and not _same(_read(before, at)[0], _read(after, to)[0]):
            return False
        at, to = end, stop
    return True


def _same(one: object, other: object) -> bool:
    """Whether two values are the same, or one may be what became of the other."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        # What is no safe integer in JavaScript may have become another number, NaN or infinity.
        return isclose(one, other, rel_tol=_LAST_DIGIT) or not (abs(one) < 2**53 and abs(other) < 2**53)
    if one is None or other is None:
        return isinstance(one, int | float | None) and isinstance(other, int | float | None)
    return type(one) is type(other) and one == other


def _text(data: bytes, at: int) -> tuple[str, int]:
    size, at = uint(data, at)
    return data[at : at + size].decode(), at + size


def _read(data: bytes, at: int) -> tuple[object, int]:
    """Read a value in lib0's ``any`` encoding, which has been looked at."""
    tag, at = data[at], at + 1
    if tag == 119:
        return _text(data, at)
    if tag == 125:
        first = data[at]
        value, shift = first & 0x3F, 6
        while data[at] >= 0x80:
            at += 1
            value |= (data[at] & 0x7F) << shift
            shift += 7
        return -value if first & 0x40 else value, at + 1
    if tag in {122, 123}:
        return unpack_from(">q" if tag == 122 else ">d", data, at)[0], at + 8
    if tag == 124:
        return unpack_from(">f", data, at)[0], at + 4
    if tag in {120, 121}:
        return tag == 120, at
    if tag == 116:
        size, at = uint(data, at)
        return bytes(data[at : at + size]), at + size
    if tag not in {117, 118}:
        return None, at
    count, at = uint(data, at)
    if tag == 117:
        items = []
        for _ in range(count):
            entry, at = _read(data, at)
            items.append(entry)
        return items, at
    entries: dict[str, object] = {}
    for _ in range(count):
        key, at = _text(data, at)
        entries[key], at = _read(data, at)
    return entries, at
