"""What is deleted in a Yjs document: of each client, ranges of clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weft._codecs.yjs.ranges import Ranges
from weft._codecs.yjs.state import decode_delete_set

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Deletes", "add_to", "copy_of", "ranges_of", "without"]

Deletes: TypeAlias = dict[int, Ranges]


def ranges_of(deletes: bytes) -> Deletes:
    """Decode a delete set; nothing at all is an empty one."""
    found: Deletes = {}
    for client, ranges in decode_delete_set(deletes or b"\0").items():
        for start, length in ranges:
            found.setdefault(client, Ranges()).add(start, start + length)
    return found


def add_to(deletes: Deletes, others: Mapping[int, Ranges]) -> None:
    """Add others to deletes."""
    for client, ranges in others.items():
        deletes.setdefault(client, Ranges()).update(ranges)


def copy_of(deletes: Deletes) -> Deletes:
    """A copy to be added to."""
    found: Deletes = {}
    add_to(found, deletes)
    return found


def without(deletes: Mapping[int, Ranges], known: Mapping[int, Ranges]) -> Deletes:
    """What of deletes is not known."""
    found: Deletes = {}
    for client, ranges in deletes.items():
        has = known.get(client)
        if has is not None and has.covers(ranges):
            continue
        left = found[client] = Ranges()
        for start, end in ranges:
            for low, high, is_known in has.pieces(start, end) if has is not None else [(start, end, False)]:
                if not is_known:
                    left.add(low, high)
    return found
