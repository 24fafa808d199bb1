"""A broker in memory, for tests: several servers in one process, and what happens when the broker is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from weft.server.fanout.broadcast import Broadcast

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.server.fanout.broadcast import BroadcastListener

__all__ = ["MemoryBroadcast", "MemoryBroker"]


class MemoryBroker:
    """What several :class:`MemoryBroadcast` of one event loop are connected to.

    Attributes:
        lose: Asked about each message, channel and bytes, whether it is lost on the way to one receiver.
        delay: Asked how many seconds a message takes to one receiver; without it the next turn brings all.
    """

    def __init__(self) -> None:
        self.lose: Callable[[str, bytes], bool] = lambda _channel, _message: False
        self.delay: Callable[[], float] | None = None
        self._members: list[MemoryBroadcast] = []
        self._is_up = True

    @property
    def is_up(self) -> bool:
        """Whether anybody can connect."""
        return self._is_up

    def stop(self) -> None:
        """Be away: every connection ends, and none can be made."""
        self._is_up = False
        for member in tuple(self._members):
            member.follow()

    def start(self) -> None:
        """Be there again: everybody connects at once."""
        self._is_up = True
        for member in tuple(self._members):
            member.follow()

    def join(self, member: MemoryBroadcast) -> None:
        """Take in a member; it follows what the broker does."""
        self._members.append(member)

    def leave(self, member: MemoryBroadcast) -> None:
        """Let a member go."""
        self._members.remove(member)

    def send(self, channel: str, message: bytes) -> None:
        """Bring a message to whoever has subscribed, at the loop's next turn or when it has been delayed."""
        loop = asyncio.get_running_loop()
        for member in self._members:
            if self.lose(channel, message):
                continue
            if self.delay is None:
                loop.call_soon(member.deliver, channel, message)
            else:
                loop.call_later(self.delay(), member.deliver, channel, message)


class MemoryBroadcast(Broadcast):
    """One process's connection to a :class:`MemoryBroker`.

    Args:
        broker: What it is connected to.
    """

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._channels: set[str] = set()
        self._listener: BroadcastListener | None = None
        self._is_connected = False

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there."""
        return self._is_connected

    async def open(self, listener: BroadcastListener) -> None:
        """Connect, if the broker is there."""
        self._listener = listener
        self._broker.join(self)
        if self._broker.is_up:
            self.follow()
        else:
            listener.disconnected("the broker is stopped")

    def follow(self) -> None:
        """Take over what the broker has become; the broker calls it."""
        is_up = self._broker.is_up
        if self._listener is None or is_up == self._is_connected:
            return
        self._is_connected = is_up
        if is_up:
            self._listener.connected()
        else:
            self._listener.disconnected("the broker was stopped")

    def deliver(self, channel: str, message: bytes) -> None:
        """Hear a message; the broker calls it."""
        if self._listener is not None and self._is_connected and channel in self._channels:
            self._listener.received(channel, message)

    def publish(self, channel: str, message: bytes) -> None:
        """Hand a message to the broker."""
        if self._is_connected:
            self._broker.send(channel, bytes(message))

    async def subscribe(self, channel: str) -> None:
        """Hear a channel at once."""
        self._channels.add(channel)

    def unsubscribe(self, channel: str) -> None:
        """Hear no more of a channel."""
        self._channels.discard(channel)

    async def close(self) -> None:
        """Leave the broker."""
        if self._listener is not None:
            self._listener = None
            self._is_connected = False
            self._broker.leave(self)
