"""The command line of the simulation: one seed, or any number of them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from weft.testing.sim.net import SimNet
from weft.testing.sim.options import SimOptions, add_options
from weft.testing.sim.result import SimFailure, SimStats
from weft.testing.sim.runner import outcomes, shrink_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, options: SimOptions | None = None) -> int:
    """Run the command.

    Args:
        arguments: Those of the command line.
        options: Those of the simulation; what the command line says counts more.

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
    add_options(parser)
    given = parser.parse_args(arguments)
    options = (options or SimOptions()).updated(given)
    if given.seed is not None:
        return _run_one(given.seed, options, trace=given.trace, smaller=not given.no_shrink)
    return _run_many(range(given.start, given.start + given.seeds), options, given)


def _run_one(seed: int, options: SimOptions, *, trace: bool, smaller: bool) -> int:
    net = SimNet(seed, options)
    try:
        result = net.run()
    except SimFailure as failure:
        _print_trace(net, trace)
        _print(shrink_failure(seed, failure, options) if smaller and options.keep is None else failure)
        return 1
    _print_trace(net, trace)
    _print(result)
    return 0


def _print_trace(net: SimNet, trace: bool) -> None:
    if trace:
        for action in net.plan.actions:
            _print(f"plan {action.time:9.3f} {action.index} {action.kind}")
        for when, kind, detail in net.trace:
            _print(f"{when:9.3f} {kind} {detail}")


def _run_many(seeds: range, options: SimOptions, arguments: argparse.Namespace) -> int:
    total = SimStats()
    begin = time.monotonic()
    done = failed = 0
    rules: Counter[str] = Counter()
    jobs = arguments.jobs or os.cpu_count() or 1
    for count, stats, failures in outcomes(seeds, options, jobs):
        done += count
        total.add(stats)
        for seed, rule, text in failures:
            failed += 1
            rules[rule] += 1
            _print(text)
            if not arguments.no_shrink and failed <= 3 and seed >= 0:
                _print(_shrunk_again(seed, options))
    seconds = time.monotonic() - begin
    _print(f"{done} seeds, {failed} failed, {done / seconds:.1f} seeds/s with {jobs} processes")
    _print(total)
    for rule, times in rules.most_common():
        _print(f"{times} times {rule}")
    return 1 if failed else 0


def _shrunk_again(seed: int, options: SimOptions) -> str:
    try:
        SimNet(seed, options).run()
    except SimFailure as failure:
        return str(shrink_failure(seed, failure, options))
    return f"seed {seed} does not fail again: the simulation is not deterministic"


def _print(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
