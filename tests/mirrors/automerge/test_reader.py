"""What received changes mean: what is read again, and what of a container that has lost is put back."""

from __future__ import annotations

import pytest

from support.amdocs import at, deliver, exchange, numbered_document, project, sync
from support.ampeers import HIGH, LOW, Peer, make_foreign
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType


def test_a_text_that_is_edited_in_place_is_read_again() -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_cell("t", "r", "c", "helo")
    a.store.set_value("v", "x")
    exchange(a.document, b.document)
    with a.document.transaction() as tx:
        tx.splice_text(at(a.document, "tinybase", "t", "t", "r", "c"), 3, 0, "l")
        tx.splice_text(at(a.document, "tinybase", "v", "v"), 1, 0, "y")
    exchange(a.document, b.document)
    assert a.content == b.content == ({"t": {"r": {"c": "hello"}}}, {"v": "xy"})


def test_what_takes_the_place_of_a_container_takes_its_cells_out_of_the_store() -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_content(({"t": {"r": {"c": 1}}, "u": {"r": {"c": 2}}}, {"v": 1}))
    exchange(a.document, b.document)
    with a.document.transaction() as tx:
        tx.put(a.at("t", "t"), "r", ScalarType.Int, 1)
        tx.put(a.at(), "v", ScalarType.Null, None)
    exchange(a.document, b.document)
    for peer in (a, b):
        assert peer.content == ({"u": {"r": {"c": 2}}}, {})
        assert peer.errors
    with b.document.transaction() as tx:
        tx.delete(ROOT, "tinybase")
    exchange(a.document, b.document)
    assert a.content == b.content == ({}, {})
    a.store.set_cell("t", "r", "c", "again")
    exchange(a.document, b.document)
    assert a.content == b.content == ({"t": {"r": {"c": "again"}}}, {})
    assert a.agrees()


