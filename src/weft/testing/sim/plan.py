"""What a seed stands for: a topology, fault rates and a schedule, all drawn before anything runs.

Each action carries a seed of its own, so that leaving one out of the schedule does not change what the others
do; that is what makes a failing schedule shrinkable.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

__all__ = ["Action", "ActionKind", "FaultRates", "Layout", "SimPlan", "Topology"]

Topology = Literal["star", "mesh", "bridge", "cluster", "replica"]
Layout = Literal["tinybase", "flat"]
ActionKind = Literal[
    "edit",
    "status",
    "flush",
    "save",
    "disconnect",
    "clog",
    "partition",
    "crash-peer",
    "crash-server",
    "jump",
    "freeze",
    "broker-away",
    "disk-away",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How bad the network and the machines are; all 0 is a world without faults.

    Attributes:
        delay: Longest ordinary delay of a message, in seconds.
        drop: Share of messages that are lost. An ordered link breaks there, as a websocket does.
        duplicate: Share of messages that arrive twice; unordered links only.
        reorder: Share of messages that others overtake; unordered links only.
        half_open: Share of breaks that one end does not notice for up to 40 seconds.
        disk: Longest time until the server's storage has written what it took in, in seconds.
        disconnects: Connections broken on purpose.
        clogs: One-way stops of one link.
        partitions: Cuts between groups of nodes, in both directions or in one.
        server_crashes: Servers that lose what storage has not written, and start again from the rest.
        peer_crashes: Peers that start again from their saved document, or empty, with a new client id.
        jumps: Clocks that jump ahead by up to an hour.
        freezes: Nodes that do nothing for a while, and do not know it.
        broker_loss: Share of messages between the servers of a cluster that the broker loses.
        broker_absences: Times at which the broker is away, for up to 20 seconds.
        disk_absences: Times at which a server of a cluster cannot reach the storage.
    """

    delay: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    half_open: float = 0.0
    disk: float = 0.0
    disconnects: int = 0
    clogs: int = 0
    partitions: int = 0
    server_crashes: int = 0
    peer_crashes: int = 0
    jumps: int = 0
    freezes: int = 0
    broker_loss: float = 0.0
    broker_absences: int = 0
    disk_absences: int = 0

    def __str__(self) -> str:
        drawn = ((field.name, getattr(self, field.name)) for field in fields(self))
        return " ".join(f"{name}={value:.3g}" for name, value in drawn if value) or "none"


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of the schedule.

    Attributes:
        index: Its name in the schedule; values written by an edit are numbered from ``100 * index``.
        time: When, in seconds.
        kind: What.
        node: The peer concerned; which server or link an action hits is drawn from ``seed``.
        seed: Seeds everything the action draws.
    """

    index: int
    time: float
    kind: ActionKind
    node: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimPlan:
    """Everything drawn from one seed.

    Attributes:
        seed: The seed.
        topology: ``"star"``: one server; ``"mesh"``: every peer with every other, no server; ``"bridge"``:
            two servers, and one or two peers that are connected to both; ``"cluster"``: two or three servers
            on one storage, with a broker, and peers that dial any of them; ``"replica"``: a star in which
            some peers have a replica.
        peers: 2 to 6.
        servers: How many.
        replicas: Peers with a replica; 0 unless the topology is ``"replica"``.
        bridges: Peers with a session to each server; 0 unless the topology is ``"bridge"``.
        ordered: Whether links keep order and lose nothing in the middle, as websockets do. Unordered ones
            drop, duplicate and reorder freely.
        layout: How Stores are laid out in the document.
        derivers: Peers whose listeners derive cells.
        duration: Seconds until everything is healed.
        rates: Fault rates until then.
        actions: The schedule, by time.
        network_seed: Seeds the links.
    """

    seed: int
    topology: Topology
    peers: int
    servers: int
    replicas: int
    bridges: int
    ordered: bool
    layout: Layout
    derivers: int
    duration: float
    rates: FaultRates
    actions: tuple[Action, ...]
    network_seed: int

    def __str__(self) -> str:
        links = "ordered" if self.ordered else "unordered"
        bridges = f" ({self.bridges} bridging)" if self.bridges else ""
        if self.topology == "cluster":
            bridges = f" of {self.servers} servers"
        if self.replicas:
            bridges = f" ({self.replicas} with a replica)"
        return (
            f"{self.topology}{bridges}, {self.peers} peers, {links} links, {self.layout} layout, "
            f"{self.derivers} deriving, {len(self.actions)} actions in {self.duration:.1f} s; "
            f"faults: {self.rates}"
        )
