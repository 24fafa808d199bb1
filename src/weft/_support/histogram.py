"""Figures by size: how many were how large."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Histogram"]


class Histogram:
    """How many values were how large; noting one is a search in a few bounds.

    Args:
        bounds: Upper bounds, ascending; larger values are counted as well.

    Attributes:
        counts: How many values lay within each bound and beyond the one before; the last of them beyond all.
        total: The sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
