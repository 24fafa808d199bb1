"""The command line of the simulation: one seed, or any number of them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from weft.testing.sim.net import SimNet
from weft.testing.sim.result import SimFailure, SimStats
from weft.testing.sim.shrink import shrink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main", "run_seeds", "shrunk"]

_CHUNK = 50  # seeds a worker takes at a time


def main(arguments: Sequence[str] | None = None, **options: Any) -> int:
    """Run the command.

    Args:
        arguments: Those of the command line.
        options: Of :class:`SimNet`; what the command line says counts more.

    Returns:
        0 if every promise was kept, 1 if not.
    """
    parser = argparse.ArgumentParser(
        prog="python -m weft.testing.sim", description="Simulate networks of weft peers and servers."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", type=int, help="run this seed, and say what happened")
    what.add_argument("--seeds", type=int, help="run so many seeds")
    parser.add_argument("--start", type=int, default=0, metavar="SEED", help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes to use; 0 is one a processor")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    parser.add_argument("--no-shrink", action="store_true", help="do not make failing schedules small")
    _add_world(parser)
    given = parser.parse_args(arguments)
    options |= _world(given)
    if given.seed is not None:
        return _run_one(given.seed, options, trace=given.trace, smaller=not given.no_shrink)
    return _run_many(range(given.start, given.start + given.seeds), options, given)


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """The options of :class:`SimNet` that a command line names, as in the command a failure shows."""
    parser = argparse.ArgumentParser()
    _add_world(parser)
    return _world(parser.parse_args(words))


def _add_world(parser: argparse.ArgumentParser) -> None:
    world = parser.add_argument_group("the world, where the seed is not to decide")
    world.add_argument("--topology", choices=("star", "mesh", "bridge"))
    world.add_argument("--peers", type=int)
    world.add_argument("--edits", type=int)
    world.add_argument("--layout", choices=("tinybase", "flat"))
    links = world.add_mutually_exclusive_group()
    links.add_argument("--ordered", action="store_const", const=True, help="links as websockets are")
    links.add_argument("--unordered", dest="ordered", action="store_const", const=False, help="as datagrams")
    world.add_argument("--keep", type=_indices, help="only these actions of the schedule: 3,17,18")


def _indices(text: str) -> list[int]:
    return [int(index) for index in text.split(",")]


def _world(given: argparse.Namespace) -> dict[str, Any]:
    names = ("topology", "peers", "edits", "layout", "ordered", "keep")
    return {name: value for name in names if (value := getattr(given, name)) is not None}


def _run_one(seed: int, options: dict[str, Any], *, trace: bool, smaller: bool) -> int:
    net = SimNet(seed, **options)
    try:
        result = net.run()
    except SimFailure as failure:
        _print_trace(net, trace)
        _say(shrunk(seed, failure, options) if smaller and "keep" not in options else failure)
        return 1
    _print_trace(net, trace)
    _say(result)
    return 0


def _print_trace(net: SimNet, trace: bool) -> None:
    if trace:
        for action in net.plan.actions:
            _say(f"plan {action.time:9.3f} {action.index} {action.kind}")
        for when, kind, detail in net.trace:
            _say(f"{when:9.3f} {kind} {detail}")


def _run_many(seeds: range, options: dict[str, Any], arguments: argparse.Namespace) -> int:
    total = SimStats()
    begin = time.monotonic()
    done = failed = 0
    rules: Counter[str] = Counter()
    jobs = arguments.jobs or os.cpu_count() or 1
    for count, stats, failures in _outcomes(seeds, options, jobs):
        done += count
        total.add(stats)
        for seed, rule, text in failures:
            failed += 1
            rules[rule] += 1
            _say(text)
            if not arguments.no_shrink and failed <= 3 and seed >= 0:
                _say(_shrunk_again(seed, options))
    seconds = time.monotonic() - begin
    _say(f"{done} seeds, {failed} failed, {done / seconds:.1f} seeds/s with {jobs} processes")
    _say(total)
    for rule, times in rules.most_common():
        _say(f"{times} times {rule}")
    return 1 if failed else 0


def _shrunk_again(seed: int, options: dict[str, Any]) -> str:
    try:
        SimNet(seed, **options).run()
    except SimFailure as failure:
        return str(shrunk(seed, failure, options))
    return f"seed {seed} does not fail again: the simulation is not deterministic"


Outcome = tuple[int, SimStats, list[tuple[int, str, str]]]


def _outcomes(seeds: range, options: dict[str, Any], jobs: int) -> Iterator[Outcome]:
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


def _in_pool(
    chunks: Sequence[range], options: dict[str, Any], jobs: int, left: list[range]
) -> Iterator[Outcome]:
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running: dict[Future[Outcome], range] = {
            pool.submit(run_seeds, chunk, options): chunk for chunk in chunks
        }
        for future in as_completed(running):
            try:
                yield future.result()
            except BrokenProcessPool:
                left.append(running[future])


def run_seeds(seeds: Sequence[int], options: dict[str, Any]) -> Outcome:
    """Run seeds one after the other.

    Returns:
        How many ran, what happened, and the failures as seed, rule and text.
    """
    total = SimStats()
    failures = []
    for seed in seeds:
        net = SimNet(seed, **options)
        try:
            net.run()
        except SimFailure as failure:
            failures.append((seed, failure.rule, str(failure)))
        total.add(net.stats)
    return len(seeds), total, failures


def shrunk(seed: int, failure: SimFailure, options: dict[str, Any]) -> SimFailure:
    """The same failure with as little of the schedule as still breaks the same promise."""
    smallest = failure

    def fails(indices: Sequence[int]) -> bool:
        nonlocal smallest
        try:
            SimNet(seed, **{**options, "keep": indices}).run()
        except SimFailure as other:
            if other.rule == failure.rule:
                smallest = other
                return True
        return False

    shrink([action.index for action in failure.plan.actions], fails)
    return smallest


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
