"""Names in the document: escaped ids, ids of objects, and the change that all peers agree on."""

from __future__ import annotations

import pytest

from support.amdocs import numbered_document
from support.ampeers import HIGH, LOW, Peer
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge.keys import decode_key, encode_key, genesis, object_id, op_id


@pytest.mark.parametrize("name", ["toString", "__proto__", "prototype", "\0x", "\0", "constructor"])
def test_ids_that_javascript_objects_have_are_escaped_as_tinybase_escapes_them(name: str) -> None:
    assert encode_key(name) == "\0" + name
    assert decode_key(encode_key(name)) == name
    peer = Peer()
    peer.store.set_cell(name, name, name, 1)
    assert peer.document.core.keys(peer.row("\0" + name, "\0" + name)) == ["\0" + name]


def test_other_ids_are_their_own_keys() -> None:
    for name in ["", "a", "a.b", "to_string", "x\0"]:
        assert encode_key(name) == name == decode_key(name)


def test_object_ids_are_taken_apart_and_put_together() -> None:
    document = numbered_document(7)
    with document.transaction() as tx:
        made = tx.put_object(ROOT, "x", ObjType.Map)
        for _ in range(200):
            tx.put(made, "n", ScalarType.Int, _)
    assert op_id(made) == ((7).to_bytes(16), 1)
    found = document.core.get(made, "n")
    assert found is not None
    assert op_id(found[1]) == ((7).to_bytes(16), 201)
    assert document.core.get(object_id(op_id(made)), "n") == found


def test_the_first_change_is_the_same_at_every_peer_and_known_by_its_hash() -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_value("x", 1)
    b.store.set_value("y", 1)
    assert a.document.changes_since(())[0] == b.document.changes_since(())[0] == genesis("tinybase")
    document = AutomergeDocument()
    document.apply_changes([genesis("tinybase")])
    assert document.heads[0].hex().startswith("76338c500f")
