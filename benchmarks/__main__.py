"""``python -m benchmarks [--quick] [--only CASE] [area ...]``: measure, and print one table.

Areas: store, mergeable, mirror, automerge, texts, shapes, hop, persisters, replica, server, tinybase, abuse;
all without an argument.
Times are minima over several rounds after warm-up on both sides, where the line does not say median. The
peer runs before and after us, and its better run counts (server: see there). Each step is told on stderr;
an area that takes five minutes is given up. The exit code is 0 however the targets fare: a figure of a busy
machine is no verdict on the code. It is 1 where an area was given up.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import signal
import subprocess

from benchmarks._measure import EFFORT, report
from benchmarks._table import print_table, verdict

AREAS = (
    *(
        "store",
        "mergeable",
        "mirror",
        "automerge",
        "texts",
        "shapes",
        "hop",
        "persisters",
        "replica",
        "server",
    ),
    *("tinybase", "abuse"),
)
AREA_S = 300  # seconds after which an area is given up


class _GivenUp(BaseException):
    """An area takes too long; no Exception, which an event loop would log and go on."""


def _give_up(*_: object) -> None:
    raise _GivenUp


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="area", help=f"of {', '.join(AREAS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="do everything once: shows that it runs")
    parser.add_argument(
        "--only",
        default="",
        metavar="CASE",
        help="of the server's cases, or the attacks, those whose name has it",
    )
    options = parser.parse_args()
    chosen = options.areas or list(AREAS)
    if options.quick:
        EFFORT.be_quick()
    EFFORT.only = options.only
    unknown = sorted(set(chosen) - set(AREAS))
    if unknown:
        parser.error(f"no area named {', '.join(unknown)}")
    node_version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    print(
        f"Python {platform.python_version()}, Node {node_version.strip()}, {platform.machine()}\n", flush=True
    )
    signal.signal(signal.SIGALRM, _give_up)
    found = []
    code = 0
    for area in chosen:
        report(f"measuring {area}")
        signal.alarm(AREA_S)
        try:
            found += importlib.import_module(f"benchmarks.{area}").lines()
        except _GivenUp:
            report(f"{area} is given up: that step was not done after {AREA_S} s")
            code = 1
        finally:
            signal.alarm(0)
    print_table(found)
    print(f"\n{'A quick run measures nothing.' if options.quick else verdict(found)}")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
