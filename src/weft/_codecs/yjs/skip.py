"""Walking over the pieces of a Yjs update without making anything of them.

Each function takes the bytes and a place and gives the place after the piece. The end of the data is an
``IndexError`` or a place beyond it, which the caller turns into a refusal; everything else is refused here.

Format: lib0 ``decoding.js``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from weft._codecs.yjs.lib0 import MAX_UINT
from weft._codecs.yjs.patterns import BATCH, patterns
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from weft.limits import Limits

__all__ = [
    "check_json_depth", "refuse", "skip_string", "skip_text", "skip_values", "uint", "uint_bytes",
    "utf16_length",
]  # fmt: skip


def refuse(reason: str, position: int, *, bound: str = "") -> NoReturn:
    raise RemoteProtocolError(f"not a usable update: {reason} at byte {position}", bound=bound)


def uint(data: bytes | bytearray, at: int) -> tuple[int, int]:
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
    refuse("integer out of range", at)


def uint_bytes(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _skip_integer(data: bytes | bytearray, at: int) -> int:
    """Skip a signed varint of a value: 6 bits and the sign in the first byte, then 7 bits a byte."""
    value, shift = data[at] & 0x3F, 6
    while data[at] >= 0x80:
        at += 1
        if shift > 48:
            refuse("integer out of range", at)
        value |= (data[at] & 0x7F) << shift
        shift += 7
    if value > MAX_UINT:
        refuse("integer out of range", at)
    return at + 1


def skip_string(data: bytes | bytearray, at: int, max_string: int) -> int:
    size, at = uint(data, at)
    if size > max_string:
        refuse(f"string of {size} bytes", at)
    return at + size


def skip_text(data: bytes | bytearray, at: int, max_string: int) -> int:
    """Skip a string, and refuse it if it is not UTF-8."""
    size, at = uint(data, at)
    if size > max_string:
        refuse(f"string of {size} bytes", at)
    end = at + size
    text = data[at:end]
    if len(text) < size:
        refuse("unexpected end", len(data))
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            refuse("string that is not UTF-8", at)
    return end


def utf16_length(data: bytes | bytearray, at: int, size: int) -> int:
    """Length of a text in UTF-16 code units, which is what its clock counts."""
    text = data[at : at + size]
    if text.isascii():
        return len(text)
    try:
        return len(text.decode().encode("utf-16-le")) // 2
    except UnicodeDecodeError:
        refuse("string that is not UTF-8", at)


_JSON_MARK = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


def check_json_depth(text: bytes, max_depth: int, at: int) -> None:
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
                refuse(f"JSON nested more than {max_depth} deep", at, bound="max_depth")
        elif mark in b"]}":
            depth -= 1


def skip_values(data: bytes | bytearray, at: int, count: int, limits: Limits, *, texts: bool = False) -> int:
    """Skip values in lib0's ``any`` encoding, the nested ones without recursion.

    With ``texts``, strings that are not UTF-8 are refused.
    """
    skip = skip_text if texts else skip_string
    end = len(data)
    if count > end - at:
        refuse(f"{count} values announced", at)
    max_depth = limits.max_depth
    max_string = limits.max_string
    is_object = False
    outer: list[tuple[int, bool]] = []  # what is left to read of the containers around
    one_by_one = 0
    while True:
        while count:
            if is_object:
                at = skip(data, at, max_string)
            elif not one_by_one and count >= BATCH:
                batch = patterns().values.match(data, at)
                if batch is not None and (not texts or data[at : batch.end()].isascii()):
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
                at = skip(data, at, max_string)
            elif tag == 125:  # integer
                at = _skip_integer(data, at)
            elif tag in {120, 121, 126, 127}:  # true, false, null, undefined
                pass
            elif tag in {122, 123}:  # bigint, double
                at += 8
            elif tag == 124:  # float
                at += 4
            elif tag == 116:  # bytes
                size, at = uint(data, at)
                at += size
            elif tag in {117, 118}:  # array, object
                size, at = uint(data, at)
                if len(outer) >= max_depth:
                    refuse(f"value nested more than {max_depth} deep", at, bound="max_depth")
                if size * (tag - 116) > end - at:  # an entry of an object has a key too
                    refuse(f"{size} values announced", at)
                outer.append((count, is_object))
                count, is_object = size, tag == 118
            else:
                refuse(f"unknown value {tag}", at)
        if not outer:
            return at
        count, is_object = outer.pop()
