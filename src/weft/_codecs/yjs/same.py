"""Whether an update holds, of one client, what somebody else has of it.

Whoever passes structs on may have joined them, and given up what is deleted; so they are compared clock by
clock, and content only where both still have it.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from weft._codecs.yjs.items import DELETED, GC, StoredItem, read_items
from weft._codecs.yjs.structs import STORED, read_update

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["is_same"]

_GONE = frozenset({GC, DELETED})


def is_same(update: bytes, ours: Iterable[StoredItem], client: int, clock: int) -> bool:
    """Whether an update has nothing else at the clocks of a client than is here.

    Args:
        update: Yjs v1 update.
        ours: The client's structs, from the first on.
        client: Whose.
        clock: The first that is looked at.

    Raises:
        RemoteProtocolError: The bytes are not an update.
    """
    runs = [run for run in read_update(update, STORED)[0] if run.client == client and run.end > clock]
    if not runs:
        return True
    items = [read_items(run.data, run.begin, run.count, client, run.clock) for run in runs]
    theirs = dict(_units(chain.from_iterable(items), clock))
    known = dict(_units(ours, clock))
    return all(at in known and _agree(unit, known[at]) for at, unit in theirs.items())


def _units(items: Iterable[StoredItem], clock: int) -> Iterator[tuple[int, tuple[int, object, bytes]]]:
    """Of each clock from one on: the kind of content, where it was put, and the content."""
    for item in items:
        for at in range(max(item.clock, clock), item.end):
            if item.ref == GC:
                yield at, (GC, None, b"")
                continue
            place = item.place() if at == item.clock else b""
            where = (item.origin_at(at), item.right_origin, place)
            yield at, (item.ref, where, b"" if item.ref == DELETED else item.content(at, at + 1))


def _agree(one: tuple[int, object, bytes], other: tuple[int, object, bytes]) -> bool:
    if GC in {one[0], other[0]}:
        return True
    if one[1] != other[1]:
        return False
    return bool(_GONE & {one[0], other[0]}) or one == other
