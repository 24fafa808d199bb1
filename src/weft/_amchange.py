"""Automerge's binary chunks: framing, checksums, and what a change's operations touched.

Format: the Automerge binary document format specification, version 1. A chunk is four magic bytes, the first
four bytes of a SHA-256, a type, the content's length and the content; the hash covers the last three. A
change chunk holds its operations by columns, each run-length encoded. Values are not decoded: who wants to
know what stands at a key asks the document, since another operation may have won.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from weft.errors import RemoteProtocolError

__all__ = [
    "CHANGE",
    "COMPRESSED",
    "DOCUMENT",
    "MAGIC",
    "Chunk",
    "Decoded",
    "Op",
    "OpId",
    "TornChunkError",
    "decode_change",
    "read_bytes",
    "read_uint",
    "split_chunks",
    "write_uint",
]

OpId: TypeAlias = tuple[bytes, int]
"""Actor and counter: who made an operation or object, and when. Unlike the binding's ids they are stable."""

MAGIC = b"\x85\x6f\x4a\x83"
DOCUMENT, CHANGE, COMPRESSED = 0, 1, 2  # chunk types

MAKE_MAP, SET, MAKE_LIST, DEL, MAKE_TEXT, INC, MAKE_TABLE, MARK = range(8)
MAKES = frozenset({MAKE_MAP, MAKE_LIST, MAKE_TEXT, MAKE_TABLE})
VALUE_COUNTER = 8

# A run of a billion equal operations fits in a few bytes. A set_tables of 100,000 cells makes 220,000.
_MAX_OPS = 1 << 22
_MAX_INFLATED = 1 << 28  # bytes


class TornChunkError(RemoteProtocolError):
    """The data ends within a chunk: what a crash in the middle of an append leaves."""


class Chunk(NamedTuple):
    """One chunk of a file or log.

    Attributes:
        kind: ``DOCUMENT``, ``CHANGE`` or ``COMPRESSED``.
        data: All of its bytes, the header included.
        start: Where its content begins in them.
        hash: SHA-256; that of a change is its id.
    """

    kind: int
    data: bytes
    start: int
    hash: bytes


class Op(NamedTuple):
    """One operation of a change.

    Attributes:
        id: Its own id; that of the object it makes, if it makes one.
        obj: The object it works on; ``None`` is the root.
        key: The key it works on in a map; ``None`` in a list or text.
        action: One of the constants of this module.
        preds: The operations at the same place that its writer knew of and that it overwrites.
        value_type: Type code of the value it sets.
    """

    id: OpId
    obj: OpId | None
    key: str | None
    action: int
    preds: tuple[OpId, ...]
    value_type: int


class Decoded(NamedTuple):
    """One change."""

    actor: bytes
    seq: int
    deps: tuple[bytes, ...]
    ops: list[Op]


def split_chunks(data: bytes) -> list[Chunk]:
    """Cut a file or log into its chunks, verifying each one's checksum.

    Raises:
        TornChunkError: The data ends within the last chunk.
        RemoteProtocolError: It is anything else than chunks.
    """
    chunks = []
    at = 0
    while at < len(data):
        chunk = _read_chunk(data, at)
        chunks.append(chunk)
        at += len(chunk.data)
    return chunks


def _read_chunk(data: bytes, at: int) -> Chunk:
    magic = data[at : at + 4]
    if magic != MAGIC[: len(magic)]:
        raise RemoteProtocolError(f"no Automerge chunk begins at byte {at}")
    if len(data) < at + 9:
        raise TornChunkError("the data ends within the header of a chunk")
    kind = data[at + 8]
    if kind > COMPRESSED:
        raise RemoteProtocolError(f"an Automerge chunk is of the unknown type {kind}")
    try:
        length, start = read_uint(data, at + 9, len(data))
    except RemoteProtocolError:
        if len(data) - at - 9 < 10 and all(byte >= 0x80 for byte in data[at + 9 :]):
            raise TornChunkError("the data ends within the header of a chunk") from None
        raise
    end = start + length
    if end > len(data):
        raise TornChunkError("the data ends within a chunk")
    whole = data[at:end]
    if kind == COMPRESSED:
        content = _inflate(data[start:end])
        digest = sha256(bytes([CHANGE]) + write_uint(len(content)) + content).digest()
    else:
        digest = sha256(memoryview(data)[at + 8 : end]).digest()
    if digest[:4] != whole[4:8]:
        raise RemoteProtocolError("an Automerge chunk does not match its checksum")
    return Chunk(kind, whole, start - at, digest)


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(data, _MAX_INFLATED)
    except zlib.error as error:
        raise RemoteProtocolError(f"a compressed Automerge chunk cannot be read: {error}") from error
    if inflater.unconsumed_tail or not inflater.eof:
        raise RemoteProtocolError("a compressed Automerge chunk is too large or incomplete")
    return content


