"""Our provider on the Node y-websocket server, beside Node clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.node import NodeServer
from support.wire import ABSENT
from weft.providers import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.live import LivePeer
    from support.node import JsPeer

    Join = Callable[..., Any]

pytestmark = pytest.mark.interop


async def _tinybase(js: JsPeer, name: str, url: str, room: str = "room") -> None:
    await js("store.create", name=name, autoLoad=False, autoSave=False)
    await js("socket.connect", name=name, url=url, room=room)
    await js("socket.wait", name=name, condition="synced")
    await js("persister.call", name=name, method="startAutoPersisting")


async def test_python_and_javascript_edit_one_room(
    y_websocket_server: NodeServer, js_peer: JsPeer, join: Join
) -> None:
    url = y_websocket_server.url
    first: LivePeer = await join(url, "room")
    first.store.set_cell("pets", "fido", "species", "dog")
    await first.provider.flush(timeout=20)
    second: LivePeer = await join(url, "room")
    # flush() means that whoever comes now gets it with the first answer.
    assert second.content() == ({"pets": {"fido": {"species": "dog"}}}, {})
    await _tinybase(js_peer, "js", url)
    await js_peer(
        "store.call", name="js", method="setCell", args=["pets", "fido", "tags", ["good", {"é": 1}]]
    )
    second.store.set_value("open", True)
    expected = (
        {"pets": {"fido": {"species": "dog", "tags": ["good", {"é": 1}]}}},
        {"open": True},
    )
    for peer in (first, second):
        await peer.until_content(expected)
    await js_peer("store.wait", name="js", method="getContent", equals=list(expected))


async def test_several_store_transactions_in_one_tick_all_arrive(
    y_websocket_server: NodeServer, js_peer: JsPeer, join: Join
) -> None:
    python: LivePeer = await join(y_websocket_server.url, "room")
    await _tinybase(js_peer, "js", y_websocket_server.url)
    for cell, number in [("a", 1), ("b", 2), ("a", 3)]:
        python.store.set_cell("t", "r", cell, number)
    await js_peer("store.wait", name="js", method="getRow", args=["t", "r"], equals={"a": 3, "b": 2})


async def test_what_a_listener_derives_from_a_received_cell_goes_back(
    y_websocket_server: NodeServer, js_peer: JsPeer, join: Join
) -> None:
    python: LivePeer = await join(y_websocket_server.url, "room")

    def add_tax(_store: object, _table: str, row: str, _cell: str, net: Any, *_: object) -> None:
        python.store.set_cell("orders", row, "gross", net * 2)

    python.store.add_cell_listener("orders", None, "net", add_tax, mutator=True)
    await _tinybase(js_peer, "js", y_websocket_server.url)
    await js_peer("store.call", name="js", method="setCell", args=["orders", "1", "net", 21])
    await js_peer(
        "store.wait", name="js", method="getRow", args=["orders", "1"], equals={"net": 21, "gross": 42}
    )


async def test_edits_made_while_the_server_is_away_arrive_when_it_is_back(
    js_peer: JsPeer, join: Join
) -> None:
    with NodeServer() as server:
        python: LivePeer = await join(server.url, "room", backoff=Backoff(initial=0.05, maximum=0.2))
        python.store.set_cell("t", "r", "before", 1)
        await python.provider.flush(timeout=20)
        port = server.port
        server.kill()
    python.store.set_cell("t", "r", "meanwhile", 2)
    with NodeServer(port) as server:
        # The server's memory is gone; the client brings everything back.
        await python.provider.flush(timeout=20)
        await _tinybase(js_peer, "js", server.url)
        await js_peer(
            "store.wait", name="js", method="getRow", args=["t", "r"], equals={"before": 1, "meanwhile": 2}
        )
        await js_peer("store.call", name="js", method="setCell", args=["t", "r", "after", 3])
        await python.until_cell("t", "r", "after", 3)
        # The peers leave before their server does.
        await js_peer("reset")
        await python.provider.close()


async def test_awareness_goes_both_ways_and_ends_with_the_peer(
    y_websocket_server: NodeServer, js_peer: JsPeer, join: Join
) -> None:
    python: LivePeer = await join(y_websocket_server.url, "room")
    await js_peer("doc.create", name="js", clientId=11)
    await js_peer("socket.connect", name="js", url=y_websocket_server.url, room="room")
    await js_peer("awareness.set", name="js", state={"name": "Ada", "cursor": [1, 2]})
    python.provider.set_local_state({"name": "Python"})
    await js_peer(
        "awareness.wait", name="js", clientId=python.doc.client_id, equals={"name": "Python"}, timeout=10
    )
    await python.provider.close()
    # Said at once, not found out 30 seconds later.
    await js_peer("awareness.wait", name="js", clientId=python.doc.client_id, equals=ABSENT, timeout=10)
