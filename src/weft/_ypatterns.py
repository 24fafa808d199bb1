"""Expressions that match the common shapes of Yjs structs, values and delete ranges, many at a time.

A regular expression cannot read a length and skip that many bytes, but short lengths can be enumerated: a
string is one alternative for each length below 64. Everything they match has been checked as the loop in
``_yguard`` would check it; what they do not match is no error, the loop decides.

Which alternative applies is told by its first byte, and a varint ends at its first byte below 128, so no
text matches in two ways: a match that fails late has nothing to try again, and takes linear time.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

__all__ = ["BATCH", "CONTENTS", "Patterns", "patterns"]

BATCH = 64  # structs, ranges or values in one match
_SHORT = 64  # strings below this length are matched

# Content refs of items that pass. JSON (2) is legacy content that Yjs 13 no longer writes, and yrs reads one
# string too many of it: what follows would be read from another place than here. 11 and up are moves and
# links, which Yjs does not know. GC (0) and Skip (10) are no items: their info byte carries no flags.
CONTENTS = (_DELETED, _BINARY, _STRING, _EMBED, _FORMAT, _TYPE, _ANY, _DOC) = (1, 3, 4, 5, 6, 7, 8, 9)

_UINT = rb"[\x80-\xff]{0,6}[\x00-\x7f]"
_CLOCK = rb"[\x80-\xff]{0,3}[\x00-\x7f]"  # below 2**28: two of them cannot exceed MAX_CLOCK
_LENGTH = rb"[\x80-\xff]{0,3}[\x01-\x7f]"  # as a clock, and not zero
_ID = _UINT + _CLOCK
_STR = b"(?:" + b"|".join(re.escape(bytes([size])) + b".{%d}" % size for size in range(_SHORT)) + b")"
# True, false, null, undefined; integer; string; bigint, double; float.
_PLAIN = rb"(?:[\x78\x79\x7e\x7f]|\x7d" + _UINT + rb"|\x77" + _STR + rb"|[\x7a\x7b].{8}|\x7c.{4})"


def _infos(flags: tuple[int, ...], contents: tuple[int, ...]) -> bytes:
    return b"[" + b"".join(re.escape(bytes([flag | ref])) for flag in flags for ref in contents) + b"]"


def _head(*contents: int) -> bytes:
    """Expression of a struct up to its content: info, origins, or else parent and key."""
    parent = rb"(?:\x00" + _ID + rb"|\x01" + _STR + b")"
    return (
        b"(?:"
        + (_infos((0x20,), contents) + parent + _STR)
        + (b"|" + _infos((0x80, 0xA0, 0x40, 0x60), contents) + _ID)
        + (b"|" + _infos((0xC0, 0xE0), contents) + _ID + _ID)
        + (b"|" + _infos((0x00,), contents) + parent)
        + b")"
    )


class Patterns(NamedTuple):
    units: re.Pattern[bytes]  # 64 structs of length 1: one plain value, a nameless type, or one deleted
    head: re.Pattern[bytes]  # one struct up to its content
    values: re.Pattern[bytes]  # 64 plain values
    ranges: re.Pattern[bytes]  # 64 ranges of a delete set


@cache
def patterns() -> Patterns:
    """Compiled at the first use, as that takes some milliseconds."""
    units = (
        b"(?:"
        + (_head(_ANY) + rb"\x01" + _PLAIN)
        + (b"|" + _head(_TYPE) + rb"[\x00-\x02\x04\x06]")
        + (b"|" + _head(_DELETED) + rb"\x01")
        + b"){%d}" % BATCH
    )
    return Patterns(
        re.compile(units, re.DOTALL),
        re.compile(_head(*CONTENTS), re.DOTALL),
        re.compile(_PLAIN + b"{%d}" % BATCH, re.DOTALL),
        re.compile(b"(?:" + _CLOCK + _LENGTH + b"){%d}" % BATCH, re.DOTALL),
    )
