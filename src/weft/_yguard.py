"""The guard in front of the Yjs binding: is this an update that it can be given?

yrs, below pycrdt, decodes nested values by recursion without a bound: 26 kB of nested arrays overflow the
stack and end the process, with every room in it. Its integers wrap at 32 bits where Yjs reads 53. So each
received update is walked through first, whole, and refused if it is malformed, if it is nested too deeply,
or if yrs and Yjs would read it differently (peers would part for good, and this walk would not see what yrs
sees).

Format: Yjs update v1 (yjs ``encoding.js``, ``UpdateDecoderV1``, ``Item.js``, ``Content*.js``; lib0
``decoding.js``).

What is left to the binding, which refuses it cleanly (a test holds it to that): strings that are not UTF-8,
and JSON text that is not JSON. Refusing there leaves the same state, and this walk need not touch each
string.

Speed: an honest update is many small structs of a few shapes. ``_ypatterns`` takes those in C, 64 at a time;
what it does not match, of whatever shape, goes through the Python loop.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from weft._lib0 import MAX_UINT
from weft._ypatterns import BATCH, CONTENTS, patterns
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits

__all__ = ["MAX_CLOCK", "Span", "check_update"]

# yrs keeps clocks and lengths in 32 bits, where more wraps; no honest client has written two billion times.
MAX_CLOCK = 2**31 - 1

_HAS_KEY, _HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x20, 0x40, 0x80  # flags in the info byte of a struct
_GC, _DELETED, _, _BINARY, _STRING, _, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = range(11)  # and its content ref
_IS_ITEM = bytes(info & 0x1F in CONTENTS for info in range(256))  # by info byte
_NAMED_TYPES = frozenset({3, 5})  # XmlElement and XmlHook
_LAST_TYPE = 6


def _refuse(reason: str, position: int) -> NoReturn:
    raise RemoteProtocolError(f"not a usable update: {reason} at byte {position}")


def _uint(data: bytes, at: int) -> tuple[int, int]:
    """Read a varuint; give it and where it ends. The end of the data is an ``IndexError``."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    for shift in (7, 14, 21, 28, 35, 42, 49):
        at += 1
        byte = data[at]
        if byte < 0x80:
            value |= byte << shift
            if value > MAX_UINT:
                break
            return value, at + 1
        value |= (byte & 0x7F) << shift
    _refuse("integer out of range", at)


def _skip_integer(data: bytes, at: int) -> int:
    """Skip a signed varint of a value: 6 bits and the sign in the first byte, then 7 bits a byte."""
    value, shift = data[at] & 0x3F, 6
    while data[at] >= 0x80:
        at += 1
        if shift > 48:
            _refuse("integer out of range", at)
        value |= (data[at] & 0x7F) << shift
        shift += 7
    if value > MAX_UINT:
        _refuse("integer out of range", at)
    return at + 1


class Span(NamedTuple):
    """What an update holds of one client.

    Attributes:
        needs: Up to which clock the client's structs must be known already for the update to follow on:
            the clock of its first struct, or, where it has holes (Skips), of the one after the last hole.
        end: Clock after the last struct.
    """

    needs: int
    end: int


