"""Automerge's chunks: what files, logs and sync messages are made of.

Format: the Automerge binary document format specification, version 1. A chunk is four magic bytes, the first
four bytes of a SHA-256, a type, the content's length and the content; the hash covers the last three. A
compressed change carries the hash of the change that it holds.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from weft._codecs.automerge.leb128 import read_uint, write_uint
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CHANGE",
    "COMPRESSED",
    "DOCUMENT",
    "MAGIC",
    "MAX_COUNTER",
    "MAX_INFLATED",
    "MAX_OPS",
    "Chunk",
    "change_hash",
    "inflate",
    "split_chunks",
    "split_log",
]

MAGIC = b"\x85\x6f\x4a\x83"
DOCUMENT, CHANGE, COMPRESSED = 0, 1, 2  # chunk types

# A run of a billion equal operations fits into a few bytes. A text makes one operation a character: 100,000
# cells of a dozen characters are 1.5 million.
MAX_OPS = 1 << 21
# The binding counts operations in 32 bits: behind the last one a document can be neither written nor saved.
MAX_COUNTER = 1 << 31
# Bytes that one chunk may inflate to: the binding has no bound of its own, and deflate packs 1,000 to 1.
MAX_INFLATED = 1 << 27


class TornChunkError(RemoteProtocolError):
    """The data ends within a chunk: what a crash in the middle of an append leaves."""


class Chunk(NamedTuple):
    """One chunk.

    Attributes:
        kind: ``DOCUMENT``, ``CHANGE`` or ``COMPRESSED``.
        data: All of its bytes, the header included.
        start: Where its content begins in them.
        hash: SHA-256; that of a change is its name.
    """

    kind: int
    data: bytes
    start: int
    hash: bytes


def split_chunks(data: bytes) -> list[Chunk]:
    """Cut data into its chunks, verifying each one's checksum.

    Raises:
        TornChunkError: The data ends within the last chunk.
        RemoteProtocolError: It is anything else than chunks.
    """
    return list(_chunks(data))


def change_hash(chunk: bytes) -> bytes:
    """The name of a change, given its uncompressed chunk."""
    return sha256(memoryview(chunk)[8:]).digest()


def split_log(data: bytes) -> tuple[list[Chunk], int]:
    """Cut an append-only log into its chunks, leaving out one that a crash has cut off at the end.

    Returns:
        The chunks, and how many bytes at the end belong to none: cut them off before the next append.

    Raises:
        RemoteProtocolError: Something else is wrong with it; a whole chunk is never left out.
    """
    chunks: list[Chunk] = []
    with suppress(TornChunkError):
        chunks.extend(_chunks(data))  # those before the torn one are in the list then
    return chunks, len(data) - sum(len(chunk.data) for chunk in chunks)


def _chunks(data: bytes) -> Iterator[Chunk]:
    at = 0
    while at < len(data):
        chunk = _read_chunk(data, at)
        yield chunk
        at += len(chunk.data)


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
        content = inflate(data[start:end])
        digest = sha256(bytes([CHANGE]) + write_uint(len(content)) + content).digest()
    else:
        digest = sha256(whole[8:]).digest()
    if digest[:4] != whole[4:8]:
        raise RemoteProtocolError("an Automerge chunk does not match its checksum")
    return Chunk(kind, whole, start - at, digest)


def inflate(data: bytes, bound: int = MAX_INFLATED) -> bytes:
    """Inflate what is deflated without a header.

    Raises:
        RemoteProtocolError: It is not, or has more than ``bound`` bytes.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(data, bound)
    except zlib.error as error:
        raise RemoteProtocolError(f"compressed Automerge data cannot be read: {error}") from error
    if not inflater.eof:
        raise RemoteProtocolError("compressed Automerge data is too large or incomplete")
    if inflater.unused_data:
        raise RemoteProtocolError("compressed Automerge data goes on after its end")
    return content
