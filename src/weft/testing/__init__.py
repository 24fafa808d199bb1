"""Tools for testing programs that use weft; weft is tested with the same ones.

The simulation needs the extra ``weft[yjs]`` and the suites pytest; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.testing.clock import ManualClock
    from weft.testing.memory import MemoryNetwork
    from weft.testing.persisters import KillSuite, PersisterSuite
    from weft.testing.sim.net import SimNet
    from weft.testing.sim.plan import FaultRates
    from weft.testing.sim.result import SimFailure, SimResult

__all__ = [
    "FaultRates",
    "KillSuite",
    "ManualClock",
    "MemoryNetwork",
    "PersisterSuite",
    "SimFailure",
    "SimNet",
    "SimResult",
]

_HOMES = {
    "FaultRates": "sim.plan",
    "KillSuite": "persisters",
    "ManualClock": "clock",
    "MemoryNetwork": "memory",
    "PersisterSuite": "persisters",
    "SimFailure": "sim.result",
    "SimNet": "sim.net",
    "SimResult": "sim.result",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, extra="yjs", extras={"persisters": "dev"})
