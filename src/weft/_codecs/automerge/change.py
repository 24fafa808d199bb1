"""What the operations of an Automerge change touched.

Format: the Automerge binary document format specification, version 1. A change chunk holds its operations by
columns, each run-length encoded. Values are not decoded: who wants to know what stands at a key asks the
document, since another operation may have won.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from weft._codecs.automerge.chunks import CHANGE, COMPRESSED, MAGIC, MAX_COUNTER, MAX_OPS, inflate
from weft._codecs.automerge.columns import (
    Spec,
    read_column,
    read_deltas,
    read_layout,
    read_string,
)
from weft._codecs.automerge.leb128 import read_bytes, read_hashes, read_int, read_list, read_uint
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DEL", "MAKE_MAP", "MAKE_TEXT", "MARK", "SET", "Columns", "Decoded", "Op", "OpId", "check_time",
    "decode_change", "read_columns", "readable",
]  # fmt: skip

OpId: TypeAlias = tuple[bytes, int]
"""Actor and counter: who made an operation or object, and when. Unlike the binding's ids they are stable."""

MAKE_MAP, SET, MAKE_LIST, DEL, MAKE_TEXT, INC, MAKE_TABLE, MARK = range(8)
_MAKES = frozenset({MAKE_MAP, MAKE_LIST, MAKE_TEXT, MAKE_TABLE})
_MAX_TIME = 1 << 53  # the binding saves times as differences of 64 bits; JavaScript's are seconds


class Op(NamedTuple):
    """One operation of a change.

    Attributes:
        id: Its own id; that of the object it makes, if it makes one.
        obj: The object it works on; ``None`` is the root.
        key: The key it works on in a map; ``None`` in a list or text.
        action: One of the constants of this module.
        preds: The operations at the same place that its writer knew of and that it overwrites.
    """

    id: OpId
    obj: OpId | None
    key: str | None
    action: int
    preds: tuple[OpId, ...]


class Decoded(NamedTuple):
    """One change.

    Attributes:
        actor: Who made it.
        seq: The number, from 1, of the change among the actor's.
        deps: Hashes of the changes it follows on.
        start_op: The number of its first operation.
        max_op: That of its last; one less than ``start_op`` where it has none.
        ops: Its operations. Where several in a row work on elements of the same list or text, only the first
            is there: they all say that the object has changed.
    """

    actor: bytes
    seq: int
    deps: tuple[bytes, ...]
    start_op: int
    max_op: int
    ops: list[Op]


class Columns(NamedTuple):
    """A change, its operations by columns.

    Attributes:
        deps: As in :class:`Decoded`.
        actors: Its author, and the others that its operations name.
        seq: As in :class:`Decoded`.
        start_op: As in :class:`Decoded`.
        columns: By specification (``columns.Spec``).
    """

    deps: tuple[bytes, ...]
    actors: list[bytes]
    seq: int
    start_op: int
    columns: dict[int, bytes]


def decode_change(data: bytes) -> Decoded:
    """Tell which operations a change chunk holds.

    Args:
        data: One chunk of type ``CHANGE`` or ``COMPRESSED``. Its checksum is not verified again.

    Raises:
        RemoteProtocolError: It is not one.
    """
    with readable():
        deps, actors, seq, start_op, columns = read_columns(data)
        ops, total = _ops(columns, actors, start_op)
    return Decoded(actors[0], seq, deps, start_op, start_op + total - 1, ops)


@contextmanager
def readable() -> Iterator[None]:
    """Turn what is raised where a change ends too early into ``RemoteProtocolError``."""
    try:
        yield
    except (IndexError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"an Automerge change cannot be read: {error}") from error


def read_columns(data: bytes) -> Columns:
    """Read what stands before the operations of a change chunk, and cut their columns.

    Raises:
        RemoteProtocolError: It is not one; or an ``IndexError``, see :func:`readable`.
    """
    if data[:4] != MAGIC or len(data) < 10 or data[8] not in {CHANGE, COMPRESSED}:
        raise RemoteProtocolError("this is no Automerge change")
    length, at = read_uint(data, 9, len(data))
    if at + length != len(data):
        raise RemoteProtocolError("an Automerge change does not fill its chunk")
    if data[8] == COMPRESSED:
        data, at = inflate(data[at:]), 0
    end = len(data)
    deps, at = read_hashes(data, at, end)
    actor, at = read_bytes(data, at, end)
    seq, at = read_uint(data, at, end)
    start_op, at = read_uint(data, at, end)
    if not 0 < start_op <= MAX_COUNTER:
        raise RemoteProtocolError(f"an Automerge change begins at operation {start_op}")
    time, at = read_int(data, at, end)
    check_time(time)
    _, at = read_bytes(data, at, end)  # message
    others, at = read_list(data, at, end)
    layout, at = read_layout(data, at, end)
    columns: dict[int, bytes] = {}
    last = -1
    for spec, size in layout:
        if spec <= last or spec & Spec.DEFLATED:
            raise RemoteProtocolError("the columns of an Automerge change are out of order or compressed")
        last = spec
        columns[spec] = data[at : at + size]
        at += size
    if at > end:
        raise RemoteProtocolError("a column of an Automerge change is longer than the change")
    return Columns(deps, [actor, *others], seq, start_op, columns)


def check_time(time: int) -> None:
    """Refuse a time of a change with which a saved document could not be loaded."""
    if abs(time) > _MAX_TIME:
        raise RemoteProtocolError("the time of an Automerge change is not one")


def _ops(columns: dict[int, bytes], actors: list[bytes], start_op: int) -> tuple[list[Op], int]:
    column = columns.get
    actions = read_column(column(Spec.ACTION, b""), read_uint)
    total = len(actions)
    obj_actors = read_column(column(Spec.OBJECT_ACTOR, b""), read_uint, total)
    obj_counters = read_column(column(Spec.OBJECT_COUNTER, b""), read_uint, total)
    keys = read_column(column(Spec.KEY, b""), read_string, total)
    pred_counts = read_column(column(Spec.PREDECESSOR_COUNT, b""), read_uint, total)
    number = sum([count for count in pred_counts if count])
    if number > MAX_OPS:
        raise RemoteProtocolError("an Automerge change overwrites too much")
    preds: list[OpId] = []
    pred_actors = read_column(column(Spec.PREDECESSOR_ACTOR, b""), read_uint, number)
    pred_counters = read_deltas(column(Spec.PREDECESSOR_COUNTER, b""), number)
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
        if key is None and action not in _MAKES:
            if obj == element_of:
                continue
            element_of = obj
        else:
            element_of = None
        known = tuple(preds[used - count : used])
        ops.append(Op((author, start_op + at), obj, key, action, known))
    return ops, total
