"""Disjoint ranges of clocks: what is deleted of each client.

Format: yjs ``DeleteSet.js``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from weft._codecs.yjs.lib0 import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from weft._codecs.yjs.state import DeleteSet

__all__ = ["Ranges", "encode_deletes"]

_FEW = 64  # ranges that are put in one by one; more are merged in one pass


class Ranges:
    """Disjoint ranges that do not touch, in order.

    They are kept as their edges, first and end in turn: a place with an odd number of edges before it is
    within a range.
    """

    __slots__ = ("_edges",)

    def __init__(self) -> None:
        self._edges = array("Q")

    def __bool__(self) -> bool:
        return bool(self._edges)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """First clock and end of each."""
        edges = iter(self._edges)
        return zip(edges, edges, strict=True)

    def __contains__(self, clock: int) -> bool:
        return bool(bisect_right(self._edges, clock) & 1)

    def pieces(self, start: int, end: int) -> list[tuple[int, int, bool]]:
        """Cut a range where what is in here begins or ends: first clock, end, and whether it is in here."""
        edges = self._edges
        at = bisect_right(edges, start)
        if at == len(edges) or edges[at] >= end:
            return [(start, end, bool(at & 1))]
        found = []
        while start < end:
            stop = min(edges[at], end) if at < len(edges) else end
            found.append((start, stop, bool(at & 1)))
            start = stop
            at += 1
        return found

    def add(self, start: int, end: int) -> bool:
        """Add a range; whether any of it is new."""
        edges = self._edges
        low, high = bisect_left(edges, start), bisect_right(edges, end)
        if low == high and low & 1:
            return False
        between = ([] if low & 1 else [start]) + ([] if high & 1 else [end])
        if edges[low:high].tolist() == between:
            return False
        edges[low:high] = array("Q", between)
        return True

    def update(self, ranges: Iterable[tuple[int, int]]) -> bool:
        """Add ranges given as first clock and length; whether any of them is new."""
        ranges = list(ranges)
        if len(ranges) <= _FEW:
            # Each of them, so no generator, which would stop at the first that is new.
            return True in [self.add(clock, clock + length) for clock, length in ranges]
        joined = array("Q")
        for start, end in sorted([*self, *((clock, clock + length) for clock, length in ranges)]):
            if joined and start <= joined[-1]:
                joined[-1] = max(joined[-1], end)
            else:
                joined.extend((start, end))
        if joined == self._edges:
            return False
        self._edges = joined
        return True


def encode_deletes(deletes: Mapping[int, Ranges] | DeleteSet) -> bytes:
    """Write a Yjs v1 delete set, clients in descending order as Yjs has them."""
    out = Writer().uint(len(deletes))
    for client in sorted(deletes, reverse=True):
        ranges = deletes[client]
        pairs = [(start, end - start) for start, end in ranges] if isinstance(ranges, Ranges) else ranges
        out.uint(client).uint(len(pairs))
        for clock, length in pairs:
            out.uint(clock).uint(length)
    return out.finish()
