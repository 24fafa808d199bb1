"""Three protocols on one port: which client is served what, and when it is known."""

from __future__ import annotations

from collections import Counter

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from support.repoclient import RepoClient
from support.repodocuments import PETS
from support.servers import eventually, serving
from support.tableclient import TableClient
from support.yclient import YClient
from weft.limits import ServerLimits
from weft.server.auth import Allow, Request

CHANNELS = [Subprotocol("tinybase")]


async def test_three_protocols_are_served_on_one_port_and_keep_apart() -> None:
    asked: list[tuple[str, str]] = []

    def auth(request: Request) -> Allow:
        asked.append((request.protocol, request.room))
        return Allow()

    async with (
        serving(auth=auth) as server,
        YClient(server.url, "a room") as yjs,
        TableClient(server.url, "a%20room") as table,
        TableClient(server.url, "", channel="a channel") as channel,
        RepoClient(server.url, PETS) as repo,
    ):
        await yjs.set(x=1)
        await yjs.flush()
        await repo.put(PETS, x=1)
        await repo.flush(PETS)
        await table.set(x=1)
        await table.flush()
        await channel.flush()
        stats = server.stats()
        assert (stats.rooms, stats.documents, stats.mergeable) == (1, 1, 2)
        await yjs.set(y=1)  # none of them is let go for what another one speaks
        await yjs.flush()
    assert Counter(asked) == {
        ("yjs", "a room"): 2,  # what it speaks is not known before the upgrade
        ("tinybase", "a%20room"): 1,
        ("tinybase", "a channel"): 1,
        ("automerge", PETS): 1,
    }


async def test_nothing_is_said_and_no_room_opened_before_the_client_has_spoken() -> None:
    async with serving() as server, connect(f"{server.url}/room") as socket:
        pong = await socket.ping()
        await pong
        assert len(server.rooms) == len(server.mergeable.rooms) == 0
        await socket.send(b"\0\0\1\0")
        assert (await socket.recv())[:2] == b"\0\0"
        assert len(server.rooms) == 1


async def test_who_says_nothing_is_let_go_where_it_is_not_known_who_it_is() -> None:
    async with serving(server_limits=ServerLimits(join_timeout=1.0)) as server:
        async with (
            connect(f"{server.url}/") as one,
            connect(f"{server.url}/room", subprotocols=CHANNELS) as other,
        ):
            for socket in (one, other):
                await socket.wait_closed()
                assert socket.close_code == 1002
        assert server.stats().refused["join_timeout"] == 2


@pytest.mark.parametrize("target", ["/%2e%2e", "/a%00", "/" + "x" * 513, "/a%0ab"])
async def test_paths_of_no_room_are_refused_with_channels_too(target: str) -> None:
    async with serving() as server:
        with pytest.raises(Exception, match="HTTP 400"):
            await connect(f"{server.url}{target}", subprotocols=CHANNELS)


async def test_a_server_that_closes_sends_all_of_them_home() -> None:
    async with serving() as server, connect(f"{server.url}/room") as silent:
        async with TableClient(server.url, "room") as table:
            await table.set(a=1)
            await server.close()
            assert (await table.wait_closed())[0] == 1012
        await silent.wait_closed()
        assert silent.close_code == 1012
        await eventually(lambda: server.connections == 0)


async def test_other_subprotocols_are_not_agreed_on() -> None:
    async with (
        serving() as server,
        connect(f"{server.url}/room", subprotocols=[Subprotocol("chat"), *CHANNELS]) as channels,
        connect(f"{server.url}/room", subprotocols=[Subprotocol("chat")]) as others,
    ):
        assert (channels.subprotocol, others.subprotocol) == ("tinybase", None)
