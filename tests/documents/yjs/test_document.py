"""The document: raw bytes out, gaps noticed, nothing that fails half applied."""

from __future__ import annotations

import gc
import itertools
import logging
import weakref
from typing import Any

import pytest
from pycrdt import Doc, Map, merge_updates

from support.ydocs import numbered_doc
from weft._codecs.yjs.update import parse_update
from weft.documents.yjs.document import YDocument, create_doc
from weft.errors import MirrorError, RemoteProtocolError


def keys(doc: Doc[Any]) -> dict[str, Any]:
    return doc.get("m", type=Map).to_py() or {}


# A child of what turns out to be a text and no type.
CHILD_OF_A_TEXT = bytes.fromhex("0101030108000300017d0500"), bytes.fromhex("0101030004010161017800")


def chain(length: int, *, value: str = "") -> list[bytes]:
    """Updates of one client, each a new key: a number, or the value given."""
    doc = create_doc()
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    shared = doc.get("m", type=Map)
    for number in range(length):
        shared[f"k{number}"] = value or number
    return updates


def test_there_is_one_ydocument_for_a_document() -> None:
    doc, other = create_doc(), create_doc()
    document = YDocument.of(doc)
    assert YDocument.of(doc) is document
    assert YDocument.of(document) is document
    assert YDocument.of(other) is not document
    assert document.doc is doc


def test_the_ydocument_does_not_keep_its_document_alive() -> None:
    doc = create_doc()
    document = YDocument.of(doc)
    gone = weakref.ref(doc)
    del doc
    gc.collect()
    assert gone() is None
    with pytest.raises(MirrorError, match="keep a reference"):
        _ = document.doc


def test_subscribers_hear_received_bytes_as_received_and_local_updates_without_an_origin() -> None:
    doc = create_doc()
    document = YDocument.of(doc)
    heard: list[tuple[bytes, object | None]] = []
    unsubscribe = document.subscribe(lambda update, origin: heard.append((update, origin)))
    peer, link = create_doc(), object()
    peer.get("m", type=Map)["a"] = 1
    sent = peer.get_update()
    document.apply(sent, origin=link)
    doc.get("m", type=Map)["b"] = 2
    assert heard[0] == (sent, link)
    assert heard[0][0] is sent
    assert heard[1][1] is None
    copy = create_doc()
    for update, _origin in heard:
        copy.apply_update(update)
    assert keys(copy) == {"a": 1, "b": 2}
    unsubscribe()
    unsubscribe()
    doc.get("m", type=Map)["c"] = 3
    assert len(heard) == 2


def test_f1_every_order_of_delivery_reaches_the_subscribers_whole() -> None:
    """The binding's own event has lost structs by then: in 8 of 24 orders."""
    first, second = numbered_doc(2**28 + 1), numbered_doc(2**28 + 2)
    updates: list[bytes] = []
    for doc in (first, second):
        doc.observe(lambda event: updates.append(event.update))
    first.get("m", type=Map)["a"] = 1
    first.get("m", type=Map)["a"] = 2
    second.apply_update(first.get_update())
    del updates[2:]
    second.get("m", type=Map)["a"] = 3
    second.get("m", type=Map)["b"] = 4
    assert len(updates) == 4
    for order in itertools.permutations(updates):
        doc, copy = create_doc(), create_doc()
        document = YDocument.of(doc)
        stored: list[bytes] = []
        document.subscribe(lambda update, _origin, stored=stored: stored.append(update))  # type: ignore[misc]
        for update in order:
            document.apply(update, origin="peer")
        for update in stored:
            copy.apply_update(update)
        assert copy.get_state() == doc.get_state()


def test_a_gap_is_noticed_at_once_and_a_resync_closes_it() -> None:
    updates = chain(8)
    whole = create_doc()
    for update in updates:
        whole.apply_update(update)
    for order in itertools.islice(itertools.permutations(range(8)), 0, 40320, 97):
        doc = create_doc()
        document = YDocument.of(doc)
        seen: set[int] = set()
        for number in order:
            gap = document.apply(updates[number], origin="peer")
            seen.add(number)
            assert gap == (seen != set(range(len(seen))))
            if gap:
                assert not document.apply(whole.get_update(document.state_vector()), origin="peer")
                assert keys(doc) == keys(whole)
                break


def test_updates_in_order_leave_no_gap() -> None:
    doc = create_doc()
    document = YDocument.of(doc)
    assert [document.apply(update, origin="peer") for update in chain(50)] == [False] * 50
    assert len(keys(doc)) == 50


