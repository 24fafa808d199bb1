"""Joining neighbours in an update before the binding is given it.

yrs joins them itself, and copies what it has joined once more for each: 23,000 letters that were typed one by
one and never joined, or 3,400 values that one client wrote to one cell, as a log has them, are more than the
guard lets pass. Here it takes linear time. What the update deletes is joined apart from the rest, also the
values of a key: as yrs has it, which in a document that keeps what is deleted copies that too.

Rules: yjs ``Item.js`` (``mergeWith``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.yjs.compact import StructWriter
from weft._codecs.yjs.guard import MAX_CLOCK, MAX_MERGING, VALUE_BYTES, LongRunsError, check_update
from weft._codecs.yjs.items import ANY, GC, STRING, read_items
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.ranges import Ranges, encode_deletes
from weft._codecs.yjs.structs import read_update
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from weft._codecs.yjs.guard import Spans
    from weft._codecs.yjs.items import StoredItem
    from weft._codecs.yjs.run import Run

__all__ = ["check_joined", "join_neighbours"]

_SKIP = 10
_NONE = Ranges()  # never changed
_UNBOUNDED = MAX_CLOCK**3


def check_joined(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Spans:
    """Like :func:`check_update`, and join neighbours where the binding would need too much memory for it.

    Returns:
        Its ``data`` is what the binding is to be given.

    Raises:
        RemoteProtocolError: As for :func:`check_update`.
    """
    try:
        return check_update(data, limits)
    except LongRunsError:
        joined, merging = _join(data, limits)
        if merging > MAX_MERGING:
            raise LongRunsError(merging, len(joined)) from None
        # The guard takes for a run what is partly deleted, or has another right neighbour: yrs does not.
        return check_update(joined, limits, max_merging=_UNBOUNDED)


def join_neighbours(data: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Make of an update one with fewer structs that means the same.

    Raises:
        RemoteProtocolError: The bytes are not an update, or break a limit.
    """
    return _join(data, limits)[0]


def _join(data: bytes, limits: Limits) -> tuple[bytes, int]:
    """The update with fewer structs, and the bytes that yrs copies to merge what is left."""
    sections: dict[int, list[Run]] = {}
    runs, deletes = read_update(data, limits)
    for run in runs:
        sections.setdefault(run.client, []).append(run)
    out = Writer().uint(len(sections))
    merging = 0
    for client, found in sections.items():
        section, count, clock = Writer(), 0, found[0].clock
        for run in found:
            if run.clock > clock:
                section.byte(_SKIP).uint(run.clock - clock)
                count += 1
            writer = StructWriter()
            merging += _join_run(run, deletes.get(client, _NONE), writer)
            section.raw(writer.finish())
            count += writer.count
            clock = run.end
        out.uint(count).uint(client).uint(found[0].clock).raw(section.finish())
    return out.raw(encode_deletes(deletes)).finish(), merging


def _join_run(run: Run, deleted: Ranges, writer: StructWriter) -> int:
    """Write a run; gives the bytes that yrs copies to merge what the writer has not joined."""
    last: tuple[StoredItem, bool] | None = None
    merged = merging = 0  # structs before this one that are merged with it
    for item in read_items(run.data, run.begin, run.count, run.client, run.clock):
        for start, end, is_deleted in deleted.pieces(item.clock, item.end):
            written = writer.count
            writer.add(item, start, end, item.ref, is_deleted=is_deleted or item.ref == GC)
            if last and last[1] is is_deleted and _are_merged(last[0], item, start):
                merged += writer.count - written
                merging += merged * (end - start) * VALUE_BYTES
            else:
                merged = 0
            last = item, is_deleted
    return merging


def _are_merged(last: StoredItem, item: StoredItem, start: int) -> bool:
    """Whether yrs merges what begins at a clock of an item with what is before, both deleted or neither."""
    return (
        item.ref == last.ref
        and item.ref in {ANY, STRING}
        and item.origin_at(start) == (item.client, start - 1)
        and item.right_origin == last.right_origin
    )
