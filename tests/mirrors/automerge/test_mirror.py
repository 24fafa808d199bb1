"""The Automerge mirror: its layout, its types, what it heals, and documents that are not ours.

What holds for every kind of mirror is in test_engine.py.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest

from support.amdocs import at, deliver, exchange, numbered_document, project, sync
from weft import Store
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument, DocumentEvent
from weft.errors import LocalProtocolError, MirrorError
from weft.mirrors.automerge import AutomergeMirror
from weft.mirrors.automerge.keys import decode_key, encode_key, genesis, object_id, op_id

LOW, HIGH = 1, 2**100


class Peer:
    def __init__(self, number: int = LOW, *, document: AutomergeDocument | None = None) -> None:
        self.errors: list[Exception] = []
        self.store = Store()
        self.document = numbered_document(number) if document is None else document
        self.mirror = AutomergeMirror(self.store, self.document, on_error=self.errors.append).start()

    @property
    def content(self) -> tuple[Any, Any]:
        tables, values = self.store.get_content()
        return tables, values

    def agrees(self) -> bool:
        return self.content == project(self.document)

    def row(self, table: str, row: str) -> bytes:
        return self.at("t", table, row)

    def at(self, *keys: str) -> bytes:
        return at(self.document, "tinybase", *keys)


def make_foreign(document: AutomergeDocument, row: dict[str, int], *, table: str = "pets") -> bytes:
    """Make containers and a row the way a JavaScript peer would that has seen nothing of ours."""
    with document.transaction() as tx:
        root = tx.put_object(ROOT, "tinybase", ObjType.Map)
        tables = tx.put_object(root, "t", ObjType.Map)
        tx.put_object(root, "v", ObjType.Map)
        row_id = tx.put_object(tx.put_object(tables, table, ObjType.Map), "fido", ObjType.Map)
        for key, number in row.items():
            tx.put(row_id, key, ScalarType.Int, number)
    return row_id


# -- names and types --------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("cell", "kind", "stored"),
    [
        (3, "Int", 3),
        (-4, "Int", -4),
        (2**53 - 2, "Int", 2**53 - 2),
        (2**53 - 1, "F64", float(2**53 - 1)),  # JavaScript reads this Int as a BigInt
        (-(2**53) + 1, "Int", -(2**53) + 1),
        (1.5, "F64", 1.5),
        (1e300, "F64", 1e300),
        (True, "Boolean", True),
        (None, "Null", None),
    ],
)
def test_rule_8_cells_have_the_types_that_javascript_reads_as_cells(
    cell: Any, kind: str, stored: Any
) -> None:
    peer = Peer()
    peer.store.set_cell("t", "r", "c", cell)
    found = peer.document.core.get(peer.row("t", "r"), "c")
    assert found is not None
    assert found[0] == (getattr(ScalarType, kind), stored)
    assert peer.agrees()


@pytest.mark.parametrize("cell", ["", "dog", "😀\0", {"a": [1, None]}, [True]])
def test_rule_8_strings_and_encoded_objects_are_texts(cell: Any) -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_cell("t", "r", "c", cell)
    a.store.set_value("v", cell)
    found = a.document.core.get(a.row("t", "r"), "c")
    assert found is not None
    assert found[0] == ObjType.Text
    exchange(a.document, b.document)
    assert b.content == ({"t": {"r": {"c": cell}}}, {"v": cell})
    assert b.agrees()


def test_numbers_of_other_types_and_plain_strings_are_read_and_left_as_they_are() -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_cell("t", "r", "c", 1)
    exchange(a.document, b.document)
    with a.document.transaction() as tx:
        row = a.row("t", "r")
        tx.put(row, "uint", ScalarType.Uint, 3)
        tx.put(row, "float", ScalarType.F64, 4.0)
        tx.put(row, "str", ScalarType.Str, "plain")
    exchange(a.document, b.document)
    assert a.content[0] == b.content[0] == {"t": {"r": {"c": 1, "uint": 3, "float": 4, "str": "plain"}}}
    assert type(b.store.get_cell("t", "r", "float")) is int
    heads = b.document.heads
    b.store.set_cell("t", "r", "str", "plain")
    b.store.set_cell("t", "r", "uint", 3.0)
    assert b.document.heads == heads


# -- what others do to the document -----------------------------------------------------------------------


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


def test_foreign_things_are_reported_left_alone_and_out_of_the_store() -> None:
    peer = Peer()
    peer.store.set_content(({"t": {"r": {"a": 1}}}, {"v": 1}))
    with peer.document.transaction() as tx:
        row = peer.row("t", "r")
        tx.put(row, "bytes", ScalarType.Bytes, b"x")
        tx.put_object(row, "list", ObjType.List)
        tx.put(row, "big", ScalarType.Int, 2**60)
        tx.put_object(peer.at("t"), "text", ObjType.Text)
        tx.put_object(peer.at(), "w", ObjType.Map)
        tx.put(peer.at("t", "t"), "row", ScalarType.Int, 1)
    assert peer.content == ({"t": {"r": {"a": 1}}}, {"v": 1})
    assert all(isinstance(error, MirrorError) for error in peer.errors)
    told = " ".join(map(str, peer.errors))
    for name in ["'bytes'", "'list'", "'big'", "'t/text'", "'w'", "'t/t/row'"]:
        assert name in told
    peer.errors.clear()
    heads = peer.document.heads
    peer.store.set_cell("t", "row", "c", 1)
    assert [str(error) for error in peer.errors] == [
        "the document holds (ScalarType.Int, 1) at 't/t/row', where a map should be"
    ]
    assert peer.document.heads == heads
    peer.store.set_cell("t", "r", "a", 2)
    again = Peer(HIGH, document=peer.document)
    assert again.content == ({"t": {"r": {"a": 2}}}, {"v": 1})
    assert peer.document.core.get(row, "bytes") is not None
    peer.store.set_cell("t", "r", "list", "mine now")  # a write of our own is one
    assert peer.document.core.text(at(peer.document, "tinybase", "t", "t", "r", "list")) == "mine now"


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


def test_a_root_without_tables_and_values_gets_both() -> None:
    """As TinyBase leaves it when it has opened a document and saved nothing."""
    peer = Peer()
    with peer.document.transaction() as tx:
        tx.put_object(ROOT, "tinybase", ObjType.Map)
    peer.store.set_value("open", True)
    assert peer.document.core.keys(peer.at()) == ["t", "v"]
    assert peer.agrees()


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


# -- healing ----------------------------------------------------------------------------------------------


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


# -- cost and memory --------------------------------------------------------------------------------------


def test_strings_that_are_overwritten_leave_nothing_in_the_index() -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_cell("t", "r", "c", "0")
    exchange(a.document, b.document)
    sizes = [sum(map(len, peer.mirror._index._places.values())) for peer in (a, b)]
    for number in range(50):
        a.store.set_cell("t", "r", "c", str(number))
        if number % 10 == 0:
            a.store.set_row("t", str(number), {"c": "text"})
            a.store.del_row("t", str(number))
    exchange(a.document, b.document)
    assert [sum(map(len, peer.mirror._index._places.values())) for peer in (a, b)] == sizes


def test_a_mirror_that_was_dropped_is_collected() -> None:
    document = AutomergeDocument()
    store = Store()
    mirror = AutomergeMirror(store, document).start()
    del store, mirror
    gc.collect()
    with document.transaction() as tx:
        tx.put(ROOT, "x", ScalarType.Int, 1)
    assert document.core.keys(ROOT) == ["x"]
