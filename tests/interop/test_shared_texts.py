"""Shared texts with real JavaScript peers: plain Yjs, and TinyBase, whose Yjs persister deletes them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from support.ypeers import HIGH, LOW, MIDDLE, Peer
from weft.deltas import compose, text_of, to_utf16, utf16_length
from weft.documents.yjs.document import YDocument

if TYPE_CHECKING:
    from support.node import SyncJsPeer

pytestmark = pytest.mark.interop

SCHEMA: Any = {"notes": {"body": {"type": "text"}, "title": {"type": "string"}}}
KEY = ("notes", "n1", "body")
PATH = ["tinybase", "t", *KEY]
WORDS = ["a", "hello ", "é", "e\u0301", "🙂", "👩‍👩‍👧", "🇩🇪", "שלום", "مرحبا", "中文", "\n"]
FORMATS: list[dict[str, Any]] = [{"bold": True}, {"link": "x"}, {"bold": None}, {"size": 12}]


def a_peer(client_id: int) -> Peer:
    peer = Peer(client_id)
    peer.store.set_tables_schema(SCHEMA)
    return peer


def send(js: SyncJsPeer, name: str, peer: Peer) -> None:
    """Bring a JavaScript peer and a Python one together."""
    js("doc.apply", name=name, update=peer.doc.get_update(js("doc.stateVector", name=name)))
    receive(js, name, peer)


def receive(js: SyncJsPeer, name: str, peer: Peer) -> None:
    update = js("doc.encode", name=name, stateVector=peer.doc.get_state())
    YDocument.of(peer.doc).apply(update, origin=None)


def converge(js: SyncJsPeer, *peers: Peer) -> None:
    for _ in range(3):  # what is healed has to come to all
        for peer in peers:
            send(js, "js", peer)


def test_random_edits_of_python_and_javascript(sync_js: SyncJsPeer) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    one, two = a_peer(LOW), a_peer(HIGH)
    sync_js("doc.create", name="js", clientId=MIDDLE)
    one.store.text(*KEY).append("start 🙂")
    send(sync_js, "js", one)
    send(sync_js, "js", two)
    texts = {peer: peer.store.text(*KEY) for peer in (one, two)}
    known = {peer: text.delta() for peer, text in texts.items()}
    heard: list[tuple[Peer, Any]] = []
    for peer, text in texts.items():
        text.add_listener(lambda _, delta, __, peer=peer: heard.append((peer, delta)))  # type: ignore[misc]
    cursors = {peer: text.cursor(3) for peer, text in texts.items()}
    for step in range(120):
        said = f"seed {seed}, step {step}"
        is_js, peer = rng.random() < 0.33, rng.choice([one, two])
        read = sync_js("text.read", name="js", path=PATH)["delta"]
        string = text_of(read) if is_js else str(texts[peer])
        at, end = sorted(rng.choices(range(len(string) + 1), k=2))
        end = min(end, at + 5)
        offset, length = to_utf16(string, at), utf16_length(string[at:end])
        word, attributes = rng.choice(WORDS), rng.choice(FORMATS)
        kind = rng.randrange(6)
        if kind == 5:
            send(sync_js, "js", rng.choice([one, two]))
        elif is_js:
            edits: list[Any] = [["insert", offset, word], ["insert", offset, word, attributes]]
            edits += [["delete", offset, length], ["format", offset, length, attributes]]
            edits += [["insertEmbed", offset, {"image": "x"}]]
            sync_js("text.edit", name="js", path=PATH, edits=[edits[kind]])
        elif kind < 2:
            texts[peer].insert(offset, word, attributes if kind and None not in attributes.values() else None)
        elif kind == 2:
            texts[peer].delete(offset, length)
        elif kind == 3:
            texts[peer].format(offset, length, attributes)
        else:
            peer.store.set_cell(*KEY, string[:at] + word + string[end:])
        for told, delta in heard:
            known[told] = compose(known[told], delta)
        heard.clear()
        for each, text in texts.items():
            assert text_of(known[each]) == str(text), said
            assert text_of(text.delta()) == str(text), said
            assert 0 <= cursors[each].offset <= len(text), said
    converge(sync_js, one, two)
    theirs = sync_js("text.read", name="js", path=PATH)
    assert texts[one].delta() == texts[two].delta() == compose(theirs["delta"], []), f"seed {seed}"
    assert len(texts[one]) == theirs["length"], f"seed {seed}"
    assert (one.errors, two.errors) == ([], [])


def test_relative_positions_are_the_same_in_both_languages(sync_js: SyncJsPeer) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    peer = a_peer(HIGH)
    text = peer.store.text(*KEY).append("שלום wörld 🙂")
    wrong: list[str] = []
    sync_js("doc.create", name="js", clientId=MIDDLE)
    send(sync_js, "js", peer)
    for step in range(40):
        string = str(text)
        offset = to_utf16(string, rng.randrange(len(string) + 1))
        if rng.random() < 0.5:
            text.insert(offset, rng.choice(WORDS))
        else:
            sync_js("text.edit", name="js", path=PATH, edits=[["insert", offset, rng.choice(WORDS)]])
        send(sync_js, "js", peer)
        string = str(text)
        offset = to_utf16(string, rng.randrange(len(string) + 1))
        for assoc in (0, -1):
            theirs = sync_js("text.position", name="js", path=PATH, index=offset, assoc=assoc)
            ours = text.cursor(offset, assoc).to_json()
            there = text.cursor_from_json(theirs)
            assert ours is not None, f"seed {seed}, step {step}"
            assert there is not None, f"seed {seed}, step {step}"
            # Theirs names the type, too.
            if not ours.items() <= theirs.items() or there.offset != offset:
                wrong.append(f"step {step}: {string!r} at {offset}, {assoc}")
    # Of 62,400 such positions 29 were wrong (docs/shared-text.md): more than two of 80 are another mistake.
    assert len(wrong) <= 2, f"seed {seed}: {wrong}"


@pytest.mark.parametrize("texts", [1, 3])
def test_a_tinybase_that_saves_deletes_texts_and_they_come_back(sync_js: SyncJsPeer, texts: int) -> None:
    one, two = a_peer(LOW), a_peer(HIGH)
    for number in range(texts):
        one.store.set_cell("notes", f"n{number}", "body", f"text {number}")
    one.store.set_cell("notes", "n0", "title", "T")
    YDocument.of(two.doc).apply(one.doc.get_update(), origin=None)
    before = two.store.get_tables()
    sync_js("store.create", name="js", clientId=MIDDLE, autoLoad=False, autoSave=False)
    sync_js("doc.apply", name="js", update=one.doc.get_update())
    sync_js("persister.call", name="js", method="startAutoLoad")
    sync_js("persister.call", name="js", method="startAutoSave")
    assert sync_js("store.call", name="js", method="getTables") == {"notes": {"n0": {"title": "T"}}}
    assert "body" not in sync_js("doc.content", name="js", path=["tinybase", "t", "notes", "n0"])
    for peer in (one, two):
        receive(sync_js, "js", peer)
        assert peer.store.get_tables() == before
    converge(sync_js, one, two)
    # and again when it adds a row
    sync_js("store.call", name="js", method="setRow", args=["notes", "new", {"title": "N"}])
    sync_js("store.wait", name="js", method="getRowIds", args=["notes"], equals=["n0", "new"])
    sync_js("doc.wait", name="js", path=["tinybase", "t", "notes", "new", "title"], equals="N")
    converge(sync_js, one, two)
    before["notes"]["new"] = {"title": "N"}
    assert one.store.get_tables() == two.store.get_tables() == before
    for number in range(texts):
        read = sync_js("text.read", name="js", path=["tinybase", "t", "notes", f"n{number}", "body"])
        assert read["delta"] == [{"insert": f"text {number}"}]
    # what is deleted on purpose is gone
    for number in range(texts):
        one.store.del_cell("notes", f"n{number}", "body")
    converge(sync_js, one, two)
    assert two.store.get_tables() == {"notes": {"n0": {"title": "T"}, "new": {"title": "N"}}}
