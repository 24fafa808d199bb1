"""What a seed stands for: a topology, fault rates and a schedule, all drawn before anything runs.

Rates are drawn per seed (swarm testing): with every fault always on nothing deep is ever reached, and some
bugs need no fault at all. Each action carries a seed of its own, so that leaving one out of the schedule does
not change what the others do; that is what makes a failing schedule shrinkable.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random
    from collections.abc import Collection

from weft.testing.sim.scheduler import dice

__all__ = ["Action", "ActionKind", "FaultRates", "Layout", "SimPlan", "Topology", "draw_plan"]

Topology = Literal["star", "mesh", "bridge"]
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
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How bad the network and the machines are; all 0 is a calm day.

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
        jumps: Clocks that leap ahead by up to an hour.
        freezes: Nodes that do nothing for a while, and do not know it.
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
            two servers, and one or two peers that are connected to both.
        peers: 2 to 6.
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
        return (
            f"{self.topology}{bridges}, {self.peers} peers, {links} links, {self.layout} layout, "
            f"{self.derivers} deriving, {len(self.actions)} actions in {self.duration:.1f} s; "
            f"faults: {self.rates}"
        )


def draw_plan(
    seed: int,
    *,
    topology: Topology | None = None,
    peers: int | None = None,
    ordered: bool | None = None,
    layout: Layout | None = None,
    edits: int | None = None,
    rates: FaultRates | None = None,
    keep: Collection[int] | None = None,
) -> SimPlan:
    """Draw a plan; what is given stands in place of what the seed would have given.

    Args:
        seed: Any integer.
        topology: See :class:`SimPlan`; so for ``peers``, ``ordered``, ``layout`` and ``rates``.
        peers: 2 to 6 are drawn; more may be given.
        ordered: Drawn true for three of four.
        layout: Drawn.
        edits: Number of edits.
        rates: Fault rates.
        keep: Indices of the actions to keep of the schedule; all of them otherwise.
    """
    rng = dice(seed)
    drawn_topology: Topology = rng.choice(("star", "star", "star", "mesh", "bridge"))
    bridge_draw = rng.random()
    chosen_topology: Topology = topology or drawn_topology
    count = rng.choice((2, 2, 3, 3, 4, 5, 6))
    is_ordered = rng.random() < 0.75
    chosen_layout: Layout = rng.choice(("tinybase", "tinybase", "flat"))
    derivers = rng.choice((0, 0, 1, 1, 2))
    duration = rng.choice((2.0, 8.0, 30.0, 70.0))
    many = rng.choice((10, 20, 30, 45, 60))
    drawn = _draw_rates(rng, duration)
    network_seed = rng.getrandbits(64)

    count = count if peers is None else peers
    is_ordered = is_ordered if ordered is None else ordered
    drawn = drawn if rates is None else rates
    if not is_ordered:
        # A datagram that is lost together with its writer leaves a gap that nobody can close.
        drawn = replace(drawn, peer_crashes=0)
    many = many if edits is None else edits
    if count < 1:
        raise ValueError(f"peers is {count}; there must be one at least")
    bridges = 0
    if chosen_topology == "bridge":
        bridges = 2 if count > 2 and bridge_draw < 0.4 else 1
    actions = _draw_actions(rng, many, drawn, count, duration)
    if keep is not None:
        kept = frozenset(keep)
        actions = tuple(action for action in actions if action.index in kept)
    return SimPlan(
        seed=seed,
        topology=chosen_topology,
        peers=count,
        bridges=bridges,
        ordered=is_ordered,
        layout=layout or chosen_layout,
        derivers=min(derivers, count),
        duration=duration,
        rates=drawn,
        actions=actions,
        network_seed=network_seed,
    )


def _draw_rates(rng: random.Random, duration: float) -> FaultRates:
    if rng.random() < 0.05:
        return FaultRates(delay=rng.choice((0.0, 0.05)))  # the boring mode finds bugs too

    def some(chance: float, most: int) -> int:
        return rng.randint(1, most) if rng.random() < chance else 0

    def share(chance: float, most: float) -> float:
        return rng.uniform(0, most) if rng.random() < chance else 0.0

    long = duration > 5
    return FaultRates(
        delay=rng.choice((0.001, 0.05, 0.3, 1.0, 5.0 if long else 0.1)),
        drop=share(0.4, 0.05),
        duplicate=share(0.5, 0.5),
        reorder=share(0.7, 0.6),
        half_open=share(0.5, 0.8),
        disk=rng.choice((0.0, 0.01, 0.2, 2.0)),
        disconnects=some(0.5, 6),
        clogs=some(0.4, 4),
        partitions=some(0.5, 4),
        server_crashes=some(0.5, 3),
        peer_crashes=some(0.4, 3),
        jumps=some(0.25, 2),
        freezes=some(0.25, 2),
    )


def _draw_actions(
    rng: random.Random, edits: int, rates: FaultRates, peers: int, duration: float
) -> tuple[Action, ...]:
    kinds: list[ActionKind] = ["edit"] * edits
    kinds += ["status"] * rng.randint(0, 2 * peers)
    kinds += ["flush"] * rng.randint(0, edits // 4 + 1)
    kinds += ["save"] * rng.randint(0, peers)
    kinds += ["disconnect"] * rates.disconnects
    kinds += ["clog"] * rates.clogs
    kinds += ["partition"] * rates.partitions
    kinds += ["crash-server"] * rates.server_crashes
    kinds += ["crash-peer"] * rates.peer_crashes
    kinds += ["jump"] * rates.jumps
    kinds += ["freeze"] * rates.freezes
    # Half of the schedules come in bursts: things that happen at once are what goes wrong.
    bursts = [rng.uniform(0, duration) for _ in range(rng.randint(1, 6))] if rng.random() < 0.5 else []
    timed = []
    for kind in kinds:
        if bursts and rng.random() < 0.8:
            when = min(max(rng.gauss(rng.choice(bursts), 0.2), 0.0), duration)
        else:
            when = rng.uniform(0, duration)
        timed.append((when, kind, rng.randrange(peers), rng.getrandbits(64)))
    timed.sort(key=lambda entry: (entry[0], entry[3]))
    return tuple(
        Action(index, when, kind, node, seed) for index, (when, kind, node, seed) in enumerate(timed)
    )
