"""What every broadcast between server processes must do, as a class of tests to subclass.

For pytest with pytest-asyncio in ``auto`` mode::

    class TestMyBroadcast(BroadcastSuite):
        def make(self):
            return MyBroadcast("my://127.0.0.1:7777")

        def stop_broker(self): ...

        def start_broker(self): ...
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.server.fanout import Broadcast

__all__ = ["BroadcastSuite", "Heard", "until"]

_PATIENCE = 30.0  # seconds for what must come in the end
_POLL = 0.005


class Heard:
    """A listener that writes down what it is told.

    Attributes:
        messages: Channel and bytes, in order.
        connections: How often it was told of a connection.
        losses: Why there was none, each time.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.connections = 0
        self.losses: list[str] = []

    def received(self, channel: str, message: bytes) -> None:
        """Write a message down."""
        self.messages.append((channel, message))

    def connected(self) -> None:
        """Count a connection."""
        self.connections += 1

    def disconnected(self, reason: str) -> None:
        """Write a reason down."""
        self.losses.append(reason)

    def on(self, channel: str) -> list[bytes]:
        """What was heard on one channel."""
        return [message for name, message in self.messages if name == channel]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; an error after half a minute."""
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - whatever the condition is
            await asyncio.sleep(_POLL)


class BroadcastSuite(ABC):
    """The tests that every :class:`~weft.server.fanout.Broadcast` passes. The broker runs at their start."""

    @abstractmethod
    def make(self) -> Broadcast:
        """A broadcast to the broker of this test; several in one test are several processes."""

    @abstractmethod
    def stop_broker(self) -> None:
        """End the broker, as when its machine is switched off."""

    @abstractmethod
    def start_broker(self) -> None:
        """Start it again at the same address, without what it had in memory."""

    async def _pair(self, stack: AsyncExitStack) -> tuple[Broadcast, Heard, Broadcast, Heard]:
        heard = Heard(), Heard()
        members = [await stack.enter_async_context(self.make()) for _ in heard]
        for member, listener in zip(members, heard, strict=True):
            await member.open(listener)
            assert member.is_connected
            assert listener.connections == 1
        return members[0], heard[0], members[1], heard[1]

    async def _publish_until_heard(self, sender: Broadcast, heard: Heard) -> None:
        async with asyncio.timeout(_PATIENCE):
            while not heard.on("farm"):
                sender.publish("farm", b"x")
                await asyncio.sleep(_POLL)

    async def test_what_is_published_arrives_in_order(self) -> None:
        async with AsyncExitStack() as stack:
            sender, _, receiver, heard = await self._pair(stack)
            await receiver.subscribe("farm")
            sent = [bytes([number % 256]) * (number % 50) for number in range(2_000)]
            for message in sent:
                sender.publish("farm", message)
            await until(lambda: len(heard.messages) >= len(sent))
            assert heard.on("farm") == sent

    async def test_a_message_of_the_greatest_size_arrives(self) -> None:
        async with AsyncExitStack() as stack:
            sender, _, receiver, heard = await self._pair(stack)
            await receiver.subscribe("farm")
            sender.publish("farm", bytes(range(256)) * (sender.max_message // 256))
            await until(lambda: bool(heard.messages))
            assert heard.on("farm") == [bytes(range(256)) * (sender.max_message // 256)]

    async def test_names_of_channels_may_be_any_text(self) -> None:
        names = ["a b", "farm/*", "x.y.>", "äöü 🐕", "\x1fautomerge:abc", "{}", "%", "A", "a"]
        async with AsyncExitStack() as stack:
            sender, _, receiver, heard = await self._pair(stack)
            for name in names:
                await receiver.subscribe(name)
            for name in names:
                sender.publish(name, name.encode())
            await until(lambda: len(heard.messages) >= len(names))
            assert sorted(heard.messages) == sorted((name, name.encode()) for name in names)

    async def test_only_what_is_subscribed_to_arrives(self) -> None:
        async with AsyncExitStack() as stack:
            sender, _, receiver, heard = await self._pair(stack)
            await receiver.subscribe("left")
            await receiver.subscribe("kept")
            receiver.unsubscribe("left")
            # Nothing says when the broker has heard of it, except that nothing more comes.
            async with asyncio.timeout(_PATIENCE):
                while True:
                    before = len(heard.on("left"))
                    sender.publish("left", b"x")
                    sender.publish("other", b"x")
                    kept = len(heard.on("kept"))
                    sender.publish("kept", b"x")
                    await until(lambda kept=kept: len(heard.on("kept")) > kept)  # type: ignore[misc]
                    if len(heard.on("left")) == before:
                        break
            assert heard.on("other") == []

    async def test_a_channel_that_is_wanted_again_is_heard_again(self) -> None:
        async with AsyncExitStack() as stack:
            sender, _, receiver, heard = await self._pair(stack)
            for _ in range(20):
                await receiver.subscribe("farm")
                receiver.unsubscribe("farm")
            await receiver.subscribe("farm")
            await self._publish_until_heard(sender, heard)

    async def test_without_a_broker_everything_waits_for_it(self) -> None:
        self.stop_broker()
        heard = Heard()
        async with self.make() as member:
            await member.open(heard)
            assert (member.is_connected, len(heard.losses)) == (False, 1)
            member.publish("farm", b"lost")
            await member.subscribe("farm")
            self.start_broker()
            await until(lambda: heard.connections == 1)
            await self._publish_until_heard(member, heard)
            assert b"lost" not in heard.on("farm")

    async def test_after_the_broker_was_away_it_goes_on(self) -> None:
        async with AsyncExitStack() as stack:
            sender, sent, receiver, heard = await self._pair(stack)
            await receiver.subscribe("farm")
            self.stop_broker()
            await until(lambda: not sender.is_connected and not receiver.is_connected)
            assert len(heard.losses) == 1
            sender.publish("farm", b"lost")
            await receiver.subscribe("more")
            self.start_broker()
            await until(lambda: sent.connections == heard.connections == 2)
            # Both channels are subscribed to by then.
            sender.publish("farm", b"back")
            sender.publish("more", b"back")
            await until(lambda: len(heard.messages) >= 2)
            assert heard.on("more") == [b"back"]
            assert heard.on("farm")[-1:] == [b"back"]

    async def test_a_closed_one_tells_nothing_more(self) -> None:
        heard = Heard()
        member = self.make()
        await member.open(heard)
        await member.subscribe("farm")
        member.publish("farm", b"x")
        await member.close()
        told = len(heard.messages), heard.connections, len(heard.losses)
        async with AsyncExitStack() as stack:
            sender, _, receiver, others = await self._pair(stack)
            await receiver.subscribe("farm")
            sender.publish("farm", b"y")
            await until(lambda: bool(others.messages))
        assert (len(heard.messages), heard.connections, len(heard.losses)) == told
        await member.close()
