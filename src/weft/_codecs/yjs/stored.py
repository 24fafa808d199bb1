"""Walking over structs that have been looked at before, such as a log's.

Format: Yjs update v1 (yjs ``encoding.js``, ``Item.js``, ``Content*.js``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.yjs.patterns import log_patterns, patterns
from weft._codecs.yjs.skip import skip_string, skip_values, uint, utf16_length
from weft.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft._codecs.yjs.update import ItemId

__all__ = [
    "UNBOUNDED", "content_at", "find_struct", "read_ids", "references", "skip_entries", "skip_head",
    "struct_ends",
]  # fmt: skip

_HAS_KEY, _HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x20, 0x40, 0x80
_GC, _DELETED, _JSON, _STRING, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = 0, 1, 2, 4, 6, 7, 8, 9, 10
_XML_NAMED = frozenset({3, 5})
_MOST = 2**53
# Documents outgrow what one message may hold.
UNBOUNDED = Limits(max_depth=2**31, max_string=_MOST)


def read_ids(data: bytes | bytearray, at: int, info: int) -> tuple[list[ItemId], int]:
    """Read one id, or two where the info byte tells of two neighbours."""
    client, at = uint(data, at)
    clock, at = uint(data, at)
    if info & _HAS_ORIGIN and info & _HAS_RIGHT_ORIGIN:
        right, at = uint(data, at)
        right_clock, at = uint(data, at)
        return [(client, clock), (right, right_clock)], at
    return [(client, clock)], at


def references(data: bytes, at: int) -> list[ItemId]:
    """What an item names: its neighbours, or its parent where that is no root."""
    info = data[at]
    if info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN):
        return read_ids(data, at + 1, info)[0]
    return [] if data[at + 1] else read_ids(data, at + 2, 0)[0]


def struct_ends(data: bytes | bytearray, at: int, count: int) -> Iterator[tuple[int, int]]:
    """For structs that have been read before: of each the length, and where it ends."""
    match_unit, match_head = log_patterns().unit.match, patterns().head.match
    for _ in range(count):
        unit = match_unit(data, at)
        if unit is not None:
            at = unit.end()
            del unit  # it would keep a bytearray from growing
            yield 1, at
            continue
        ref = data[at] & 0x1F
        if ref in {_GC, _SKIP}:
            length, at = uint(data, at + 1)
        else:
            head = match_head(data, at)
            at = skip_head(data, at) if head is None else head.end()
            del head
            length, at = _skip_known(data, at, ref)
        yield length, at


def find_struct(
    data: bytes | bytearray, at: int, count: int, clock: int, wanted: int
) -> tuple[int, int, int]:
    """Find the struct that holds a clock: how many are before it, where it begins, and its first clock.

    Args:
        data: Holds structs of one client.
        at: Where the first of them begins.
        count: How many there are at most.
        clock: First clock of the first.
        wanted: A clock, at least the first and below the last.
    """
    ordinal = 0
    for length, stop in struct_ends(data, at, count):
        if clock + length > wanted or clock == wanted:
            break
        clock += length
        at = stop
        ordinal += 1
    return ordinal, at, clock


def content_at(data: bytes | bytearray, at: int) -> int:
    """The content ref of a struct."""
    return data[at] & 0x1F


def skip_entries(data: bytes | bytearray, at: int, count: int, ref: int) -> int:
    if ref == _ANY:
        return skip_values(data, at, count, UNBOUNDED)
    for _ in range(count):
        at = skip_string(data, at, _MOST)
    return at


def _skip_known(data: bytes | bytearray, at: int, ref: int) -> tuple[int, int]:
    """Skip content that has been looked at: how many clocks it takes, and where it ends."""
    if ref in {_ANY, _JSON}:
        length, at = uint(data, at)
        return length, skip_entries(data, at, length, ref)
    if ref == _STRING:
        size, at = uint(data, at)
        return utf16_length(data, at, size), at + size
    if ref == _DELETED:
        return uint(data, at)
    if ref == _TYPE:
        return 1, skip_string(data, at + 1, _MOST) if data[at] in _XML_NAMED else at + 1
    if ref == _FORMAT:
        at = skip_string(data, at, _MOST)
    at = skip_string(data, at, _MOST)
    return 1, skip_values(data, at, 1, UNBOUNDED) if ref == _DOC else at


def _skip_id(data: bytes | bytearray, at: int) -> int:
    _, at = uint(data, at)
    return uint(data, at)[1]


def skip_head(data: bytes | bytearray, at: int) -> int:
    info = data[at]
    at += 1
    if info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN):
        for flag in (_HAS_ORIGIN, _HAS_RIGHT_ORIGIN):
            if info & flag:
                at = _skip_id(data, at)
        return at
    at = skip_string(data, at + 1, _MOST) if data[at] == 1 else _skip_id(data, at + 1)
    return skip_string(data, at, _MOST) if info & _HAS_KEY else at
