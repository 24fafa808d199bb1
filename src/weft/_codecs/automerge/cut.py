"""Cutting a large sync message into several that bring the same changes.

Each part says the same of its sender, its heads above all: whoever received them all has what the message
brings, and whoever has not received all of them yet knows that something is missing.

Format: automerge's ``sync.rs``, see :mod:`weft._codecs.automerge.sync_message`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import DOCUMENT, split_chunks
from weft._codecs.automerge.leb128 import (
    read_bytes,
    read_hashes,
    read_list,
    read_uint,
    write_bytes,
    write_uint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["cut_sync_message"]

_COUNT = 10  # bytes at most of the number of chunks, and of the length before each


def cut_sync_message(data: bytes, max_bytes: int, all_changes: Callable[[], Iterable[bytes]]) -> list[bytes]:
    """Cut a sync message of ours into parts, to be sent in this order.

    Args:
        data: What the binding has made.
        max_bytes: Bytes of a part. One with a single change, which cannot be cut, may have more.
        all_changes: Gives every change of the document in an order to apply them in. A whole document, which
            is sent to who has nothing of it, is one chunk: its changes are sent instead.

    Returns:
        The parts; the message itself where it is small enough.
    """
    if len(data) <= max_bytes:
        return [data]
    end = len(data)
    at = 1
    for _ in range(2):  # heads, and what is asked for
        _, at = read_hashes(data, at, end)
    filters, at = read_uint(data, at, end)
    for _ in range(filters):
        _, at = read_hashes(data, at, end)
        _, at = read_bytes(data, at, end)
    head = data[:at]
    pieces, at = read_list(data, at, end)
    tail = data[at:]
    chunks = [chunk for piece in pieces for chunk in split_chunks(piece)]
    is_whole = any(chunk.kind == DOCUMENT for chunk in chunks)
    pieces = list(all_changes()) if is_whole else [chunk.data for chunk in chunks]
    room = max_bytes - len(head) - len(tail) - _COUNT
    parts: list[list[bytes]] = [[]]
    size = 0
    for piece in pieces:
        if parts[-1] and size + len(piece) + _COUNT > room:
            parts.append([])
            size = 0
        parts[-1].append(piece)
        size += len(piece) + _COUNT
    return [head + write_uint(len(part)) + b"".join(map(write_bytes, part)) + tail for part in parts]
