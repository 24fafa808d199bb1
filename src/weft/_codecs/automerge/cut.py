"""Cutting a large sync message into several that bring the same changes.

Each part says the same of its sender, its heads above all: whoever received them all has what the message
brings, and whoever has not received all of them yet knows that something is missing.

Large is a message of many bytes, and also a document that few bytes unpack to, such as one long text: a
receiver bounds both (:func:`weft._codecs.automerge.saved_document.check_document`).

Format: automerge's ``sync.rs``, see :mod:`weft._codecs.automerge.sync_message`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import DOCUMENT, MAGIC, deflate_change, split_chunks
from weft._codecs.automerge.leb128 import (
    read_bytes,
    read_hashes,
    read_list,
    read_uint,
    write_bytes,
    write_uint,
)
from weft._codecs.automerge.saved_document import check_document
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weft._codecs.automerge.chunks import Chunk

__all__ = ["cut_sync_message"]

# Operations of a part. To take in a million takes a peer seconds, in which it answers nobody, pings neither.
_PART_OPS = 1 << 18
_COUNT = 10  # bytes at most of the number of chunks, and of the length before each


def cut_sync_message(
    data: bytes, max_bytes: int, all_changes: Callable[[], Iterable[tuple[bytes, int]]]
) -> list[bytes]:
    """Cut a sync message of ours into parts, to be sent in this order.

    Args:
        data: What the binding has made.
        max_bytes: Bytes of a part. One with a single change, which cannot be cut, may have more.
        all_changes: Gives every change of the document, with the number of its operations, in an order to
            apply them in. A whole document, which is sent to who has nothing of it, is one chunk: its changes
            are sent instead, and those in a part have 262,144 operations together, or are one change.

    Returns:
        The parts; the message itself where it is small enough.
    """
    if len(data) <= max_bytes:
        # Looked for and not read, as this is on the way of every edit. A document is alone in its message.
        first = data.find(MAGIC)
        if first < 0 or data[first + 8] != DOCUMENT:
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
    if len(data) <= max_bytes and all(map(_is_taken, chunks)):
        return [data]
    is_whole = any(chunk.kind == DOCUMENT for chunk in chunks)
    changes = all_changes() if is_whole else [(chunk.data, 0) for chunk in chunks]
    room = max_bytes - len(head) - len(tail) - _COUNT
    parts: list[list[bytes]] = [[]]
    size = operations = 0
    for change, count in changes:
        piece = change if len(change) + _COUNT <= room else deflate_change(change)
        if parts[-1] and (size + len(piece) + _COUNT > room or operations + count > _PART_OPS):
            parts.append([])
            size = operations = 0
        parts[-1].append(piece)
        size += len(piece) + _COUNT
        operations += count
    return [head + write_uint(len(part)) + b"".join(map(write_bytes, part)) + tail for part in parts]


def _is_taken(chunk: Chunk) -> bool:
    """Whether a receiver takes a chunk of this size when it is unpacked."""
    if chunk.kind != DOCUMENT:
        return True
    try:
        check_document(chunk)
    except RemoteProtocolError:
        return False
    return True
