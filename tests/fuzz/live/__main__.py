"""``PYTHONPATH=tests python -m fuzz.live``: any number of cases against live servers, on some cores."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fuzz.live.judge import judged, shrunk
from support.node import SyncJsPeer, node_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDES = ["yjs", "automerge", "mergeable"]
_SIZE = 5_000  # cases of one process


def _judged(side: str, seed: str, count: int, keep: list[int] | None) -> dict[str, int]:
    with SyncJsPeer() as js:
        result = judged(side, seed, count, js=js, keep=keep)
        if result.wrong is not None:
            print(f"{side} {seed}: {result.wrong}", flush=True)
            if keep is None:
                numbers = ",".join(map(str, shrunk(side, seed, count, js=js)))
                print(
                    f"again: PYTHONPATH=tests python -m fuzz.live {side} --again {seed} --cases {count} "
                    f"--keep {numbers}",
                    flush=True,
                )
        return {**result.counts, "wrong": int(result.wrong is not None)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run cases; the exit status says whether something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.live", description=__doc__)
    parser.add_argument("side", nargs="?", choices=SIDES, help="default: all")
    parser.add_argument("--cases", type=int, default=20_000, help="how many of each (default: %(default)s)")
    parser.add_argument("--seed", default="1", help="of all (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--again", metavar="SEED", help="the seed of one process, to see it again")
    parser.add_argument("--keep", type=lambda text: [int(part) for part in text.split(",")])
    options = parser.parse_args(arguments)
    if missing := node_missing():
        parser.error(missing)
    start = time.monotonic()
    sides = [options.side] if options.side else SIDES
    if options.again:
        parts = [(side, options.again, options.cases, options.keep) for side in sides]
    else:
        firsts = range(0, options.cases, _SIZE)
        parts = [
            (side, f"{options.seed}/{first}", min(_SIZE, options.cases - first), None)
            for first in firsts
            for side in sides
        ]
    with ThreadPoolExecutor(options.jobs) as pool:  # each has processes of its own
        told = list(pool.map(lambda part: _judged(*part), parts))
    totals = {
        name: sum(each.get(name, 0) for each in told) for name in ("answered", "let go", "cut", "wrong")
    }
    print(", ".join(f"{count} {name}" for name, count in totals.items()), f"{time.monotonic() - start:.0f} s")
    return 1 if totals["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
