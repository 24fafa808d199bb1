"""Comparing a document with what it was compacted to, clock by clock.

What a document comes to follows from what each clock of each client holds: its content, the neighbours and
the parent it was written with, and whether it is deleted. A struct says so for all of its clocks: each one's
left neighbour is the clock before it. So two documents come to the same when they agree on that for each
clock, except where something deleted has lost its content, and nothing that is left refers to what was
collected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.yjs.compact import DEAD, StoredClient
from weft._codecs.yjs.items import DELETED, GC, StoredItem
from weft._codecs.yjs.ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["difference"]


def difference(
    before: Mapping[int, StoredClient],
    after: Mapping[int, StoredClient],
    fates: Mapping[int, bytearray] | None,
) -> str | None:
    """Say where a compacted document is not what it was; ``None`` where it is.

    Args:
        before: The structs of a document.
        after: Those it was compacted to, with the same deletions.
        fates: What may have been collected of it; without it nothing may have been given up.
    """
    if before.keys() != after.keys():
        return "other clients"
    given_up = {client: Ranges() for client in before}
    for client, structs in before.items():
        fate = None if fates is None else fates[client]
        reason = _compare(structs, after[client], fate, given_up[client])
        if reason is not None:
            return reason
    if not any(given_up.values()):
        return None
    for structs in after.values():
        for item in structs:
            for id_ in (item.origin, item.right_origin, item.parent):
                if id_ is not None and id_[1] in given_up[id_[0]]:
                    return f"{item.client}:{item.clock} refers to {id_[0]}:{id_[1]}, which was collected"
    return None


def _compare(
    before: StoredClient, after: StoredClient, fates: bytearray | None, given_up: Ranges
) -> str | None:
    """Compare one client's structs; note what was collected."""
    clock = 0
    compacted = iter(after)
    new = next(compacted, None)
    for at, old in enumerate(before):
        while clock < old.end:
            if new is None:
                return f"{before.client}:{clock} is missing"
            end = min(old.end, new.end)
            if new.ref == GC and old.ref != GC:
                if fates is None or fates[at] != DEAD:
                    return f"{before.client}:{clock} was collected"
                given_up.add(clock, end)
            elif new.ref == DELETED and old.ref != DELETED:
                if fates is None or before.deleted.pieces(clock, end) != [(clock, end, True)]:
                    return f"{before.client}:{clock} has lost its content"
                if not _is_alike(old, new, clock):
                    return f"{before.client}:{clock} is elsewhere"
            elif not _is_same(old, new, clock, end):
                return f"{before.client}:{clock} is another"
            clock = end
            if clock == new.end:
                new = next(compacted, None)
    return None if new is None else f"{before.client}:{clock} is new"


def _is_same(old: StoredItem, new: StoredItem, start: int, end: int) -> bool:
    """Whether two structs say the same of what is between two clocks."""
    if old.clock == new.clock and old.end == new.end and old.whole() == new.whole():
        return True
    if old.ref != new.ref or (old.ref != GC and not _is_alike(old, new, start)):
        return False
    return old.content(start, end) == new.content(start, end)


def _is_alike(old: StoredItem, new: StoredItem, clock: int) -> bool:
    """Whether two items place a clock alike."""
    return (
        old.ref != GC
        and old.origin_at(clock) == new.origin_at(clock)
        and old.right_origin == new.right_origin
        and old.is_keyed == new.is_keyed
        and (clock != old.clock or clock != new.clock or old.place() == new.place())
    )
