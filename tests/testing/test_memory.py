from __future__ import annotations

import asyncio

import pytest

from weft.errors import ConnectError, ConnectionClosedError
from weft.testing.clock import ManualClock
from weft.testing.memory import MemoryConnection, MemoryLink, MemoryNetwork, MemoryRequest

URL = "ws://memory/room?token=secret"


async def dial(
    network: MemoryNetwork, *, max_size: int = 1 << 20, subprotocols: tuple[str, ...] = ()
) -> MemoryConnection:
    return await network.connect(
        URL, headers=[("X-A", "1")], subprotocols=subprotocols, max_size=max_size, open_timeout=30
    )


async def pair(network: MemoryNetwork) -> MemoryLink:
    await dial(network)
    return await network.accept()


async def step(times: int = 10) -> None:
    """Let every task that can go on do so."""
    for _ in range(times):
        await asyncio.sleep(0)


async def echo(connection: MemoryConnection, _: MemoryRequest) -> None:
    while True:
        await connection.send(await connection.recv())


async def test_messages_pass_both_ways_whole_and_in_order() -> None:
    async with MemoryNetwork(echo) as network:
        connection = await dial(network)
        for message in (b"one", "two", b"", b"three"):
            await connection.send(message)
        assert [await connection.recv() for _ in range(4)] == [b"one", "two", b"", b"three"]


async def test_the_request_tells_what_the_client_asked_for() -> None:
    async with MemoryNetwork() as network:
        connection = await dial(network, subprotocols=("a", "b"))
        link = await network.accept()
        assert link.request == MemoryRequest(URL, (("X-A", "1"),), ("a", "b"))
        assert network.requests == [link.request]
        assert connection.subprotocol == link.server.subprotocol == "a"


async def test_connections_are_refused_until_admitted() -> None:
    async with MemoryNetwork() as network:
        network.refuse()
        with pytest.raises(
            ConnectError, match="cannot connect to ws://memory/room: connection refused"
        ) as caught:
            await dial(network)
        assert caught.value.status is None
        network.refuse(status=403)
        with pytest.raises(ConnectError, match="403") as caught:
            await dial(network)
        assert caught.value.status == 403
        assert "secret" not in str(caught.value)
        network.admit()
        await dial(network)
        assert len(network.requests) == 3
        assert len(network.links) == 1


async def test_a_held_handshake_waits_and_runs_out_of_time() -> None:
    async with MemoryNetwork() as network:
        network.hold_handshakes()
        with pytest.raises(ConnectError, match="no answer within"):
            await network.connect(URL, max_size=1, open_timeout=0)
        dialing = asyncio.create_task(dial(network))
        await network.wait_for_requests(2)
        await step()
        assert not dialing.done()
        network.admit()
        await dialing


async def test_closing_delivers_what_was_sent_before_and_tells_the_code() -> None:
    async with MemoryNetwork() as network:
        link = await pair(network)
        await link.server.send(b"last")
        await link.server.close(4401, "token expired")
        assert await link.client.recv() == b"last"
        for _ in range(2):
            with pytest.raises(ConnectionClosedError) as caught:
                await link.client.recv()
            error = caught.value
            assert (error.code, error.reason, error.permanent) == (4401, "token expired", True)
        with pytest.raises(ConnectionClosedError):
            await link.client.send(b"too late")
        with pytest.raises(ConnectionClosedError):
            await link.server.recv()
        await link.client.close()


async def test_aborting_after_a_goodbye_takes_nothing_back() -> None:
    async with MemoryNetwork() as network:
        link = await pair(network)
        await link.client.send(b"last")
        await link.client.close()
        await link.client.abort()
        assert await link.server.recv() == b"last"
        with pytest.raises(ConnectionClosedError, match="1000"):
            await link.server.recv()


async def test_aborting_while_the_goodbye_is_held_up_loses_it() -> None:
    async with MemoryNetwork() as network:
        link = await pair(network)
        link.hold("up")
        await link.client.send(b"last")
        closing = asyncio.create_task(link.client.close())
        await step()
        await link.client.abort()
        await closing
        with pytest.raises(ConnectionClosedError):
            await link.server.recv()


async def test_a_broken_link_loses_what_was_under_way() -> None:
    async with MemoryNetwork() as network:
        link = await pair(network)
        await link.server.send(b"lost")
        await link.client.send(b"lost")
        link.drop()
        for connection in (link.client, link.server):
            with pytest.raises(ConnectionClosedError) as caught:
                await connection.recv()
            assert caught.value.code == 1006
            assert not caught.value.permanent


async def test_a_link_dropped_with_a_code_is_the_servers_goodbye() -> None:
    async with MemoryNetwork() as network:
        link = await pair(network)
        await link.server.send(b"before")
        network.drop_all(1001, "going away")
        assert await link.client.recv() == b"before"
        with pytest.raises(ConnectionClosedError, match=r"1001 \('going away'\)"):
            await link.client.recv()


