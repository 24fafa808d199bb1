"""What weft uses of pycrdt below its public names behaves as the rest of weft takes for granted."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from weft._codecs.yjs.state import decode_state_vector
from weft.documents.yjs.binding import (
    CLIENT_ID_FLOOR,
    BindingMap,
    RawMapEvent,
    RawTransactionEvent,
    Txn,
    create_doc,
    guarded,
    in_observer,
    in_transaction,
    observe_deep,
    observe_transactions,
    origin_of,
    raw_transaction,
    root_kind,
    root_map,
)
from weft.errors import RemoteProtocolError


def test_client_ids_have_32_bits_and_stand_above_those_of_containers() -> None:
    ids = {create_doc().client_id for _ in range(200)}
    assert len(ids) == 200
    assert all(CLIENT_ID_FLOOR <= client_id < 1 << 32 for client_id in ids)
    assert create_doc(client_id=5).client_id == 5


def test_a_raw_map_is_read_and_written_within_a_transaction() -> None:
    doc = create_doc()
    root = root_map(doc, "m")
    with raw_transaction(doc) as txn:
        root.insert(txn, "a", 1)
        inner = root.insert_map_prelim(txn, "inner")
        inner.insert(txn, "b", "text")
        assert sorted(root.keys(txn)) == ["a", "inner"]
        assert type(root.get(txn, "inner")) is BindingMap
        root.remove(txn, "a")
        assert not root.has(txn, "a")
        with pytest.raises(ValueError, match="Key error"):
            root.get(txn, "a")
    assert doc.get("m", type=Map).to_py() == {"inner": {"b": "text"}}


def test_a_raw_transaction_has_its_origin_unless_it_joins_another() -> None:
    doc: Doc[Any] = create_doc()
    root = root_map(doc, "m")
    heard: list[tuple[object, list[str]]] = []

    def changed(events: list[RawMapEvent], txn: Txn) -> None:
        heard.append((origin_of(doc, txn), sorted(events[0].keys)))

    end = observe_deep(doc, root, changed)
    mine, outer = object(), object()
    with raw_transaction(doc, mine) as txn:
        root.insert(txn, "a", 1)
    with doc.transaction(outer), raw_transaction(doc, mine) as txn:
        root.insert(txn, "b", 2)
    end()
    with raw_transaction(doc) as txn:
        root.insert(txn, "c", 3)
    assert heard == [(mine, ["a"]), (outer, ["b"])]


def test_inside_an_observer_the_document_is_read_and_not_written() -> None:
    doc: Doc[Any] = create_doc()
    root = root_map(doc, "m")
    told: list[object] = []

    def changed(events: list[RawMapEvent], txn: Txn) -> None:
        told.extend((in_observer(doc), in_transaction(doc), root.get(txn, "a")))
        with raw_transaction(doc) as joined:
            told.append(root.get(joined, "a"))
            with pytest.raises(BaseException, match="cannot be used to modify"):  # a panic
                root.insert(joined, "b", 2)

    end = observe_deep(doc, root, changed)
    with raw_transaction(doc) as txn:
        told.append(in_observer(doc))
        root.insert(txn, "a", 1)
    end()
    assert told == [False, True, True, 1.0, 1.0]
    assert not in_transaction(doc)


def test_each_commit_is_told_with_its_update_deletions_and_the_state_before() -> None:
    doc: Doc[Any] = create_doc(client_id=7)
    heard: list[tuple[bytes, bytes, bytes]] = []

    def committed(event: RawTransactionEvent) -> None:
        heard.append((bytes(event.update), bytes(event.delete_set), bytes(event.before_state)))

    end = observe_transactions(doc, committed)
    shared = doc.get("m", type=Map)
    shared["a"] = 1
    del shared["a"]
    end()
    shared["b"] = 2
    assert len(heard) == 2
    copy: Doc[Any] = Doc()
    copy.apply_update(heard[0][0])
    assert copy.get("m", type=Map).to_py() == {"a": 1}
    assert [deletes for _, deletes, _ in heard] == [b"\0", b"\x01\x07\x01\x00\x01"]
    assert [decode_state_vector(before).get(7, 0) for _, _, before in heard] == [0, 1]


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x01\x01\x05\x00\x1f", b"\x01\x01\x00\x00\x08\x02\x01"])
def test_what_the_binding_refuses_is_an_error_of_the_peer(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError), guarded():
        create_doc().apply_update(data)


def test_other_errors_are_let_through() -> None:
    with pytest.raises(RuntimeError, match="mine"), guarded():
        raise RuntimeError("mine")
    with pytest.raises(KeyboardInterrupt), guarded():
        raise KeyboardInterrupt


def test_a_root_that_is_no_map_is_told() -> None:
    doc: Doc[Any] = create_doc()
    root_map(doc, "m")
    doc.get("text", type=Text)
    assert root_kind(doc, "m") is None
    assert root_kind(doc, "text") == "Text"
    other = create_doc()
    other.get("m", type=Array).append(1)
    doc.apply_update(other.get_update())
    assert root_kind(doc, "m") == "sequence"
