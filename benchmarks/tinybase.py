"""``weft serve`` beside TinyBase's own WsServer, for TinyBase's clients: joins, latency, fan-out, memory.

Both keep what they have: weft in SQLite, TinyBase in a file for each room. Each case starts both afresh, and
one Node process plays all clients (interop/bench_tinybase.mjs). Joins and latency are those of TinyBase's own
clients; one line of a join has weft's own client at weft's server beside TinyBase's at TinyBase's. The many
of a fan-out are sockets without a Store. The servers take turns, and each one's best run counts with all its
figures. What the generator itself used is told on stderr.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks._measure import EFFORT, report
from benchmarks._node import INTEROP, install
from benchmarks._server_peers import WEFT, Contender, present, raise_open_files
from benchmarks._table import Line
from weft.mergeable import MergeableStore
from weft.providers import TinyBaseProvider

if TYPE_CHECKING:
    from benchmarks._server_peers import Running

__all__ = ["lines"]

_ENOUGH_S = 250  # seconds after which no further case is begun: an area has five minutes
_CASE_S = 60  # of one case with one server
_SERVER = str(INTEROP / "tinybase_server.mjs")
TINYBASE = Contender(
    "TinyBase's WsServer", lambda folder: [["node", _SERVER, "0", "store", str(folder)]], "files", "in memory"
)

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to do with both servers.

    Attributes:
        name: For ``--only`` and for the lines.
        kind: Of interop/bench_tinybase.mjs.
        sizes: By the names that it has for them.
        quick: The same for ``--quick``.
        best: The figure by which a run is the best one.
        figures: What to show: key, text, unit, and the largest ratio to TinyBase's that meets the target.
        rounds: How often it is done.
    """

    name: str
    kind: str
    sizes: dict[str, Any]
    quick: dict[str, Any]
    best: str
    figures: tuple[tuple[str, str, str, float | None], ...]
    rounds: int = 2


def _fanout(clients: int, writers: int) -> Case:
    rate = 50
    return Case(
        f"{clients} clients, {writers} x {rate}/s",
        "fanout",
        {"clients": clients, "writers": writers, "rate": rate, "seconds": 3.0, "warm": 1.0, "drain": 2.0},
        {"clients": 5, "writers": 2, "rate": 50, "seconds": 0.2, "warm": 0.1, "drain": 5.0},
        "p99",
        (
            ("delivered", f"delivered of {(clients - 1) * writers * rate:,}", "/s", None),
            ("p99", "latency, 99th percentile", "ms", 1.0),
            ("cpu", "processor", "%", 1.0),
        ),
    )


CASES = (
    Case(
        "first sync of 100,000 cells",
        "join",
        {"cells": 100_000, "rounds": 3},
        {"cells": 1000, "rounds": 1},
        "ms",
        (
            ("ms", "a client of TinyBase", "ms", 1.0),
            ("answer", "the server's answer", "ms", 1.0),
            ("client", "each one's client at its own server", "ms", 1.0),
            ("memory", "memory of the room", "MB", 1.0),
        ),
    ),
    Case(
        "one cell from client to client",
        "hop",
        {"hops": 500},
        {"hops": 10},
        "p50",
        (("p50", "median", "ms", 1.0), ("p99", "99th percentile", "ms", 1.0)),
        rounds=3,
    ),
    _fanout(200, 10),
    _fanout(200, 1),
    _fanout(50, 10),
    _fanout(50, 1),
)


def lines() -> list[Line]:
    """Measure all cases."""
    install()
    raise_open_files()
    end = time.monotonic() + _ENOUGH_S
    found = []
    for case in CASES:
        if EFFORT.only not in case.name or (EFFORT.quick and case not in CASES[:3]):
            continue
        if time.monotonic() > end:
            report(f"left out, {_ENOUGH_S} s are over: {case.name}")
            continue
        found += _measure(case)
    return found


def _measure(case: Case) -> list[Line]:
    runs: dict[str, list[Figures]] = {WEFT.name: [], TINYBASE.name: []}
    for _ in range(1 if EFFORT.quick else case.rounds):
        for contender in (WEFT, TINYBASE):
            with present(contender) as running:
                figures = _run(case, running)
            if figures is not None:
                runs[contender.name].append(figures)
    if not all(runs.values()):
        report(f"{case.name}: without lines, as one of the servers could not do it")
        return []
    ours, theirs = (min(each, key=lambda run: run[case.best]) for each in runs.values())
    return [
        Line(
            f"{case.name}: {text}",
            ours[key],
            f"{TINYBASE.name}, {TINYBASE.stores}",
            theirs[key],
            at_most,
            unit=unit,
        )
        for key, text, unit, at_most in case.figures
    ]


def _run(case: Case, running: Running) -> Figures | None:
    options = {"case": case.kind, "url": running.urls[0], "pids": running.options()["pids"]}
    options |= case.quick if EFFORT.quick else case.sizes
    try:
        done = subprocess.run(
            ["node", "bench_tinybase.mjs", json.dumps(options)],
            cwd=INTEROP,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=_CASE_S,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        report(f"{case.name}, {running.contender.name}: not done: {error.__class__.__name__}")
        return None
    figures: Figures = json.loads(done.stdout)
    if case.kind == "join":
        is_ours = running.contender is WEFT
        figures["client"] = asyncio.run(_joined(running.urls[0], options)) if is_ours else figures["ms"]
    told = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
    report(f"{case.name}, {running.contender.name}: {told}")
    return figures


async def _joined(url: str, options: dict[str, Any]) -> float:
    """Milliseconds until a fresh client of ours has the room."""
    times = []
    for _ in range(options["rounds"]):
        start = time.perf_counter_ns()
        store = MergeableStore()
        async with TinyBaseProvider(store, f"{url}/large") as provider:
            await provider.wait_synced(30)
            times.append((time.perf_counter_ns() - start) / 1e6)
            assert store.get_row_count("t") == options["cells"] / 10
    return min(times)