def check_update(data: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[int, Span]:
    """Walk through a Yjs v1 update, and refuse it if the binding must not be given it.

    Takes time linear in the size of the update and next to no memory.

    Args:
        data: Received bytes.
        limits: ``max_depth`` bounds how deep values are nested, ``max_string`` the bytes of a string.

    Returns:
        For each client with structs in the update, which of its clocks they are.

    Raises:
        RemoteProtocolError: It is malformed, or breaks a limit. For no bytes is anything else raised.
    """
    try:
        spans, at = _check_structs(data, limits)
        at = _check_deletes(data, at)
    except IndexError:
        _refuse("unexpected end", len(data))
    if at != len(data):
        _refuse("unexpected bytes" if at < len(data) else "unexpected end", min(at, len(data)))
    return spans


def _check_structs(data: bytes, limits: Limits) -> tuple[dict[int, Span], int]:
    end = len(data)
    max_string = limits.max_string
    units, match_head, _, _ = patterns()
    match_units, match_head_at = units.match, match_head.match
    is_item = _IS_ITEM
    spans: dict[int, Span] = {}
    sections, at = _uint(data, 0)
    if sections * 3 > end - at:  # a section is at least a count, a client and a clock
        _refuse(f"{sections} clients announced", at)
    for _ in range(sections):
        count, at = _uint(data, at)
        client, at = _uint(data, at)
        clock, at = _uint(data, at)
        if count * 2 > end - at:  # a struct is at least an info byte and a length
            _refuse(f"{count} structs announced", at)
        if client in spans:
            # Yjs keeps the last of two sections of one client, yrs both.
            _refuse("second section of one client", at)
        start = known = clock  # known: the clock after the last struct that is not a Skip
        skips: list[int] = []  # the clock after each Skip
        one_by_one = 0
        while count:
            if not one_by_one:
                if count >= BATCH:
                    batch = match_units(data, at)
                    if batch is not None:
                        at = batch.end()
                        count -= BATCH
                        known = clock = clock + BATCH
                        continue
                one_by_one = BATCH
            one_by_one -= 1
            count -= 1
            info = data[at]
            head = match_head_at(data, at)
            if head is not None:
                at = head.end()
            elif is_item[info]:
                at = _skip_head(data, at, max_string)
            elif info in {_GC, _SKIP}:
                length, at = _uint(data, at + 1)
                if not length:
                    _refuse("empty range", at)
                clock += length
                if info == _GC:
                    known = clock
                else:
                    skips.append(clock)
                if clock > MAX_CLOCK:
                    _refuse("clock out of range", at)
                continue
            else:
                _refuse(f"unknown struct {info:#04x}", at)
            ref = info & 0x1F
            if ref == _ANY:
                length, at = _uint(data, at)
                at = _skip_values(data, at, length, limits)
            elif ref == _STRING:
                size, at = _uint(data, at)
                if size > max_string:
                    _refuse(f"string of {size} bytes", at)
                length = _utf16_length(data, at, size)
                at += size
            elif ref == _TYPE:
                kind, at = data[at], at + 1  # yrs reads a byte here and Yjs a varuint: the same below 128
                if kind > _LAST_TYPE:
                    _refuse(f"unknown type {kind}", at)
                if kind in _NAMED_TYPES:
                    at = _skip_string(data, at, max_string)
                length = 1
            elif ref == _DELETED:
                length, at = _uint(data, at)
                if not length:
                    _refuse("empty range", at)
            else:
                at = _skip_rare(data, at, ref, limits)
                length = 1
            known = clock = clock + length
            if clock > MAX_CLOCK or at > end:
                _refuse("clock out of range" if clock > MAX_CLOCK else "unexpected end", min(at, end))
        if clock > MAX_CLOCK:
            _refuse("clock out of range", at)
        spans[client] = Span(max([clock for clock in skips if clock < known], default=start), known)
    return spans, at


def _skip_head(data: bytes, at: int, max_string: int) -> int:
    """Skip an item up to its content, whatever the lengths in it."""
    info = data[at]
    at += 1
    if info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN):
        if info & _HAS_ORIGIN:
            at = _skip_id(data, at)
        if info & _HAS_RIGHT_ORIGIN:
            at = _skip_id(data, at)
        return at  # the key is not spelled out: it is the neighbour's
    is_root = data[at]
    at += 1
    if is_root == 1:
        at = _skip_string(data, at, max_string)
    elif is_root == 0:
        at = _skip_id(data, at)
    else:
        _refuse("unknown parent", at)
    if info & _HAS_KEY:
        at = _skip_string(data, at, max_string)
    return at


def _skip_id(data: bytes, at: int) -> int:
    _, at = _uint(data, at)
    clock, at = _uint(data, at)
    if clock > MAX_CLOCK:
        _refuse("clock out of range", at)
    return at


def _skip_string(data: bytes, at: int, max_string: int) -> int:
    size, at = _uint(data, at)
    if size > max_string:
        _refuse(f"string of {size} bytes", at)
    return at + size


