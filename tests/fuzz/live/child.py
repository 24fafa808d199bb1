"""``python -m fuzz.live.child SIDE SEED COUNT PLACE [KEEP]``: the cases of a seed, in a process of its own.

KEEP names the cases that are sent, by their numbers. What must not happen is said in the last line of the
standard output, with nothing to be expected; a signal is such a thing as well.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.live.mergeable_side import MergeableSide
from fuzz.live.repo_side import RepoSide
from fuzz.live.run import FindingError, run
from fuzz.live.yjs_side import YjsSide

if TYPE_CHECKING:
    from fuzz.live.run import Side


def main(name: str, seed: str, count: str, place: str, keep: str = "") -> None:
    """Send them, and print what came of it."""
    sides: dict[str, type[Side]] = {"yjs": YjsSide, "automerge": RepoSide, "mergeable": MergeableSide}
    side = sides[name]()
    cases = list(side.draw(seed, int(count)))
    if keep:
        cases = [cases[int(number)] for number in keep.split(",")]
    try:
        counts = asyncio.run(run(side, Path(place), cases))
    except FindingError as finding:
        print(json.dumps({"wrong": str(finding)}))
        return
    print(json.dumps({"counts": counts, "rooms": [asdict(each) for each in side.expected()]}))


if __name__ == "__main__":
    faulthandler.enable()
    logging.disable(logging.INFO)
    main(*sys.argv[1:])
