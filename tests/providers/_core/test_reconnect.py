"""The reconnecting shell with a protocol of one line: greet, count, say goodbye."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from weft.errors import ConnectError, ConnectionClosedError, ProviderClosedError, SyncTimeoutError
from weft.providers._core.backoff import Backoff
from weft.providers._core.reconnect import ReconnectLoop
from weft.providers._core.status import ProviderStatus, StatusTracker
from weft.testing.clock import ManualClock
from weft.testing.memory import MemoryConnection, MemoryLink, MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from weft.providers._core.status import Outcome

URL = "ws://memory/room"


class Lines:
    """An adapter: says hello, is synchronised by ``synced``, and fails on ``bug``."""

    def __init__(self, network: MemoryNetwork, *, close_timeout: float = 5.0) -> None:
        self.network = network
        self.clock = ManualClock()
        self.errors: list[Exception] = []
        self.heard: list[ProviderStatus] = []
        self.got: list[bytes | str] = []
        self.calls: list[str] = []
        self.settled = asyncio.Event()
        self.settled.set()
        self.due: float | None = None
        self.can_send_less = False
        self.tracker = StatusTracker(URL, self.errors.append)
        self.tracker.add_listener(lambda status, _: self.heard.append(status))
        self.reconnect_loop = ReconnectLoop(
            self,
            self.tracker,
            max_outbound=1000,
            backoff=Backoff(initial=1.0, maximum=8.0),
            clock=self.clock,
            random=lambda: 1.0,
            close_timeout=close_timeout,
        )

    async def dial(self) -> MemoryConnection:
        return await self.network.connect(URL, max_size=1000, open_timeout=30)

    def put(self, text: bytes) -> None:
        assert self.reconnect_loop.queue is not None
        self.reconnect_loop.queue.put(text)

    def send_less(self, largest: int) -> bool:
        self.calls.append(f"send less than {largest}")
        return self.can_send_less

    def opened(self) -> None:
        self.calls.append("opened")
        self.put(b"hello")

    def received(self, data: bytes | str) -> None:
        self.got.append(data)
        if data == b"synced":
            self.reconnect_loop.mark_synced()
        if data == b"bug":
            raise KeyError("bug")
        if data == b"panic":
            raise PanicError

    def emptied(self, forgot: bool) -> None:
        self.calls.append("forgot" if forgot else "emptied")

    def tick(self) -> float | None:
        self.calls.append("tick")
        return self.due

    def closed(self) -> None:
        self.calls.append("closed")
        assert self.reconnect_loop.queue is None

    async def settle(self) -> None:
        await self.settled.wait()

    def leave(self) -> None:
        self.put(b"goodbye")

    async def reach(self, status: ProviderStatus, *, synced: bool = False) -> None:
        """Wait until the provider stands there."""
        reached = asyncio.Event()

        def look(*_: object) -> None:
            if (self.tracker.status, self.tracker.synced) == (status, synced):
                reached.set()

        remove = self.tracker.add_listener(look)
        look()
        await reached.wait()
        remove()


class PanicError(BaseException):
    """As the binding raises."""


@asynccontextmanager
async def running(network: MemoryNetwork, *, close_timeout: float = 5.0) -> AsyncIterator[Lines]:
    lines = Lines(network, close_timeout=close_timeout)
    await lines.reconnect_loop.start()
    try:
        yield lines
    finally:
        await lines.reconnect_loop.stop(settle=False, for_good=True)


async def step() -> None:
    await asyncio.sleep(0)


async def next_link(network: MemoryNetwork) -> MemoryLink:
    link = await network.accept()
    assert await link.server.recv() == b"hello"
    return link


async def test_it_connects_greets_receives_and_leaves_with_a_goodbye() -> None:
    async with MemoryNetwork() as network:
        async with running(network) as lines:
            link = await next_link(network)
            await link.server.send(b"synced")
            await lines.reach("connected", synced=True)
        assert await link.server.recv() == b"goodbye"
        with pytest.raises(ConnectionClosedError, match="1000"):
            await link.server.recv()
        assert lines.heard == ["connecting", "connected", "connected", "disconnected", "closed"]
        assert lines.calls[-1] == "closed"
        assert lines.errors == []


async def test_it_comes_again_after_growing_waits_which_start_over_after_a_synchronisation() -> None:
    async with MemoryNetwork() as network:
        network.refuse()
        async with running(network) as lines:
            for wait in (1.0, 2.0, 4.0, 8.0, 8.0):
                assert await lines.clock.wait_for_sleepers() == [lines.clock.now() + wait]
                assert lines.tracker.status == "disconnected"
                lines.clock.advance(wait)
            network.admit()
            link = await next_link(network)
            link.drop()  # connected, but not synchronised: the waits go on growing
            await lines.reach("disconnected")
            assert await lines.clock.wait_for_sleepers() == [lines.clock.now() + 8.0]
            lines.clock.advance(8.0)
            link = await next_link(network)
            await link.server.send(b"synced")
            await lines.reach("connected", synced=True)
            link.drop()
            await lines.reach("disconnected")
            assert await lines.clock.wait_for_sleepers() == [lines.clock.now() + 1.0]
        assert {type(error) for error in lines.errors} == {ConnectError, ConnectionClosedError}


async def test_waits_go_on_growing_when_a_synchronised_server_complains() -> None:
    async with MemoryNetwork() as network, running(network) as lines:
        for wait in (1.0, 2.0, 4.0):
            link = await next_link(network)
            await link.server.send(b"synced")
            await lines.reach("connected", synced=True)
            link.drop(1011, "message too bad")
            await lines.reach("disconnected")
            assert await lines.clock.wait_for_sleepers() == [lines.clock.now() + wait]
            lines.clock.advance(wait)
        assert str(lines.errors[-1]) == "connection closed with code 1011 ('message too bad')"


async def test_a_message_too_large_is_sent_in_smaller_parts_as_long_as_that_can_help() -> None:
    async with MemoryNetwork() as network, running(network) as lines:
        lines.can_send_less = True
        link = await next_link(network)
        lines.put(b"x" * 100)
        assert await link.server.recv() == b"x" * 100
        link.drop(1009, "limit of 10 bytes")
        assert await lines.clock.wait_for_sleepers()
        assert "send less than 100" in lines.calls
        lines.can_send_less = False
        lines.clock.advance(8.0)
        link = await next_link(network)
        link.drop(1009, "limit of 4 bytes")
        await lines.reach("closed")
        with pytest.raises(ConnectionClosedError) as caught:
            lines.reconnect_loop.check_running()
        assert caught.value.permanent
        assert caught.value.reason == (
            "limit of 4 bytes: a message of 5 bytes is larger than the server takes, and cannot be sent in "
            "smaller parts"
        )


async def test_a_message_larger_than_may_be_received_is_final() -> None:
    async with MemoryNetwork() as network, running(network) as lines:
        link = await next_link(network)
        await link.server.send(b"x" * 1001)
        await lines.reach("closed")
        with pytest.raises(ConnectionClosedError, match="the server sent more than"):
            lines.reconnect_loop.check_running()
        assert not any(call.startswith("send less") for call in lines.calls)


@pytest.mark.parametrize("code", [4400, 4401, 4499])
async def test_a_permanent_close_code_is_final(code: int) -> None:
    async with MemoryNetwork() as network, running(network) as lines:
        waiting = asyncio.create_task(lines.tracker.wait(new_outcome(), None, "never"))
        link = await next_link(network)
        link.drop(code, "go away")
        with pytest.raises(ConnectionClosedError) as caught:
            await waiting
        assert caught.value.permanent
        await lines.reach("closed")
        with pytest.raises(ConnectionClosedError, match=str(code)):
            lines.reconnect_loop.check_running()
        assert len(network.requests) == 1
        # The owner may try again, with a fresh token for instance.
        await lines.reconnect_loop.start()
        lines.reconnect_loop.check_running()
        await next_link(network)


async def test_a_refused_request_is_final_and_a_refusal_of_the_moment_is_not() -> None:
    async with MemoryNetwork() as network:
        network.refuse(status=503)
        async with running(network) as lines:
            await lines.clock.wait_for_sleepers()
            network.refuse(status=401)
            lines.clock.advance(1.0)
            await lines.reach("closed")
            with pytest.raises(ConnectError, match="credentials") as caught:
                lines.reconnect_loop.check_running()
            assert caught.value.status == 401
            assert len(network.requests) == 2


async def test_a_server_that_says_when_to_come_again_is_left_alone_until_then() -> None:
    async with MemoryNetwork() as network:
        network.refuse(status=503, retry_after=60.0)
        async with running(network) as lines:
            await lines.clock.wait_for_sleepers()
            network.admit()
            lines.clock.advance(60.0)
            await step()
            assert len(network.requests) == 1
            lines.clock.advance(1.0)
            await next_link(network)


async def test_a_fault_of_the_protocol_is_reported_and_the_connection_made_anew() -> None:
    async with MemoryNetwork() as network, running(network) as lines:
        for message, error in ((b"bug", "KeyError('bug')"), (b"panic", "PanicError")):
            link = await next_link(network)
            await link.server.send(message)
            with pytest.raises(ConnectionClosedError):
                await link.server.recv()
            await lines.clock.wait_for_sleepers()
            assert error in repr(lines.errors[-1])
            lines.clock.advance(8.0)
        await next_link(network)


async def test_timers_of_the_protocol_are_asked_when_they_are_due() -> None:
    async with MemoryNetwork() as network:
        lines = Lines(network)
        lines.due = 3.0
        await lines.reconnect_loop.start()
        await next_link(network)
        assert await lines.clock.wait_for_sleepers() == [3.0]
        lines.due = 4.0
        lines.clock.advance(3.0)
        assert await lines.clock.wait_for_sleepers() == [7.0]
        assert lines.calls.count("tick") == 2
        lines.due = 0.5
        lines.reconnect_loop.rearm()
        while lines.calls.count("tick") < 3:
            await step()
        assert await lines.clock.wait_for_sleepers() == [3.5]
        lines.due = None
        lines.clock.advance(0.5)
        while lines.calls.count("tick") < 4:
            await step()
        assert lines.clock.deadlines == []
        await lines.reconnect_loop.stop(settle=False, for_good=True)
        assert lines.clock.deadlines == []


async def test_leaving_waits_until_the_server_has_everything() -> None:
    async with MemoryNetwork() as network, running(network) as lines:
        lines.settled.clear()
        link = await next_link(network)
        leaving = asyncio.create_task(lines.reconnect_loop.stop(settle=True, for_good=False))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not leaving.done()
        lines.settled.set()
        await leaving
        assert await link.server.recv() == b"goodbye"
        assert lines.errors == []
        assert lines.tracker.status == "disconnected"


async def test_leaving_takes_bounded_time_and_says_what_is_uncertain() -> None:
    async with MemoryNetwork() as network, running(network, close_timeout=0.01) as lines:
        lines.settled.clear()
        await next_link(network)
        await lines.reconnect_loop.stop(settle=True, for_good=False)
        (error,) = lines.errors
        assert isinstance(error, SyncTimeoutError)


async def test_leaving_a_server_that_takes_nothing_takes_bounded_time() -> None:
    async with MemoryNetwork(buffer=1) as network, running(network, close_timeout=0.01) as lines:
        link = await network.accept()
        link.hold()
        await lines.reconnect_loop.stop(settle=False, for_good=False)
        with pytest.raises(ConnectionClosedError, match="1006"):
            await link.server.recv()


async def test_a_stopped_engine_starts_again_and_a_closed_one_does_not() -> None:
    async with MemoryNetwork() as network, running(network) as lines:
        await next_link(network)
        await lines.reconnect_loop.stop(settle=False, for_good=False)
        with pytest.raises(ProviderClosedError, match="not connected"):
            lines.reconnect_loop.check_running()
        await lines.reconnect_loop.start()
        await lines.reconnect_loop.start()  # under way already
        await next_link(network)
        assert len(network.requests) == 2
        await lines.reconnect_loop.stop(settle=False, for_good=True)
        assert lines.tracker.status == "closed"
        with pytest.raises(ProviderClosedError, match="was closed"):
            await lines.reconnect_loop.start()
        with pytest.raises(ProviderClosedError, match="was closed"):
            lines.reconnect_loop.check_running()
        await lines.reconnect_loop.stop(settle=False, for_good=False)
        assert lines.tracker.status == "closed"


async def test_stopping_tells_who_waits_and_ends_a_try_under_way() -> None:
    async with MemoryNetwork() as network, running(network) as lines:
        network.hold_handshakes()
        await network.wait_for_requests(1)
        waiting = asyncio.create_task(lines.tracker.wait(new_outcome(), None, "never"))
        await asyncio.sleep(0)
        await lines.reconnect_loop.stop(settle=False, for_good=False)
        with pytest.raises(ProviderClosedError, match="disconnected"):
            await waiting
        assert lines.tracker.status == "disconnected"


async def test_others_get_their_turn_while_many_messages_are_at_hand() -> None:
    async with MemoryNetwork(buffer=1 << 20) as network, running(network) as lines:
        link = await next_link(network)
        link.hold("down")
        for _ in range(1000):
            await link.server.send(b"x")
        link.release("down")
        seen = []
        for _ in range(20):
            await asyncio.sleep(0)
            seen.append(len(lines.got))
        turns = [after - before for before, after in itertools.pairwise(seen)]
        assert 0 < max(turns) <= 64


def new_outcome() -> Outcome:
    return asyncio.get_running_loop().create_future()
