"""Disjoint ranges of clocks: what is deleted of each client.

Format: yjs ``DeleteSet.js``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from heapq import merge
from operator import add, le
from typing import TYPE_CHECKING, Self

from weft._codecs.yjs.lib0 import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Ranges", "encode_deletes", "is_covered", "is_ordered"]

_FEW = 64  # ranges that are put in one by one; more are merged in one pass


def is_ordered(clocks: array[int]) -> bool:
    """Whether none is below the one before it."""
    return all(map(le, clocks, clocks[1:]))


class Ranges:
    """Disjoint ranges that do not touch, in order.

    They are kept as their edges, first and end in turn: a place with an odd number of edges before it is
    within a range.
    """

    __slots__ = ("_edges",)

    def __init__(self) -> None:
        self._edges = array("I")

    @classmethod
    def of(cls, clocks: array[int], lengths: array[int]) -> Self:
        """Ranges given by first clocks and lengths, in any order."""
        ends = map(add, clocks, lengths)
        pairs: Iterable[tuple[int, int]] = zip(clocks, ends, strict=True)
        ranges = cls()
        ranges._edges = _join(pairs if is_ordered(clocks) else sorted(pairs))
        return ranges

    @property
    def end(self) -> int:
        """The end of the last one, 0 where there is none."""
        return self._edges[-1] if self._edges else 0

    def __len__(self) -> int:
        return len(self._edges) // 2

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """First clock and end of each."""
        edges = iter(self._edges)
        return zip(edges, edges, strict=True)

    def __contains__(self, clock: int) -> bool:
        return bool(bisect_right(self._edges, clock) & 1)

    def covers(self, other: Ranges) -> bool:
        """Whether all of other ranges is within these."""
        edges = self._edges
        for start, end in other:
            at = bisect_right(edges, start)
            if not at & 1 or edges[at] < end:
                return False
        return True

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
        edges[low:high] = array("I", between)
        return True

    def update(self, other: Ranges) -> bool:
        """Add ranges; whether any of them is new."""
        if len(other) <= _FEW:
            # Each of them, so no generator, which would stop at the first that is new.
            return True in [self.add(start, end) for start, end in other]
        joined = _join(merge(self, other))
        if joined == self._edges:
            return False
        self._edges = joined
        return True


def _join(pairs: Iterable[tuple[int, int]]) -> array[int]:
    """Edges of ranges that come in order as first and end."""
    edges = array("I")
    last = -1
    for start, end in pairs:
        if start > last:
            edges.append(start)
            edges.append(end)
        elif end > last:
            edges[-1] = end
        else:
            continue
        last = end
    return edges


def is_covered(deletes: Mapping[int, Ranges], known: Mapping[int, Ranges]) -> bool:
    """Whether all that is deleted of each client is known to be."""
    return all(client in known and known[client].covers(ranges) for client, ranges in deletes.items())


def encode_deletes(deletes: Mapping[int, Ranges]) -> bytes:
    """Write a Yjs v1 delete set, clients in descending order as Yjs has them."""
    out = Writer().uint(len(deletes))
    for client in sorted(deletes, reverse=True):
        ranges = deletes[client]
        out.uint(client).uint(len(ranges))
        for start, end in ranges:
            out.uint(start).uint(end - start)
    return out.finish()
