"""Frames of every length and kind over a real socket."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect

from support.servers import serving
from support.yclient import YClient


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
