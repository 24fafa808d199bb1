"""Links between two nodes: connections that come and go, and messages under way.

An ordered link behaves as a websocket does: messages arrive in order, and where one is lost the connection
ends; what was under way then is lost with it, and the two ends may learn of it at different times. An
unordered link behaves as datagrams do: each message is repeated or overtaken by itself, and the connection
goes on. It loses updates and awareness; the handshake arrives, as the protocol has no way to repeat it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from weft.testing.sim.scheduler import seeded_random

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.testing.sim.world import World

__all__ = ["AWARENESS_KINDS", "Endpoint", "SimConnection", "SimLink", "describe"]

AWARENESS_KINDS = frozenset({"awareness", "keep-alive", "query-awareness"})  # these concern no document

_BACKOFF = (0.05, 2.0)  # seconds until a client dials again
_NOTICED = 0.05  # seconds until both ends know of an ordinary break
_UNNOTICED = 40.0  # seconds until an end that hears nothing gives up, at the latest
_HANDSHAKE = frozenset({"step1", "step2"})
_KEEP_ALIVE = bytes([1, 1, 0])  # an awareness message of no states


def describe(data: bytes) -> str:
    """What a message is, by its first bytes (y-protocols: sync 0 step1 0, step2 1, update 2; awareness 1)."""
    if data[:1] == b"\x00" and len(data) > 1:
        return ("step1", "step2", "update")[data[1]] if data[1] < 3 else f"sync{data[1]}"
    if data == _KEEP_ALIVE:
        return "keep-alive"
    return {1: "awareness", 2: "auth", 3: "query-awareness"}.get(data[0] if data else -1, "unknown")


class Endpoint(Protocol):
    """A node, as its links see it."""

    name: str
    alive: bool

    @property
    def accepts(self) -> bool:
        """Whether it can be connected to."""

    def connected(self, connection: SimConnection) -> None:
        """Greet the other end."""

    def deliver(self, connection: SimConnection, data: bytes) -> None:
        """Take in one message."""

    def disconnected(self, connection: SimConnection) -> None:
        """Learn that a connection is over."""


class SimLink:
    """A node that dials another, whenever it is not connected: always the same, or any of several.

    Attributes:
        acceptor: Whom it dials, or has dialled last.
        acceptors: Whom it may dial.
    """

    def __init__(
        self, world: World, dialer: Endpoint, acceptors: Sequence[Endpoint], seed: int, *, ordered: bool
    ) -> None:
        self.world = world
        self.dialer = dialer
        self.acceptors = acceptors
        self.acceptor = acceptors[0]
        self.ordered = ordered
        self.random = seeded_random(seed)
        self.connection: SimConnection | None = None  # as the dialer sees it
        self.live: list[SimConnection] = []  # open at one end at least
        self._dialing = False
        self._was_connected = False

    @property
    def name(self) -> str:
        """Of the link as it is at the moment."""
        return f"{self.dialer.name}-{self.acceptor.name}"

    def dial_soon(self, delay: float | None = None) -> None:
        """Have the dialer try in a moment."""
        if not self._dialing and self.connection is None:
            self._dialing = True
            self.world.clock.after(self.random.uniform(*_BACKOFF) if delay is None else delay, self._dial)

    def _dial(self) -> None:
        self._dialing = False
        if self.connection is not None or not self.dialer.alive:
            return
        if len(self.acceptors) > 1:
            self.acceptor = self.random.choice(self.acceptors)
        is_held = self.world.faults.is_held
        here, there = self.dialer.name, self.acceptor.name
        if not self.acceptor.accepts or is_held(here, there) or is_held(there, here):
            self.dial_soon()
            return
        self.world.note("connect", self.name)
        self.world.stats.reconnects += self._was_connected
        self.world.stats.connections += 1
        self._was_connected = True
        connection = self.connection = SimConnection(self)
        self.live.append(connection)
        # The end that accepts is there first: it may already send when the other learns that it is connected.
        self.acceptor.connected(connection)
        self.dialer.connected(connection)

    @property
    def is_up(self) -> bool:
        """Whether the two are connected, both know it, and no earlier connection is still believed in."""
        return self.live == [self.connection] and self.connection is not None and self.connection.is_whole

    def deliver_due(self) -> None:
        """Deliver what was held back by a fault that is over."""
        for connection in tuple(self.live):
            connection.deliver_due()


class SimConnection:
    """One connection of a link, from its opening until both ends know that it is over."""

    def __init__(self, link: SimLink) -> None:
        self.link = link
        self.world = link.world
        self.name = link.name
        self.dialer, self.acceptor = self.ends = link.dialer, link.acceptor
        self.broken = False
        self.open = dict.fromkeys(self.ends, True)
        self._under_way: dict[Endpoint, deque[tuple[float, bytes]]] = {end: deque() for end in self.ends}
        self._latest = dict.fromkeys(self.ends, 0.0)

    @property
    def is_whole(self) -> bool:
        """Whether both ends are there."""
        return not self.broken and all(self.open.values())

    def other(self, node: Endpoint) -> Endpoint:
        """The node at the other end."""
        return self.acceptor if node is self.dialer else self.dialer

    def send(self, sender: Endpoint, data: bytes) -> None:
        """Put a message on its way."""
        world, rng = self.world, self.link.random
        target, kind = self.other(sender), describe(data)
        world.stats.sent += 1
        world.note("sent", f"{kind} {sender.name} {self.name}")
        world.sent(kind, sender.name, target.name)
        if self.broken or not self.open[sender]:
            world.stats.lost += 1
            return
        rates = world.faults.rates
        delay = rng.uniform(0, rates.delay) if rates.delay else 0.0
        if self.link.ordered:
            if rates.drop and rng.random() < rates.drop:
                world.record_fault("drop", self.name)
                world.stats.lost += 1
                self.sever()
                return
            when = max(self._latest[target], world.clock.now + delay)
            self._latest[target] = when
            self._under_way[target].append((when, data))
            world.busy(when)
            world.clock.at(when, self.deliver_due)
            return
        if kind not in _HANDSHAKE and (
            (rates.drop and rng.random() < rates.drop) or world.faults.is_cut(sender.name, target.name)
        ):
            world.record_fault("drop", self.name)
            world.stats.lost += 1
            return
        if rates.reorder and rng.random() < rates.reorder:
            world.record_fault("reorder", self.name)
            delay += rng.uniform(0, 2 * rates.delay + 0.05)
        world.clock.after(delay, self._deliver, target, data)
        world.busy(world.clock.now + delay)
        if rates.duplicate and rng.random() < rates.duplicate:
            world.record_fault("duplicate", self.name)
            delay += rng.uniform(0, rates.delay + 0.05)
            world.clock.after(delay, self._deliver, target, data)
            world.busy(world.clock.now + delay)

    def deliver_due(self) -> None:
        """Deliver what has arrived and is not held back."""
        now = self.world.clock.now
        for target in self.ends:
            queue = self._under_way[target]
            while queue and queue[0][0] <= now and not self._is_held(target):
                _, data = queue.popleft()
                if not self.link.ordered:
                    self._deliver(target, data)
                elif self.open[target] and not self.broken:
                    target.deliver(self, data)

    def _deliver(self, target: Endpoint, data: bytes) -> None:
        if not self.open[target] or self.broken:
            return
        if self._is_held(target):
            self._under_way[target].append((self.world.clock.now, data))
        else:
            target.deliver(self, data)

    def _is_held(self, target: Endpoint) -> bool:
        return self.world.faults.is_held(self.other(target).name, target.name)

    def sever(self) -> None:
        """End the connection: nothing arrives any more, and each end notices by itself."""
        if self.broken:
            return
        self.broken = True
        self.world.stats.breaks += 1
        for node in self.ends:
            self._notice_later(node)

    def crashed(self, node: Endpoint) -> None:
        """Tell the connection that one of its nodes is no more; what it sent before may still arrive."""
        self.open[node] = False
        if self.link.connection is self and node is self.dialer:
            self.link.connection = None
        other = self.other(node)
        if self.broken or not self.open[other]:
            self._forget_if_over()
            return
        self.world.clock.at(
            max(self.world.clock.now, self._latest[other] if self.link.ordered else 0.0),
            self._notice_later,
            other,
        )

    def _notice_later(self, node: Endpoint) -> None:
        rng, rates = self.link.random, self.world.faults.rates
        if rates.half_open and rng.random() < rates.half_open:
            self.world.record_fault("half-open", self.name)
            delay = rng.uniform(0, _UNNOTICED)
        else:
            delay = rng.uniform(0, _NOTICED)
        self.world.clock.after(delay, self._notice, node)

    def _notice(self, node: Endpoint) -> None:
        if self.open[node]:
            if self.world.faults.is_frozen(node.name):
                self.world.clock.after(0.5, self._notice, node)
                return
            self.close(node)

    def close(self, node: Endpoint) -> None:
        """Have one end know that the connection is over, or end it."""
        if not self.open[node]:
            return
        self.open[node] = False
        self.world.note("closed", f"{self.name} at {node.name}")
        node.disconnected(self)
        if self.link.connection is self and node is self.dialer:
            self.link.connection = None
            self.link.dial_soon()
        self.sever()
        self._forget_if_over()

    def _forget_if_over(self) -> None:
        if not any(self.open.values()) and self in self.link.live:
            self.link.live.remove(self)
