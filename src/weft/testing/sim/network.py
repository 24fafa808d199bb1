"""The world with everything in it, as oracles and the schedule see it; a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weft.testing.sim.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.testing.sim.broker import SimBroker
    from weft.testing.sim.links import SimLink
    from weft.testing.sim.node import SimNode
    from weft.testing.sim.peer import SimPeer
    from weft.testing.sim.server import SimServer
    from weft.testing.sim.workload import Workload

__all__ = ["Network"]


class Network(World, Protocol):
    """What an :class:`~weft.testing.sim.Oracle` is given: a :class:`World`, its nodes and links."""

    @property
    def peers(self) -> Sequence[SimPeer]:
        """Peers, dead ones too."""

    @property
    def servers(self) -> Sequence[SimServer]:
        """Servers likewise."""

    @property
    def nodes(self) -> Sequence[SimNode]:
        """Servers, then peers."""

    @property
    def links(self) -> Sequence[SimLink]:
        """Who dials whom."""

    @property
    def broker(self) -> SimBroker | None:
        """Between the servers of a cluster."""

    @property
    def workload(self) -> Workload:
        """What the peers do."""