def _utf16_length(data: bytes, at: int, size: int) -> int:
    """Length of a text in UTF-16 code units, which is what its clock counts."""
    text = data[at : at + size]
    if text.isascii():
        return len(text)
    try:
        return len(text.decode().encode("utf-16-le")) // 2
    except UnicodeDecodeError:
        _refuse("string that is not UTF-8", at)


def _skip_rare(data: bytes, at: int, ref: int, limits: Limits) -> int:
    """Skip the contents that a table never holds."""
    if ref == _BINARY:
        size, at = _uint(data, at)
        return at + size
    if ref == _DOC:
        at = _skip_string(data, at, limits.max_string)  # guid
        return _skip_values(data, at, 1, limits)
    if ref == _FORMAT:
        at = _skip_string(data, at, limits.max_string)  # name of the format
    start = at
    at = _skip_string(data, at, limits.max_string)
    _check_json_depth(data[start:at], limits.max_depth, start)
    return at


_JSON_MARK = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


def _check_json_depth(text: bytes, max_depth: int, at: int) -> None:
    if text.count(b"[") + text.count(b"{") <= max_depth:
        return
    depth = 0
    quoted = False
    for mark in _JSON_MARK.findall(text):
        if mark == b'"':
            quoted = not quoted
        elif quoted:
            continue
        elif mark in b"[{":
            depth += 1
            if depth > max_depth:
                _refuse(f"JSON nested more than {max_depth} deep", at)
        elif mark in b"]}":
            depth -= 1


def _skip_values(data: bytes, at: int, count: int, limits: Limits) -> int:
    """Skip values in lib0's ``any`` encoding, the nested ones without recursion."""
    end = len(data)
    if count > end - at:
        _refuse(f"{count} values announced", at)
    max_depth = limits.max_depth
    max_string = limits.max_string
    is_object = False
    outer: list[tuple[int, bool]] = []  # what is left to read of the containers around
    one_by_one = 0
    while True:
        while count:
            if is_object:
                at = _skip_string(data, at, max_string)
            elif not one_by_one and count >= BATCH:
                batch = patterns().values.match(data, at)
                if batch is not None:
                    at = batch.end()
                    count -= BATCH
                    continue
                one_by_one = BATCH
            elif one_by_one:
                one_by_one -= 1
            count -= 1
            tag = data[at]
            at += 1
            if tag == 119:  # string
                at = _skip_string(data, at, max_string)
            elif tag == 125:  # integer
                at = _skip_integer(data, at)
            elif tag in {120, 121, 126, 127}:  # true, false, null, undefined
                pass
            elif tag in {122, 123}:  # bigint, double
                at += 8
            elif tag == 124:  # float
                at += 4
            elif tag == 116:  # bytes
                size, at = _uint(data, at)
                at += size
            elif tag in {117, 118}:  # array, object
                size, at = _uint(data, at)
                if len(outer) >= max_depth:
                    _refuse(f"value nested more than {max_depth} deep", at)
                if size * (tag - 116) > end - at:  # an entry of an object has a key too
                    _refuse(f"{size} values announced", at)
                outer.append((count, is_object))
                count, is_object = size, tag == 118
            else:
                _refuse(f"unknown value {tag}", at)
        if not outer:
            return at
        count, is_object = outer.pop()


def _check_deletes(data: bytes, at: int) -> int:
    end = len(data)
    match_ranges = patterns().ranges.match
    sections, at = _uint(data, at)
    if sections * 2 > end - at:  # a client and a count
        _refuse(f"{sections} clients announced", at)
    for _ in range(sections):
        _, at = _uint(data, at)
        count, at = _uint(data, at)
        if count * 2 > end - at:  # a clock and a length
            _refuse(f"{count} ranges announced", at)
        one_by_one = 0
        while count:
            if not one_by_one:
                if count >= BATCH:
                    batch = match_ranges(data, at)
                    if batch is not None:
                        at = batch.end()
                        count -= BATCH
                        continue
                one_by_one = BATCH
            one_by_one -= 1
            count -= 1
            clock, at = _uint(data, at)
            length, at = _uint(data, at)
            if not length or clock + length > MAX_CLOCK:
                _refuse("range out of range", at)
    return at
