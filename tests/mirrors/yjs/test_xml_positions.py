"""Texts of a declared layout: what the Store is served of them, and relative positions in XML."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest
from pycrdt import Map, XmlFragment

from weft import Store
from weft.deltas import apply, utf16_length
from weft.mirrors.shapes import Nested, Shape, SharedText
from weft.mirrors.yjs import YjsMirror, create_doc

WORDS = ("a", "bc", "\u00e9", "\U0001f600", "x\ny", "\n", "hello", "\u05e9\u05dc")
LAYOUT: dict[str | tuple[str, ...], Shape] = {
    "notes.xml.body": SharedText("pm", xml=True),
    "notes.text.body": SharedText("body"),
    "notes.in.body": Nested("deep", SharedText("pm", xml=True)),
}


class Peer:
    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.store, self.doc = Store(), create_doc()
        self.mirror = YjsMirror(self.store, self.doc, layout=LAYOUT, on_error=self.errors.append)
        self.mirror.start()

    def text(self, row_id: str = "xml") -> Any:
        return self.store.text("notes", row_id, "body")


def _meet(a: Peer, b: Peer) -> None:
    update = a.doc.get_update(b.doc.get_state())
    a.doc.apply_update(b.doc.get_update(a.doc.get_state()))
    b.doc.apply_update(update)


def test_a_position_finds_its_place_at_another_peer() -> None:
    a, b = Peer(), Peer()
    a.text().append("h\u00e9llo \U0001f600\n\nworld").insert_embed(3, {"image": {"src": "x"}})
    _meet(a, b)
    offsets = [*range(8), *range(9, len(a.text()) + 1)]  # 8 is between the halves of an emoji
    behind = {offset: a.text().cursor(offset).to_json() for offset in offsets}
    before = {offset: a.text().cursor(offset, -1).to_json() for offset in offsets}
    b.text().insert(0, "> ").insert(2, "!")
    _meet(a, b)
    assert str(b.text()) == str(a.text()) == "> !h\u00e9l\ufffclo \U0001f600\n\nworld"
    for peer in (a, b):
        for offset in offsets:
            assert peer.text().cursor_from_json(behind[offset]).offset == offset + 3
            assert peer.text().cursor_from_json(before[offset]).offset == (offset + 3 if offset else 0)


def test_a_position_in_what_was_deleted_is_where_it_stood() -> None:
    peer = Peer()
    peer.text().append("one\ntwo three")
    position = peer.text().cursor(8).to_json()
    assert peer.text().cursor_from_json(position).offset == 8
    peer.text().delete(6, 5)
    assert peer.text().cursor_from_json(position).offset == 6
    assert peer.text().cursor_from_json({"tname": "pm", "assoc": 0}).offset == len(peer.text())
    assert peer.text().cursor_from_json({"tname": "pm", "assoc": -1}).offset == 0


@pytest.mark.parametrize(
    "position",
    [
        {"item": {"client": 1, "clock": 0}, "assoc": 0},
        {"type": {"client": 1, "clock": 0}, "assoc": 0},
        {"tname": "other", "assoc": 0},
        {"item": "x"},
        {},
        7,
    ],
)
def test_a_position_that_is_none_here_gives_no_cursor(position: Any) -> None:
    peer = Peer()
    peer.text().append("one")
    peer.text("text").append("one")
    assert peer.text().cursor_from_json(position) is None


def test_a_position_in_another_text_gives_no_cursor() -> None:
    peer = Peer()
    peer.text().append("one")
    peer.text("text").append("two")
    assert peer.text().cursor_from_json(peer.text("text").cursor(1).to_json()) is None


def test_texts_of_a_layout_keep_formats_both_ways() -> None:
    a, b = Peer(), Peer()
    for row_id in ("xml", "text"):
        a.text(row_id).append("ab").format(0, 1, {"strong": {}})
    _meet(a, b)
    for row_id in ("xml", "text"):
        heard: list[Any] = []
        b.text(row_id).add_listener(
            lambda text, delta, is_local, heard=heard: heard.append((delta, is_local))
        )
        assert b.text(row_id).delta() == [{"insert": "a", "attributes": {"strong": {}}}, {"insert": "b"}]
        a.text(row_id).insert(1, "\U0001f600", {"em": {}})
        _meet(a, b)
        assert heard == [([{"retain": 1}, {"insert": "\U0001f600", "attributes": {"em": {}}}], False)]
    assert (a.errors, b.errors) == ([], [])


def test_a_refused_edit_is_reported_and_the_store_takes_the_document_s() -> None:
    peer = Peer()
    peer.text().append("one")
    peer.text().insert_embed(1, {"horizontal_rule": {}})
    assert str(peer.text()) == "one"
    (error,) = peer.errors
    assert "needs a line of its own" in str(error)
    peer.store.set_cell("notes", "xml", "body", "one two")
    assert str(peer.doc.get("pm", type=XmlFragment)) == "<paragraph>one two</paragraph>"


def test_a_fragment_in_a_map_is_a_text_as_well() -> None:
    peer = Peer()
    deep = peer.doc.get("deep", type=Map)
    deep["pm"] = XmlFragment()
    peer.text("in").append("one\ntwo")
    assert str(deep["pm"]) == "<paragraph>one</paragraph><paragraph>two</paragraph>"
    position = peer.text("in").cursor(5).to_json()
    peer.text("in").insert(0, "> ")
    assert peer.text("in").cursor_from_json(position).offset == 7
    assert peer.errors == []


def test_what_listeners_hear_leads_to_the_text() -> None:
    start = random.randrange(1 << 30)
    for seed in range(start, start + 25):
        print(f"seed {seed}")
        rng = random.Random(seed)
        peers = (Peer(), Peer())
        heard = ["", ""]

        def hear(text: Any, delta: Any, is_local: bool, number: int, heard: list[str] = heard) -> None:
            heard[number] = apply(heard[number], delta)

        for number, peer in enumerate(peers):
            peer.text().add_listener(partial(hear, number=number))
        for _ in range(20):
            number = rng.randrange(2)
            text = peers[number].text()
            string = str(text)
            at = rng.randint(0, len(string))
            if rng.random() < 0.3:
                text.set(string[:at] + rng.choice(WORDS) + string[at + rng.randint(0, 4) :])
            else:
                offset = utf16_length(string[:at])
                text.splice(offset, utf16_length(string[at : at + rng.randint(0, 3)]), rng.choice(WORDS))
            if rng.random() < 0.3:
                _meet(*peers)
        _meet(*peers)
        assert heard[0] == heard[1] == str(peers[0].text()) == str(peers[1].text())
        assert [peer.errors for peer in peers] == [[], []]
