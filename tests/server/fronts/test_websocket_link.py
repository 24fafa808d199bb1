"""Frames of every length and kind over a real socket."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect

from support.servers import FaultyStorage, eventually, peers_in, serving
from support.yclient import YClient
from weft.limits import Limits, ServerLimits
from weft.server.auth import Allow, Deny
from weft.server.fronts.socket_writer import SocketWriter
from weft.server.fronts.websocket_link import WebsocketLink

if TYPE_CHECKING:
    from weft.server.auth import Request


async def test_text_frames_are_ignored() -> None:
    async with serving() as server, YClient(server.url, "room") as client:
        await client.synced()
        await client.socket.send("hello?")
        await client.socket.send("")
        await client.set(x=1)
        await client.flush()


async def test_compression_is_off_unless_asked_for() -> None:
    async with serving() as server, connect(f"{server.url}/room") as socket:
        assert socket.protocol.extensions == []
    async with (
        serving(compression=True) as server,
        YClient(server.url, "room", compression="deflate") as first,
        YClient(server.url, "room") as second,
    ):
        assert first.socket.protocol.extensions
        for client in (first, second):
            await client.synced()
        await second.set(x="long " * 1000)
        await first.wait_for(x="long " * 1000)
        await first.set(y="y" * 70_000)
        await second.wait_for(y="y" * 70_000)


@pytest.mark.parametrize("size", [10, 125 - 20, 126 - 20, 200, 65_500, 65_536, 200_000])
async def test_messages_of_every_length_come_through(size: int) -> None:
    async with (
        serving() as server,
        YClient(server.url, "room") as first,
        YClient(server.url, "room") as second,
    ):
        await second.synced()
        await first.set(x="x" * size)
        await second.wait_for(x="x" * size)


def certificate() -> Path:
    return Path(__file__).parents[2] / "support" / "tls" / "localhost.pem"


async def test_over_tls_everything_is_the_same() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate())
    trusting = ssl.create_default_context(cafile=certificate())

    def auth(request: Request) -> Allow | Deny:
        return Deny("no", 4401) if request.room == "closed" else Allow()

    async with serving(ssl=context, auth=auth, limits=Limits(max_outbound=1_000_000)) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert url.startswith("wss://")
        async with connect(f"{url}/closed", ssl=trusting) as denied:
            await denied.wait_closed()
            assert denied.close_code == 4401
        async with (
            YClient(url, "room", ssl=trusting) as writer,
            YClient(url, "room", ssl=trusting) as reader,
            YClient(url, "room", ssl=trusting) as slow,
        ):
            for client in (writer, reader, slow):
                await client.synced()
            slow.socket.transport.pause_reading()
            for number in range(20):
                await writer.set(large=f"{number}" * 500_000)
                await writer.flush()
            await reader.wait_for(large="19" * 500_000)
            room = server.rooms.get("room")
            assert room is not None
            # Not all 15 MB: what it misses waits as one update, made when the socket took what was before.
            assert max(peer.queue.size for peer in peers_in(room)) < 12_000_000
            slow.socket.transport.resume_reading()
            await slow.wait_for(large="19" * 500_000)
            closing = asyncio.create_task(server.close())
            for client in (writer, reader, slow):
                assert await client.wait_closed() == 1012
            await closing


async def test_what_a_stalled_socket_is_given_of_a_large_message_is_little() -> None:
    async with serving() as server, YClient(server.url, "room") as writer:
        await writer.set(large="x" * 10_000_000)
        await writer.flush()
        async with YClient(server.url, "room") as slow:
            slow.socket.transport.pause_reading()
            room = server.rooms.get("room")
            assert room is not None
            await eventually(lambda: any(peer.queue.size > 1_000_000 for peer in peers_in(room)))
            (peer,) = [peer for peer in peers_in(room) if peer.queue.size]
            link = peer._link
            assert isinstance(link, WebsocketLink)
            assert link._transport.get_write_buffer_size() <= 64 * 1024
            slow.socket.transport.resume_reading()
            await slow.wait_for(large="x" * 10_000_000)


async def test_a_close_in_the_middle_of_a_large_message_comes_behind_it() -> None:
    async with serving() as server, YClient(server.url, "room") as writer:
        await writer.set(large="x" * 10_000_000)
        await writer.flush()
        slow = await YClient(server.url, "room").__aenter__()
        slow.socket.transport.pause_reading()
        room = server.rooms.get("room")
        assert room is not None
        await eventually(lambda: any(peer.queue.size > 1_000_000 for peer in peers_in(room)))
        (peer,) = [peer for peer in peers_in(room) if peer.queue.size]
        peer.end(4400, "enough")
        slow.socket.transport.resume_reading()
        assert await slow.wait_closed() == 4400
        assert slow.content == {"large": "x" * 10_000_000}
        await slow.__aexit__(None, None, None)


async def test_what_a_client_says_while_its_room_is_loaded_counts_though_it_has_gone() -> None:
    storage = FaultyStorage()
    storage.loading.clear()
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as hasty:
            await eventually(lambda: storage.loads == {"room": 1})
            await hasty.set(x=1)
        assert hasty.close_code == 1000  # its close is answered, though its room is not there
        storage.loading.set()
        async with YClient(server.url, "room") as late:
            await late.wait_for(x=1)


async def test_more_than_a_little_is_not_taken_in_while_the_room_is_loaded() -> None:
    storage = FaultyStorage()
    storage.loading.clear()
    async with serving(storage=storage) as server, YClient(server.url, "room") as hasty:
        await eventually(lambda: storage.loads == {"room": 1})
        for number in range(40):
            await hasty.set(large=f"{number}" * 20_000)
        (link,) = server._connections.served
        await eventually(lambda: bool(link._stops))
        assert link._early.size < 200_000
        storage.loading.set()
        await hasty.flush()
        async with YClient(server.url, "room") as late:
            await late.wait_for(large="39" * 20_000)


async def test_a_server_that_closes_while_a_room_is_loaded_waits_for_no_time_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = FaultyStorage()
    storage.loading.clear()
    server = serving(storage=storage, server_limits=ServerLimits(close_timeout=1000.0))
    await server.start()
    async with YClient(server.url, "room") as client:
        await eventually(lambda: storage.loads == {"room": 1})
        await client.set(x=1)
        closing = asyncio.create_task(server.close())
        assert await client.wait_closed() == 1012
        storage.loading.set()
        await closing
    assert not caplog.records
    assert len((await storage.load("room")).rows) == 1


@pytest.mark.parametrize("is_sudden", [True, False])
async def test_who_is_cut_off_while_its_room_is_loaded_leaves_nothing_behind(
    is_sudden: bool, caplog: pytest.LogCaptureFixture
) -> None:
    storage = FaultyStorage()
    storage.loading.clear()
    async with serving(storage=storage) as server:
        client = await YClient(server.url, "room").__aenter__()
        await eventually(lambda: storage.loads == {"room": 1})
        for number in range(40):  # more than is taken in meanwhile
            await client.set(large=f"{number}" * 20_000)
        if is_sudden:
            client.cut()
        else:
            client.socket.transport.write_eof()
        storage.loading.set()
        await client.wait_closed()
        await eventually(lambda: server.connections == 0 and len(server.rooms) == 0)
        if not is_sudden:
            assert len((await storage.load("room")).rows) == 40
    assert not caplog.records


async def test_whose_connection_is_lost_while_its_room_is_loaded_is_in_no_room() -> None:
    storage = FaultyStorage()
    storage.loading.clear()
    async with serving(storage=storage) as server:
        client = await YClient(server.url, "room").__aenter__()
        await eventually(lambda: storage.loads == {"room": 1})
        linger = struct.pack("ii", 1, 0)  # a reset, and no word that it is over
        client.socket.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        client.cut()
        await eventually(lambda: server.connections == 0)
        storage.loading.set()
        await client.wait_closed()
        await eventually(lambda: len(server.rooms) == 0)


async def test_the_end_is_not_said_to_a_socket_that_has_been_reset_without_the_loop_hearing_of_it_yet() -> (
    None
):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        lost = asyncio.Event()

        class Protocol(asyncio.Protocol):
            def connection_lost(self, exc: Exception | None) -> None:
                lost.set()

        transport, _ = await asyncio.get_running_loop().create_connection(Protocol, *listening.getsockname())
        client, _ = listening.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        SocketWriter(transport, lambda _: None).finish()
        await lost.wait()
