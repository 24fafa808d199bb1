"""The driver's Automerge half: documents, links, repos and stores do what their commands say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.amlinks import JsLink
from support.node import WRITES_WHILE_CLOSING, JsError, JsPeer, SyncJsPeer
from support.ports import free_port
from weft.documents.automerge.binding import ROOT, ObjType
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge.keys import genesis

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.interop


def test_documents_are_made_edited_saved_and_loaded(sync_js: SyncJsPeer) -> None:
    sync_js("am.create", name="a", actor=b"\0" * 16)
    sync_js(
        "am.edit",
        name="a",
        time=0,
        edits=[
            ["set", ["m"], {"x": 1, "list": [1, "two"], "toString": "odd"}],
            ["set", ["m", "text"], "hello"],
            ["splice", ["m", "text"], 5, 0, " world"],
            ["insert", ["m", "list"], 1, 1.5],
            ["delete", ["m", "x"]],
        ],
    )
    content = sync_js("am.content", name="a", path=["m"])
    assert content == {"list": [1, 1.5, "two"], "toString": "odd", "text": "hello world"}
    sync_js("am.create", name="b", data=sync_js("am.save", name="a"))
    assert sync_js("am.content", name="b") == {"m": content}
    assert sync_js("am.heads", name="b") == sync_js("am.heads", name="a")
    assert sync_js("am.actor", name="a") == b"\0" * 16


def test_values_that_are_no_json_are_told_by_their_type(sync_js: SyncJsPeer) -> None:
    sync_js("am.create", name="a")
    puts = {"counter": 3, "immutable": "fixed", "date": 0, "uint": 1, "int": -1, "float": 2}
    sync_js("am.edit", name="a", edits=[["put", [kind], kind, value] for kind, value in puts.items()])
    sync_js("am.edit", name="a", edits=[["increment", ["counter"], 2], ["set", ["bytes"], b"\0\xff"]])
    assert sync_js("am.content", name="a") == {
        "counter": {"$type": "A.Counter", "text": "5"},
        "immutable": {"$type": "A.ImmutableString", "text": "fixed"},
        "date": {"$type": "Date", "text": "1970-01-01T00:00:00.000Z"},
        "uint": 1,
        "int": -1,
        "float": 2,
        "bytes": b"\0\xff",
    }


def test_changes_of_python_and_javascript_are_the_same_bytes(sync_js: SyncJsPeer) -> None:
    document = AutomergeDocument(actor=b"\1" * 16)
    with document.transaction() as transaction:
        transaction.put_object(ROOT, "m", ObjType.Map)
    sync_js("am.create", name="a")
    sync_js("am.apply", name="a", changes=document.changes_since(()))
    assert sync_js("am.content", name="a") == {"m": {}}
    assert sync_js("am.changes", name="a") == document.changes_since(())
    sync_js("am.edit", name="a", edits=[["set", ["m", "x"], 1]])
    document.apply_changes(sync_js("am.changes", name="a", since=list(document.heads)))
    assert list(document.heads) == sync_js("am.heads", name="a")


def test_a_link_moves_only_what_it_is_told_to(sync_js: SyncJsPeer) -> None:
    document = AutomergeDocument()
    sync_js("am.create", name="a")
    sync_js("am.edit", name="a", edits=[["set", ["js"], 1]])
    link = JsLink(sync_js, "a", document)
    with document.transaction() as transaction:
        transaction.put_object(ROOT, "py", ObjType.Map)
    link.settle()
    assert sync_js("am.content", name="a") == {"py": {}, "js": 1}
    sync_js("am.edit", name="a", edits=[["set", ["js"], 2]])
    before = document.heads
    link.cut()  # what was said on the old connection is forgotten
    assert document.heads == before
    link.settle()
    assert list(document.heads) == sync_js("am.heads", name="a")


def test_conflicting_values_can_be_asked_for(sync_js: SyncJsPeer) -> None:
    for name in ("a", "b"):
        sync_js("am.create", name=name)
        sync_js("am.edit", name=name, edits=[["set", ["x"], name]])
    sync_js("am.apply", name="a", changes=sync_js("am.changes", name="b"))
    assert sorted(sync_js("am.conflicts", name="a", path=["x"]).values()) == ["a", "b"]


def test_stores_in_automerge_documents_are_synced_through_links(sync_js: SyncJsPeer) -> None:
    sync_js("am.store", name="a")
    sync_js("store.call", name="a", method="setCell", args=["t", "r", "c", "text"])
    sync_js("settle")
    sync_js("am.store", name="b", data=sync_js("am.save", name="a"))
    assert sync_js("store.call", name="b", method="getTables") == {"t": {"r": {"c": "text"}}}
    document = AutomergeDocument(sync_js("am.save", name="b"))
    ends = [JsLink(sync_js, name, document) for name in ("a", "b")]
    sync_js("store.call", name="b", method="setCell", args=["t", "r", "c", 2])
    sync_js("settle")
    for end in (*reversed(ends), *ends):
        end.settle()
    sync_js("settle")
    assert sync_js("store.call", name="a", method="getTables") == {"t": {"r": {"c": 2}}}
    assert sync_js("store.ignoredErrors", name="a") == []


def test_tinybase_keeps_but_one_of_several_transactions_of_one_tick(sync_js: SyncJsPeer) -> None:
    """The loss that weft must not copy is real, so the tests that weft has none of it mean something."""
    sync_js("am.store", name="a")
    sync_js("store.calls", name="a", calls=[["setCell", "t", "r", cell, 1] for cell in ("a", "b", "c")])
    sync_js("settle")
    assert sync_js("am.content", name="a", path=["tinybase", "t"]) == {"t": {"r": {"a": 1}}}


async def test_repos_meet_on_a_websocket(js_peer: JsPeer) -> None:
    await js_peer("repo.create", name="server", peerId="the-server", announce=False)
    port = (await js_peer("repo.listen", name="server"))["port"]
    for name in ("left", "right"):
        await js_peer("repo.create", name=name)
        await js_peer("repo.connect", name=name, url=f"ws://127.0.0.1:{port}")
    await js_peer("repo.peers.wait", name="server", count=2)
    made = await js_peer("repo.make", name="a", repo="left", initial={"x": [1]})
    await js_peer("repo.find", name="b", repo="right", url=made["url"])
    await js_peer("am.wait", name="b", path=["x"], equals=[1])
    await js_peer("am.edit", name="b", edits=[["set", ["x", 0], "edited"]])
    await js_peer("am.wait", name="a", path=["x", 0], equals="edited")
    await js_peer("ephemeral.send", name="a", message={"cursor": 1})
    await js_peer("ephemeral.wait", name="b", equals={"cursor": 1})
    assert [message for _, message in await js_peer("ephemeral.heard", name="b")] == [{"cursor": 1}]


async def test_connections_are_cut_left_and_taken_up_again(js_peer: JsPeer) -> None:
    js_peer.complaint = WRITES_WHILE_CLOSING
    await js_peer("repo.create", name="server", peerId="the-server")
    port = free_port()
    await js_peer("repo.listen", name="server", port=port)
    await js_peer("repo.create", name="client")
    await js_peer("repo.connect", name="client", url=f"ws://127.0.0.1:{port}")
    await js_peer("repo.peers.wait", name="client", count=1)
    made = await js_peer("repo.make", name="a", repo="client", initial={"x": 1})
    await js_peer("repo.disconnect", name="client")
    await js_peer("repo.peers.wait", name="server", count=0)
    await js_peer("repo.reconnect", name="client")
    await js_peer("repo.peers.wait", name="server", count=1)
    await js_peer("repo.unlisten", name="server")
    await js_peer("repo.peers.wait", name="client", count=0)
    await js_peer("am.edit", name="a", edits=[["set", ["x"], 2]])
    await js_peer("repo.listen", name="server", port=port)
    await js_peer("repo.find", name="b", repo="server", url=made["url"])
    await js_peer("am.wait", name="b", path=["x"], equals=2)
    await js_peer("repo.cut", name="client")
    await js_peer("am.edit", name="b", edits=[["set", ["x"], 3]])
    await js_peer("am.wait", name="a", path=["x"], equals=3)


async def test_a_document_nobody_has_is_unavailable(js_peer: JsPeer) -> None:
    await js_peer("repo.create", name="alone")
    url = "automerge:" + "4NMNnkMhL8jXrdJ9jamS58PAVdXu"
    assert (await js_peer("repo.find", name="a", repo="alone", url=url))["state"] != "ready"
    await js_peer("repo.state.wait", name="a", state="unavailable")
    with pytest.raises(JsError, match="to be ready; it is unavailable"):
        await js_peer("repo.state.wait", name="a", state="ready", timeout=0.05)


async def test_presence_is_told_between_repos(js_peer: JsPeer, new_js_peer: Callable[[], JsPeer]) -> None:
    await js_peer("repo.create", name="server", peerId="the-server")
    port = (await js_peer("repo.listen", name="server"))["port"]
    await js_peer("repo.create", name="client", peerId="the-client")
    await js_peer("repo.connect", name="client", url=f"ws://127.0.0.1:{port}")
    await js_peer("repo.peers.wait", name="client", count=1)
    made = await js_peer("repo.make", name="a", repo="client", initial={"x": 1})
    await js_peer("repo.find", name="b", repo="server", url=made["url"])
    await js_peer("repo.state.wait", name="b", state="ready")
    await js_peer("presence.start", name="a", state={"name": "Ada"})
    await js_peer("presence.start", name="b", state={"name": "Ben"})
    await js_peer("presence.wait", name="a", equals={"the-server": {"name": "Ben"}})
    await js_peer("presence.set", name="a", channel="cursor", value=[1, 2])
    await js_peer("presence.wait", name="b", equals={"the-client": {"name": "Ada", "cursor": [1, 2]}})
    await js_peer("presence.stop", name="a")
    await js_peer("presence.wait", name="b", equals={})


async def test_a_document_is_imported_under_its_url(js_peer: JsPeer) -> None:
    await js_peer("repo.create", name="one")
    await js_peer("repo.create", name="two")
    made = await js_peer("repo.make", name="a", repo="one", initial={"x": 1})
    data = await js_peer("am.save", name="a")
    same = await js_peer("repo.make", name="b", repo="two", data=data, url=made["url"])
    assert same["url"] == made["url"]
    assert await js_peer("am.content", name="b") == {"x": 1}
    other = await js_peer("repo.make", name="c", repo="two", data=data)
    assert other["url"] != made["url"]


def test_the_first_change_of_a_weft_peer_can_be_made_in_javascript(sync_js: SyncJsPeer) -> None:
    sync_js("am.create", name="a", actor=bytes(16))
    sync_js("am.edit", name="a", time=0, edits=[["set", ["tinybase"], {"t": {}, "v": {}}]])
    assert sync_js("am.changes", name="a") == [genesis("tinybase")]
