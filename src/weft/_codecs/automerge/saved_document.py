"""Saved Automerge documents: how much one unpacks to, and its columns.

Format: the Automerge binary document format specification, version 1. What a document holds is read by
:mod:`weft._codecs.automerge.content`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.change import check_time
from weft._codecs.automerge.chunks import MAX_INFLATED, MAX_OPS, split_chunks
from weft._codecs.automerge.columns import (
    Spec,
    count_entries,
    cut_columns,
    read_column,
    read_layout,
    read_runs,
)
from weft._codecs.automerge.leb128 import read_hashes, read_int, read_list, read_uint

if TYPE_CHECKING:
    from weft._codecs.automerge.chunks import Chunk
    from weft._codecs.automerge.columns import Layout

__all__ = ["check_document", "read_operations"]

# A document has more operations than a change may, as its history counts: eight for each byte, up to these.
# Each takes the binding 0.4 µs and 90 bytes of memory. Changes are bounded likewise.
_MAX_DOCUMENT_OPS = 1 << 23
_TOO_MANY = "an Automerge document unpacks to too many operations; send its changes instead"


def check_document(chunk: Chunk, bound: int = MAX_INFLATED) -> tuple[bytes, ...]:
    """Look how much a document chunk unpacks to, before the binding unpacks it.

    Args:
        chunk: Of kind ``DOCUMENT``.
        bound: Bytes that its columns may have altogether.

    Returns:
        The heads of the document.

    Raises:
        RemoteProtocolError: It is malformed, or unpacks to more bytes or operations than it may.
    """
    _, heads, changes, operations, at = _read_header(chunk)
    columns = cut_columns(chunk.data, at, changes + operations, bound)
    for index, (spec, column) in enumerate(columns):
        if index >= len(changes):
            if spec == Spec.ACTION:
                most = min(MAX_OPS + 8 * len(chunk.data), _MAX_DOCUMENT_OPS)
                count_entries(column, most, _TOO_MANY)
        elif spec == Spec.TIME:
            time = 0
            for times, deltas in read_runs(column, read_int, _MAX_DOCUMENT_OPS, _TOO_MANY):
                for delta in deltas:
                    time += (delta or 0) * times
                    check_time(time)
    return heads


def read_operations(saved: bytes) -> tuple[list[bytes], int, dict[int, bytes]]:
    """Read the actors of a saved document, how many operations it has, and cut their columns.

    Raises:
        RemoteProtocolError: It is none.
    """
    chunk = split_chunks(saved)[0]
    actors, _, changes, operations, at = _read_header(chunk)
    at += sum([size for _, size in changes])
    columns = dict(cut_columns(chunk.data, at, operations, MAX_INFLATED))
    return actors, len(read_column(columns.get(Spec.ACTION, b""), read_uint)), columns


def _read_header(chunk: Chunk) -> tuple[list[bytes], tuple[bytes, ...], Layout, Layout, int]:
    """Read actors, heads, which columns of changes and of operations follow, and where the first begins."""
    data, at, end = chunk.data, chunk.start, len(chunk.data)
    actors, at = read_list(data, at, end)
    heads, at = read_hashes(data, at, end)
    changes, at = read_layout(data, at, end)
    operations, at = read_layout(data, at, end)
    return actors, heads, changes, operations, at
