"""LEB128 integers and what is counted by them, as Automerge's formats have them.

Seven bits a byte, least significant first, the high bit set on all but the last; a signed integer is extended
by bit 6 of its last byte. Every malformed input is a ``RemoteProtocolError``.
"""

from __future__ import annotations

from weft.errors import RemoteProtocolError

__all__ = [
    "read_bytes",
    "read_hashes",
    "read_int",
    "read_list",
    "read_uint",
    "write_bytes",
    "write_int",
    "write_uint",
]

_SMALL = [bytes((byte,)) for byte in range(0x80)]


def read_uint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an unsigned integer of at most 64 bits; gives it and where it ends."""
    if at < end and (byte := data[at]) < 0x80:
        return byte, at + 1
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, at
        shift += 7
    raise RemoteProtocolError("an integer in Automerge data is too large or incomplete")


def read_int(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a signed integer of at most 64 bits; gives it and where it ends."""
    if at < end and (byte := data[at]) < 0x80:
        return (byte if byte < 0x40 else byte - 0x80), at + 1
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if byte & 0x40:
                value -= 1 << shift
            if not -(1 << 63) <= value < 1 << 63:
                break
            return value, at
    raise RemoteProtocolError("an integer in Automerge data is too large or incomplete")


def read_bytes(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    """Read bytes with their length before them; gives them and where they end."""
    length, at = read_uint(data, at, end)
    if length > end - at:
        raise RemoteProtocolError("a string in Automerge data is longer than the data")
    return data[at : at + length], at + length


def read_list(data: bytes, at: int, end: int, *, least: int = 0) -> tuple[list[bytes], int]:
    """Read several times bytes, with their number before them; gives them and where they end.

    Args:
        data: All that they are in.
        at: Where their number is.
        end: Where the data end.
        least: How many bytes each has at least.
    """
    count, at = read_uint(data, at, end)
    if count * (1 + least) > end - at:
        raise RemoteProtocolError("Automerge data names more strings than it holds")
    found = []
    for _ in range(count):
        one, at = read_bytes(data, at, end)
        if len(one) < least:
            raise RemoteProtocolError("a string in Automerge data is too short")
        found.append(one)
    return found, at


def read_hashes(data: bytes, at: int, end: int) -> tuple[tuple[bytes, ...], int]:
    """Read hashes of 32 bytes with their number before them; gives them and where they end."""
    count, at = read_uint(data, at, end)
    stop = at + 32 * count
    if stop > end:
        raise RemoteProtocolError("Automerge data names more hashes than it holds")
    return tuple([data[i : i + 32] for i in range(at, stop, 32)]), stop


def write_bytes(data: bytes) -> bytes:
    """Write bytes with their length before them."""
    return write_uint(len(data)) + data


def write_uint(value: int) -> bytes:
    """Write an unsigned integer."""
    if 0 <= value < 0x80:
        return _SMALL[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_int(value: int) -> bytes:
    """Write a signed integer."""
    if -0x40 <= value < 0x40:
        return _SMALL[value & 0x7F]
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)
