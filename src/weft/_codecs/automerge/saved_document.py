"""Saved Automerge documents: how much one unpacks to, and what it holds, read from its columns.

Format: the Automerge binary document format specification, version 1. A document chunk holds all operations,
sorted by object, by key or place in a text, and by age; one that was overwritten or deleted names its
successors. To ask the binding row by row takes three times as long. What a Store never writes (lists,
counters, marks, dates, bytes) is not read here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from weft._codecs.automerge.change import MAKE_MAP, MAKE_TEXT, SET, check_time
from weft._codecs.automerge.chunks import DOCUMENT, MAX_INFLATED, MAX_OPS, split_chunks
from weft._codecs.automerge.columns import (
    Spec,
    count_entries,
    cut_columns,
    read_column,
    read_deltas,
    read_flags,
    read_layout,
    read_runs,
    read_string,
)
from weft._codecs.automerge.leb128 import read_hashes, read_int, read_list, read_uint
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft._codecs.automerge.change import OpId
    from weft._codecs.automerge.chunks import Chunk
    from weft._codecs.automerge.columns import Layout

__all__ = ["Content", "Entry", "check_document", "read_content", "read_operations"]

Entry: TypeAlias = "tuple[int, Any]"
"""``MAKE_MAP`` or ``MAKE_TEXT`` with the object's ``OpId``, or ``SET`` with a value."""

_NULL, _FALSE, _TRUE, _UINT, _INT, _F64, _STRING = range(7)  # types of values

# What it takes to read an operation here, to one map and one text that the binding is asked for.
_PER_MAP, _PER_TEXT = 16, 3

# A document has more operations than a change may, as its history counts: eight for each byte, up to these.
# Each takes the binding 0.4 µs and 90 bytes of memory. Changes are bounded likewise.
_MAX_DOCUMENT_OPS = 1 << 23
_TOO_MANY = "an Automerge document unpacks to too many operations; send its changes instead"


class Content(NamedTuple):
    """What a document holds, objects that have lost or were deleted among it.

    Attributes:
        maps: By map, ``None`` for the root, and key. A map that is not here is empty.
        texts: By text, in pieces. A text that is not here is empty.
    """

    maps: dict[OpId | None, dict[str, Entry]]
    texts: dict[OpId, list[str]]


class _UnreadableError(Exception):
    """Something is not read here."""


def read_content(saved: bytes, *, always: bool = False) -> Content | None:
    """Read a document that was saved.

    Args:
        saved: By the binding, which has verified what is in it. Changes behind the document are passed over.
        always: Also where it is faster to ask the binding, because the document is mostly history or text.

    Returns:
        What it holds; ``None`` if something in it is not read here.
    """
    try:
        chunk = split_chunks(saved)[0]
        return _read(chunk, always=always) if chunk.kind == DOCUMENT else None
    except (_UnreadableError, RemoteProtocolError, IndexError):
        return None


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


def _read(chunk: Chunk, *, always: bool) -> Content:
    actors, _, changes, operations, at = _read_header(chunk)
    at += sum([size for _, size in changes])
    columns = dict(cut_columns(chunk.data, at, operations, MAX_INFLATED))

    def column(spec: int) -> bytes:
        return columns.get(spec, b"")

    actions = read_column(column(Spec.ACTION), read_uint)
    total = len(actions)
    if not {MAKE_MAP, MAKE_TEXT, SET}.issuperset(actions):
        raise _UnreadableError
    if not always and total > _PER_MAP * actions.count(MAKE_MAP) + _PER_TEXT * actions.count(MAKE_TEXT):
        raise _UnreadableError
    maps: dict[OpId | None, dict[str, Entry]] = {}
    texts: dict[OpId, list[str]] = {}
    obj: OpId | None = None
    entries: dict[str, Entry] = {}
    pieces: list[str] = []
    values = _values(read_column(column(Spec.VALUE_META), read_uint, total), column(Spec.VALUE))
    last: tuple[int | None, int | None] = (-1, -1)
    for action, obj_actor, obj_counter, key, actor, counter, inserts, value, successors in zip(
        actions,
        read_column(column(Spec.OBJECT_ACTOR), read_uint, total),
        read_column(column(Spec.OBJECT_COUNTER), read_uint, total),
        read_column(column(Spec.KEY), read_string, total),
        read_column(column(Spec.ID_ACTOR), read_uint, total),
        read_deltas(column(Spec.ID_COUNTER), total),
        read_flags(column(Spec.INSERT), total),
        values,
        read_column(column(Spec.SUCCESSOR_COUNT), read_uint, total),
        strict=True,
    ):
        if (obj_actor, obj_counter) != last:
            last = (obj_actor, obj_counter)
            obj = None if obj_actor is None or obj_counter is None else (actors[obj_actor], obj_counter)
            entries, pieces = {}, []
            if key is not None:
                maps[obj] = entries
            elif obj is not None:
                texts[obj] = pieces
        if key is None:
            if inserts:
                pieces.append("")
            if successors:
                continue
            if action != SET or type(value) is not str:
                raise _UnreadableError
            pieces[-1] = value
        elif not successors:
            if action == SET:
                entries[key] = SET, value
            elif action is None or actor is None or counter is None:
                raise _UnreadableError
            else:
                entries[key] = action, (actors[actor], counter)
    return Content(maps, texts)


def _values(metas: Sequence[int | None], raw: bytes) -> list[object]:
    values: list[object] = []
    at = 0
    for meta in metas:
        kind, size = (meta or 0) & 15, (meta or 0) >> 4
        end = at + size
        if kind == _INT:
            if size == 2:  # bytes, as most have
                value = raw[at] & 0x7F | raw[at + 1] << 7
                values.append(value if value < 0x2000 else value - 0x4000)
            else:
                values.append(read_int(raw, at, end)[0])
        elif kind == _STRING:
            values.append(raw[at:end].decode())
        elif kind == _F64:
            values.append(struct.unpack_from("<d", raw, at)[0])
        elif kind == _UINT:
            values.append(read_uint(raw, at, end)[0])
        elif kind <= _TRUE:
            values.append(None if kind == _NULL else kind == _TRUE)
        else:
            raise _UnreadableError
        at = end
    return values