@pytest.mark.parametrize(("ours", "theirs"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_a_root_of_a_peer_that_does_not_heal_merges_with_ours(ours: int, theirs: int) -> None:
    a, foreign = Peer(ours), numbered_document(theirs)
    a.store.set_content(({"pets": {"fido": {"color": "brown"}}}, {"a": 1}))
    make_foreign(foreign, {"price": 5})
    exchange(a.document, foreign)
    assert a.content == ({"pets": {"fido": {"color": "brown", "price": 5}}}, {"a": 1})
    assert project(foreign) == a.content


def test_rule_7_a_root_that_looked_empty_to_who_replaced_it_loses_nothing() -> None:
    """TinyBase's first save replaces an empty object at the root key, knowing of it."""
    a, foreign = Peer(LOW), numbered_document(HIGH)
    with foreign.transaction() as tx:
        tx.put_object(ROOT, "tinybase", ObjType.Map)
    exchange(a.document, foreign)
    a.store.set_cell("pets", "fido", "color", "brown")
    make_foreign(foreign, {"price": 5})
    exchange(a.document, foreign)
    assert a.content == ({"pets": {"fido": {"color": "brown", "price": 5}}}, {})
    assert project(foreign) == a.content


@pytest.mark.parametrize(("ours", "theirs"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_what_was_lost_is_put_back_although_its_maker_is_gone(ours: int, theirs: int) -> None:
    a, b, gone = Peer(ours), Peer(theirs), Peer(theirs + 1)
    a.store.set_cell("pets", "rex", "age", 1)
    exchange(a.document, b.document, gone.document)
    a.store.set_row("pets", "fido", {"a": "ours"})
    gone.store.set_row("pets", "fido", {"b": "theirs", "c": 1})
    gone.mirror.stop()
    exchange(a.document, gone.document)
    assert a.content == ({"pets": {"rex": {"age": 1}, "fido": {"a": "ours", "b": "theirs", "c": 1}}}, {})
    exchange(a.document, b.document)
    assert b.content == a.content


def test_rule_7_what_is_written_into_a_lost_row_afterwards_is_put_back_too() -> None:
    a, foreign = Peer(HIGH), numbered_document(LOW)
    a.store.set_cell("pets", "rex", "age", 1)
    sync(a.document, foreign)
    with foreign.transaction() as tx:
        fido = tx.put_object(at(foreign, "tinybase", "t", "pets"), "fido", ObjType.Map)
        tx.put(fido, "price", ScalarType.Int, 5)
    a.store.set_cell("pets", "fido", "color", "brown")
    deliver(foreign, a.document)
    assert a.store.get_row("pets", "fido") == {"color": "brown", "price": 5}
    with foreign.transaction() as tx:
        tx.put(fido, "price", ScalarType.Int, 6)
        tx.put(fido, "legs", ScalarType.Int, 4)
        tx.put(fido, "color", ScalarType.Int, 0)
    deliver(foreign, a.document)
    assert a.store.get_row("pets", "fido") == {"color": "brown", "price": 6, "legs": 4}
    with foreign.transaction() as tx:
        tx.delete(fido, "legs")
    exchange(foreign, a.document)
    assert a.store.get_row("pets", "fido") == {"color": "brown", "price": 6}
    assert project(foreign) == a.content


def test_rule_7_a_row_made_in_a_lost_table_is_put_back_and_goes_when_it_is_deleted_there() -> None:
    a, foreign = Peer(HIGH), numbered_document(LOW)
    a.store.set_value("v", 1)
    sync(a.document, foreign)
    with foreign.transaction() as tx:
        pets = tx.put_object(at(foreign, "tinybase", "t"), "pets", ObjType.Map)
    a.store.set_cell("pets", "fido", "color", "brown")
    deliver(foreign, a.document)
    with foreign.transaction() as tx:
        rex = tx.put_object(pets, "rex", ObjType.Map)
        tx.put(rex, "age", ScalarType.Int, 1)
    deliver(foreign, a.document)
    assert a.store.get_table("pets") == {"fido": {"color": "brown"}, "rex": {"age": 1}}
    with foreign.transaction() as tx:
        tx.delete(pets, "rex")
    deliver(foreign, a.document)
    assert a.store.get_table("pets") == {"fido": {"color": "brown"}}
    assert a.agrees()


@pytest.mark.parametrize("healer", [LOW + 1, HIGH + 1])
def test_rule_7_a_copy_gives_way_to_a_write_that_did_not_know_of_it(healer: int) -> None:
    """Two peers put the same cell back; one then changes it, or deletes it, before it hears of the other."""
    a, b, loser = Peer(HIGH), Peer(healer), Peer(LOW)
    a.store.set_cell("pets", "rex", "age", 1)
    exchange(a.document, b.document, loser.document)
    loser.store.set_row("pets", "fido", {"x": 1, "y": 1})
    a.store.set_cell("pets", "fido", "z", 1)
    deliver(a.document, b.document)
    lost = loser.document.changes_since(a.document.heads)
    a.document.apply_changes(lost)
    b.document.apply_changes(lost)
    assert a.store.get_row("pets", "fido") == b.store.get_row("pets", "fido") == {"x": 1, "y": 1, "z": 1}
    a.store.set_cell("pets", "fido", "x", 2)
    a.store.del_cell("pets", "fido", "y")
    exchange(a.document, b.document, loser.document)
    for peer in (a, b, loser):
        assert peer.store.get_row("pets", "fido") == {"x": 2, "z": 1}
        assert peer.agrees()


def test_rule_7_a_cell_that_was_put_back_and_deleted_since_is_not_put_back_again() -> None:
    a, loser, late = Peer(HIGH), Peer(LOW), Peer(LOW + 1)
    a.store.set_cell("pets", "rex", "age", 1)
    exchange(a.document, loser.document, late.document)
    a.store.set_cell("pets", "fido", "a", 1)
    loser.store.set_cell("pets", "fido", "b", 1)
    exchange(a.document, loser.document)
    a.store.del_cell("pets", "fido", "b")
    exchange(a.document, late.document)
    assert late.store.get_row("pets", "fido") == {"a": 1}
    assert a.content == late.content
