"""What a simulation is told to be, beside its seed; one object for code, command line and shrinking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from weft.limits import DEFAULT_LIMITS, Limits
from weft.testing.sim.peer import SimPeer
from weft.testing.sim.replica_peer import ReplicaPeer
from weft.testing.sim.server import SimServer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence

    from weft.testing.sim.oracle import Oracle
    from weft.testing.sim.plan import FaultRates, Layout, Topology
    from weft.testing.sim.workload import Workload

__all__ = ["SimOptions", "add_options"]

_NAMED = ("topology", "peers", "layout", "edits")  # options of the command line that are given with a value


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOptions:
    """What the seed is not to decide: it draws what is ``None``.

    Attributes:
        topology: ``"star"``, ``"mesh"``, ``"bridge"``, ``"cluster"`` or ``"replica"``; see :class:`SimPlan`.
        peers: How many, one at least.
        layout: Of the Stores in the document.
        edits: How many.
        ordered: Whether links behave as websockets do, or as datagrams.
        keep: Only these actions of the schedule, by index: a shrunk schedule.
        rates: Fault rates; ``FaultRates()`` is a world without faults.
        workload: What the peers do, in the place of :class:`TablesWorkload`.
        oracles: What must hold, beside the :class:`StandardOracle`.
        peer_type: Makes the peers, for other parts than the ordinary ones.
        replica_type: The same for peers with a replica.
        server_type: The same for servers.
        limits: For all sessions.
    """

    topology: Topology | None = None
    peers: int | None = None
    layout: Layout | None = None
    edits: int | None = None
    ordered: bool | None = None
    keep: Collection[int] | None = None
    rates: FaultRates | None = None
    workload: Workload | None = None
    oracles: Sequence[Oracle] = ()
    peer_type: type[SimPeer] = SimPeer
    replica_type: type[ReplicaPeer] = ReplicaPeer
    server_type: type[SimServer] = SimServer
    limits: Limits = DEFAULT_LIMITS

    def words(self) -> list[str]:
        """The words of a command line that say the same, as far as a command line can."""
        said = [(f"--{name}", str(value)) for name in _NAMED if (value := getattr(self, name)) is not None]
        words = [word for option in said for word in option]
        if self.ordered is not None:
            words.append("--ordered" if self.ordered else "--unordered")
        if self.keep is not None:
            words += ["--keep", ",".join(map(str, sorted(self.keep)))]
        return words

    def updated(self, given: argparse.Namespace) -> SimOptions:
        """These options with what a command line says in their place."""
        said = {name: getattr(given, name) for name in (*_NAMED, "ordered", "keep")}
        return replace(self, **{name: value for name, value in said.items() if value is not None})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Have a parser read the options that a command line can say."""
    world = parser.add_argument_group("the world, where the seed is not to decide")
    world.add_argument("--topology", choices=("star", "mesh", "bridge", "cluster", "replica"))
    world.add_argument("--peers", type=int)
    world.add_argument("--edits", type=int)
    world.add_argument("--layout", choices=("tinybase", "flat"))
    links = world.add_mutually_exclusive_group()
    links.add_argument("--ordered", action="store_const", const=True, help="links as websockets are")
    links.add_argument("--unordered", dest="ordered", action="store_const", const=False, help="as datagrams")
    world.add_argument("--keep", type=_indices, help="only these actions of the schedule: 3,17,18")


def _indices(text: str) -> tuple[int, ...]:
    return tuple(int(index) for index in text.split(","))
