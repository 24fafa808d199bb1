"""An honest pair beside attackers: the latency of its writes, and what the server spends on each attack.

Each attack (tests/support/attackers.py) meets a server of its own, ``weft serve`` with 512 MiB, and runs in a
process that yields to the server and the pair: attackers have machines of their own. The pair is in another
room; each of its writes is timed until the other one has it. Memory is the kernel's count of resident pages:
before, the most, and the least within some seconds after the attackers have left; rooms that nobody is in are
forgotten after one. ``--only TEXT`` chooses attacks by name.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._measure import EFFORT, report
from benchmarks._node import INTEROP
from benchmarks._table import Line

if TYPE_CHECKING:
    from support.serving import WeftServe

__all__ = ["lines"]

_TESTS = INTEROP.parent / "tests"
_ENOUGH_S = 250  # seconds after which no further attack is begun: an area has five minutes
_ATTACK_S = 2.0
_LONGEST_S = 30.0  # of one attack, after which it is ended
_QUIET_S = 8.0  # how long memory may take to be given back
_PAUSE_S = 0.01
_STALL_MS = 100.0
_MIB = 1024 * 1024
_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE = "nobody"
_QUICK = ("tiny_updates", "many_heads")


@dataclass(slots=True)
class _Found:
    """What was measured of one attack; times in milliseconds, memory in bytes."""

    latencies: list[float]
    before: int
    most: int
    after: int
    processor: float  # seconds
    spent: float

    def at(self, part: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[int(part * (len(ordered) - 1))]

    def lines(self, name: str) -> list[Line]:
        return [
            Line(f"{name}: latency of others, 99th percentile", self.at(0.99), below=_STALL_MS),
            Line(f"{name}: latency of others, median", self.at(0.5)),
            Line(f"{name}: latency of others, longest", self.at(1)),
            Line(f"{name}: memory, most", self.most / _MIB, "before", self.before / _MIB, unit="MiB"),
            Line(
                f"{name}: memory, afterwards",
                self.after / _MIB,
                "before",
                self.before / _MIB,
                at_most=1.1,
                unit="MiB",
            ),
            Line(f"{name}: processor", self.processor / self.spent, unit="of a core"),
        ]


def lines() -> list[Line]:
    """Measure the attacks, those by many small things first."""
    sys.path.append(str(_TESTS))
    from support.attackers import ATTACKS

    end = time.monotonic() + _ENOUGH_S
    found: list[Line] = []
    for name in (_IDLE, *ATTACKS):
        if EFFORT.only not in name or (EFFORT.quick and name not in _QUICK):
            continue
        if time.monotonic() > end:
            report(f"left out, {_ENOUGH_S} s are over: {name}")
            continue
        each = asyncio.run(_measure(name))
        report(
            f"{name}: {len(each.latencies)} writes, p50 {each.at(0.5):.1f} ms, p99 {each.at(0.99):.1f} ms, "
            f"longest {each.at(1):.0f} ms; {each.before / _MIB:.0f} MiB, at most {each.most / _MIB:.0f}, "
            f"then {each.after / _MIB:.0f}; {each.processor:.1f} s of processor in {each.spent:.1f} s"
        )
        found += each.lines(name)
    return found


async def _measure(name: str) -> _Found:
    from support.abused import abused, honest_pair
    from support.attackers import ATTACKS

    seconds = 0.3 if EFFORT.quick else _ATTACK_S
    with (
        tempfile.TemporaryDirectory() as folder,
        abused(Path(folder) / "abuse.sqlite3", "--unload-delay", "1") as server,
    ):
        async with honest_pair(server.url) as pair:
            await asyncio.sleep(seconds / 3)  # so that what is made once is there before
            before, used, began = _memory(server), _processor(server), time.monotonic()
            pair.latencies.clear()
            command = [sys.executable, "-m", "support.attackers", name, server.url, str(seconds)]
            if name in ATTACKS:
                attacker = await asyncio.create_subprocess_exec(*command, cwd=_TESTS)
                try:
                    async with asyncio.timeout(_LONGEST_S):
                        await attacker.wait()
                except TimeoutError:
                    report(f"{name} is ended after {_LONGEST_S:.0f} s")
                    attacker.kill()
                    await attacker.wait()
            else:
                await asyncio.sleep(seconds)
            spent, processor = time.monotonic() - began, _processor(server) - used
            latencies = [1000 * each for each in (*pair.latencies, pair.waiting)]
            most, after = _memory(server, "VmHWM"), await _settled(server, before)
    return _Found(latencies, before, most, after, processor, spent)


def _memory(server: WeftServe, name: str = "VmRSS") -> int:
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


def _processor(server: WeftServe) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def _settled(server: WeftServe, before: int) -> int:
    """The least memory it has within some seconds."""
    end = time.monotonic() + (0 if EFFORT.quick else _QUIET_S)
    least = _memory(server)
    while time.monotonic() < end and least > 1.1 * before:
        await asyncio.sleep(0.1)
        least = min(least, _memory(server))
    return least
