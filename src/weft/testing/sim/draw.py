"""Drawing a plan from a seed.

Rates are drawn per seed (swarm testing): with every fault always on nothing deep is ever reached, and some
bugs need no fault at all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weft.testing.sim.plan import Action, FaultRates, SimPlan
from weft.testing.sim.scheduler import seeded_random

if TYPE_CHECKING:
    import random

    from weft.testing.sim.options import SimOptions
    from weft.testing.sim.plan import ActionKind, Layout, Topology

__all__ = ["draw_plan"]


def draw_plan(seed: int, options: SimOptions) -> SimPlan:
    """Draw a plan; what the options give stands in place of what the seed would have given."""
    rng = seeded_random(seed)
    drawn_topology: Topology = rng.choice(("star", "star", "star", "mesh", "bridge"))
    bridge_draw = rng.random()
    topology = options.topology or drawn_topology
    drawn_peers = rng.choice((2, 2, 3, 3, 4, 5, 6))
    drawn_ordered = rng.random() < 0.75
    drawn_layout: Layout = rng.choice(("tinybase", "tinybase", "flat"))
    derivers = rng.choice((0, 0, 1, 1, 2))
    duration = rng.choice((2.0, 8.0, 30.0, 70.0))
    drawn_edits = rng.choice((10, 20, 30, 45, 60))
    drawn_rates = _draw_rates(rng, duration)
    network_seed = rng.getrandbits(64)

    servers = {"star": 1, "mesh": 0, "bridge": 2, "replica": 1}.get(topology, 0)
    if topology == "cluster":
        # Out of a source of its own, so that the other topologies' seeds go on meaning what they meant.
        of_cluster = seeded_random(network_seed)
        servers = of_cluster.choice((2, 2, 3))
        drawn_rates = _draw_cluster_rates(of_cluster, drawn_rates)

    peers = drawn_peers if options.peers is None else options.peers
    replicas = 0
    if topology == "replica":
        of_replicas = seeded_random(network_seed)
        replicas = of_replicas.randint(1, peers)
        drawn_rates = replace(drawn_rates, peer_crashes=drawn_rates.peer_crashes + of_replicas.randint(0, 5))
        drawn_ordered = True  # what a replica takes for confirmed needs a link that keeps order
    ordered = drawn_ordered if options.ordered is None else options.ordered
    rates = drawn_rates if options.rates is None else options.rates
    if not ordered:
        # A datagram that is lost together with its writer leaves a gap that nobody can close.
        rates = replace(rates, peer_crashes=0)
    edits = drawn_edits if options.edits is None else options.edits
    if peers < 1:
        raise ValueError(f"peers is {peers}; there must be one at least")
    bridges = 0
    if topology == "bridge":
        bridges = 2 if peers > 2 and bridge_draw < 0.4 else 1
    actions = _draw_actions(rng, edits, rates, peers, duration)
    if options.keep is not None:
        kept = frozenset(options.keep)
        actions = tuple(action for action in actions if action.index in kept)
    return SimPlan(
        seed=seed,
        topology=topology,
        peers=peers,
        servers=servers,
        replicas=replicas,
        bridges=bridges,
        ordered=ordered,
        layout=options.layout or drawn_layout,
        derivers=min(derivers, peers),
        duration=duration,
        rates=rates,
        actions=actions,
        network_seed=network_seed,
    )


def _draw_rates(rng: random.Random, duration: float) -> FaultRates:
    if rng.random() < 0.05:
        return FaultRates(delay=rng.choice((0.0, 0.05)))  # next to no faults finds bugs too

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


def _draw_cluster_rates(rng: random.Random, rates: FaultRates) -> FaultRates:
    if rng.random() < 0.1:
        return rates
    return replace(
        rates,
        broker_loss=rng.choice((0.0, 0.02, 0.3, 1.0)),
        broker_absences=rng.choice((0, 0, 1, 3)),
        disk_absences=rng.choice((0, 0, 1, 3)),
        server_crashes=max(rates.server_crashes, rng.randint(0, 4)),
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
    kinds += ["broker-away"] * rates.broker_absences
    kinds += ["disk-away"] * rates.disk_absences
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
