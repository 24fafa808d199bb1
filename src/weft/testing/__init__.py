"""Tools for testing programs that use weft; weft is tested with the same ones.

The simulation needs the extra ``weft[yjs]`` and the suites pytest; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.testing import persisters as persisters, sim as sim
    from weft.testing.clock import ManualClock as ManualClock
    from weft.testing.memory import (
        MemoryConnection as MemoryConnection,
        MemoryNetwork as MemoryNetwork,
        MemoryRequest as MemoryRequest,
    )
    from weft.testing.persisters.kills import KillSuite as KillSuite
    from weft.testing.persisters.suite import PersisterSuite as PersisterSuite
    from weft.testing.sim.net import SimNet as SimNet
    from weft.testing.sim.options import SimOptions as SimOptions
    from weft.testing.sim.plan import FaultRates as FaultRates
    from weft.testing.sim.result import SimFailure as SimFailure, SimResult as SimResult
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "sim": "",
            "persisters": "",
            "clock": "ManualClock",
            "memory": "MemoryConnection MemoryNetwork MemoryRequest",
            "persisters.kills": "KillSuite",
            "persisters.suite": "PersisterSuite",
            "sim.net": "SimNet",
            "sim.options": "SimOptions",
            "sim.plan": "FaultRates",
            "sim.result": "SimFailure SimResult",
        },
        extra="yjs",
        extras={
            "persisters.kills": "dev",
            "persisters.suite": "dev",
        },
    )
