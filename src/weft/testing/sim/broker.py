"""A broker between the servers of one storage: it loses, delays and is away, and promises nothing."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from weft.testing.sim.scheduler import seeded_random

if TYPE_CHECKING:
    from weft.testing.sim.world import World

__all__ = ["BROKER", "BrokerClient", "SimBroker", "describe_hint"]

BROKER = "broker"
"""What the faults of the network call it."""

_POLL = 0.25  # seconds after which a connection is looked at again
_UNNOTICED = 10.0  # seconds until a dead connection is noticed, at the latest; the contract of Broadcast
_FROZEN_S = 0.5


def describe_hint(message: bytes) -> str:
    """What a message between servers is, by its second byte: see ``weft.server.fanout.messages``."""
    kinds = {1: "hint", 2: "told", 3: "question", 4: "beat", 5: "bye"}
    return kinds.get(message[1] if len(message) > 1 else 0, "unknown")


class BrokerClient(Protocol):
    """A server, as the broker knows it."""

    name: str

    def broker_connected(self) -> None:
        """There is a connection, on which every channel is subscribed to."""

    def broker_received(self, channel: str, message: bytes) -> None:
        """A message came."""


class _Member:
    def __init__(self, client: BrokerClient) -> None:
        self.client = client
        self.channels: set[str] = set()
        self.is_connected = False  # as the member believes
        self.dead_since: float | None = None
        self.notice_at = 0.0
        self.inbox: deque[tuple[str, bytes]] = deque()
        self.latest: dict[str, float] = {}  # by sender: what one sends arrives in order


class SimBroker:
    """At most once, in order from each sender; what two send may overtake each other."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = seeded_random(seed)
        self._members: dict[str, _Member] = {}
        self._away_until = 0.0

    def away(self, seconds: float) -> None:
        """Be away for a while; every connection ends."""
        self._away_until = max(self._away_until, self._world.clock.now + seconds)

    def heal(self) -> None:
        """Be there."""
        self._away_until = 0.0

    def join(self, client: BrokerClient, *channels: str) -> None:
        """Have a server connect, and subscribe to channels."""
        member = self._members[client.name] = _Member(client)
        member.channels.update(channels)
        self._poll(member)

    def leave(self, client: BrokerClient) -> None:
        """Let a server go: its process is no more."""
        self._members.pop(client.name, None)

    def publish(self, client: BrokerClient, channel: str, message: bytes) -> None:
        """Carry a message to those who have subscribed, or lose it."""
        world, sender = self._world, self._members[client.name]
        if not sender.is_connected or not self._is_whole(sender):
            return
        rates = world.faults.rates
        for member in tuple(self._members.values()):
            if member is sender or not member.is_connected or channel not in member.channels:
                continue
            if rates.broker_loss and self._random.random() < rates.broker_loss:
                world.record_fault("broker-loss", f"{describe_hint(message)} to {member.client.name}")
                continue
            delay = self._random.uniform(0, rates.delay) if rates.delay else 0.0
            when = max(member.latest.get(client.name, 0.0), world.clock.now + delay)
            member.latest[client.name] = when
            world.clock.at(when, self._arrive, member, channel, message)
            if describe_hint(message) != "beat":
                world.busy(when)

    def _is_whole(self, member: _Member) -> bool:
        """Whether there really is a connection."""
        return member.dead_since is None and self._is_reachable(member)

    def _is_reachable(self, member: _Member) -> bool:
        faults, name = self._world.faults, member.client.name
        return self._away_until <= self._world.clock.now and not (
            faults.is_cut(name, BROKER) or faults.is_cut(BROKER, name)
        )

    def _arrive(self, member: _Member, channel: str, message: bytes) -> None:
        if self._members.get(member.client.name) is member and member.is_connected and self._is_whole(member):
            member.inbox.append((channel, message))
            self._drain(member)

    def _drain(self, member: _Member) -> None:
        while member.inbox and self._members.get(member.client.name) is member:
            if self._world.faults.is_frozen(member.client.name):
                self._world.clock.after(_FROZEN_S, self._drain, member)
                return
            channel, message = member.inbox.popleft()
            self._world.note("broker", f"{describe_hint(message)} arrives at {member.client.name}")
            member.client.broker_received(channel, message)

    def _poll(self, member: _Member) -> None:
        if self._members.get(member.client.name) is not member:
            return
        now = self._world.clock.now
        self._world.clock.after(_POLL, self._poll, member)
        if self._world.faults.is_frozen(member.client.name):
            return
        if member.is_connected:
            if member.dead_since is None and not self._is_reachable(member):
                member.dead_since = now
                member.notice_at = now + self._random.uniform(0, _UNNOTICED)
            if member.dead_since is not None and (now >= member.notice_at or self._world.healed):
                self._world.note("broker", f"{member.client.name} has lost it")
                member.is_connected, member.dead_since = False, None
        elif self._is_reachable(member):
            member.is_connected = True
            self._world.note("broker", f"{member.client.name} is connected")
            member.client.broker_connected()
