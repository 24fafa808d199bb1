"""One simulated server among several on one storage: it tells the others, and follows what they store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weft.server.fanout.messages import SENDER_BYTES
from weft.server.fanout.session import (
    PROCESSES,
    Answer,
    FanoutSession,
    Fetch,
    Forget,
    Hear,
    Publish,
    ReadHeads,
    TakeIn,
    room_channel,
)
from weft.server.ysync.shared_awareness import SharedAwareness
from weft.testing.sim.broker import BrokerClient, describe_hint

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from weft.protocols.awareness import Awareness
    from weft.server.fanout.session import FanoutEffect
    from weft.testing.sim.broker import SimBroker
    from weft.testing.sim.disk import SimDisk
    from weft.testing.sim.world import World

__all__ = ["DISK", "ROOM", "FanoutServer", "SimFanout"]

ROOM = "room"
DISK = "disk"
"""What the faults of the network call the storage."""


class FanoutServer(BrokerClient, Protocol):
    """A server, as its part in the cluster knows it."""

    world: World
    disk: SimDisk
    random: random.Random
    awareness: Awareness

    @property
    def now(self) -> float:
        """The server's own clock."""

    def take_in(self, updates: Sequence[bytes]) -> None:
        """Take in what others have stored, and relay what is news of it."""

    def later(self, delay: float, call: Callable[..., None], *arguments: Any, counts: bool = True) -> None:
        """Have something done in a moment, if the server still lives then."""


class SimFanout:
    """A server's ``Hub`` without its tasks: the session and the rules are the same code.

    Args:
        server: The server.
        broker: The way to the others.
        session: Makes the session.
    """

    def __init__(
        self, server: FanoutServer, broker: SimBroker, session: Callable[..., FanoutSession]
    ) -> None:
        self._server = server
        self._broker = broker
        self.session = session(server.random.randbytes(SENDER_BYTES), max_message=256 * 1024, now=server.now)
        self._shared: SharedAwareness | None = None

    def open(self) -> None:
        """Connect, and hear of the room from now on."""
        self.session.opening(ROOM)
        self._broker.join(self._server, PROCESSES, room_channel(ROOM))

    def opened(self, number: int) -> None:
        """The room has been loaded, up to a number."""
        server = self._server
        self._shared = SharedAwareness(
            server.awareness,
            clock=lambda: server.now,
            tell=lambda data: self._publish(self.session.tell(ROOM, data)),
            soon=lambda call: server.later(0.0, call, counts=False),
        )
        self.perform(self.session.opened(ROOM, number, self._server.now))

    def bye(self) -> None:
        """The process ends."""
        self.perform([self.session.bye()])

    def crash(self) -> None:
        """The process is no more."""
        if self._shared is not None:
            self._shared.close()
        self._broker.leave(self._server)

    def connected(self) -> None:
        """There is a connection to the broker."""
        self.perform(self.session.connected())

    def received(self, channel: str, message: bytes) -> None:
        """A message came from the broker."""
        wall = self._server.world.clock.now
        self.perform(self.session.received(channel, message, self._server.now, wall_s=wall))

    def committed(self, first: int, updates: Sequence[bytes]) -> None:
        """The server has been told that updates are committed."""
        wall = self._server.world.clock.now
        self.perform(self.session.committed(ROOM, first, updates, self._server.now, wall_s=wall))

    def tick(self) -> None:
        """Let time pass."""
        self.perform(self.session.tick(self._server.now))

    def perform(self, effects: Iterable[FanoutEffect]) -> None:
        """Do what the session asks for."""
        server, shared = self._server, self._shared
        for effect in effects:
            match effect:
                case Publish():
                    self._publish(effect)
                case TakeIn():
                    server.take_in(effect.updates)
                case Hear() if shared is not None:
                    shared.hear(effect.sender, effect.data)
                case Answer() if shared is not None:
                    for words in shared.own_words():
                        self._publish(self.session.tell(ROOM, words))
                case Forget() if shared is not None:
                    server.world.note("forget", f"{server.name} {effect.sender.hex()}")
                    shared.forget(effect.sender)
                case Fetch():
                    server.world.sent("fetch", server.name, DISK)
                    server.later(self._delay(), self._fetch, effect.number)
                case ReadHeads():
                    server.later(self._delay(), self._read_heads, counts=False)
                case _:
                    pass  # before the room is loaded

    def _publish(self, effect: Publish) -> None:
        kind = describe_hint(effect.message)
        self._server.world.note("publish", f"{kind} {self._server.name}")
        if kind in {"hint", "told"}:
            self._server.world.sent("awareness" if kind == "told" else kind, self._server.name, "others")
        self._broker.publish(self._server, effect.channel, effect.message)

    # A read takes its time before it is made and after; the place may be cut off at both moments.

    def _fetch(self, number: int) -> None:
        found = None if self.is_cut_off else self._server.disk.since(number)
        self._server.later(self._delay(), self._fetched, number, found)

    def _fetched(self, number: int, found: Any) -> None:
        session, now = self.session, self._server.now
        if found is None or self.is_cut_off:
            session.fetch_failed(ROOM, now)
            return
        self._server.world.note("fetched", f"{self._server.name} {number} to {found.head}")
        self.perform(session.fetched(ROOM, zip(found.numbers, found.rows, strict=True), found.head, now))

    def _read_heads(self) -> None:
        disk = self._server.disk
        # As the contract of a storage has it: a room of which nothing was ever stored is left out.
        heads = None if self.is_cut_off else {ROOM: disk.head} if disk.head else {}
        self._server.later(self._delay(), self._heads_read, heads, counts=False)

    def _heads_read(self, heads: dict[str, int] | None) -> None:
        self.perform(self.session.heads_read(None if self.is_cut_off else heads, self._server.now))

    @property
    def is_cut_off(self) -> bool:
        """Whether the storage cannot be reached."""
        faults, name = self._server.world.faults, self._server.name
        return faults.is_cut(name, DISK) or faults.is_cut(DISK, name)

    def _delay(self) -> float:
        slowness = self._server.world.faults.rates.disk
        return self._server.random.uniform(0, slowness) / 2 if slowness else 0.0
