"""Stamps as V8 serialises them, which is how a Durable Object's key-value storage keeps values.

The format is that of V8's ``ValueSerializer``, version 15 (v8/src/objects/value-serializer.cc): a header, and
values that begin with a tag. A stamp is an array of three. V8 writes such an array as dense or as sparse,
by how it came to be; both are read, the dense one is written.
"""

from __future__ import annotations

import struct
from math import isfinite
from typing import TYPE_CHECKING, Any

from weft.errors import StorageError
from weft.jsoncodec import normal_number
from weft.values import JSON_PREFIX, UNDEFINED, EncodedCell

if TYPE_CHECKING:
    from weft.values import Stored, Undefined

__all__ = ["decode_stamp", "encode_stamp"]

_HEADER = b"\xff\x0f"
_SMALL = 2**30  # V8 writes whole numbers of 31 bits as such, and others as doubles
_LITERALS = {ord("0"): None, ord("_"): UNDEFINED, ord("T"): True, ord("F"): False}
_TAGS: dict[object, bytes] = {None: b"0", UNDEFINED: b"_", True: b"T", False: b"F"}


def encode_stamp(thing: Stored | Undefined, hlc: str, hash_: int) -> bytes:
    """Write a stamp: what is stamped, its stamp of the clock, its hash."""
    data = bytearray(_HEADER + b"A\x03")
    for value in (thing, hlc, hash_):
        _write(data, value)
    return bytes(data + b"$\x00\x03")


def decode_stamp(data: bytes) -> list[Any]:
    """Read a stamp.

    Returns:
        ``[thing, hlc, hash]``: a cell in stored form, ``UNDEFINED`` or 0; text; a number.

    Raises:
        StorageError: The bytes are something else.
    """
    reader = _Reader(data)
    try:
        stamp = reader.stamp()
    except (IndexError, UnicodeDecodeError) as error:
        raise StorageError(f"not a stamp as V8 serialises it: {error}") from error
    if not isinstance(stamp[1], str) or isinstance(stamp[2], bool) or not isinstance(stamp[2], int):
        raise StorageError("not a stamp as V8 serialises it: its clock is no text, or its hash no number")
    return stamp


def _write(data: bytearray, value: object) -> None:
    if isinstance(value, str):
        try:
            text = value.encode("latin-1")
            data += b'"' + _varint(len(text)) + text
        except UnicodeEncodeError:
            text = value.encode("utf-16-le")
            size = _varint(len(text))
            if (len(data) + 1 + len(size)) % 2:  # V8 reads such text in place, so it begins at an even offset
                data += b"\0"
            data += b"c" + size + text
    elif isinstance(value, bool) or not isinstance(value, int | float):
        data += _TAGS[value]
    elif isinstance(value, int) and -_SMALL <= value < _SMALL:
        data += b"I" + _varint(value * 2 if value >= 0 else -value * 2 - 1)
    else:
        data += b"N" + struct.pack("<d", value)


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


class _Reader:
    """Reads one value, of which nothing may be left."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def stamp(self) -> list[Any]:
        if self._take(2) != _HEADER:
            raise StorageError("not V8's serialisation, version 15")
        tag = self._tag()
        if tag not in b"Aa" or self._varint() != 3:
            raise StorageError("not a stamp as V8 serialises it: no array of three")
        if tag == ord("A"):
            stamp = [self._value() for _ in range(3)]
            end = b"$\x00\x03"
        else:
            stamp = [self._element(number) for number in range(3)]
            end = b"@\x03\x03"
        if self._take(3) != end or self._at != len(self._data):
            raise StorageError("not a stamp as V8 serialises it: it does not end where it should")
        return stamp

    def _element(self, number: int) -> object:
        if self._value() != number:
            raise StorageError("not a stamp as V8 serialises it: its elements are not 0, 1 and 2")
        return self._value()

    def _value(self) -> Any:
        tag = self._tag()
        if tag in _LITERALS:
            return _LITERALS[tag]
        if tag == ord("I"):
            number = self._varint()
            return number >> 1 if number % 2 == 0 else -(number + 1 >> 1)
        if tag == ord("N"):
            double: float = struct.unpack("<d", self._take(8))[0]
            if not isfinite(double):
                raise StorageError("a number of a stamp is not finite")
            return normal_number(double)
        if tag == ord('"'):
            return self._take(self._varint()).decode("latin-1")
        if tag == ord("c"):
            text = self._take(self._varint()).decode("utf-16-le")
            return EncodedCell(text) if text[:1] == JSON_PREFIX else text
        raise StorageError(f"not a stamp as V8 serialises it: a value has the tag {chr(tag)!r}")

    def _tag(self) -> int:
        tag = 0
        while tag == 0:  # padding
            tag = self._data[self._at]
            self._at += 1
        return tag

    def _varint(self) -> int:
        number = 0
        for shift in range(0, 35, 7):
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise StorageError("not a stamp as V8 serialises it: a number is too long")

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise IndexError("it is cut off")
        self._at += size
        return taken
