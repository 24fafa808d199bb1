"""What a saved Automerge document holds, read from its columns.

Format: the Automerge binary document format specification, version 1. A document chunk holds all operations,
sorted by object, by key or place in a text, and by age; one that was overwritten or deleted names its
successors. To ask the binding row by row takes several times as long. What a Store never writes (lists,
counters, marks, dates, bytes) is not read here.

Columns are read as a whole and cut by object: a step for each object, and not one for each operation.
"""

from __future__ import annotations

import struct
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from weft._codecs.automerge.change import MAKE_MAP, MAKE_TEXT, SET
from weft._codecs.automerge.chunks import DOCUMENT, split_chunks
from weft._codecs.automerge.columns import Spec, read_column, read_flags, read_runs
from weft._codecs.automerge.leb128 import read_bytes, read_int, read_uint
from weft._codecs.automerge.saved_document import read_operations
from weft._support.collection import CollectionPaused
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weft._codecs.automerge.change import OpId

__all__ = ["Content", "Entry", "Made", "read_content"]

Made: TypeAlias = "tuple[int, OpId]"
"""``MAKE_MAP`` or ``MAKE_TEXT``, and the object."""

Entry: TypeAlias = "Made | str | int | float | None"

_NULL, _FALSE, _TRUE, _UINT, _INT, _F64, _STRING = range(7)  # types of values

# What it takes to read an operation here, to one map and one text that the binding is asked for.
_PER_MAP, _PER_TEXT = 16, 100


class Content(NamedTuple):
    """What a document holds, objects that have lost or were deleted among it.

    Attributes:
        maps: By map, ``None`` for the root, and key. A map that is not here is empty.
        texts: By text. A text that is not here is empty.
        parents: The maps with other objects in them.
        keys: All keys of maps.
        conflicts: The maps in which several things stand at a key, of which the last one is here.
    """

    maps: dict[OpId | None, dict[str, Entry]]
    texts: dict[OpId, str]
    parents: set[OpId | None]
    keys: Iterable[str]
    conflicts: set[OpId | None]


class _UnreadableError(Exception):
    """Something is not read here."""


def read_content(saved: bytes, *, always: bool = False) -> Content | None:
    """Read a document that was saved.

    Args:
        saved: Verified by the binding. Changes behind the document are passed over.
        always: Also where it is faster to ask the binding, because the document is mostly history or text.

    Returns:
        What it holds; ``None`` if something in it is not read here.
    """
    try:
        if split_chunks(saved)[0].kind != DOCUMENT:
            return None
        with CollectionPaused():
            return _read(saved, always=always)
    except (_UnreadableError, RemoteProtocolError, IndexError, ValueError, TypeError):
        return None


def _read(saved: bytes, *, always: bool) -> Content:
    actors, total, columns = read_operations(saved)

    def column(spec: int) -> bytes:
        return columns.get(spec, b"")

    actions = read_column(column(Spec.ACTION), read_uint)
    makers = actions.count(MAKE_MAP), actions.count(MAKE_TEXT)
    if sum(makers) + actions.count(SET) != total:
        raise _UnreadableError
    if not always and total > _PER_MAP * makers[0] + _PER_TEXT * makers[1]:
        raise _UnreadableError
    values = _values(column(Spec.VALUE_META), column(Spec.VALUE), total)
    inserts = read_flags(column(Spec.INSERT), total)
    successors = read_column(column(Spec.SUCCESSOR_COUNT), read_uint, total)
    is_alive = not any(successors)
    id_actors = read_column(column(Spec.ID_ACTOR), read_uint, total)
    last = len(bytes(actions).rstrip(bytes((SET,))))  # type: ignore[arg-type]  # behind it no object is made
    counters = _first_counters(column(Spec.ID_COUNTER), last)
    keys = _Keys(column(Spec.KEY))
    content = Content({}, {}, set(), keys.names.values(), set())
    maps, texts, parents, _, conflicts = content
    groups = end = 0
    for count, obj in _objects(column(Spec.OBJECT_ACTOR), column(Spec.OBJECT_COUNTER), actors, total):
        groups += 1
        at, end = end, end + count
        names = keys.take(count)
        found = values[at:end]
        if names is None:
            if obj is None:
                raise _UnreadableError
            if not all(inserts[at:end]) or not (is_alive or not any(successors[at:end])):
                found = _alive_pieces(found, inserts[at:end], successors[at:end])
            texts[obj] = "".join(found)  # type: ignore[arg-type]  # a TypeError where it is no text
            continue
        if is_alive and at >= last:
            entries: dict[str, Entry] = dict(zip(names, found, strict=True))  # type: ignore[arg-type]
            maps[obj] = entries
            if len(entries) != count:
                conflicts.add(obj)
            continue
        kinds = actions[at:end]
        alive: Sequence[int] = range(at, end)
        if not is_alive and any(successors[at:end]):
            alive = [each for each in alive if not successors[each]]
            names = tuple([names[each - at] for each in alive])
            found, kinds = [values[each] for each in alive], [actions[each] for each in alive]
        if kinds.count(SET) != len(kinds):
            parents.add(obj)
            for place, each in enumerate(alive):
                kind = kinds[place]
                if kind != SET:
                    found[place] = kind, (actors[id_actors[each]], counters[each])  # type: ignore[index]
        maps[obj] = dict(zip(names, found, strict=True))  # type: ignore[arg-type]
        if len(maps[obj]) != len(names):
            conflicts.add(obj)
    if len(maps) + len(texts) != groups:
        raise _UnreadableError
    return content


