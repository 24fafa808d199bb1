"""Carrying out a schedule: the edits, and the faults that somebody commits on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.testing.sim.broker import BROKER
from weft.testing.sim.fanout import DISK
from weft.testing.sim.scheduler import seeded_random
from weft.testing.sim.workload import Edit

if TYPE_CHECKING:
    import random

    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.network import Network
    from weft.testing.sim.node import SimNode
    from weft.testing.sim.peer import SimPeer
    from weft.testing.sim.plan import Action
    from weft.testing.sim.server import SimServer

__all__ = ["act"]

_STATUSES = ("here", "typing", "away")
_LONGEST_CUT = 10.0  # seconds a partition lasts at most; it lasts half a second at least
_LONGEST_ABSENCE = 20.0
_STOPPED = 0.3  # share of ends of a server of a cluster that are not crashes
_LONGEST_DEATH = 4.0  # seconds until what has crashed starts again


def act(net: Network, action: Action) -> None:
    """Do one action of the schedule; one that makes no sense at the moment is left out."""
    rng = seeded_random(action.seed)
    peer = net.peers[action.node % len(net.peers)]
    match action.kind:
        case "edit" | "status" | "flush" | "save":
            if not peer.alive:
                return
            if net.faults.is_frozen(peer.name):
                net.clock.after(0.5, act, net, action)
                net.busy(net.clock.now + 0.5)
                return
            _act_as_user(net, peer, action, rng)
            peer.after_step()
        case "disconnect":
            live = [connection for link in net.links for connection in link.live if not connection.broken]
            if live:
                connection = rng.choice(live)
                net.record_fault("disconnect", connection.name)
                connection.sever()
        case "clog":
            link = rng.choice(net.links)
            ends = link.dialer.name, link.acceptor.name
            source, target = ends if rng.random() < 0.5 else ends[::-1]
            net.record_fault("clog", f"{source} to {target}")
            net.faults.clog(source, target, rng.uniform(0.1, 5.0))
        case "partition":
            _partition(net, rng)
        case "crash-peer":
            if peer.alive:
                _crash(net, peer)
                net.clock.after(rng.uniform(0, _LONGEST_DEATH), _restart_peer, net, peer, rng.random() < 0.4)
        case "crash-server":
            if net.servers and (server := rng.choice(net.servers)).accepts:
                _end_server(net, server, rng)
        case "jump":
            node = rng.choice(net.nodes)
            if node.alive:
                net.record_fault("jump", node.name)
                node.jump_clock(rng.choice((rng.uniform(1, 40), rng.uniform(60, 3600))))
        case "freeze":
            node = rng.choice(net.nodes)
            net.record_fault("freeze", node.name)
            net.faults.freeze(node.name, rng.uniform(0.5, 40.0))
        case "broker-away":
            if net.broker is not None:
                seconds = rng.uniform(0.1, _LONGEST_ABSENCE)
                net.record_fault("broker-away", f"for {seconds:.1f} s")
                net.broker.away(seconds)
        case "disk-away":
            if net.broker is not None:
                name = rng.choice(net.servers).name
                net.record_fault("disk-away", name)
                net.faults.partition([(name, DISK)], rng.uniform(0.1, _LONGEST_CUT))


def _act_as_user(net: Network, peer: SimPeer, action: Action, rng: random.Random) -> None:
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


def _partition(net: Network, rng: random.Random) -> None:
    nodes = [node.name for node in net.nodes]
    if net.broker is not None:
        nodes += [BROKER, DISK]
    rng.shuffle(nodes)
    kind = rng.choice(("uniform", "isolate", "one-way"))
    here = nodes[:1] if kind == "isolate" else nodes[: rng.randint(1, len(nodes) - 1)]
    pairs: list[tuple[str, str]] = []
    for ends in _edges(net):
        if (ends[0] in here) != (ends[1] in here):
            inside, outside = ends if ends[0] in here else ends[::-1]
            pairs.append((inside, outside))
            if kind != "one-way":
                pairs.append((outside, inside))
    seconds = rng.uniform(0.5, _LONGEST_CUT)
    net.record_fault("partition", f"{kind} {'+'.join(sorted(here))} for {seconds:.1f} s")
    net.faults.partition(pairs, seconds)
    for link in net.links:
        # Of the connections across the cut some wait until it is over, and some end.
        ends = link.dialer.name, link.acceptor.name
        cut = ends in pairs or ends[::-1] in pairs
        if cut and link.connection is not None and rng.random() < 0.5:
            net.clock.after(rng.uniform(0, seconds), _give_up, link.connection)


def _edges(net: Network) -> list[tuple[str, str]]:
    """Who may have to do with whom."""
    edges = [(link.dialer.name, acceptor.name) for link in net.links for acceptor in link.acceptors]
    if net.broker is not None:
        edges += [(server.name, place) for server in net.servers for place in (BROKER, DISK)]
    return edges


def _give_up(connection: SimConnection) -> None:
    if not connection.world.healed:
        connection.sever()


def _crash(net: Network, node: SimNode) -> None:
    net.record_fault("crash", node.name)
    net.stats.crashes += 1
    node.crash()


def _end_server(net: Network, server: SimServer, rng: random.Random) -> None:
    delay = rng.uniform(0, _LONGEST_DEATH)

    def restart_later() -> None:
        net.clock.after(delay, _restart_server, net, server)
        net.busy(net.clock.now + delay)

    if net.broker is not None and rng.random() < _STOPPED:
        net.record_fault("stop", server.name)
        server.stop(restart_later)
    else:
        _crash(net, server)
        restart_later()


def _restart_peer(net: Network, peer: SimPeer, empty: bool) -> None:
    if not peer.alive:
        net.note("restart", f"{peer.name} {'empty' if empty or peer.saved is None else 'as saved'}")
        peer.restart(empty=empty)
        peer.after_step()
        for link in net.links:
            if link.dialer is peer:
                link.dial_soon()


def _restart_server(net: Network, server: SimServer) -> None:
    if not server.alive:
        net.note("restart", server.name)
        server.start()
