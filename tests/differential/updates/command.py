"""``PYTHONPATH=tests python -m differential.updates``: any number of histories, on any number of cores."""

from __future__ import annotations

import argparse
import multiprocessing
import time
from typing import TYPE_CHECKING

from differential.updates.attack import attack
from differential.updates.oracle import findings, report, shrunk
from differential.updates.subject import weft_subject
from support.node import SyncJsPeer, node_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHRUNK = 3  # failures of one process that are made small; the others are told by their seeds


def _judged(seeds: range, keep: list[int] | None) -> list[str]:
    told: list[str] = []
    subject = weft_subject()
    histories = ({"seed": seed} | ({} if keep is None else {"keep": keep}) for seed in seeds)
    with SyncJsPeer() as js, SyncJsPeer() as shrinking:
        for finding in findings(js, subject, histories):
            small = finding if len(told) >= _SHRUNK else shrunk(shrinking, subject, finding)
            told.append(report(small))
            print(told[-1], flush=True)
    return told


def _attacked(seed: str) -> list[str]:
    with SyncJsPeer() as js:
        told = [f"attack {seed}: {sentence}" for sentence in attack(js, seed, histories=20, updates=50).wrong]
    for sentence in told[:_SHRUNK]:
        print(sentence, flush=True)
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Run histories; the exit status says whether something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m differential.updates", description=__doc__)
    parser.add_argument("--histories", type=int, default=1, help="how many (default: %(default)s)")
    parser.add_argument("--attacks", type=int, default=0, help="how many thousand hostile updates")
    parser.add_argument("--seed", type=int, default=0, help="the first (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with a Node of its own")
    parser.add_argument("--keep", type=lambda text: [int(part) for part in text.split(",") if part])
    options = parser.parse_args(arguments)
    if missing := node_missing():
        parser.error(missing)
    start = time.monotonic()
    step = max(1, min(500, -(-options.histories // options.jobs)))
    end = options.seed + options.histories
    parts = [(range(first, min(first + step, end)), options.keep) for first in range(options.seed, end, step)]
    attacks = [f"{options.seed}/{number}" for number in range(options.attacks)]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        told = pool.starmap(_judged, parts, chunksize=1) + pool.map(_attacked, attacks, chunksize=1)
    wrong = sum(map(len, told))
    spent = time.monotonic() - start
    hostile = 1000 * options.attacks
    print(f"{options.histories} histories and {hostile} hostile updates, {wrong} wrong, {spent:.0f} s")
    return 1 if wrong else 0
