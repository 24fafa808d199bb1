"""Reading and writing lib0's binary primitives, the ones Yjs and y-protocols are made of.

Format: lib0 ``encoding.js`` and ``decoding.js``. A *varuint* is 7 bits a byte, least significant first, the
high bit set on all but the last; strings and byte arrays are a varuint length and that many bytes.

pycrdt's helpers are not used: they read integers of any length (200 kB of ``0xff`` cost 5 seconds), return
truncated data without an error, and write the length of a string in characters.
"""

from __future__ import annotations

from typing import NoReturn, Self

from weft.errors import RemoteProtocolError

__all__ = ["MAX_UINT", "Reader", "Writer"]

_Bytes = bytes  # the classes below have methods of that name

MAX_UINT = 2**53 - 1  # the largest integer JavaScript peers can tell from its neighbours
_MAX_UINT_BYTES = 8  # enough for 53 bits; padding beyond it serves nobody honest


def _refuse(reason: str, position: int) -> NoReturn:
    raise RemoteProtocolError(f"{reason} at byte {position}")


class Reader:
    """A position in received bytes. Whatever the bytes are, a method answers or refuses.

    Every refusal is a ``RemoteProtocolError``; the position is undefined after it.

    Args:
        data: What was received.
        max_string: Bytes one string may have.
    """

    __slots__ = ("_data", "_end", "_max_string", "position")

    def __init__(self, data: bytes, *, max_string: int = MAX_UINT) -> None:
        self._data = data
        self._end = len(data)
        self._max_string = max_string
        self.position = 0

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self.position == self._end

    @property
    def remaining(self) -> int:
        """Bytes not read yet: what a count or length read from the data may at most be."""
        return self._end - self.position

    def byte(self) -> int:
        """Read one byte."""
        position = self.position
        if position >= self._end:
            _refuse("unexpected end", position)
        self.position = position + 1
        return self._data[position]

    def uint(self) -> int:
        """Read a varuint: at most 8 bytes, at most 2**53-1."""
        start = position = self.position
        data = self._data
        last = min(position + _MAX_UINT_BYTES, self._end)
        value = shift = 0
        while position < last:
            byte = data[position]
            position += 1
            if byte < 0x80:
                value |= byte << shift
                if value > MAX_UINT:
                    break
                self.position = position
                return value
            value |= (byte & 0x7F) << shift
            shift += 7
        if position == self._end and position - start < _MAX_UINT_BYTES:
            _refuse("unexpected end of an integer", start)
        _refuse("integer out of range", start)

    def bytes(self) -> bytes:
        """Read a byte array."""
        length = self.uint()
        start = self.position
        if length > self._end - start:
            _refuse("unexpected end of a byte array", start)
        self.position = start + length
        return self._data[start : start + length]

    def string(self) -> str:
        """Read a string; it must be valid UTF-8, so it holds no lone surrogate."""
        start = self.position
        data = self.bytes()
        if len(data) > self._max_string:
            _refuse(f"string of more than {self._max_string} bytes", start)
        try:
            return data.decode()
        except UnicodeDecodeError:
            _refuse("string that is not UTF-8", start)

    def expect_end(self) -> None:
        """Refuse bytes after the last thing expected."""
        if self.position != self._end:
            _refuse("unexpected bytes", self.position)


class Writer:
    """Bytes being put together; the methods can be chained."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def byte(self, value: int) -> Self:
        """Append one byte."""
        self._data.append(value)
        return self

    def uint(self, value: int) -> Self:
        """Append a varuint.

        Raises:
            ValueError: Not within 0 and 2**53-1. Nothing was appended.
        """
        if not 0 <= value <= MAX_UINT:
            raise ValueError(f"{value} is no integer of lib0")
        data = self._data
        while value >= 0x80:
            data.append(value & 0x7F | 0x80)
            value >>= 7
        data.append(value)
        return self

    def bytes(self, value: bytes) -> Self:
        """Append a byte array with its length."""
        self.uint(len(value))
        self._data += value
        return self

    def raw(self, data: _Bytes | bytearray) -> Self:
        """Write bytes that are encoded already."""
        self._data += data
        return self

    def string(self, value: str) -> Self:
        """Append a string with its length in bytes.

        Raises:
            UnicodeEncodeError: It holds a lone surrogate. Nothing was appended.
        """
        return self.bytes(value.encode())

    def finish(self) -> _Bytes:
        """Everything written so far."""
        return _Bytes(self._data)
