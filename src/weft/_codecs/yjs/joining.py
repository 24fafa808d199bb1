"""Joining neighbours in an update before the binding is given it.

yrs joins them itself, and copies what it has joined once more for each: 23,000 letters that were typed one by
one and never joined, as a log has them, are more than the guard lets pass. Here it takes linear time.

Rules: yjs ``Item.js`` (``mergeWith``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.yjs.compact import StructWriter
from weft._codecs.yjs.guard import LongRunsError, check_update
from weft._codecs.yjs.items import read_items
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.ranges import encode_deletes
from weft._codecs.yjs.structs import read_update
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from weft._codecs.yjs.guard import Spans
    from weft._codecs.yjs.run import Run

__all__ = ["check_joined", "join_neighbours"]

_SKIP = 10


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
        return check_update(join_neighbours(data, limits), limits)


def join_neighbours(data: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Make of an update one with fewer structs that means the same.

    Raises:
        RemoteProtocolError: The bytes are not an update, or break a limit.
    """
    sections: dict[int, list[Run]] = {}
    runs, deletes = read_update(data, limits)
    for run in runs:
        sections.setdefault(run.client, []).append(run)
    out = Writer().uint(len(sections))
    for client, found in sections.items():
        section, count, clock = Writer(), 0, found[0].clock
        for run in found:
            if run.clock > clock:
                section.byte(_SKIP).uint(run.clock - clock)
                count += 1
            writer = StructWriter()
            for item in read_items(data, run.begin, run.count, client, run.clock):
                writer.add(item, item.clock, item.end, item.ref, is_deleted=False)
            section.raw(writer.finish())
            count += writer.count
            clock = run.end
        out.uint(count).uint(client).uint(found[0].clock).raw(section.finish())
    return out.raw(encode_deletes(deletes)).finish()
