"""Servers of Yjs rooms beside each other: fan-out, joins, idle rooms, acknowledgements and storage.

Each case starts each server afresh and lets one Node process play all clients (interop/bench_server.mjs): raw
frames made before the clock runs, no Y.Doc, delivery counted by the writers' clocks, so that a server may
merge updates as it likes. Latency is from the write to the receipt of that clock; processor time and memory
are the kernel's, of the server's processes. What the generator itself used is told on stderr, and stands on a
line when it was at its limit: its figures are then a lower bound for what that server can do.

Where a case is done several times, servers take turns, and each server's best run counts, with all its
figures: a server that gets no processor merges more and so uses less, with a latency to match.
``--only TEXT`` does that with the cases whose name contains the text, three times each.
"""

from __future__ import annotations

import json
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks._measure import EFFORT, report
from benchmarks._node import INTEROP, install
from benchmarks._server_cases import CASES, Case
from benchmarks._server_peers import PEERS, WEFT, present, raise_open_files
from benchmarks._server_processes import PROCESS_CASES, process_lines

if TYPE_CHECKING:
    from benchmarks._server_peers import Contender
    from benchmarks._table import Line

__all__ = ["lines"]

_ENOUGH_S = 270  # seconds after which no further case is begun: an area has five minutes
_CASE_S = 40  # of one case with one server
_SATURATED = 0.9  # of one core, by the generator

Figures = dict[str, float]


def lines() -> list[Line]:
    """Measure all cases, the most telling first."""
    install()
    files = raise_open_files()
    contenders = [WEFT, *(peer for peer in PEERS if _is_here(peer))]
    end = time.monotonic() + _ENOUGH_S
    names = [case.name for case in (*PROCESS_CASES, *CASES)]
    if not any(EFFORT.only in name for name in names):
        report(f"no case has {EFFORT.only!r} in its name: " + "; ".join(names))
    found = process_lines(partial(_run, files=files))
    for case in CASES:
        if EFFORT.only not in case.name or (EFFORT.quick and not case.quick):
            continue
        if time.monotonic() > end:
            report(f"left out, {_ENOUGH_S} s are over: {case.name}")
            continue
        if case.sizes(files) != case.asked:
            report(f"{case.name}: with {files} open files only {case.sizes(files)}")
        found += _measure(case, contenders, files)
    return found


def _is_here(peer: Contender) -> bool:
    missing = peer.missing()
    if missing:
        report(f"without {peer.name}: {missing}")
    return missing is None


def _measure(case: Case, contenders: list[Contender], files: int) -> list[Line]:
    runs: dict[str, list[Figures]] = {contender.name: [] for contender in contenders}
    for _ in range(1 if EFFORT.quick else 3 if EFFORT.only else case.rounds):
        for contender in contenders:
            figures = _run(case, contender, files)
            if figures is not None:
                runs[contender.name].append(figures)
    best = {name: min(each, key=case.order) for name, each in runs.items() if each}
    ours = best.pop(WEFT.name, None)
    if ours is None:
        return []
    found: list[Line] = []
    for peer in PEERS:
        if peer.name in best:
            theirs = best[peer.name]
            full = [who for who, side in (("weft", ours), ("its", theirs)) if side["generator"] > _SATURATED]
            note = f" (generator at its limit in {' and '.join(full)} run)" if full else ""
            found += case.lines(ours, peer, theirs, note)
    return found or case.lines(ours, None, ours, "")


def _run(case: Case, contender: Contender, files: int) -> Figures | None:
    """One case with one server; ``None`` when it could not do it."""
    with present(contender, storing=case.storing) as running:
        sizes = case.sizes(files) if not EFFORT.quick else case.quick_sizes
        options = {**running.options(), "case": case.kind, **sizes}
        try:
            done = subprocess.run(
                ["node", "bench_server.mjs", json.dumps(options)],
                cwd=INTEROP,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=_CASE_S,
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            report(f"{case.name}, {contender.name}: not done: {error.__class__.__name__}")
            return None
        found: dict[str, Any] = json.loads(done.stdout)
        figures = {name: float(figure) for name, figure in found.items() if figure is not None}
        if "disk" in figures:
            running.stop()
            figures["compact"] = running.disk()
    report(
        f"{case.name}, {contender.name}: "
        + ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
    )
    return figures
