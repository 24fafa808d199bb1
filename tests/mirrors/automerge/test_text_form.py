"""Texts as deltas: what is written is read again, and what Automerge cannot hold is left out and said."""

from __future__ import annotations

import pytest

from support.amtexts import TextPeer, exchange_all
from weft.documents.automerge.document import AutomergeDocument


def test_formats_and_embeds_are_marks_and_maps() -> None:
    peer = TextPeer()
    peer.text.insert(0, "a😀b")
    peer.text.format(1, 2, {"bold": True, "size": 1.5, "n": 7, "link": "http://x"})
    peer.text.insert_embed(3, {"image": "x", "list": [1, "two", {"three": None}, [4]], "more": {"a": True}})
    formats = {"bold": True, "link": "http://x", "n": 7, "size": 1.5}
    assert peer.text.delta() == [
        {"insert": "a"},
        {"insert": "😀", "attributes": formats},
        {"insert": {"image": "x", "list": [1, "two", {"three": None}, [4]], "more": {"a": True}}},
        {"insert": "b"},
    ]
    assert [(mark.name, mark.start, mark.end) for mark in peer.document.core.marks(peer.made)] == [
        (name, 1, 2) for name in sorted(formats)
    ]
    peer.check()


def test_what_is_inserted_has_the_formats_that_its_delta_says_and_no_others() -> None:
    peer = TextPeer()
    peer.text.insert(0, "bold", {"bold": True})
    peer.text.insert(4, "plain", {})
    peer.text.insert(2, "link", {"link": "x"})
    peer.text.append("!")
    assert peer.text.delta() == [
        {"insert": "bo", "attributes": {"bold": True}},
        {"insert": "link", "attributes": {"link": "x"}},
        {"insert": "ld", "attributes": {"bold": True}},
        {"insert": "plain!"},
    ]
    peer.check()


def test_a_text_that_is_made_with_formats_has_them_from_the_first() -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.apply_delta([{"insert": "x", "attributes": {"bold": True}}, {"insert": {"image": "y"}}])
    exchange_all(one, other)
    assert other.text.delta() == one.text.delta() == one.heard
    assert [item for item in one.heard if "attributes" in item]


@pytest.mark.parametrize("value", [{"a": 1}, [1]])
def test_a_format_that_no_mark_can_have_is_left_out_and_reported(value: object) -> None:
    peer = TextPeer()
    peer.text.insert(0, "abc")
    peer.text.format(0, 2, {"odd": value, "bold": True})
    assert peer.text.delta()[0] == {"insert": "ab", "attributes": {"bold": True}}
    assert ["odd" in str(error) for error in peer.errors] == [True]


def test_a_format_never_has_no_length_as_nobody_could_load_the_document_then() -> None:
    peer = TextPeer()
    peer.text.insert(0, "abc")
    with peer.store.transaction():
        peer.text.format(1, 1, {"bold": True})
        peer.text.delete(1, 1)
    peer.text.insert(1, "x", {"bold": True})
    peer.text.delete(1, 1)
    assert AutomergeDocument(peer.document.save()).heads == peer.document.heads
    peer.check()
