"""Carrying out a schedule: the edits, and the faults that somebody commits on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.testing.sim.scheduler import dice
from weft.testing.sim.workload import Edit

if TYPE_CHECKING:
    import random

    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.net import SimNet
    from weft.testing.sim.node import SimNode
    from weft.testing.sim.peer import SimPeer
    from weft.testing.sim.plan import Action
    from weft.testing.sim.server import SimServer

__all__ = ["act"]

_STATUSES = ("here", "typing", "away")
_LONGEST_CUT = 10.0  # seconds a partition lasts at most; it lasts half a second at least
_LONGEST_DEATH = 4.0  # seconds until what has crashed starts again


def act(net: SimNet, action: Action) -> None:
    """Do one action of the schedule; one that makes no sense at the moment is left out."""
    rng = dice(action.seed)
    peer = net.peers[action.node % len(net.peers)]
    match action.kind:
        case "edit" | "status" | "flush" | "save":
            if not peer.alive:
                return
            if net.weather.is_frozen(peer):
                net.clock.after(0.5, act, net, action)
                net.busy(net.clock.now + 0.5)
                return
            _use(net, peer, action, rng)
            net.touched(peer)
        case "disconnect":
            live = [connection for link in net.links for connection in link.live if not connection.broken]
            if live:
                connection = rng.choice(live)
                net.fault("disconnect", connection.link.name)
                connection.sever()
        case "clog":
            link = rng.choice(net.links)
            ends = (link.dialer, link.acceptor) if rng.random() < 0.5 else (link.acceptor, link.dialer)
            net.fault("clog", f"{ends[0].name} to {ends[1].name}")
            net.weather.clog(*ends, rng.uniform(0.1, 5.0))
        case "partition":
            _partition(net, rng)
        case "crash-peer":
            if peer.alive:
                _crash(net, peer)
                net.clock.after(rng.uniform(0, _LONGEST_DEATH), _restart_peer, peer, rng.random() < 0.4)
        case "crash-server":
            if net.servers and (server := rng.choice(net.servers)).alive:
                _crash(net, server)
                net.clock.after(rng.uniform(0, _LONGEST_DEATH), _restart_server, server)
        case "jump":
            node = rng.choice(net.nodes)
            if node.alive:
                net.fault("jump", node.name)
                node.leap(rng.choice((rng.uniform(1, 40), rng.uniform(60, 3600))))
        case "freeze":
            node = rng.choice(net.nodes)
            net.fault("freeze", node.name)
            net.weather.freeze(node, rng.uniform(0.5, 40.0))


def _use(net: SimNet, peer: SimPeer, action: Action, rng: random.Random) -> None:
    net.note(action.kind, f"{action.index} {peer.name}")
    match action.kind:
        case "edit":
            net.stats.edits += 1
            net.workload.edit(peer, Edit(rng, 100 * (action.index + 1), peer.life, net.ledger))
        case "status":
            peer.set_status(rng.choice(_STATUSES))
        case "flush":
            if peer.sessions:
                peer.flush(rng.choice(list(peer.sessions)))
        case _:
            peer.save()


def _partition(net: SimNet, rng: random.Random) -> None:
    nodes = list(net.nodes)
    rng.shuffle(nodes)
    kind = rng.choice(("uniform", "isolate", "one-way"))
    here = nodes[:1] if kind == "isolate" else nodes[: rng.randint(1, len(nodes) - 1)]
    pairs: list[tuple[SimNode, SimNode]] = []
    for link in net.links:
        ends = (link.dialer, link.acceptor)
        if (ends[0] in here) != (ends[1] in here):
            inside, outside = ends if ends[0] in here else ends[::-1]
            pairs.append((inside, outside))
            if kind != "one-way":
                pairs.append((outside, inside))
    seconds = rng.uniform(0.5, _LONGEST_CUT)
    net.fault("partition", f"{kind} {'+'.join(sorted(node.name for node in here))} for {seconds:.1f} s")
    net.weather.partition(pairs, seconds)
    for link in net.links:
        # Of the connections across the cut some wait until it is over, and some end.
        cut = (link.dialer, link.acceptor) in pairs or (link.acceptor, link.dialer) in pairs
        if cut and link.connection is not None and rng.random() < 0.5:
            net.clock.after(rng.uniform(0, seconds), _give_up, link.connection)


def _give_up(connection: SimConnection) -> None:
    if not connection.net.healed:
        connection.sever()


def _crash(net: SimNet, node: SimNode) -> None:
    net.fault("crash", node.name)
    net.stats.crashes += 1
    node.crash()


def _restart_peer(peer: SimPeer, empty: bool) -> None:
    if not peer.alive:
        peer.net.note("restart", f"{peer.name} {'empty' if empty or peer.saved is None else 'as saved'}")
        peer.restart(empty=empty)
        peer.net.touched(peer)
        _dial(peer)


def _restart_server(server: SimServer) -> None:
    if not server.alive:
        server.net.note("restart", server.name)
        server.start()


def _dial(node: SimNode) -> None:
    for link in node.net.links:
        if link.dialer is node:
            link.dial_soon()