def decode_change(data: bytes) -> Decoded:
    """Tell which operations a change chunk holds.

    Args:
        data: One chunk of type ``CHANGE`` or ``COMPRESSED``. Its checksum is not verified again.

    Raises:
        RemoteProtocolError: It is not one.
    """
    if data[:4] != MAGIC or len(data) < 10 or data[8] not in {CHANGE, COMPRESSED}:
        raise RemoteProtocolError("this is no Automerge change")
    length, at = read_uint(data, 9, len(data))
    if at + length != len(data):
        raise RemoteProtocolError("an Automerge change does not fill its chunk")
    if data[8] == COMPRESSED:
        data, at = _inflate(data[at:]), 0
    try:
        return _decode_body(data, at)
    except (IndexError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"an Automerge change cannot be read: {error}") from error


def _decode_body(data: bytes, at: int) -> Decoded:
    end = len(data)
    count, at = read_uint(data, at, end)
    if count * 32 > end - at:
        raise RemoteProtocolError("an Automerge change names more dependencies than it holds")
    deps = tuple(data[at + 32 * i : at + 32 * (i + 1)] for i in range(count))
    at += 32 * count
    actor, at = read_bytes(data, at, end)
    seq, at = read_uint(data, at, end)
    start_op, at = read_uint(data, at, end)
    _, at = _int(data, at, end)  # time
    _, at = read_bytes(data, at, end)  # message
    actors = [actor]
    count, at = read_uint(data, at, end)
    if count > end - at:
        raise RemoteProtocolError("an Automerge change names more actors than it holds")
    for _ in range(count):
        other, at = read_bytes(data, at, end)
        actors.append(other)
    count, at = read_uint(data, at, end)
    if count > end - at:
        raise RemoteProtocolError("an Automerge change names more columns than it holds")
    layout = []
    last = -1
    for _ in range(count):
        spec, at = read_uint(data, at, end)
        size, at = read_uint(data, at, end)
        if spec <= last or spec & 8:
            raise RemoteProtocolError("the columns of an Automerge change are out of order or compressed")
        last = spec
        layout.append((spec, size))
    columns: dict[int, tuple[int, int]] = {}
    for spec, size in layout:
        if at + size > end:
            raise RemoteProtocolError("a column of an Automerge change is longer than the change")
        columns[spec] = (at, at + size)
        at += size
    return Decoded(actor, seq, deps, _ops(data, columns, actors, start_op))


_NONE = (0, 0)
# Column specifications: id times 16, plus the type.
_OBJ_ACTOR, _OBJ_COUNTER, _KEY_STRING = 1, 2, 21
_ACTION, _VALUE_META, _PRED_COUNT, _PRED_ACTOR, _PRED_COUNTER = 66, 86, 112, 113, 115


