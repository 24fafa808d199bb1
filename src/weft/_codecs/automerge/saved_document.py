"""What a saved Automerge document holds, read from its columns.

Format: the Automerge binary document format specification, version 1. A document chunk holds all operations,
sorted by object, by key or place in a text, and by age; one that was overwritten or deleted names its
successors. To ask the binding row by row takes three times as long. What a Store never writes (lists,
counters, marks, dates, bytes) is not read here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from weft._codecs.automerge.change import MAKE_MAP, MAKE_TEXT, SET, _deltas, _runs, _strings
from weft._codecs.automerge.chunks import DOCUMENT, inflate, split_chunks
from weft._codecs.automerge.leb128 import read_bytes, read_int, read_uint
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft._codecs.automerge.change import OpId

__all__ = ["Content", "Entry", "read_content"]

Entry: TypeAlias = "tuple[int, Any]"
"""``MAKE_MAP`` or ``MAKE_TEXT`` with the object's ``OpId``, or ``SET`` with a value."""

_DEFLATED = 8  # bit of a column's specification
_NONE = (b"", 0, 0)
_NULL, _FALSE, _TRUE, _UINT, _INT, _F64, _STRING = range(7)  # types of values


# What it takes to read an operation here, to one map and one text that the binding is asked for.
_PER_MAP, _PER_TEXT = 16, 3


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
        return _read(chunk.data, chunk.start, always=always) if chunk.kind == DOCUMENT else None
    except (_UnreadableError, RemoteProtocolError, IndexError):
        return None


def _read(data: bytes, at: int, *, always: bool) -> Content:
    end = len(data)
    actors = []
    count, at = read_uint(data, at, end)
    for _ in range(count):
        actor, at = read_bytes(data, at, end)
        actors.append(actor)
    count, at = read_uint(data, at, end)
    at += 32 * count  # heads
    layouts: list[list[tuple[int, int]]] = []
    for _ in range(2):  # columns of the changes, of the operations
        count, at = read_uint(data, at, end)
        layout = []
        for _ in range(count):
            spec, at = read_uint(data, at, end)
            size, at = read_uint(data, at, end)
            layout.append((spec, size))
        layouts.append(layout)
    changes, operations = layouts
    at += sum([size for _, size in changes])
    columns: dict[int, tuple[bytes, int, int]] = {}
    for spec, size in operations:
        column = data[at : at + size]
        if spec & _DEFLATED:
            column = inflate(column)
        columns[spec & ~_DEFLATED] = column, 0, len(column)
        at += size
    return _content(columns, actors, always=always)


def _content(columns: dict[int, tuple[bytes, int, int]], actors: list[bytes], *, always: bool) -> Content:
    def column(spec: int) -> tuple[bytes, int, int]:
        return columns.get(spec, _NONE)

    actions = _runs(*column(66))
    total = len(actions)
    if not {MAKE_MAP, MAKE_TEXT, SET}.issuperset(actions):
        raise _UnreadableError
    if not always and total > _PER_MAP * actions.count(MAKE_MAP) + _PER_TEXT * actions.count(MAKE_TEXT):
        raise _UnreadableError
    maps: dict[OpId | None, dict[str, Entry]] = {}
    texts: dict[OpId, list[str]] = {}
    entries: dict[str, Entry] = {}
    pieces: list[str] = []
    values = _values(_runs(*column(86), total), column(87)[0])
    last: tuple[int | None, int | None] = (-1, -1)
    for action, obj_actor, obj_counter, key, actor, counter, inserts, value, successors in zip(
        actions,
        _runs(*column(1), total),
        _runs(*column(2), total),
        _strings(*column(21), total),
        _runs(*column(33), total),
        _deltas(*column(35), total),
        _flags(*column(52), total),
        values,
        _runs(*column(128), total),
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


def _flags(data: bytes, at: int, end: int, total: int) -> list[bool]:
    """Read a column of booleans: how many are false, then true, and so on; the rest are false."""
    flags: list[bool] = []
    flag = False
    while at < end:
        count, at = read_uint(data, at, end)
        if count > total - len(flags):
            raise _UnreadableError
        flags += [flag] * count
        flag = not flag
    return flags + [False] * (total - len(flags))
