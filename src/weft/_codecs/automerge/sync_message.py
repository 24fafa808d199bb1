"""Automerge's sync messages: what one announces and carries, and making one by hand.

Format: automerge's ``sync.rs``. A type byte (0x42, or 0x43 with whole documents among the changes), the
sender's heads, the hashes it needs, what it has (heads of the last sync and a Bloom filter each), chunks with
their lengths, and the sender's capabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weft._codecs.automerge.chunks import MIN_CHUNK, Chunk, split_chunks
from weft._codecs.automerge.leb128 import (
    read_bytes,
    read_hashes,
    read_list,
    read_uint,
    write_bytes,
    write_uint,
)
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["SyncMessage", "make_sync_message", "parse_sync_message", "with_chunks", "with_needs"]

_V1, _V2 = 0x42, 0x43

# What automerge sends: one filter, of 10 bits and 7 probes for each change. The binding believes whatever a
# filter says of itself: four billion probes end the process, which cannot get the memory for them.
_MAX_FILTERS = 8
_MAX_BITS = _MAX_PROBES = 64


class SyncMessage(NamedTuple):
    """A sync message in pieces.

    Attributes:
        heads: The sender's heads.
        needs: Hashes of changes that the sender asks for.
        chunks: What it brings.
        begin: Where in the message that begins.
        end: Where it ends.
    """

    heads: tuple[bytes, ...]
    needs: tuple[bytes, ...]
    chunks: list[Chunk]
    begin: int
    end: int


def parse_sync_message(data: bytes) -> SyncMessage:
    """Take a sync message apart, verifying the checksums of its chunks.

    Raises:
        RemoteProtocolError: It is not one.
    """
    if not data or data[0] not in {_V1, _V2}:
        raise RemoteProtocolError("this is no Automerge sync message")
    end = len(data)
    heads, at = read_hashes(data, 1, end)
    needs, at = read_hashes(data, at, end)
    count, at = read_uint(data, at, end)
    if count > _MAX_FILTERS:
        raise RemoteProtocolError(f"an Automerge sync message with {count} filters")
    for _ in range(count):
        _, at = read_hashes(data, at, end)
        bloom, at = read_bytes(data, at, end)
        _check_filter(bloom)
    pieces, stop = read_list(data, at, end, least=MIN_CHUNK)
    chunks = [chunk for piece in pieces for chunk in split_chunks(piece)]
    return SyncMessage(heads, needs, chunks, at, stop)


def with_chunks(data: bytes, message: SyncMessage, chunks: Sequence[Chunk]) -> tuple[bytes, SyncMessage]:
    """A message that brings other chunks than one that was read."""
    pieces = write_uint(len(chunks)) + b"".join([write_bytes(chunk.data) for chunk in chunks])
    return (
        data[: message.begin] + pieces + data[message.end :],
        SyncMessage(message.heads, message.needs, list(chunks), message.begin, message.begin + len(pieces)),
    )


def with_needs(data: bytes, change: Callable[[tuple[bytes, ...]], Sequence[bytes]]) -> bytes:
    """A message of the binding's that asks for other changes, given those that it asks for."""
    _, begin = read_hashes(data, 1, len(data))
    needs, stop = read_hashes(data, begin, len(data))
    asked = change(needs)
    return data[:begin] + write_uint(len(asked)) + b"".join(asked) + data[stop:]


def _check_filter(bloom: bytes) -> None:
    """Refuse a Bloom filter that the binding panics at, or asks too often."""
    at, end = 0, len(bloom)
    if not bloom:
        return
    entries, at = read_uint(bloom, at, end)
    bits, at = read_uint(bloom, at, end)
    probes, at = read_uint(bloom, at, end)
    if entries and not (0 < bits <= _MAX_BITS and probes <= _MAX_PROBES):
        raise RemoteProtocolError(f"an Automerge filter of {bits} bits and {probes} probes for each change")
    if (entries * bits + 7) // 8 != end - at:
        raise RemoteProtocolError("an Automerge filter has another length than it says")


def make_sync_message(heads: Sequence[bytes], chunks: Iterable[bytes] = ()) -> bytes:
    """Make a message of a peer with these heads that brings these chunks and asks for nothing."""
    out = [bytes([_V2]), write_uint(len(heads)), *heads, b"\0\0"]
    pieces = list(chunks)
    out.append(write_uint(len(pieces)))
    for piece in pieces:
        out += (write_uint(len(piece)), piece)
    return b"".join(out)