async def test_aborting_breaks_the_link_for_both() -> None:
    async with MemoryNetwork() as network:
        link = await pair(network)
        receiving = asyncio.create_task(link.server.recv())
        await step()
        await link.client.abort()
        with pytest.raises(ConnectionClosedError, match="1006"):
            await receiving


async def test_a_held_direction_keeps_messages_and_goodbyes_and_the_other_goes_on() -> None:
    async with MemoryNetwork() as network:
        link = await pair(network)
        link.hold("up")
        await link.client.send(b"held")
        await link.server.send(b"free")
        assert await link.client.recv() == b"free"
        receiving = asyncio.create_task(link.server.recv())
        closing = asyncio.create_task(link.client.close(1000))
        await step()
        assert not receiving.done()
        assert not closing.done()
        assert link.waiting("up") == 4
        link.release()
        assert await receiving == b"held"
        await closing
        with pytest.raises(ConnectionClosedError, match="1000"):
            await link.server.recv()


async def test_a_sender_waits_while_more_than_the_buffer_is_under_way() -> None:
    async with MemoryNetwork(buffer=10) as network:
        link = await pair(network)
        await link.client.send(b"x" * 10)
        sending = asyncio.create_task(link.client.send(b"y"))
        await step()
        assert not sending.done()
        await link.server.recv()
        await sending
        assert await link.server.recv() == b"y"


async def test_a_waiting_sender_hears_that_the_link_broke() -> None:
    async with MemoryNetwork(buffer=1) as network:
        link = await pair(network)
        sending = asyncio.create_task(link.client.send(b"xx"))
        await step()
        link.drop()
        with pytest.raises(ConnectionClosedError):
            await sending


async def test_delayed_messages_arrive_in_their_time_and_in_order() -> None:
    clock = ManualClock()
    async with MemoryNetwork(clock=clock) as network:
        link = await pair(network)
        link.delay(2.0, "down")
        await link.server.send(b"one")
        link.delay(1.0, "down")
        await link.server.send(b"two")
        receiving = asyncio.create_task(link.client.recv())
        await clock.wait_for_sleepers()
        assert clock.deadlines == [2.0]
        clock.advance(2.0)
        assert await receiving == b"one"
        assert await link.client.recv() == b"two"


async def test_a_link_that_breaks_wakes_who_waits_for_a_delayed_message() -> None:
    clock = ManualClock()
    async with MemoryNetwork(clock=clock) as network:
        link = await pair(network)
        link.delay(60.0, "down")
        await link.server.send(b"never")
        receiving = asyncio.create_task(link.client.recv())
        await clock.wait_for_sleepers()
        link.drop()
        with pytest.raises(ConnectionClosedError):
            await receiving


async def test_a_message_over_the_clients_bound_ends_the_connection() -> None:
    async with MemoryNetwork() as network:
        connection = await dial(network, max_size=4)
        link = await network.accept()
        await link.server.send(b"12345")
        with pytest.raises(ConnectionClosedError, match="1009"):
            await connection.recv()
        with pytest.raises(ConnectionClosedError, match="1009"):
            await link.server.recv()


async def test_a_handler_that_returns_says_goodbye() -> None:
    async def greet(connection: MemoryConnection, _: MemoryRequest) -> None:
        await connection.send(b"hello")

    async with MemoryNetwork(greet) as network:
        connection = await dial(network)
        assert await connection.recv() == b"hello"
        with pytest.raises(ConnectionClosedError, match="1000"):
            await connection.recv()


async def test_a_handler_that_fails_breaks_its_link_and_fails_the_exit() -> None:
    async def fail(_: MemoryConnection, __: MemoryRequest) -> None:
        raise KeyError("bug")

    network = MemoryNetwork(fail)
    connection = await dial(network)
    with pytest.raises(ConnectionClosedError, match="1011"):
        await connection.recv()
    with pytest.raises(ExceptionGroup) as caught:
        await network.__aexit__(None, None, None)
    assert caught.group_contains(KeyError)


async def test_leaving_the_network_cancels_the_handlers() -> None:
    ended = asyncio.Event()

    async def stay(_: MemoryConnection, __: MemoryRequest) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with MemoryNetwork(stay) as network:
        connection = await dial(network)
        await step()
    assert ended.is_set()
    with pytest.raises(ConnectionClosedError):
        await connection.recv()


async def test_a_cancelled_receiver_loses_no_message() -> None:
    async with MemoryNetwork() as network:
        link = await pair(network)
        receiving = asyncio.create_task(link.server.recv())
        await step()
        await link.client.send(b"kept")
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        assert await link.server.recv() == b"kept"
