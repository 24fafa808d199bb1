"""The Automerge mirror: its layout, its types, what it heals, and documents that are not ours.

What holds for every kind of mirror is in tests/mirrors/test_mirror.py.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest

from support.amdocs import deliver, numbered_document, project, sync
from support.ampeers import HIGH, LOW, Peer, make_foreign
from weft import Store
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.documents.automerge.document import AutomergeDocument, DocumentEvent
from weft.errors import LocalProtocolError
from weft.mirrors.automerge import AutomergeMirror

# -- what others do to the document -----------------------------------------------------------------------


def test_a_document_that_a_peer_made_is_adopted_without_a_change() -> None:
    document = numbered_document(9)
    make_foreign(document, {"legs": 4})
    heads = document.heads
    peer = Peer(document=document)
    assert peer.content == ({"pets": {"fido": {"legs": 4}}}, {})
    assert document.heads == heads
    peer.store.set_cell("pets", "fido", "legs", 3)
    assert len(document.changes_since(heads)) == 1


def test_two_names_in_one_document_are_two_stores() -> None:
    document = AutomergeDocument()
    one, two = Store(), Store()
    with AutomergeMirror(one, document, "one"), AutomergeMirror(two, document, "toString"):
        one.set_cell("t", "r", "c", 1)
        two.set_cell("t", "r", "c", 2)
    assert project(document, "one")[0] == {"t": {"r": {"c": 1}}}
    assert project(document, "\0toString")[0] == {"t": {"r": {"c": 2}}}


def test_a_name_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        AutomergeMirror(Store(), AutomergeDocument(), "\ud800")


def test_a_mirror_does_not_start_on_what_may_be_rolled_back() -> None:
    store, document = Store(), AutomergeDocument()
    mirror = AutomergeMirror(store, document)
    with document.transaction() as tx:
        tx.put(ROOT, "x", ScalarType.Int, 1)
        with pytest.raises(LocalProtocolError, match="while a transaction"):
            mirror.start()
    assert not mirror.running
    mirror.start()
    store.set_value("v", 1)
    assert project(document) == ({}, {"v": 1})


# -- writing at the wrong moment --------------------------------------------------------------------------


def test_a_store_written_inside_a_document_transaction_is_written_after_it() -> None:
    peer = Peer()
    with peer.document.transaction() as tx:
        tx.put(ROOT, "other", ScalarType.Int, 1)
        peer.store.set_cell("t", "r", "c", 1)
        assert project(peer.document) == ({}, {})
    assert peer.content == ({"t": {"r": {"c": 1}}}, {})
    assert peer.agrees()


def test_a_store_written_by_a_subscriber_who_is_told_first_is_not_lost() -> None:
    """The mirror's index is of the document before the change then, and the row has just lost."""
    a, document = Peer(HIGH), numbered_document(LOW)
    store = Store()
    a.store.set_cell("pets", "rex", "age", 1)
    sync(a.document, document)

    def told(event: DocumentEvent) -> None:
        if event.origin == "net":
            store.set_cell("pets", "fido", "seen", len(event.changes))

    document.subscribe(told)
    errors: list[Exception] = []
    with AutomergeMirror(store, document, on_error=errors.append):
        store.set_cell("pets", "fido", "mine", 1)
        a.store.set_cell("pets", "fido", "theirs", 2)
        deliver(a.document, document)
        assert errors == []
        assert store.get_row("pets", "fido") == {"mine": 1, "seen": 1, "theirs": 2}
        assert tuple(store.get_content()) == project(document)


def test_a_transaction_of_the_document_that_fails_is_reported_and_made_again() -> None:
    peer = Peer()
    peer.store.set_cell("t", "r", "a", 1)
    index = peer.mirror._index
    real = index.add

    def fail_once(path: Any, object_id: bytes) -> None:
        index.add = real  # type: ignore[method-assign]
        raise MemoryError("no more")

    index.add = fail_once  # type: ignore[method-assign]
    peer.store.set_cell("t", "r", "b", "text")
    assert [str(error) for error in peer.errors] == ["no more"]
    assert peer.content == ({"t": {"r": {"a": 1, "b": "text"}}}, {})
    assert peer.agrees()


# -- cost and memory --------------------------------------------------------------------------------------


def test_a_mirror_that_was_dropped_is_collected() -> None:
    document = AutomergeDocument()
    store = Store()
    mirror = AutomergeMirror(store, document).start()
    del store, mirror
    gc.collect()
    with document.transaction() as tx:
        tx.put(ROOT, "x", ScalarType.Int, 1)
    assert document.core.keys(ROOT) == ["x"]
