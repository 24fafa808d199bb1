"""y-websocket clients in Node, plain yjs and TinyBase, on our server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.live import LivePeer
from support.serving import WeftServe
from weft.server import Allow, Deny, Request, Server, SqliteRoomStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.node import JsPeer

    Join = Callable[..., Any]

pytestmark = pytest.mark.interop


async def _tinybase(js: JsPeer, name: str, url: str, room: str = "room", **options: Any) -> None:
    """A TinyBase client that syncs first and persists then, as its users are told to do."""
    await js("store.create", name=name, autoLoad=False, autoSave=False, **options)
    await js("socket.connect", name=name, url=url, room=room)
    await js("socket.wait", name=name, condition="synced")
    await js("persister.call", name=name, method="startAutoPersisting")


async def _plain(js: JsPeer, name: str, url: str, room: str = "room", **options: Any) -> None:
    await js("doc.create", name=name)
    await js("socket.connect", name=name, url=url, room=room, **options)
    await js("socket.wait", name=name, condition="synced")


async def test_python_tinybase_and_plain_yjs_edit_one_room(
    weft_server: Server, js_peer: JsPeer, join: Join
) -> None:
    python: LivePeer = await join(weft_server.url, "room")
    python.store.set_cell("pets", "fido", "species", "dog")
    await python.provider.flush(timeout=20)
    await _tinybase(js_peer, "tinybase", weft_server.url)
    await _plain(js_peer, "plain", weft_server.url)

    # What was there before they came.
    await js_peer(
        "store.wait",
        name="tinybase",
        method="getContent",
        equals=[{"pets": {"fido": {"species": "dog"}}}, {}],
    )
    # Each writes, everybody sees it.
    await js_peer(
        "store.call", name="tinybase", method="setCell", args=["pets", "fido", "colors", ["brown", "é😀"]]
    )
    await js_peer(
        "doc.edit", name="plain", edits=[["set", ["tinybase", "t", "pets", "fido", "weight"], 12.5]]
    )
    python.store.set_value("open", True)
    expected = (
        {"pets": {"fido": {"species": "dog", "colors": ["brown", "é😀"], "weight": 12.5}}},
        {"open": True},
    )
    await python.until_content(expected)
    await js_peer("store.wait", name="tinybase", method="getContent", equals=list(expected))
    await js_peer("doc.wait", name="plain", path=["tinybase", "v", "open"], equals=True)
    await js_peer("doc.wait", name="plain", path=["tinybase", "t", "pets", "fido", "weight"], equals=12.5)

    # Deletions travel as well.
    await js_peer("store.call", name="tinybase", method="delRow", args=["pets", "fido"])
    await python.until_content(({}, {"open": True}))


async def test_edits_made_offline_on_both_sides_meet(
    weft_server: Server, js_peer: JsPeer, join: Join
) -> None:
    python: LivePeer = await join(weft_server.url, "room")
    await _tinybase(js_peer, "a", weft_server.url)
    await js_peer("store.call", name="a", method="setCell", args=["t", "r", "shared", 0])
    await python.until_cell("t", "r", "shared", 0)

    await js_peer("socket.disconnect", name="a")
    await js_peer("socket.wait", name="a", condition="disconnected")
    await js_peer("store.call", name="a", method="setCell", args=["t", "r", "from javascript", 1])
    await js_peer("settle")
    await js_peer("store.call", name="a", method="setCell", args=["new", "same row", "javascript", 1])
    python.store.set_cell("t", "r", "from python", 2)
    python.store.set_cell("new", "same row", "python", 2)
    await js_peer("socket.reconnect", name="a")

    expected: Any = (
        {
            "t": {"r": {"shared": 0, "from javascript": 1, "from python": 2}},
            "new": {"same row": {"javascript": 1, "python": 2}},
        },
        {},
    )
    await python.until_content(expected)
    await js_peer("store.wait", name="a", method="getContent", equals=list(expected))


async def test_a_connection_that_is_cut_is_made_again_and_misses_nothing(
    weft_server: Server, js_peer: JsPeer, join: Join
) -> None:
    python: LivePeer = await join(weft_server.url, "room")
    await _tinybase(js_peer, "a", weft_server.url)
    for number in range(5):
        await js_peer("socket.cut", name="a")
        python.store.set_cell("t", "r", f"python {number}", number)
        await js_peer("store.call", name="a", method="setCell", args=["t", "s", f"js {number}", number])
        await js_peer("socket.wait", name="a", condition="synced")
    for number in range(5):
        await python.until_cell("t", "s", f"js {number}", number)
        await js_peer(
            "store.wait", name="a", method="getCell", args=["t", "r", f"python {number}"], equals=number
        )


async def test_many_clients_open_one_fresh_room_in_one_tick_and_all_are_served(
    weft_server: Server, js_peer: JsPeer
) -> None:
    names = [f"peer {number}" for number in range(30)]
    for name in names:
        await js_peer("doc.create", name=name)
    await asyncio.gather(
        *(js_peer("socket.connect", name=name, url=weft_server.url, room="fresh") for name in names)
    )
    await asyncio.gather(*(js_peer("socket.wait", name=name, condition="synced") for name in names))
    await js_peer("doc.edit", name=names[0], edits=[["set", ["m", "hello"], "all"]])
    await asyncio.gather(
        *(js_peer("doc.wait", name=name, path=["m", "hello"], equals="all") for name in names)
    )


async def test_awareness_reaches_newcomers_and_is_cleared_when_a_connection_breaks(
    weft_server: Server, js_peer: JsPeer, new_js_peer: Callable[[], Any], join: Join
) -> None:
    python: LivePeer = await join(weft_server.url, "room")
    python.provider.set_local_state({"name": "Python"})
    await js_peer("doc.create", name="a", clientId=11)
    await js_peer("socket.connect", name="a", url=weft_server.url, room="room")
    await js_peer("awareness.set", name="a", state={"name": "Ada"})
    # A newcomer is told of both at once, not at their next renewal 15 seconds later.
    newcomer: JsPeer = await new_js_peer()
    await newcomer("doc.create", name="b", clientId=12)
    await newcomer("socket.connect", name="b", url=weft_server.url, room="room")
    await newcomer("awareness.wait", name="b", clientId=11, equals={"name": "Ada"}, timeout=10)
    await newcomer(
        "awareness.wait", name="b", clientId=python.doc.client_id, equals={"name": "Python"}, timeout=10
    )
    # No goodbye: the process is gone.
    js_peer.kill()
    await newcomer("awareness.wait", name="b", clientId=11, equals=_absent(), timeout=10)


async def test_a_room_outlives_kill_9_of_the_server(
    tmp_path: Path, js_peer: JsPeer, new_js_peer: Callable[[], Any]
) -> None:
    with WeftServe(tmp_path / "weft.sqlite3") as first:
        await _tinybase(js_peer, "a", first.url)
        await js_peer("store.call", name="a", method="setCell", args=["t", "r", "c", "kept"])
        # A client that comes later and has it proves that the server has it.
        await _tinybase(js_peer, "b", first.url)
        await js_peer("store.wait", name="b", method="getCell", args=["t", "r", "c"], equals="kept")
        await js_peer("doc.drop", name="a")
        await js_peer("doc.drop", name="b")
        port = first.port
        first.kill()
    with WeftServe(tmp_path / "weft.sqlite3", port=port) as second:
        fresh: JsPeer = await new_js_peer()
        await _tinybase(fresh, "c", second.url)
        await fresh("store.wait", name="c", method="getCell", args=["t", "r", "c"], equals="kept")


@pytest.mark.parametrize("code", [4401, 4403])
async def test_a_refused_client_is_told_a_code_that_is_final_to_it(
    tmp_path: Path, js_peer: JsPeer, code: int
) -> None:
    def auth(request: Request) -> Allow | Deny:
        return Allow() if request.query.get("token") == "secret" else Deny("who are you?", code=code)

    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with Server(auth=auth, storage=storage, port=0) as server:
        await js_peer("doc.create", name="stranger")
        await js_peer("socket.connect", name="stranger", url=server.url, room="room")
        await js_peer("socket.wait", name="stranger", condition="closed")
        status = await js_peer("socket.status", name="stranger")
        assert status["closed"] == {"code": code, "reason": "who are you?"}
        await _plain(js_peer, "friend", server.url, params={"token": "secret"})


async def test_a_read_only_client_sees_and_cannot_change(tmp_path: Path, js_peer: JsPeer) -> None:
    def auth(request: Request) -> Allow:
        return Allow(read_only="reader" in request.query)

    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with Server(auth=auth, storage=storage, port=0) as server, LivePeer(server.url, "room") as python:
        await _plain(js_peer, "reader", server.url, params={"reader": "yes"})
        python.store.set_value("n", 1)
        await js_peer("doc.wait", name="reader", path=["tinybase", "v", "n"], equals=1)
        # Writing is refused, which y-websocket tells its user on the console.
        js_peer.complaint = r"(Permission denied to access \S*reader=yes.\s*read-only\s*)+"
        await js_peer("doc.edit", name="reader", edits=[["set", ["tinybase", "v", "n"], 2]])
        # Something from the same client afterwards: had the edit been let in, it would have come before.
        await js_peer("awareness.set", name="reader", state={"done": True})
        await _plain(js_peer, "witness", server.url)
        reader = (await js_peer("doc.clientId", name="reader"))["clientId"]
        await js_peer("awareness.wait", name="witness", clientId=reader, equals={"done": True})
        assert (await js_peer("doc.content", name="witness", path=["tinybase", "v"])) == {"n": 1}
        assert python.store.get_value("n") == 1


async def test_a_large_document_is_synced_in_one_go(weft_server: Server, js_peer: JsPeer, join: Join) -> None:
    rows = {f"r{i}": {f"c{j}": f"{i} {j} " + "x" * 20 for j in range(10)} for i in range(10_000)}
    python: LivePeer = await join(weft_server.url, "large")
    python.store.set_table("t", rows)
    assert len(python.doc.get_update()) > 3_000_000
    await python.provider.flush(timeout=40)
    await _tinybase(js_peer, "a", weft_server.url, "large")
    assert await js_peer("store.call", name="a", method="getTable", args=["t"], timeout=40) == rows
    back: LivePeer = await join(weft_server.url, "large")
    await back.until_content(({"t": rows}, {}))


@pytest.mark.parametrize("room", ["a/b", "é😀", "with space", "100%", "a?b", "a.b"])
async def test_rooms_of_any_name_are_the_same_room_to_both(
    weft_server: Server, js_peer: JsPeer, join: Join, room: str
) -> None:
    from urllib.parse import quote

    python: LivePeer = await join(weft_server.url, room)
    # y-websocket puts the room into the URL as it is, so its users escape what a URL cannot hold.
    await _plain(js_peer, "a", weft_server.url, room=quote(room, safe="/"))
    python.store.set_value("room", room)
    await js_peer("doc.wait", name="a", path=["tinybase", "v", "room"], equals=room)


def _absent() -> object:
    from support.wire import ABSENT

    return ABSENT
