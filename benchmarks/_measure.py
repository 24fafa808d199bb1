"""Timing: warm-up rounds that do not count, then rounds of which the minimum and the median are told.

The minimum is what the machine can do when nobody else wants it; ratios are taken between minima.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Times", "measure", "measure_each", "summary"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds."""

    min: float
    median: float
    rounds: int


def summary(times: Sequence[float]) -> Times:
    ordered = sorted(times)
    return Times(ordered[0], ordered[len(ordered) // 2], len(ordered))


def measure(
    prepare: Callable[[], T], run: Callable[[T], object], *, warmup: int = 2, rounds: int = 7
) -> Times:
    """Time ``run``; ``prepare`` makes what one round works on and is not timed."""
    times = []
    for number in range(warmup + rounds):
        subject = prepare()
        gc.collect()
        start = time.perf_counter_ns()
        kept = run(subject)
        elapsed = time.perf_counter_ns() - start
        if number >= warmup:
            times.append(elapsed / 1e6)
        del subject, kept  # what a round built is torn down outside of the time
    return summary(times)


def measure_each(run: Callable[[int], object], *, warmup: int = 20, rounds: int = 200) -> Times:
    """Time one operation at a time on one long-lived subject."""
    times = []
    for number in range(warmup + rounds):
        start = time.perf_counter_ns()
        run(number)
        elapsed = time.perf_counter_ns() - start
        if number >= warmup:
            times.append(elapsed / 1e6)
    return summary(times)
