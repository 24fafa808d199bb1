"""What the parts of a simulated world know of it: the clock, the faults, the trace; a protocol.

Links, nodes, peers and servers are given a :class:`World`, and know nobody above themselves. Oracles and the
schedule are given the world with its nodes and links, a :class:`~weft.testing.sim.Network`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from weft.limits import Limits
    from weft.testing.sim.ledger import Ledger
    from weft.testing.sim.network_faults import NetworkFaults
    from weft.testing.sim.plan import SimPlan
    from weft.testing.sim.replica_disk import ReplicaDisk
    from weft.testing.sim.result import SimStats
    from weft.testing.sim.scheduler import Scheduler

__all__ = ["World"]


class World(Protocol):
    """What a part may ask of the world around it, and what it has to report.

    Attributes:
        plan: What was drawn from the seed.
        limits: For all sessions.
        clock: Virtual time.
        faults: Faults in force.
        ledger: Who wrote what.
        stats: What has happened, counted.
        trace: What has happened, in order: time, kind, detail.
        replica_disks: Of all peers with a replica.
        healed: Whether the time of faults is over.
    """

    plan: SimPlan
    limits: Limits
    clock: Scheduler
    faults: NetworkFaults
    ledger: Ledger
    stats: SimStats
    trace: list[tuple[float, str, str]]
    replica_disks: list[ReplicaDisk]
    healed: bool

    def note(self, kind: str, detail: str) -> None:
        """Enter something into the trace."""

    def record_fault(self, kind: str, detail: str) -> None:
        """Count a fault, and enter it into the trace."""

    def busy(self, until: float) -> None:
        """Note that something is under way until a moment: the world has not come to rest before."""

    def sent(self, kind: str, sender: str, receiver: str) -> None:
        """Look at a message that leaves; nodes are told by their names."""

    def prepare(self, index: int) -> None:
        """Have the workload prepare the new Store of the peer with this index."""

    def check(self, index: int) -> None:
        """Have the oracles look at the peer with this index, in which something has happened."""
