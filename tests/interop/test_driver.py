"""The harness itself: values cross unchanged, errors are told, and TinyBase behaves as the vectors say."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from support.node import JsError, JsPeer, NodeServer, SyncJsPeer
from support.vectors import tinybase_yjs
from support.wire import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.interop

VECTORS = tinybase_yjs()


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -0.0, 1.5, 2**53 - 1, -(2**53 - 1), 1e21, 1e-7, 5e-324, 1.7976931348623157e308,
        "", "é😀", "\ufffd[1]", "\u2028", "\0", ABSENT, b"\x00\xff", float("inf"), 2**70, [1, [None, "x"]],
        {"a": {"__proto__": 1, "constructor": -0.0}},
    ],
    ids=repr,
)  # fmt: skip
def test_values_cross_to_javascript_and_back(sync_js: SyncJsPeer, value: Any) -> None:
    sync_js("doc.create", name="a")
    sync_js("doc.edit", name="a", edits=[["set", ["m", "x"], [value]]])
    back = sync_js("doc.content", name="a", path=["m"])["x"]
    # A list in a document is JSON-like, where undefined is undefined still.
    assert repr(back) == repr([value])


def test_a_failing_command_tells_why_and_the_process_goes_on(sync_js: SyncJsPeer) -> None:
    with pytest.raises(JsError, match="no peer named nobody"):
        sync_js("doc.encode", name="nobody")
    sync_js("store.create", name="a")
    with pytest.raises(JsError, match="no method named flyAway"):
        sync_js("store.call", name="a", method="flyAway")
    assert sync_js("store.call", name="a", method="getContent") == [{}, {}]


async def test_a_wait_that_comes_to_nothing_says_what_it_saw(js_peer: JsPeer) -> None:
    await js_peer("store.create", name="a")
    await js_peer("store.call", name="a", method="setCell", args=["t", "r", "c", 1])
    with pytest.raises(JsError, match=r"to be 2; it is 1"):
        await js_peer("store.wait", name="a", method="getCell", args=["t", "r", "c"], equals=2, timeout=0.05)


async def test_a_killed_process_is_an_error_and_not_a_wait(new_js_peer: Callable[[], Any]) -> None:
    js = await new_js_peer()
    js.kill()
    with pytest.raises(JsError, match=r"gone|ended"):
        await js("ping")


def test_tinybase_writes_the_documents_of_the_vectors(sync_js: SyncJsPeer) -> None:
    for step in VECTORS["documents"]["steps"]:
        sync_js("doc.create", name="a")
        sync_js("doc.apply", name="a", update=base64.b64decode(step["fullStateV1"]))
        assert sync_js("doc.content", name="a", path=["tinybase"]) == step["docJson"]
        sync_js("doc.drop", name="a")


def test_tinybase_loses_edits_of_one_tick(sync_js: SyncJsPeer) -> None:
    """The loss that weft must not copy is real, so the tests that weft has none of it mean something."""
    sync_js("store.create", name="a", clientId=1)
    sync_js(
        "store.calls",
        name="a",
        calls=[["setCell", "t", "r", cell, n] for cell, n in [("a", 1), ("b", 2), ("a", 3)]],
    )
    sync_js("settle")
    assert sync_js("doc.content", name="a", path=["tinybase", "t"]) == {"t": {"r": {"a": 1}}}


async def test_two_node_clients_meet_on_the_node_server(
    js_peer: JsPeer, y_websocket_server: NodeServer
) -> None:
    # Both make containers before they meet. The higher id wins, and a must not write into a loser.
    for name, client_id in (("a", 2), ("b", 1)):
        await js_peer("store.create", name=name, clientId=client_id)
        await js_peer("socket.connect", name=name, url=y_websocket_server.url, room="room")
        await js_peer("socket.wait", name=name, condition="synced")
    await js_peer("store.call", name="a", method="setCell", args=["t", "r", "c", "hello"])
    await js_peer("store.wait", name="b", method="getCell", args=["t", "r", "c"], equals="hello")
    await js_peer("awareness.set", name="a", state={"name": "Ada"})
    await js_peer("awareness.wait", name="b", clientId=2, equals={"name": "Ada"})
