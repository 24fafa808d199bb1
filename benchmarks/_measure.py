"""Timing: warm-up rounds that do not count, then rounds of which the minimum and the median are told.

The minimum is what the machine can do when nobody else wants it; ratios are taken between minima. On a
machine so busy that a measurement takes :attr:`Effort.longest`, it makes do with the rounds that it has.
"""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

__all__ = [
    "EFFORT",
    "Effort",
    "Times",
    "measure",
    "measure_async",
    "measure_each",
    "measure_each_async",
    "report",
    "summary",
]

T = TypeVar("T")


@dataclass(slots=True)
class Effort:
    """How often things are done. ``--quick`` does each once: that shows that it runs, no more."""

    warmup: int = 2
    rounds: int = 7
    warmup_each: int = 20
    rounds_each: int = 200
    hops: int = 500
    turns: int = 4
    shrink: int = 1  # divides sizes, where a peer would take minutes even once
    longest: float = 15.0  # seconds after which a measurement of ours makes no further round
    quick: bool = False
    only: str = ""  # part of a case's name, where an area has cases that can be chosen

    def be_quick(self) -> None:
        self.quick = True
        self.warmup, self.rounds, self.warmup_each, self.rounds_each = 0, 1, 0, 3
        self.hops, self.turns, self.shrink = 10, 1, 20


EFFORT = Effort()


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds."""

    min: float
    median: float
    rounds: int


def report(step: str) -> None:
    """Say on stderr what is being done now; the table comes at the end."""
    print(f"{time.strftime('%H:%M:%S')}   {step}", file=sys.stderr, flush=True)


def summary(times: Sequence[float]) -> Times:
    ordered = sorted(times)
    return Times(ordered[0], ordered[len(ordered) // 2], len(ordered))


def _rounds() -> Iterator[bool]:
    """The rounds of a measurement: whether each counts. There are fewer where they take too long."""
    end = time.monotonic() + EFFORT.longest
    for number in range(EFFORT.warmup + EFFORT.rounds):
        counts = number >= EFFORT.warmup
        yield counts
        if counts and time.monotonic() > end:
            return


def measure(prepare: Callable[[], T], run: Callable[[T], object]) -> Times:
    """Time ``run``; ``prepare`` makes what one round works on and is not timed."""
    times = []
    for counts in _rounds():
        subject = prepare()
        gc.collect()
        start = time.perf_counter_ns()
        kept = run(subject)
        elapsed = time.perf_counter_ns() - start
        if counts:
            times.append(elapsed / 1e6)
        del subject, kept  # what a round built is torn down outside of the time
    return summary(times)


def measure_each(run: Callable[[int], object], undo: Callable[[int], object] | None = None) -> Times:
    """Time one operation at a time on one long-lived subject; ``undo`` is not timed."""
    times = []
    for number in range(EFFORT.warmup_each + EFFORT.rounds_each):
        start = time.perf_counter_ns()
        run(number)
        elapsed = time.perf_counter_ns() - start
        if number >= EFFORT.warmup_each:
            times.append(elapsed / 1e6)
        if undo is not None:
            undo(number)
    return summary(times)


async def measure_async(
    prepare: Callable[[], T], run: Callable[[T], Awaitable[object]], clean: Callable[[T], Awaitable[object]]
) -> Times:
    """:func:`measure`, awaiting; ``clean`` takes down what a round worked on and is not timed either."""
    times = []
    for counts in _rounds():
        subject = prepare()
        gc.collect()
        start = time.perf_counter_ns()
        await run(subject)
        elapsed = time.perf_counter_ns() - start
        if counts:
            times.append(elapsed / 1e6)
        await clean(subject)
    return summary(times)


async def measure_each_async(run: Callable[[int], Awaitable[object]]) -> Times:
    """:func:`measure_each`, awaiting."""
    times = []
    for number in range(EFFORT.warmup_each + EFFORT.rounds_each):
        start = time.perf_counter_ns()
        await run(number)
        elapsed = time.perf_counter_ns() - start
        if number >= EFFORT.warmup_each:
            times.append(elapsed / 1e6)
    return summary(times)
