"""Clients that ask for much, send what never ends, or do not read, on a server with 512 MiB."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from support.abused import abused, honest_pair
from support.logclient import LogClient, read_room
from support.yclient import awareness_frame, step1_frame, varbytes, varuint
from support.ywriter import item, section, update
from weft._codecs.yjs.lib0 import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)

_MIB = 1024 * 1024


def large(client: int) -> bytes:
    """An update of 12 MiB."""
    return update(section(client, 0, item(4, Writer().string("x" * 12 * _MIB).finish())))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a state vector of a million clients": lambda: step1_frame(varuint(1_000_000) + b"\x01\x01" * 1_000_000),
    "a state vector that announces what is not there": lambda: step1_frame(varuint(2**50) + b"\x01"),
    "a thousand questions": lambda: step1_frame(b"\0") * 1_000,
    "questions for states": lambda: b"\x03" * 100_000,
    "a million awareness states": lambda: (
        b"\x01" + varbytes(varuint(1_000_000) + b"\x01\x01\x02{}" * 1_000_000)
    ),
    "an awareness state of a megabyte": lambda: awareness_frame({5: (1, "x" * _MIB)}),
    "nested awareness": lambda: (
        b"\x01" + varbytes(b"\x01\x05\x01" + varbytes(b"[" * 100_000 + b"]" * 100_000))
    ),
    "an unknown message": lambda: b"\xff\xff\x03" + b"x" * _MIB,
    "an integer that does not end": lambda: b"\0\2" + b"\xff" * _MIB,
    "a length beyond the frame": lambda: b"\0\2" + varuint(2**40) + b"x",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("what", sorted(HOSTILE))
async def test_a_frame_harms_at_most_its_sender(tmp_path: Path, what: str) -> None:
    with abused(tmp_path / "weft.sqlite3") as server:
        async with honest_pair(server.url), LogClient(server.url, "room") as beside:
            await beside.synced()
            await beside.write("before")
            for _ in range(3):
                async with LogClient(server.url, "room") as attacker:
                    try:
                        await attacker.send(HOSTILE[what]())
                        await attacker.flush()
                    except ConnectionError:
                        assert attacker.close_code in {1007, 1008, 1009}
            await beside.write("afterwards")
            await beside.flush()
        assert (await read_room(server.url, "room")).state() == {1: 2}


async def test_clients_that_do_not_read_a_large_room_cost_it_once(tmp_path: Path) -> None:
    """Twenty of them once took 1,285 MB of a room of 15 MB, and the process."""
    with abused(tmp_path / "weft.sqlite3", "--stall-timeout", "3") as server:
        async with (
            honest_pair(server.url),
            LogClient(server.url, "room") as beside,
            AsyncExitStack() as stack,
        ):
            await beside.synced()
            await beside.send_all([large(7)])
            await beside.flush()
            clients = []
            for _ in range(20):
                stalled = await stack.enter_async_context(LogClient(server.url, "room"))
                stalled.socket.transport.pause_reading()
                clients.append(stalled)
                for _ in range(10):
                    await stalled.send(step1_frame(b"\0"))
            for number in range(20):
                await beside.write(f"{number}")
            await beside.flush()
            for stalled in clients:
                stalled.cut()
        there = await read_room(server.url, "room")
        assert there.state() == {1: 20, 7: 12 * _MIB}


async def test_messages_that_do_not_end_are_not_kept_without_bound(tmp_path: Path) -> None:
    """Halves of frames of 16 MiB, by many clients."""
    with abused(tmp_path / "weft.sqlite3") as server:
        async with honest_pair(server.url):
            address = server.url.removeprefix("ws://").split(":")
            writers = []
            for _ in range(20):
                reader, writer = await asyncio.open_connection(address[0], int(address[1]))
                writer.write(
                    b"GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                )
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"\x82\xff" + (16 * _MIB).to_bytes(8, "big") + b"\0\0\0\0" + b"\0" * 8 * _MIB)
                writers.append(writer)
            for writer in writers:
                with suppress(TimeoutError, ConnectionError):  # it is not read any more, or was let go
                    async with asyncio.timeout(5):
                        await writer.drain()
        for writer in writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()


def _has_it(client: LogClient) -> bool:
    return client.log.state() == {1: 1}


async def test_a_storm_of_joins_and_leaves_is_survived(tmp_path: Path) -> None:
    with abused(tmp_path / "weft.sqlite3") as server:
        async with honest_pair(server.url):
            for turn in range(5):
                clients = [LogClient(server.url, f"new {turn}") for _ in range(100)]
                async with AsyncExitStack() as stack:
                    await asyncio.gather(*map(stack.enter_async_context, clients))
                    await asyncio.gather(*(client.synced() for client in clients))
                    await clients[0].write("hello")
                    for client in clients:
                        await client.wait(partial(_has_it, client))
                    for client in clients[::2]:
                        client.cut()