def test_a_gap_that_is_closed_leaves_a_document_that_peers_can_read() -> None:
    """yrs 0.28, given the update across the gap, encodes a Skip of length -3 afterwards."""
    source = create_doc()
    shared = source.get("m", type=Map)
    updates: list[bytes] = []
    source.observe(lambda event: updates.append(event.update))
    for number in range(14):
        shared[f"k{number}"] = number
    doc = create_doc()
    document = YDocument.of(doc)
    assert not document.apply(updates[0], origin="peer")
    assert document.apply(updates[8], origin="peer")
    assert keys(doc) == {"k0": 0}  # held back
    assert not document.apply(source.get_update(doc.get_state()), origin="peer")
    assert keys(doc) == keys(source)
    assert [item.ref for item in parse_update(doc.get_update()).items] == [8] * 14
    copy = create_doc()
    copy.apply_update(doc.get_update())
    assert keys(copy) == keys(source)


def test_of_an_update_with_a_hole_what_comes_before_it_is_applied() -> None:
    updates = chain(6)
    holed = merge_updates(updates[0], updates[1], updates[4], updates[5])
    doc = create_doc()
    document = YDocument.of(doc)
    assert document.apply(holed, origin="peer")
    assert keys(doc) == {"k0": 0, "k1": 1}
    assert document.apply(updates[2], origin="peer")
    assert not document.apply(updates[3], origin="peer")
    assert keys(doc) == {f"k{number}": number for number in range(6)}


def test_what_is_held_back_is_bounded() -> None:
    updates = chain(24, value="x" * 2**20)
    whole = create_doc()
    for update in updates:
        whole.apply_update(update)
    doc = create_doc()
    document = YDocument.of(doc)
    for update in updates[1:]:
        assert document.apply(update, origin="peer")
    assert len(document._gate.log.held()) < 16
    assert not document.apply(whole.get_update(document.state_vector()), origin="peer")
    assert keys(doc) == keys(whole)
    assert not document.is_waiting


def test_an_update_that_brings_nothing_is_told_to_nobody() -> None:
    updates = chain(3)
    document = YDocument.of(doc := create_doc())
    told: list[bytes] = []
    document.subscribe(lambda update, _origin: told.append(update))
    for _ in range(3):
        document.apply(updates[0], origin="peer")
        document.apply(updates[2], origin="peer")  # waits for the second
    assert told == [updates[0]]
    assert keys(doc) == {"k0": 0}


def test_what_was_held_back_is_told_when_it_is_applied() -> None:
    updates = chain(3)
    document = YDocument.of(doc := create_doc())
    document.apply(updates[0], origin="first")
    document.apply(updates[2], origin="second")
    newcomer = create_doc()
    newcomer.apply_update(document.diff(newcomer.get_state()))
    document.subscribe(lambda update, _origin: newcomer.apply_update(update))
    assert not document.apply(updates[1], origin="first")
    assert keys(newcomer) == keys(doc) == {"k0": 0, "k1": 1, "k2": 2}


@pytest.mark.parametrize("damage", [b"", b"\xff", b"\x01\x01\x05", b"\x00"])
def test_bytes_the_binding_refuses_change_nothing_and_are_not_told(damage: bytes) -> None:
    doc = create_doc()
    document = YDocument.of(doc)
    doc.get("m", type=Map)["a"] = 1
    heard: list[bytes] = []
    document.subscribe(lambda update, _origin: heard.append(update))
    before = doc.get_update()
    with pytest.raises(RemoteProtocolError, match="update"):
        document.apply(damage, origin="peer")
    assert heard == []
    assert doc.get_update() == before
    with pytest.raises(RemoteProtocolError):
        document.diff(b"\xff\xff")


def test_a_failing_observer_of_the_user_does_not_stop_the_update(caplog: pytest.LogCaptureFixture) -> None:
    doc = create_doc()
    document = YDocument.of(doc)

    def fail(_event: object) -> None:
        raise RuntimeError("theirs")

    shared = doc.get("m", type=Map)  # the wrapper holds the subscription
    shared.observe(fail)
    heard: list[bytes] = []
    document.subscribe(lambda update, _origin: heard.append(update))
    update = chain(1)[0]
    with caplog.at_level(logging.ERROR, "weft.documents"):
        assert not document.apply(update, origin="peer")
    assert keys(doc) == {"k0": 0}
    assert heard == [update]
    assert "an observer of the document failed" in caplog.text


