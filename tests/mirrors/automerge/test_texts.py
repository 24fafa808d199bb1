"""Shared texts in Automerge documents: peers that edit at random agree, and so does what they were told."""

from __future__ import annotations

from random import Random

import pytest

from support.amdocs import numbered_document
from support.amtexts import KEY, TextPeer, edit_at_random, exchange_all, give
from weft import Store
from weft.documents.automerge.binding import ExpandMark, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge import AutomergeMirror


@pytest.mark.parametrize("seed", range(4))
def test_three_peers_that_edit_at_random_and_meet_at_times_agree(seed: int) -> None:
    _edit_and_meet(seed, rounds=12)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_three_peers_that_edit_at_random_for_long_agree(seed: int) -> None:
    _edit_and_meet(seed, rounds=40)


def _edit_and_meet(seed: int, *, rounds: int) -> None:
    print(f"seed {seed}")
    random = Random(seed)
    peers = [TextPeer(number) for number in (1, 2, 3)]
    peers[0].text.set("start")
    exchange_all(*peers)
    for _ in range(rounds):
        for peer in peers:
            for _ in range(random.randint(0, 3)):
                edit_at_random(random, peer.store, peer.text)
        if random.random() < 0.5:
            give(*random.sample(peers, 2))
        if random.random() < 0.3:
            exchange_all(*peers)
            assert len({peer.check() for peer in peers}) == 1
    exchange_all(*peers)
    assert len({peer.check() for peer in peers}) == 1
    loaded = TextPeer(document=AutomergeDocument(peers[0].document.save()))
    assert loaded.check() == peers[1].check()


def test_other_strings_stay_a_new_text_each_time() -> None:
    peer = TextPeer()
    peer.store.set_cell("notes", "n1", "title", "one")
    before = peer.document.core.get(_row(peer), "title")
    peer.store.set_cell("notes", "n1", "title", "one more")
    after = peer.document.core.get(_row(peer), "title")
    assert before is not None
    assert after is not None
    assert before[0] == after[0] == ObjType.Text
    assert before[1] != after[1]


def _row(peer: TextPeer) -> bytes:
    core, made = peer.document.core, b"\0"
    for key in ("tinybase", "t", "notes", "n1"):
        found = core.get(made, key)
        assert found is not None
        made = found[1]
    return made


def test_a_string_that_is_set_edits_the_text_and_keeps_what_another_typed() -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set("The cat sat")
    exchange_all(one, other)
    one.store.set_cell(*KEY, "The black cat sat")
    other.text.append(" down.")
    exchange_all(one, other)
    assert one.check() == other.check() == "The black cat sat down."


def test_a_plain_string_is_read_and_becomes_a_text_with_the_first_edit() -> None:
    peer = TextPeer()
    peer.text.set("x")
    row = _row(peer)
    with peer.document.transaction() as tx:
        tx.put(row, "body", ScalarType.Str, "plain")
    assert str(peer.text) == "plain"
    peer.text.append("!")
    assert peer.check() == "plain!"


@pytest.mark.parametrize("text", ["\ufffc", "\ufffdx", "\ufffd"])
def test_a_text_that_no_cell_can_be_is_kept(text: str) -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set("y")
    exchange_all(one, other)
    one.text.set(text)
    exchange_all(one, other)
    assert one.check() == other.check() == text
    again = TextPeer(document=AutomergeDocument(one.document.save()))
    assert again.check() == text


def test_an_edit_made_while_the_document_could_not_be_written_is_made_later() -> None:
    peer = TextPeer()
    peer.text.set("abc")
    with peer.document.transaction():
        peer.text.insert(1, "X")
        peer.text.append("!")
    peer.mirror.flush()
    assert peer.document.core.text(peer.made) == "aXbc!"
    peer.text.delete(0, 1)
    assert peer.check() == "Xbc!"


def test_an_edit_that_is_rolled_back_is_not_in_the_document() -> None:
    peer = TextPeer()
    peer.text.set("abc")
    before = peer.document.heads
    with pytest.raises(ValueError, match="outside"), peer.store.transaction():  # noqa: PT012 - it rolls back
        peer.text.insert(1, "X")
        peer.text.insert(99, "X")
    assert (peer.check(), peer.document.heads) == ("abc", before)


def test_what_a_listener_types_while_a_change_is_received_is_written_after_it() -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set("abc")
    exchange_all(one, other)
    other.store.add_cell_listener(
        *KEY, lambda store, *_: str(other.text).endswith("!") or other.text.append("!"), mutator=True
    )
    one.text.insert(0, "X")
    exchange_all(one, other)
    assert one.check() == other.check() == "Xabc!"


def test_formats_are_kept_where_only_one_store_declares_the_text() -> None:
    one = TextPeer(1)
    one.text.insert(0, "bold", {"bold": True})
    plain = Store()
    document = numbered_document(2)
    with AutomergeMirror(plain, document):
        document.apply_changes(one.document.changes_since(()))
        assert plain.get_cell(*KEY) == "bold"
        plain.set_cell(*KEY, "another text")  # replaces the text
        one.document.apply_changes(document.changes_since(()))
    assert one.check() == "another text"
    assert one.text.delta() == [{"insert": "another text"}]


def test_formats_at_two_places_in_one_transaction_are_both_in_the_document() -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set("abcdef")
    exchange_all(one, other)
    with one.store.transaction():
        one.text.format(0, 1, {"bold": True})
        one.text.format(3, 2, {"bold": True})
        one.store.set_cell("notes", "n1", "title", "t")
    exchange_all(one, other)
    assert one.text.delta() == other.text.delta()
    assert [bool(item.get("attributes")) for item in other.text.delta()] == [True, False, True, False]
    one.check()
    other.check()


def test_an_edit_in_an_open_transaction_meets_what_was_received_in_it() -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set("The cat sat")
    exchange_all(one, other)
    other.text.insert(0, "> ").append(" down")
    with one.store.transaction():
        one.text.insert(4, "fat ")
        give(other, one)
        one.text.append("!")
    exchange_all(one, other)
    assert one.check() == other.check()
    assert one.check() in {"> The fat cat sat down!", "> The fat cat sat! down"}


def test_an_edit_that_waits_meets_what_was_received_meanwhile() -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set("The cat sat")
    exchange_all(one, other)
    with other.document.transaction():
        other.text.insert(4, "fat ")
        other.text.format(0, 3, {"bold": True})
    one.text.insert(0, "> ")
    exchange_all(one, other)
    other.mirror.flush()
    exchange_all(one, other)
    assert one.check() == other.check() == "> The fat cat sat"
    assert one.text.delta()[1] == {"insert": "The", "attributes": {"bold": True}}


def test_another_text_in_the_place_of_one_comes_with_its_formats() -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.append("one ")
    exchange_all(one, other)
    one.text.append("two", {"bold": True})
    exchange_all(one, other)
    other.text.format(0, 2, {"link": "x"})
    exchange_all(one, other)
    with one.document.transaction() as tx:  # as a JavaScript peer does that sets a string, and marks it
        text = tx.put_object(_row(one), KEY[2], ObjType.Text)
        tx.splice_text(text, 0, 0, "one tool")
        tx.mark(text, 1, 6, "bold", ScalarType.Boolean, True, ExpandMark.After)
    exchange_all(one, other)
    assert one.check() == other.check() == "one tool"
    assert other.text.delta() == [
        {"insert": "o"},
        {"insert": "ne to", "attributes": {"bold": True}},
        {"insert": "ol"},
    ]
