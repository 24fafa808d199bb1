"""Expressions that match the common shapes of Yjs structs, values and delete ranges, many at a time.

A regular expression cannot read a length and skip that many bytes, but short lengths can be enumerated: a
string is one alternative for each length below 64. Everything they match has been checked as the loop in
``guard.py`` would check it; what they do not match is no error, the loop decides.

Which alternative applies is told by its first byte, and a varint ends at its first byte below 128, so no
text matches in two ways: a match that fails late has nothing to try again, and takes linear time.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

__all__ = ["BATCH", "CONTENTS", "SHORT", "LogPatterns", "Patterns", "log_patterns", "patterns"]

BATCH = 64  # structs, ranges or values in one match

# Strings below these lengths are matched. Each length costs time once, when the expression is compiled.
_SHORT_ROOT, _SHORT_KEY, SHORT = 16, 40, 64

# Content refs of items that pass. JSON (2) is legacy content that Yjs 13 no longer writes, and yrs reads one
# string too many of it: what follows would be read from another place than here. 11 and up are moves and
# links, which Yjs does not know. GC (0) and Skip (10) are no items: their info byte carries no flags.
CONTENTS = (_DELETED, _BINARY, _STRING, _EMBED, _FORMAT, _TYPE, _ANY, _DOC) = (1, 3, 4, 5, 6, 7, 8, 9)

# Integers are matched in their shortest form only, so that equal ids are equal bytes.
_UINT = rb"(?:[\x80-\xff]{1,6}[\x01-\x7f]|[\x80-\xff]{7}[\x01-\x0f]|[\x00-\x7f])"
_CLOCK = rb"(?:[\x80-\xff]{1,3}[\x01-\x7f]|[\x00-\x7f])"  # below 2**28: two are in range together
_LENGTH = rb"[\x80-\xff]{0,3}[\x01-\x7f]"  # the same, and not zero
_ID = _UINT + _CLOCK


def _string(below: int, character: bytes = b".", least: int = 0) -> bytes:
    sizes = range(least, below)
    return b"(?:" + b"|".join(re.escape(bytes([size])) + character + b"{%d}" % size for size in sizes) + b")"


def _any_of(*expressions: bytes) -> bytes:
    return b"(?:" + b"|".join(expressions) + b")"


_PARENT = _any_of(rb"\x00" + _ID, rb"\x01" + _string(_SHORT_ROOT))
# True, false, null, undefined; integer; string; bigint, double; float.
_PLAIN = _any_of(
    rb"[\x78\x79\x7e\x7f]",
    rb"\x7d[\x80-\xff]{0,6}[\x00-\x7f]",
    rb"\x77" + _string(SHORT),
    rb"[\x7a\x7b].{8}",
    rb"\x7c.{4}",
)
_ONE = rb"\x01"  # one value, one deleted, or the type map


def _info(flags: tuple[int, ...], contents: tuple[int, ...]) -> bytes:
    return b"[" + b"".join(re.escape(bytes([flag | ref])) for flag in flags for ref in contents) + b"]"


def _first(*contents: int) -> bytes:
    """A struct without left neighbour, up to its content: parent and key, or its right neighbour."""
    return _any_of(
        _info((0x20,), contents) + _PARENT + _string(_SHORT_KEY),
        _info((0x40, 0x60), contents) + _ID,
        _info((0x00,), contents) + _PARENT,
    )


def _next(*contents: int) -> bytes:
    """A struct with a left neighbour, up to its content."""
    return _any_of(_info((0x80, 0xA0), contents) + _ID, _info((0xC0, 0xE0), contents) + _ID + _ID)


class Patterns(NamedTuple):
    """Compiled expressions; a *unit* is a struct of one plain value, one deleted, or a map."""

    units: re.Pattern[bytes]  # 64 units of which no value has a left neighbour
    linked: re.Pattern[bytes]  # 64 units
    origins: re.Pattern[bytes]  # a unit; the group has the info byte and left neighbour of a value
    head: re.Pattern[bytes]  # any item up to its content
    values: re.Pattern[bytes]  # 64 plain values
    ranges: re.Pattern[bytes]  # 64 ranges of a delete set


@cache
def patterns() -> Patterns:
    """Compiled at the first use, or when a server starts, as that takes some ten milliseconds."""
    bare = _any_of(_first(_TYPE, _DELETED), _next(_TYPE, _DELETED)) + _ONE
    first, following = _first(_ANY), _next(_ANY)
    many = b"{%d}" % BATCH
    return Patterns(
        re.compile(_any_of(first + _ONE + _PLAIN, bare) + many, re.DOTALL),
        re.compile(_any_of(_any_of(first, following) + _ONE + _PLAIN, bare) + many, re.DOTALL),
        re.compile(_any_of(_any_of(first, b"(" + following + b")") + _ONE + _PLAIN, bare), re.DOTALL),
        re.compile(_any_of(_first(*CONTENTS), _next(*CONTENTS)), re.DOTALL),
        re.compile(_PLAIN + many, re.DOTALL),
        re.compile(b"(?:" + _CLOCK + _LENGTH + b")" + many, re.DOTALL),
    )


class LogPatterns(NamedTuple):
    """Compiled expressions for what a log takes in: in them every text is ASCII, so it is UTF-8 as well."""

    unit: re.Pattern[bytes]
    units: re.Pattern[bytes]  # 64 units
    references: re.Pattern[bytes]  # a unit; the group has its info byte and neighbours or parent
    placed: re.Pattern[bytes]  # the same, with the key
    small: re.Pattern[bytes]  # an update of one struct and at most one deletion; client, text, deletions


@cache
def log_patterns() -> LogPatterns:
    """Compiled likewise."""
    ascii_ = rb"[\x00-\x7f]"
    parent = _any_of(rb"\x00" + _ID, rb"\x01" + _string(_SHORT_ROOT, ascii_))

    def head(*contents: int) -> bytes:
        return _any_of(
            _info((0x20,), contents) + parent + _string(_SHORT_KEY, ascii_),
            _info((0x40, 0x60, 0x80, 0xA0), contents) + _ID,
            _info((0x00,), contents) + parent,
            _info((0xC0, 0xE0), contents) + _ID + _ID,
        )

    plain = _any_of(
        rb"[\x78\x79\x7e\x7f]",
        rb"\x7d[\x80-\xff]{0,6}[\x00-\x7f]",
        rb"\x77" + _string(SHORT, ascii_),
        rb"[\x7a\x7b].{8}",
        rb"\x7c.{4}",
    )
    unit = _any_of(head(_ANY) + _ONE + plain, head(_TYPE, _DELETED) + _ONE)
    every = (_ANY, _TYPE, _DELETED)
    references = _any_of(
        _info((0x40, 0x60, 0x80, 0xA0), every) + _ID,
        _info((0x00, 0x20), every) + parent,
        _info((0xC0, 0xE0), every) + _ID + _ID,
    )
    text = head(_STRING) + b"(" + _string(SHORT, ascii_, 1) + b")"
    return LogPatterns(
        re.compile(unit, re.DOTALL),
        re.compile(unit + b"{%d}" % BATCH, re.DOTALL),
        re.compile(b"(?=(" + references + b"))" + unit, re.DOTALL),
        re.compile(b"(?=(" + head(*every) + b"))" + unit, re.DOTALL),
        re.compile(
            rb"\x01\x01(" + _UINT + b")" + _CLOCK + _any_of(unit, text)
            + rb"(\x00|\x01" + _UINT + rb"\x01" + _CLOCK + _LENGTH + b")",
            re.DOTALL,
        ),
    )  # fmt: skip
