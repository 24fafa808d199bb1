"""weft on PostgreSQL, which syncs what it commits: one process, and two with Redis between them.

The load generator spreads its clients over the processes in turn, so of two clients one writes in the one
process and the other reads in the other.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks._measure import EFFORT, report
from benchmarks._node import INTEROP
from benchmarks._server_cases import Case
from benchmarks._server_peers import Contender
from benchmarks._table import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    Figures = dict[str, float]

__all__ = ["PROCESS_CASES", "process_lines"]

_ACKNOWLEDGED = Case(
    "20,000 small writes to PostgreSQL",
    "growth",
    {"writes": 20_000},
    {"writes": 200},
    figures=(),
    quick=False,
)
_HOP = Case(
    "from one process to another",
    "fanout",
    {"clients": 2, "writers": 1, "rate": 100, "seconds": 4.0, "warm": 0.5, "drain": 1.0},
    {},
    figures=(),
    quick=False,
)
PROCESS_CASES = (_ACKNOWLEDGED, _HOP)
_WEFT = [sys.executable, "-m", "weft"]
_ADDED_MS = 3.0
_PER_SECOND = 5000


def process_lines(run: Callable[[Case, Contender], Figures | None]) -> list[Line]:
    """Measure them, where PostgreSQL and Redis are installed."""
    cases = [case for case in PROCESS_CASES if EFFORT.only in case.name and not EFFORT.quick]
    if not cases:
        return []
    sys.path.append(str(INTEROP.parent / "tests"))
    from support.brokers import RedisServer, broker_missing
    from support.postgres import PostgresServer, postgres_missing

    if (reason := postgres_missing() or broker_missing(RedisServer.program)) is not None:
        report(f"without several processes: {reason}")
        return []
    found = []

    def measured(case: Case, processes: int) -> Figures | None:
        """Figures of a case, with a database of its own."""
        with PostgresServer(fsync=True) as postgres, RedisServer() as broker:
            subprocess.run([*_WEFT, "db", "init", postgres.dsn], check=True, capture_output=True)
            serve = [*_WEFT, "serve", "--port", "0", "--db", postgres.dsn, "--broker", broker.url]
            name = "one process" if processes == 1 else f"{processes} processes"
            return run(case, Contender(name, lambda _: [serve] * processes, "PostgreSQL", "on disk"))

    if _ACKNOWLEDGED in cases and (figures := measured(_ACKNOWLEDGED, 1)) is not None:
        text = f"{_ACKNOWLEDGED.name}: acknowledged, 100 under way"
        found.append(Line(text, figures["perSecond"], above=_PER_SECOND, unit="/s"))
    if _HOP in cases:
        alone, both = measured(_HOP, 1), measured(_HOP, 2)
        if alone is not None and both is not None:
            text = f"{_HOP.name}: latency added, median"
            found.append(Line(text, both["p50"] - alone["p50"], below=_ADDED_MS))
            for key, percentile in (("p50", "median"), ("p99", "99th percentile")):
                text = f"{_HOP.name}: latency, {percentile}"
                found.append(Line(text, both[key], "in one process", alone[key]))
    return found