def _alive_pieces(
    found: Sequence[object], inserts: Sequence[bool], successors: Sequence[int | None]
) -> list[object]:
    """What stands at each place of a text, at which the later operations do not insert."""
    pieces: list[object] = []
    for value, is_new, gone in zip(found, inserts, successors, strict=True):
        if is_new:
            pieces.append("")
        if not gone:
            pieces[-1] = value
    return pieces


def _first_counters(column: bytes, count: int) -> list[int]:
    """The counters of the first operations: only objects are named, and most operations make none."""
    deltas: list[int | None] = []
    for times, values in read_runs(column, read_int, 1 << 62) if count else ():
        deltas += values * times
        if len(deltas) >= count:
            break
    return list(accumulate(deltas))  # type: ignore[arg-type]


def _objects(
    actor_column: bytes, counter_column: bytes, actors: Sequence[bytes], total: int
) -> Iterator[tuple[int, OpId | None]]:
    """How many operations follow on each other in one object, and in which."""
    numbers = read_column(actor_column, read_uint, total)
    is_one = len({*numbers, None}) == 2
    at = 0
    for times, counters in read_runs(counter_column, read_uint, total):
        for counter in counters:
            start, at = at, at + times
            number = numbers[start]
            if counter is None:
                if number is not None:
                    raise _UnreadableError
                yield times, None
            elif is_one or times == 1 or numbers[start:at].count(number) == times:
                yield times, (actors[number], counter)  # type: ignore[index]
            else:
                for each, group in groupby(numbers[start:at]):
                    yield len(list(group)), (actors[each], counter)  # type: ignore[index]
    if at < total:
        if at:
            raise _UnreadableError
        yield total, None


class _Keys:
    """Reads a column of keys, as many at a time as an object has.

    Rows mostly have the keys of the row before them, in the same bytes.
    """

    __slots__ = ("_at", "_column", "_is_literal", "_last", "_last_names", "_left", "_value", "names")

    def __init__(self, column: bytes) -> None:
        self._column = column
        self._at = self._left = 0
        self._is_literal = False
        self._value: str | None = None
        self._last, self._last_names = b"", tuple[str, ...]()
        self.names: dict[bytes, str] = {}

    def take(self, count: int) -> tuple[str, ...] | None:
        """The next keys; ``None`` where they are null, as a text's are."""
        if not self._left:
            self._next_run(count)
        is_within = self._left >= count
        if is_within and not self._is_literal:
            self._left -= count
            return None if self._value is None else (self._value,) * count
        if is_within and count == len(self._last_names) and self._column.startswith(self._last, self._at):
            self._at += len(self._last)
            self._left -= count
            return self._last_names
        start = self._at
        found: list[str] = []
        while len(found) < count:
            if not self._left:
                self._next_run(count)
            number = min(count - len(found), self._left)
            self._left -= number
            if self._is_literal:
                found += [self._name() for _ in range(number)]
            elif self._value is None:
                raise _UnreadableError
            else:
                found += [self._value] * number
        names = tuple(found)
        if is_within:
            self._last, self._last_names = self._column[start : self._at], names
        return names

    def _next_run(self, count: int) -> None:
        end = len(self._column)
        self._is_literal, self._value = False, None
        if self._at == end:  # what is missing is null
            self._left = count
            return
        number, self._at = read_int(self._column, self._at, end)
        if number > 0:
            self._value = self._name()
        elif number:
            self._is_literal = True
        else:
            number, self._at = read_uint(self._column, self._at, end)
        self._left = abs(number)

    def _name(self) -> str:
        column, at = self._column, self._at
        size = column[at]
        if size < 0x80:
            self._at = at + 1 + size
            raw = column[at + 1 : self._at]
            if len(raw) != size:
                raise _UnreadableError
        else:
            raw, self._at = read_bytes(column, at, len(column))
        name = self.names.get(raw)
        if name is None:
            name = self.names[raw] = raw.decode()
        return name


def _values(metas: bytes, raw: bytes, total: int) -> list[object]:
    values: list[object] = []
    at = 0
    for times, found in read_runs(metas, read_uint, total):
        for meta in found:
            kind, size = (meta or 0) & 15, (meta or 0) >> 4
            end = at + size * times
            if end > len(raw):
                raise _UnreadableError
            values += _equal_values(kind, size, times, raw[at:end])
            at = end
    return values + [None] * (total - len(values))


def _equal_values(kind: int, size: int, times: int, raw: bytes) -> Sequence[object]:
    """Values of the same type and size."""
    if kind == _INT and size < 4 and size:
        sign = 0x40 << 7 * (size - 1)
        low = [byte & 0x7F for byte in raw[::size]]
        if size == 2:
            low = [value | high << 7 for value, high in zip(low, raw[1::2], strict=True)]
        elif size == 3:
            parts = zip(low, raw[1::3], raw[2::3], strict=True)
            low = [value | (middle & 0x7F) << 7 | high << 14 for value, middle, high in parts]
        return [value if value < sign else value - 2 * sign for value in low]
    if kind == _INT:
        return [read_int(raw, at, at + size)[0] for at in range(0, len(raw), size)]
    if kind == _STRING:
        if size == 1:
            return raw.decode()
        return [raw[at : at + size].decode() for at in range(0, len(raw), size)] if size else [""] * times
    if kind == _F64:
        return struct.unpack(f"<{times}d", raw)
    if kind == _UINT:
        return [read_uint(raw, at, at + size)[0] for at in range(0, len(raw), size)]
    if kind <= _TRUE and not size:
        return [None if kind == _NULL else kind == _TRUE] * times
    raise _UnreadableError
