"""Whole networks from one seed. ``python -m weft.testing.sim`` runs many."""

from __future__ import annotations

from weft.testing.sim.net import SimNet
from weft.testing.sim.network import Network
from weft.testing.sim.options import SimOptions
from weft.testing.sim.oracle import Oracle, StandardOracle
from weft.testing.sim.peer import SimPeer
from weft.testing.sim.plan import Action, FaultRates, SimPlan
from weft.testing.sim.replica_peer import ReplicaPeer
from weft.testing.sim.result import SimFailure, SimResult, SimStats, Violation
from weft.testing.sim.server import SimServer
from weft.testing.sim.workload import Edit, TablesWorkload, Workload
from weft.testing.sim.world import World

__all__ = [
    "Action",
    "Edit",
    "FaultRates",
    "Network",
    "Oracle",
    "ReplicaPeer",
    "SimFailure",
    "SimNet",
    "SimOptions",
    "SimPeer",
    "SimPlan",
    "SimResult",
    "SimServer",
    "SimStats",
    "StandardOracle",
    "TablesWorkload",
    "Violation",
    "Workload",
    "World",
]
