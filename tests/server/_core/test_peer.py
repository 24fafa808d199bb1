"""One client in a room: its trouble, its slowness, its rights and its time, over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.servers import eventually, peers_in, serving
from support.yclient import YClient, update_frame
from weft.errors import DocumentClosedError
from weft.server._core.peer import close_code_for
from weft.server.fronts.websocket_link import WebsocketLink
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from weft.server._core.batch import Batch


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0",
        b"\0\2",
        b"\0\2\5abc",
        b"\0\2\4\1\1\1\0",
        b"\0\0\5abc",
        b"\0\0\1\5",
        b"\xff" * 1000,
        b"\0\2" + b"\xff" * 200_000,
        b"\1\3abc",
        b"\0\x63\0",
    ],
)
async def test_a_malformed_message_ends_its_sender_and_leaves_no_trace(frame: bytes) -> None:
    storage = MemoryRoomStorage()
    async with (
        serving(storage=storage) as server,
        YClient(server.url, "room") as honest,
        YClient(server.url, "room") as bad,
    ):
        await honest.set(x=1)
        await honest.flush()
        await bad.synced()
        stored = await storage.load("room")
        await bad.send(frame)
        assert await bad.wait_closed() == 1007
        assert (bad.close_reason or "").startswith("invalid message: ")
        assert await storage.load("room") == stored
        await honest.flush()
        assert honest.content == {"x": 1}


async def test_nested_content_that_would_end_the_process_ends_its_sender() -> None:
    depth = 30_000
    nested = b"u\1" * depth + b"~"
    # One client, one struct, clock 0: a ContentAny of one element with root parent "m", key "k".
    update = b"\1\1\5\0\x28\1\1m\1k\1" + nested + b"\0"
    async with (
        serving() as server,
        YClient(server.url, "room") as honest,
        YClient(server.url, "room") as bad,
    ):
        await honest.synced()
        await bad.send(update_frame(update))
        assert await bad.wait_closed() == 1007
        await honest.set(x=1)
        await honest.flush()


async def test_a_send_that_raises_ends_that_client_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        serving() as server,
        YClient(server.url, "room") as one,
        YClient(server.url, "room") as two,
        YClient(server.url, "room") as three,
    ):
        for client in (one, two, three):
            await client.synced()
        room = server.rooms.get("room")
        assert room is not None
        port = f":{one.socket.local_address[1]} "
        (broken,) = [peer._link for peer in peers_in(room) if port in peer.name]
        write = WebsocketLink.write

        def fail(link: WebsocketLink, batch: Batch) -> bool:
            if link is broken:
                raise ConnectionResetError("as drivers do")
            return write(link, batch)

        await one.set(k0=1)
        await one.flush()
        monkeypatch.setattr(WebsocketLink, "write", fail)
        await two.set(k1=1)
        await three.set(k2=1)
        await eventually(lambda: len(room.clients) == 2)
        for client in (two, three):
            await client.wait_for(k0=1, k1=1, k2=1)
        with pytest.raises(ConnectionError):
            await one.wait_for(k1=1)


async def test_a_connection_cut_in_the_middle_of_a_frame_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server, YClient(server.url, "room") as honest:
        await honest.synced()
        async with YClient(server.url, "room") as bad:
            await bad.synced()
            bad.socket.transport.write(b"\x82\xfe\x04\x00mask")
            bad.cut()
        await eventually(lambda: server.connections == 1)
        await honest.set(x=1)
        await honest.flush()
    assert not caplog.records


def test_what_still_comes_for_a_closed_room_sends_the_client_to_the_next_one() -> None:
    assert close_code_for(DocumentClosedError("room 'a'", "it was unloaded")) == (1013, "the room was closed")
