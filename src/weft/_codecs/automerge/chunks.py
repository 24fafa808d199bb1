"""Automerge's chunks: what files, logs and sync messages are made of.

Format: the Automerge binary document format specification, version 1. A chunk is four magic bytes, the first
four bytes of a SHA-256, a type, the content's length and the content; the hash covers the last three. A
compressed change carries the hash of the change that it holds.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import NamedTuple

from weft._codecs.automerge.leb128 import read_uint, write_uint
from weft.errors import RemoteProtocolError

__all__ = [
    "CHANGE",
    "COMPRESSED",
    "DOCUMENT",
    "MAGIC",
    "MAX_COUNTER",
    "MAX_INFLATED",
    "MAX_LEAP",
    "MAX_OPS",
    "MIN_CHUNK",
    "Chunk",
    "change_hash",
    "deflate_change",
    "inflate",
    "split_chunks",
]

MAGIC = b"\x85\x6f\x4a\x83"
DOCUMENT, CHANGE, COMPRESSED = 0, 1, 2  # chunk types

# A run of a billion equal operations fits into a few bytes. A text makes one operation a character: 100,000
# cells of a dozen characters are 1.5 million.
MAX_OPS = 1 << 21
# The binding counts operations in 32 bits: behind the last one a document can be neither written nor saved.
MAX_COUNTER = 1 << 31
# Numbers of operations that have not come and that a change may leave room for: one in 128 of all there are.
MAX_LEAP = 1 << 24
# Bytes that one chunk may inflate to: the binding has no bound of its own, and deflate packs 1,000 to 1.
MAX_INFLATED = 1 << 27
MIN_CHUNK = 10  # bytes of a header: magic, checksum, type and a length


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
        RemoteProtocolError: It is anything else than chunks.
    """
    chunks: list[Chunk] = []
    at = 0
    while at < len(data):
        chunks.append(_read_chunk(data, at))
        at += len(chunks[-1].data)
    return chunks


def change_hash(chunk: bytes) -> bytes:
    """The name of a change, given its uncompressed chunk."""
    return sha256(memoryview(chunk)[8:]).digest()


def _read_chunk(data: bytes, at: int) -> Chunk:
    if data[at : at + 4] != MAGIC:
        raise RemoteProtocolError(f"no Automerge chunk begins at byte {at}")
    if len(data) < at + 9:
        raise RemoteProtocolError("the data ends within the header of a chunk")
    kind = data[at + 8]
    if kind > COMPRESSED:
        raise RemoteProtocolError(f"an Automerge chunk is of the unknown type {kind}")
    length, start = read_uint(data, at + 9, len(data))
    end = start + length
    if end > len(data):
        raise RemoteProtocolError("the data ends within a chunk")
    whole = data[at:end]
    if kind == COMPRESSED:
        content = inflate(data[start:end])
        digest = sha256(bytes([CHANGE]) + write_uint(len(content)) + content).digest()
    else:
        digest = sha256(whole[8:]).digest()
    if digest[:4] != whole[4:8]:
        raise RemoteProtocolError("an Automerge chunk does not match its checksum")
    return Chunk(kind, whole, start - at, digest)


def deflate_change(chunk: bytes) -> bytes:
    """Compress the chunk of a change, whose name stays; gives it as it is where that saves nothing."""
    _, start = read_uint(chunk, 9, len(chunk))
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    content = deflater.compress(chunk[start:]) + deflater.flush()
    deflated = chunk[:8] + bytes([COMPRESSED]) + write_uint(len(content)) + content
    return deflated if len(deflated) < len(chunk) else chunk


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
