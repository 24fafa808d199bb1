"""Running seeds: one after the other or in several processes, and a failing one once more with less in it."""

from __future__ import annotations

from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING

from weft.testing.sim.net import SimNet
from weft.testing.sim.result import SimFailure, SimStats
from weft.testing.sim.shrink import shrink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weft.testing.sim.options import SimOptions

__all__ = ["Outcome", "outcomes", "run_seeds", "shrink_failure"]

_CHUNK = 50  # seeds a worker takes at a time

Outcome = tuple[int, SimStats, list[tuple[int, str, str]]]
"""How many seeds ran, what happened, and the failures as seed, rule and text."""


def outcomes(seeds: range, options: SimOptions, jobs: int) -> Iterator[Outcome]:
    """Run seeds in several processes, some at a time; a process that dies is a failure of seed -1."""
    waiting = [seeds[at : at + _CHUNK] for at in range(0, len(seeds), _CHUNK)]
    if jobs == 1:
        for chunk in waiting:
            yield run_seeds(chunk, options)
        return
    while waiting:
        left: list[range] = []
        yield from _in_pool(waiting, options, jobs, left)
        # A fault in native code takes its process along, and the pool with it. What was running then is among
        # the first of what is left, so each of those gets a pool of its own.
        left.sort(key=lambda chunk: chunk.start)
        suspects, waiting = left[: 2 * jobs], left[2 * jobs :]
        for chunk in suspects:
            dead: list[range] = []
            yield from _in_pool([chunk], options, 1, dead)
            if dead:
                text = f"the process that ran seeds {chunk[0]} to {chunk[-1]} died"
                yield 0, SimStats(), [(-1, "crash", text)]


def _in_pool(chunks: Sequence[range], options: SimOptions, jobs: int, left: list[range]) -> Iterator[Outcome]:
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running: dict[Future[Outcome], range] = {
            pool.submit(run_seeds, chunk, options): chunk for chunk in chunks
        }
        for future in as_completed(running):
            try:
                yield future.result()
            except BrokenProcessPool:
                left.append(running[future])


def run_seeds(seeds: Sequence[int], options: SimOptions) -> Outcome:
    """Run seeds one after the other."""
    total = SimStats()
    failures = []
    for seed in seeds:
        net = SimNet(seed, options)
        try:
            net.run()
        except SimFailure as failure:
            failures.append((seed, failure.rule, str(failure)))
        total.add(net.stats)
    return len(seeds), total, failures


def shrink_failure(seed: int, failure: SimFailure, options: SimOptions) -> SimFailure:
    """The same failure with as little of the schedule as still breaks the same promise."""
    smallest = failure

    def fails(indices: Sequence[int]) -> bool:
        nonlocal smallest
        try:
            SimNet(seed, replace(options, keep=indices)).run()
        except SimFailure as other:
            if other.rule == failure.rule:
                smallest = other
                return True
        return False

    shrink([action.index for action in failure.plan.actions], fails)
    return smallest
