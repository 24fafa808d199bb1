"""What connections share: the time of a turn, deadlines, and how all of them end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from support.logclient import LogClient
from support.rawclient import masked, raw_client
from support.servers import eventually, serving
from support.yclient import YClient, awareness_frame, step1_frame, update_frame
from support.ywriter import key_item, section, update
from weft.limits import Limits, ServerLimits
from weft.server import Allow
from weft.server._core.settings import RoomSettings
from weft.server.fronts import connections as module

if TYPE_CHECKING:
    from weft.server import Decision, Request, Server


async def test_a_flood_in_one_packet_is_worked_on_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURN", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0.0)
    async with (
        serving() as server,
        YClient(server.url, "room") as flooder,
        YClient(server.url, "room") as other,
    ):
        await flooder.synced()
        await other.synced()
        for number in range(500):
            await flooder.send(awareness_frame({7: (number + 1, {"n": number})}))
        await other.set(x=1)
        await other.flush()
        await flooder.flush()  # nothing of the flood is lost, and its order is kept
        await other.wait(lambda: other.awareness.get(7) == {"n": 499})


async def test_what_has_come_of_a_client_that_is_gone_is_taken_in_turn_by_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_TURN", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0.0)
    writes = (update(section(7, clock, key_item(f"{clock}"))) for clock in range(300))
    data = b"".join(masked(update_frame(each)) for each in writes)
    async with serving() as server:
        async with raw_client(server.port) as client:
            await client.send(data)
            await eventually(lambda: server._connections.received == len(data))
            (link,) = server._connections.served
            link.abort()
            await eventually(lambda: link._state == 2)
            async with LogClient(server.url, "room") as late:
                await late.wait(lambda: late.log.state() == {7: 300})
        await eventually(lambda: not server.connections)


async def test_clients_have_no_task_each() -> None:
    async with serving() as server:
        before = len(asyncio.all_tasks())
        clients = [await connect(f"{server.url}/room") for _ in range(20)]
        for client in clients:
            await client.send(step1_frame(b"\0"))
            await client.recv()
        await eventually(lambda: server.connections == 20)
        ours = [task for task in asyncio.all_tasks() if "/weft/" in repr(task.get_coro())]
        assert len(ours) <= before + 2  # the rooms' ticker, and one that opens a room
        for client in clients:
            await client.close()


async def stuck(server: Server, wanted: int) -> socket.socket:
    """A client that asks for much and reads nothing, not even the end of the connection."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", server.port))
    await loop.sock_sendall(
        client,
        b"GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    for _ in range(wanted):
        await loop.sock_sendall(client, b"\x82\x84\0\0\0\0" + step1_frame(b"\0"))
    return client


async def test_who_neither_reads_nor_answers_the_close_is_gone_by_a_deadline() -> None:
    at_once = ServerLimits(close_timeout=0.0)
    settings = RoomSettings(stall_timeout=0.2, unload_delay=0.0)
    async with (
        serving(settings=settings, limits=Limits(max_outbound=1_000_000), server_limits=at_once) as server,
        YClient(server.url, "room") as writer,
    ):
        for number in range(8):
            await writer.set(**{f"k{number}": "x" * 1_000_000})
        await writer.flush()
        clients = [await stuck(server, 3) for _ in range(5)]
        await eventually(lambda: server.connections == 6)
        await eventually(lambda: server.connections == 1)
        for client in clients:
            client.close()


async def test_a_peer_that_answers_no_ping_is_gone() -> None:
    at_once = ServerLimits(ping_interval=0.0, ping_timeout=0.0, close_timeout=0.0)
    async with serving(server_limits=at_once) as server, YClient(server.url, "room") as client:
        await client.synced()
        quiet = await stuck(server, 0)
        await eventually(lambda: server.connections == 2)
        await eventually(lambda: server.connections == 1)
        await client.flush()  # who reads has answered
        assert server.stats().refused == {"ping_timeout": 1}
        quiet.close()


async def _join(url: str) -> None:
    async with connect(f"{url}/room"):
        pass


async def test_a_hook_that_catches_its_cancellation_does_not_keep_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release, asked = asyncio.Event(), asyncio.Event()

    async def stubborn(_: Request) -> Decision:
        asked.set()
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()
        return Allow()

    async with serving(auth=stubborn, shutdown_timeout=0.1) as server:
        client = asyncio.create_task(_join(server.url))
        await asked.wait()
        await server.close()
        assert "left behind, as it does not end" in caplog.text
        release.set()
        with pytest.raises((OSError, WebSocketException, EOFError)):
            await client