def test_a_deletion_that_comes_before_what_it_deletes_takes_effect_and_is_told_later() -> None:
    author, deleter = create_doc(client_id=5), create_doc(client_id=6)
    author.get("m", type=Map)["k"] = 1
    write = author.get_update()
    deleter.get("m", type=Map)
    deleter.apply_update(write)
    del deleter.get("m", type=Map)["k"]
    deletion = deleter.get_update(deleter.get_state())
    doc = create_doc()
    document = YDocument.of(doc)
    told: list[bytes] = []
    document.subscribe(lambda update, origin: told.append(update))
    document.apply(deletion, origin="p")
    document.apply(deletion, origin="p")
    assert told == []
    document.apply(write, origin="p")
    assert told == [write, deletion]
    assert doc.get("m", type=Map).to_py() == {}
    assert document.apply(deletion, origin="p") is False
    assert len(told) == 2


def test_covered_means_nothing_of_the_update_waits() -> None:
    updates = chain(3)
    empty, one = create_doc(), create_doc()
    one.apply_update(updates[0])
    assert not YDocument.of(empty).is_covered(updates[0])
    assert YDocument.of(one).is_covered(updates[0])
    assert not YDocument.of(one).is_covered(updates[1])
    assert YDocument.of(empty).is_covered(b"\0\0")
    with pytest.raises(RemoteProtocolError):
        YDocument.of(empty).is_covered(b"\xff\xff")


def test_an_open_transaction_and_the_state_are_told() -> None:
    doc = create_doc(client_id=5)
    document = YDocument.of(doc)
    told = [document.in_transaction]
    with doc.transaction():
        told.append(document.in_transaction)
        doc.get("m", type=Map)["k"] = 1
    told.append(document.in_transaction)
    assert told == [False, True, False]
    assert document.state() == {5: 1}


def test_a_document_of_pycrdts_own_making_is_warned_of_once() -> None:
    # It would win every concurrent write against JavaScript peers, silently.
    doc: Doc[Any] = Doc(client_id=1 << 40)
    with pytest.warns(UserWarning, match=r"make documents by weft\.create_doc\(\)"):
        document = YDocument.of(doc)
    assert YDocument.of(doc) is document
    YDocument.of(create_doc())


def test_what_waits_and_is_refused_is_blamed_on_who_brought_it(caplog: pytest.LogCaptureFixture) -> None:
    doc = create_doc()
    document = YDocument.of(doc)
    blamed: list[tuple[object, str]] = []
    told: list[tuple[bytes, object]] = []
    end = document.on_blamed(lambda origin, error: blamed.append((origin, str(error))))
    document.subscribe(lambda update, origin: told.append((update, origin)))
    child, text = CHILD_OF_A_TEXT
    assert document.apply(child, origin="attacker")
    with caplog.at_level(logging.WARNING, "weft.documents"):
        assert not document.apply(text, origin="honest")
    assert blamed == [("attacker", "not a usable update: parent 3:0 is no type")]
    ((update, origin),) = told
    assert update == text
    assert origin not in {"attacker", "honest", None}  # some of it may have come of the other one
    assert "an update that had waited is left out" in caplog.text
    with pytest.raises(RemoteProtocolError, match="parent 3:0 is no type"):
        document.apply(child, origin="attacker")
    doc.get("m", type=Map)["a"] = 1
    assert not document.is_waiting
    end()


def test_what_several_brought_is_told_as_nobodys() -> None:
    updates = chain(2)
    document = YDocument.of(doc := create_doc())
    told: list[object] = []
    document.subscribe(lambda _update, origin: told.append(origin))
    document.apply(updates[1], origin="one")
    document.apply(updates[0], origin="other")
    assert len(told) == 2
    assert not {"one", "other", None} & set(told)
    assert keys(doc) == {"k0": 0, "k1": 1}


def test_what_waits_for_a_write_past_the_document_is_released_by_the_next_flush() -> None:
    updates = chain(2)
    document = YDocument.of(doc := create_doc())
    assert document.apply(updates[1], origin="peer")
    doc.apply_update(updates[0])
    document.flush()
    assert keys(doc) == {"k0": 0, "k1": 1}
    assert not document.is_waiting


def test_what_the_binding_refuses_all_the_same_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    updates = chain(3)
    document = YDocument.of(doc := create_doc())
    document.apply(updates[0], origin="peer")

    def refuse(_update: bytes) -> bool:
        raise RemoteProtocolError("no")

    with monkeypatch.context() as patched:
        patched.setattr(YDocument, "_integrate", lambda _self, update, _spans: refuse(update))
        with pytest.raises(RemoteProtocolError, match="no"):
            document.apply(updates[1], origin="peer")
    assert document.apply(updates[2], origin="peer")
    assert not document.apply(updates[1], origin="peer")
    assert keys(doc) == {"k0": 0, "k1": 1, "k2": 2}