def _ops(data: bytes, columns: dict[int, tuple[int, int]], actors: list[bytes], start_op: int) -> list[Op]:
    def column(spec: int) -> tuple[int, int]:
        return columns.get(spec, _NONE)

    actions = _runs(data, *column(_ACTION))
    total = len(actions)
    obj_actors = _runs(data, *column(_OBJ_ACTOR), total)
    obj_counters = _runs(data, *column(_OBJ_COUNTER), total)
    keys = _strings(data, *column(_KEY_STRING), total)
    metas = _runs(data, *column(_VALUE_META), total)
    pred_counts = _runs(data, *column(_PRED_COUNT), total)
    number = sum(count or 0 for count in pred_counts)
    if number > _MAX_OPS:
        raise RemoteProtocolError("an Automerge change overwrites too much")
    pred_actors = _runs(data, *column(_PRED_ACTOR), number)
    preds = zip(pred_actors, _deltas(data, *column(_PRED_COUNTER), number), strict=True)
    author = actors[0]
    ops = []
    for at in range(total):
        action = actions[at]
        if action is None:
            raise RemoteProtocolError("an operation of an Automerge change has no action")
        obj_actor, obj_counter = obj_actors[at], obj_counters[at]
        if (obj_actor is None) != (obj_counter is None):
            raise RemoteProtocolError("an object id in an Automerge change is half there")
        obj = None if obj_actor is None or obj_counter is None else (actors[obj_actor], obj_counter)
        known: tuple[OpId, ...] = ()
        if count := pred_counts[at]:
            known = tuple(_op_id(actors, *next(preds)) for _ in range(count))
        ops.append(Op((author, start_op + at), obj, keys[at], action, known, (metas[at] or 0) & 15))
    return ops


def _op_id(actors: list[bytes], actor: int | None, counter: int | None) -> OpId:
    if actor is None or counter is None:
        raise RemoteProtocolError("an operation id in an Automerge change is half there")
    return actors[actor], counter


# -- columns ---------------------------------------------------------------------------------------------


def _runs(data: bytes, at: int, end: int, total: int | None = None) -> list[int | None]:
    """Read a column of run-length encoded unsigned integers; missing ones at its end are null."""
    values: list[int | None] = []
    bound = _MAX_OPS if total is None else total
    while at < end:
        count, at = _int(data, at, end)
        if count > 0:
            value, at = read_uint(data, at, end)
            _check(len(values) + count, bound)
            values.extend([value] * count)
        elif count < 0:
            _check(len(values) - count, bound)
            for _ in range(-count):
                value, at = read_uint(data, at, end)
                values.append(value)
        else:
            count, at = read_uint(data, at, end)
            _check(len(values) + count, bound)
            values.extend([None] * count)
    if total is not None:
        values.extend([None] * (total - len(values)))
    return values


def _deltas(data: bytes, at: int, end: int, total: int) -> list[int | None]:
    """Read a column of run-length encoded differences."""
    values: list[int | None] = []
    last = 0
    while at < end:
        count, at = _int(data, at, end)
        _check(len(values) + abs(count), total)
        if count > 0:
            delta, at = _int(data, at, end)
            values.extend(range(last + delta, last + delta * (count + 1), delta) if delta else [last] * count)
            last += delta * count
        elif count < 0:
            for _ in range(-count):
                delta, at = _int(data, at, end)
                last += delta
                values.append(last)
        else:
            count, at = read_uint(data, at, end)
            _check(len(values) + count, total)
            values.extend([None] * count)
    values.extend([None] * (total - len(values)))
    return values


def _strings(data: bytes, at: int, end: int, total: int) -> list[str | None]:
    """Read a column of run-length encoded strings."""
    values: list[str | None] = []
    while at < end:
        count, at = _int(data, at, end)
        _check(len(values) + abs(count), total)
        if count > 0:
            raw, at = read_bytes(data, at, end)
            values.extend([raw.decode()] * count)
        elif count < 0:
            for _ in range(-count):
                raw, at = read_bytes(data, at, end)
                values.append(raw.decode())
        else:
            count, at = read_uint(data, at, end)
            _check(len(values) + count, total)
            values.extend([None] * count)
    values.extend([None] * (total - len(values)))
    return values


def _check(count: int, bound: int) -> None:
    if count > bound:
        raise RemoteProtocolError("a column of an Automerge change has more entries than it has operations")


# -- integers --------------------------------------------------------------------------------------------


def read_uint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an unsigned LEB128 integer of at most 64 bits; returns it and where it ends."""
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


def _int(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a signed LEB128 integer of at most 64 bits; returns it and where it ends."""
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


def write_uint(value: int) -> bytes:
    """Write an unsigned LEB128 integer."""
    """Write an unsigned LEB128 integer."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_bytes(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    """Read bytes with their length before them; returns them and where they end."""
    """Read bytes with their length before them; returns them and where they end."""
    length, at = read_uint(data, at, end)
    if at + length > end:
        raise RemoteProtocolError("a string in Automerge data is longer than the data")
    return data[at : at + length], at + length
