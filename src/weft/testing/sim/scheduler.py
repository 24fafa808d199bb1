"""Virtual time, a heap of things to happen and nothing between them; and chance that can be had again."""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Scheduler", "seeded_random"]


def seeded_random(seed: int) -> random.Random:
    """A source of chance that gives the same again for the same seed."""
    return random.Random(seed)  # noqa: S311 - a simulation has to be reproducible, not secret


class Scheduler:
    """Calls functions in the order of their moments; those of one moment in the order they were asked for."""

    __slots__ = ("_count", "_heap", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, when: float, call: Callable[..., None], *args: Any) -> None:
        """Have ``call(*args)`` made at a moment, in seconds; a moment that has passed counts as this one."""
        self._count += 1
        heapq.heappush(self._heap, (max(when, self.now), self._count, call, args))

    def after(self, delay: float, call: Callable[..., None], *args: Any) -> None:
        """Have ``call(*args)`` made so many seconds from now."""
        self.at(self.now + delay, call, *args)

    def step(self, until: float) -> bool:
        """Make the next call if its moment is no later than ``until``; else move time there.

        Returns:
            Whether a call was made.
        """
        if self._heap and self._heap[0][0] <= until:
            self.now, _, call, args = heapq.heappop(self._heap)
            call(*args)
            return True
        self.now = max(self.now, until)
        return False
