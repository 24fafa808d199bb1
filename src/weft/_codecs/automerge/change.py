"""What the operations of an Automerge change touched.

Format: the Automerge binary document format specification, version 1. A change chunk holds its operations by
columns, each run-length encoded. Values are not decoded: who wants to know what stands at a key asks the
document, since another operation may have won.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from weft._codecs.automerge.chunks import CHANGE, COMPRESSED, MAGIC, MAX_COUNTER, MAX_OPS, check_time, inflate
from weft._codecs.automerge.leb128 import read_bytes, read_int, read_uint
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DEL",
    "INC",
    "MAKES",
    "MAKE_LIST",
    "MAKE_MAP",
    "MAKE_TABLE",
    "MAKE_TEXT",
    "MARK",
    "SET",
    "VALUE_COUNTER",
    "Decoded",
    "Op",
    "OpId",
    "decode_change",
]

OpId: TypeAlias = tuple[bytes, int]
"""Actor and counter: who made an operation or object, and when. Unlike the binding's ids they are stable."""

V = TypeVar("V")

MAKE_MAP, SET, MAKE_LIST, DEL, MAKE_TEXT, INC, MAKE_TABLE, MARK = range(8)
MAKES = frozenset({MAKE_MAP, MAKE_LIST, MAKE_TEXT, MAKE_TABLE})
VALUE_COUNTER = 8


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
    """One change.

    Attributes:
        actor: Who made it.
        seq: The number, from 1, of the change among the actor's.
        deps: Hashes of the changes it follows on.
        ops: Its operations. Where several in a row work on elements of the same list or text, only the first
            is there: they all say that the object has changed.
    """

    actor: bytes
    seq: int
    deps: tuple[bytes, ...]
    ops: list[Op]


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
        data, at = inflate(data[at:]), 0
    try:
        return _decode_body(data, at)
    except (IndexError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"an Automerge change cannot be read: {error}") from error


def _decode_body(data: bytes, at: int) -> Decoded:
    end = len(data)
    count, at = read_uint(data, at, end)
    if count * 32 > end - at:
        raise RemoteProtocolError("an Automerge change names more dependencies than it holds")
    deps = tuple([data[i : i + 32] for i in range(at, at + 32 * count, 32)])
    at += 32 * count
    actor, at = read_bytes(data, at, end)
    seq, at = read_uint(data, at, end)
    start_op, at = read_uint(data, at, end)
    if not 0 < start_op <= MAX_COUNTER:
        raise RemoteProtocolError(f"an Automerge change begins at operation {start_op}")
    time, at = read_int(data, at, end)
    check_time(time)
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
        spec, size = data[at], data[at + 1]
        if spec < 0x80 and size < 0x80:
            at += 2
        else:
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
_ONE = 0x7F  # head of a run of one literal, which is all that a column of a change of one operation holds
# Column specifications: id times 16, plus the type.
_OBJ_ACTOR, _OBJ_COUNTER, _KEY_STRING = 1, 2, 21
_ACTION, _VALUE_META, _PRED_COUNT, _PRED_ACTOR, _PRED_COUNTER = 66, 86, 112, 113, 115


def _ops(data: bytes, columns: dict[int, tuple[int, int]], actors: list[bytes], start_op: int) -> list[Op]:
    column = columns.get
    actions = _runs(data, *column(_ACTION, _NONE))
    total = len(actions)
    obj_actors = _runs(data, *column(_OBJ_ACTOR, _NONE), total)
    obj_counters = _runs(data, *column(_OBJ_COUNTER, _NONE), total)
    keys = _strings(data, *column(_KEY_STRING, _NONE), total)
    metas = _runs(data, *column(_VALUE_META, _NONE), total)
    pred_counts = _runs(data, *column(_PRED_COUNT, _NONE), total)
    number = sum([count for count in pred_counts if count])
    if number > MAX_OPS:
        raise RemoteProtocolError("an Automerge change overwrites too much")
    preds: list[OpId] = []
    pred_actors = _runs(data, *column(_PRED_ACTOR, _NONE), number)
    pred_counters = _deltas(data, *column(_PRED_COUNTER, _NONE), number)
    for actor, counter in zip(pred_actors, pred_counters, strict=True):
        if actor is None or counter is None:
            raise RemoteProtocolError("an operation id in an Automerge change is half there")
        preds.append((actors[actor], counter))
    author = actors[0]
    ops = []
    element_of: OpId | None = None
    used = 0
    for at in range(total):
        action = actions[at]
        if action is None:
            raise RemoteProtocolError("an operation of an Automerge change has no action")
        count = pred_counts[at] or 0
        used += count
        obj_actor, obj_counter = obj_actors[at], obj_counters[at]
        if obj_actor is None or obj_counter is None:
            if obj_actor is not obj_counter:
                raise RemoteProtocolError("an object id in an Automerge change is half there")
            obj = None
        else:
            obj = (actors[obj_actor], obj_counter)
        key = keys[at]
        if key is None and action not in MAKES:
            if obj == element_of:
                continue
            element_of = obj
        else:
            element_of = None
        known = tuple(preds[used - count : used])
        ops.append(Op((author, start_op + at), obj, key, action, known, (metas[at] or 0) & 15))
    return ops


# -- columns ---------------------------------------------------------------------------------------------


def _column(
    data: bytes, at: int, end: int, total: int | None, read: Callable[[bytes, int, int], tuple[V, int]]
) -> list[V | None]:
    """Read a column of run-length encoded values; missing ones at its end are null.

    Args:
        data: The change.
        at: Where the column begins.
        end: Where it ends.
        total: How many entries it has at most; ``None`` where it is the column that says so.
        read: Reads one value.
    """
    values: list[V | None] = []
    bound = MAX_OPS if total is None else total
    while at < end:
        count, at = read_int(data, at, end)
        _check(len(values) + abs(count), bound)
        if count > 0:
            value, at = read(data, at, end)
            values.extend([value] * count)
        elif count < 0:
            for _ in range(-count):
                value, at = read(data, at, end)
                values.append(value)
        else:
            count, at = read_uint(data, at, end)
            _check(len(values) + count, bound)
            values.extend([None] * count)
    if total is not None:
        values.extend([None] * (total - len(values)))
    return values


def _runs(data: bytes, at: int, end: int, total: int | None = None) -> list[int | None]:
    """Read a column of unsigned integers."""
    if end - at == 2 and data[at] == _ONE and data[at + 1] < 0x80 and total in {None, 1}:
        return [data[at + 1]]
    return _column(data, at, end, total, read_uint)


def _deltas(data: bytes, at: int, end: int, total: int) -> list[int | None]:
    """Read a column of differences, each to the last one that is not null."""
    values = _column(data, at, end, total, read_int)
    last = 0
    for place, delta in enumerate(values):
        if delta is not None:
            values[place] = last = last + delta
    return values


def _strings(data: bytes, at: int, end: int, total: int) -> list[str | None]:
    """Read a column of strings."""
    return _column(data, at, end, total, _read_string)


def _read_string(data: bytes, at: int, end: int) -> tuple[str, int]:
    stop = at + 1 + data[at]
    if stop <= end and data[at] < 0x80:
        return data[at + 1 : stop].decode(), stop
    raw, at = read_bytes(data, at, end)
    return raw.decode(), at


def _check(count: int, bound: int) -> None:
    if count > bound:
        raise RemoteProtocolError("a column of an Automerge change has more entries than it has operations")
