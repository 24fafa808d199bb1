"""The rules of mirrors that hold for every kind of document, each with tests that prove it."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Map

from support import amdocs, ydocs
from support.mirrors import HIGH, KINDS, LOW, Kind, Peer, deliver, exchange, make_peer
from weft import AutomergeDocument, Store, create_doc
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.errors import MirrorError
from weft.store.replica import Paths
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


def test_a_store_change_is_in_the_document_when_the_call_returns(kind: Kind) -> None:
    peer = make_peer(kind)
    peer.store.set_cell("pets", "fido", "species", "dog")
    peer.store.set_value("open", True)
    assert peer.project() == ({"pets": {"fido": {"species": "dog"}}}, {"open": True})


def test_a_received_update_is_in_the_store_when_apply_returns(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)
    a.store.set_content(({"pets": {"fido": {"legs": 4, "tags": ["a", {"b": None}]}}}, {"open": False}))
    deliver(a, b)
    assert b.content == ({"pets": {"fido": {"legs": 4, "tags": ["a", {"b": None}]}}}, {"open": False})
    assert type(b.store.get_cell("pets", "fido", "legs")) is int


def test_one_store_transaction_is_one_document_transaction(kind: Kind) -> None:
    peer = make_peer(kind)
    peer.store.set_value("there", True)  # the root containers, which Automerge makes by a change of its own
    updates = peer.updates()
    with peer.store.transaction():
        for row in range(5):
            peer.store.set_row("pets", str(row), {"a": 1, "b": 2})
        peer.store.set_value("v", 1)
    assert len(updates) == 1


def test_one_document_transaction_is_one_store_transaction(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)
    with a.store.transaction():
        a.store.set_tables({"t": {"r": {"c": 1}}, "u": {"r": {"c": 2}}})
        a.store.set_value("v", 3)
    finished: list[object] = []
    b.store.add_did_finish_transaction_listener(lambda _store: finished.append(1))
    deliver(a, b)
    assert len(finished) == 1


def test_start_brings_each_side_what_only_the_other_has_and_the_document_wins(kind: Kind) -> None:
    a = make_peer(kind)
    a.store.set_content(({"t": {"r": {"both": "document", "theirs": 1}}}, {"x": 1}))
    store = Store()
    store.set_content(({"t": {"r": {"both": "store", "ours": 2}}, "u": {"s": {"c": 3}}}, {"y": 2}))
    b = Peer(kind, a.doc, store)
    expected = (
        {"t": {"r": {"both": "document", "theirs": 1, "ours": 2}}, "u": {"s": {"c": 3}}},
        {"x": 1, "y": 2},
    )
    assert b.content == a.content == expected
    assert a.agrees()


def test_a_stopped_mirror_follows_neither_side_and_can_start_again(kind: Kind) -> None:
    peer = make_peer(kind)
    peer.store.set_cell("t", "r", "a", 1)
    peer.mirror.stop()
    peer.mirror.stop()
    peer.store.set_cell("t", "r", "b", 2)
    assert peer.project()[0] == {"t": {"r": {"a": 1}}}
    other = make_peer(kind)
    deliver(peer, other)
    other.store.set_cell("t", "r", "c", 3)
    deliver(other, peer)
    assert peer.store.get_row("t", "r") == {"a": 1, "b": 2}
    peer.mirror.start()
    assert peer.store.get_row("t", "r") == {"a": 1, "b": 2, "c": 3}
    assert peer.agrees()


def test_a_rolled_back_store_transaction_leaves_the_document_alone(kind: Kind) -> None:
    peer = make_peer(kind)
    peer.store.set_cell("t", "r", "c", 1)
    updates = peer.updates()

    def fail() -> None:
        peer.store.set_cell("t", "r", "c", 2)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        peer.store.transaction(fail)
    peer.store.transaction(lambda: peer.store.set_cell("t", "r", "c", 3), lambda _store: True)
    assert updates == []
    assert peer.agrees()


@pytest.mark.parametrize("rows", [10, 1000])
def test_rule_1_cost_follows_the_change_and_not_the_document(rows: int, kind: Kind) -> None:
    """Counted in bytes of update and in Store log entries, which do not depend on the machine."""
    a, b = make_peer(kind, HIGH), make_peer(kind, LOW)
    a.store.set_table("t", {f"r{row:04}": {"c": row} for row in range(rows)})
    deliver(a, b)
    updates = a.updates()
    changed: list[tuple[object, ...]] = []
    b.store.add_cell_listener(None, None, None, lambda *args: changed.append(args[1:4]))
    a.store.set_cell("t", "r0003", "c", "new")
    a.store.set_cell("t", "fresh", "c", 1)
    a.store.del_row("t", "r0004")
    assert len(updates) == 3
    assert all(len(update) < (220 if kind == "automerge" else 60) for update in updates)
    for update in updates:
        b.apply(update)
    assert changed == [("t", "r0003", "c"), ("t", "fresh", "c"), ("t", "r0004", "c")]
    assert a.content == b.content


def test_rule_2_what_a_listener_writes_during_a_remote_change_goes_back(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)

    def add_vat(store: Store, table_id: str, row_id: str, _cell_id: str, new: Any, *_rest: object) -> None:
        store.set_cell(table_id, row_id, "vat", new * 2)

    b.store.add_cell_listener("sales", None, "net", add_vat, True)
    a.store.set_cell("sales", "1", "net", 1)
    deliver(a, b)
    assert b.store.get_row("sales", "1") == {"net": 1, "vat": 2}
    assert b.agrees()
    deliver(b, a)
    assert a.content == b.content


def test_rule_2_a_listener_that_changes_the_received_cell_itself_is_heard(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)

    def clamp(store: Store, table_id: str, row_id: str, cell_id: str, new: Any, *_rest: object) -> None:
        if new > 10:
            store.set_cell(table_id, row_id, cell_id, 10)

    b.store.set_cell("t", "r", "c", 10)
    exchange(a, b)
    b.store.add_cell_listener("t", None, "c", clamp, True)
    a.store.set_cell("t", "r", "c", 99)
    deliver(a, b)
    assert b.store.get_cell("t", "r", "c") == 10
    assert b.agrees()
    deliver(b, a)
    assert a.store.get_cell("t", "r", "c") == 10


def test_rule_3_several_store_transactions_in_one_tick_all_arrive(kind: Kind) -> None:
    """TinyBase since 9.3 keeps the first only."""
    peer = make_peer(kind)
    peer.store.set_cell("t", "r", "a", 1)
    peer.store.set_cell("t", "r", "b", 2)
    peer.store.set_cell("t", "r", "a", 3)
    assert peer.project()[0] == {"t": {"r": {"a": 3, "b": 2}}}


def test_rule_4_received_cells_are_never_written_back(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)
    a.store.set_content(({"t": {"r": {"c": 1, "o": {"k": [1]}}, "s": {"c": 2}}}, {"v": 1}))
    updates = b.updates()
    deliver(a, b)
    a.store.set_cell("t", "r", "c", 5)
    a.store.del_row("t", "s")
    a.store.del_value("v")
    deliver(a, b)
    assert len(updates) == 2  # the two received ones
    assert b.content == a.content


def test_rule_4_a_cell_the_schema_refuses_stays_in_the_document_and_is_reported(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)
    b.store.set_tables_schema({"pets": {"legs": {"type": "number"}}})
    invalid: list[object] = []
    b.store.add_invalid_cell_listener(None, None, None, lambda *args: invalid.append(args[1:]))
    a.store.set_row("pets", "fido", {"legs": 4})
    deliver(a, b)
    a.store.set_cell("pets", "fido", "legs", "four")
    a.store.set_cell("pets", "rex", "legs", 3)
    deliver(a, b)
    assert b.store.get_tables() == {"pets": {"rex": {"legs": 3}}}
    assert b.project()[0]["pets"]["fido"] == {"legs": "four"}
    assert [str(error) for error in b.errors if "'fido'" in str(error)]
    assert all(isinstance(error, MirrorError) for error in b.errors)
    assert invalid == [("pets", "fido", "legs", ["four"])]
    b.store.set_cell("pets", "rex", "legs", 2)
    assert b.project()[0]["pets"] == {"fido": {"legs": "four"}, "rex": {"legs": 2}}


def test_rule_5_store_and_document_agree_although_a_mutator_fails(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)

    def fail(*_args: object) -> None:
        raise RuntimeError("listener is broken")

    b.store.add_cell_listener(None, None, None, fail, True)
    b.store.add_row_listener(None, None, fail)
    a.store.set_cell("t", "r", "c", 1)
    deliver(a, b)
    assert b.content == ({"t": {"r": {"c": 1}}}, {})
    assert b.agrees()
    assert "listener is broken" in {str(error) for error in b.errors}


def test_rule_5_a_document_event_inside_a_store_transaction_waits_for_its_end(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)
    a.store.set_row("t", "r", {"theirs": 1, "both": "a"})
    with b.store.transaction():
        b.store.set_row("t", "r", {"ours": 2, "both": "b"})
        deliver(a, b)
    assert b.agrees()
    assert b.store.get_cell("t", "r", "theirs") == 1
    assert b.store.get_cell("t", "r", "ours") == 2
    exchange(a, b)
    assert a.content == b.content
    assert a.agrees()


def test_rule_5_a_document_event_inside_a_store_transaction_survives_its_rollback(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)
    a.store.set_cell("t", "r", "c", 1)

    def fail() -> None:
        b.store.set_cell("t", "r", "mine", 2)
        deliver(a, b)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        b.store.transaction(fail)
    assert b.content == ({"t": {"r": {"c": 1}}}, {})
    assert b.agrees()


def test_rule_5_a_document_changed_from_a_store_listener_agrees_afterwards(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)
    a.store.set_cell("t", "r", "remote", 1)
    b.store.add_cell_listener("t", "r", "local", lambda *_args: deliver(a, b))
    b.store.set_cell("t", "r", "local", 2)
    assert b.store.get_row("t", "r") == {"local": 2, "remote": 1}
    assert b.agrees()


def test_rule_6_a_peer_never_deletes_what_it_never_loaded(kind: Kind) -> None:
    """TinyBase deletes it when it adds a row."""
    a, b = make_peer(kind), make_peer(kind)
    a.store.set_row("pets", "fido", {"species": "dog"})
    b.mirror.stop()
    deliver(a, b)
    b.store.set_row("pets", "rex", {"species": "dog"})
    b.mirror.start()
    exchange(a, b)
    assert a.content == b.content == ({"pets": {"fido": {"species": "dog"}, "rex": {"species": "dog"}}}, {})


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_concurrent_first_writes_merge(kind: Kind, first: int, second: int) -> None:
    a, b = make_peer(kind, first), make_peer(kind, second)
    a.store.set_content(({"pets": {"fido": {"color": "brown"}}, "t1": {"r": {"c": 1}}}, {"a": 1}))
    b.store.set_content(({"pets": {"fido": {"price": 5}}, "t2": {"r": {"c": 2}}}, {"b": 2}))
    exchange(a, b)
    assert a.content == b.content
    assert a.content == (
        {"pets": {"fido": {"color": "brown", "price": 5}}, "t1": {"r": {"c": 1}}, "t2": {"r": {"c": 2}}},
        {"a": 1, "b": 2},
    )
    assert a.agrees()
    assert b.agrees()


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_concurrent_re_creation_of_a_deleted_row_and_table_merges(
    kind: Kind, first: int, second: int
) -> None:
    a, b = make_peer(kind, first), make_peer(kind, second)
    a.store.set_tables({"pets": {"fido": {"old": 1}}, "gone": {"r": {"old": 1}}})
    exchange(a, b)
    b.store.del_row("pets", "fido")
    b.store.del_table("gone")
    exchange(a, b)
    assert a.content == ({}, {})
    a.store.set_tables({"pets": {"fido": {"color": "brown"}}, "gone": {"r": {"a": 1}}})
    b.store.set_tables({"pets": {"fido": {"price": 5}}, "gone": {"r": {"b": 1}, "s": {"b": 2}}})
    exchange(a, b)
    assert a.content == b.content
    assert a.content[0] == {
        "pets": {"fido": {"color": "brown", "price": 5}},
        "gone": {"r": {"a": 1, "b": 1}, "s": {"b": 2}},
    }


def test_rule_7_a_real_replacement_is_left_alone(kind: Kind) -> None:
    """The peer that replaced the row knew ours: what it deleted stays deleted."""
    a, b = make_peer(kind, LOW), make_peer(kind, HIGH)
    a.store.set_row("pets", "fido", {"color": "brown", "price": 5})
    exchange(a, b)
    b.store.del_row("pets", "fido")
    b.store.set_row("pets", "fido", {"price": 6})
    exchange(a, b)
    assert a.content == b.content == ({"pets": {"fido": {"price": 6}}}, {})
    b.store.del_table("pets")
    b.store.set_row("pets", "fido", {"name": "Fido"})
    b.store.del_table("pets")
    b.store.set_row("pets", "fido", {"sold": True})
    exchange(a, b)
    assert a.content == b.content == ({"pets": {"fido": {"sold": True}}}, {})
    assert a.agrees()


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_emptied_is_not_deleted(kind: Kind, first: int, second: int) -> None:
    a, b = make_peer(kind, first), make_peer(kind, second)
    a.store.set_cell("pets", "fido", "color", "brown")
    exchange(a, b)
    a.store.del_cell("pets", "fido", "color")
    b.store.set_cell("pets", "fido", "price", 5)
    exchange(a, b)
    assert a.content == b.content == ({"pets": {"fido": {"price": 5}}}, {})
    a.store.del_row("pets", "fido")
    b.store.set_row("pets", "rex", {"price": 6})
    exchange(a, b)
    assert a.content == b.content == ({"pets": {"rex": {"price": 6}}}, {})


@pytest.mark.parametrize("kind", ["tinybase", "automerge"])  # the flat layout has no rows
def test_rule_7_deleting_a_row_wins_over_a_concurrent_cell(kind: Kind) -> None:
    a, b = make_peer(kind, LOW), make_peer(kind, HIGH)
    a.store.set_tables({"pets": {"fido": {"color": "brown"}, "rex": {"color": "black"}}})
    exchange(a, b)
    a.store.del_row("pets", "fido")
    b.store.set_cell("pets", "fido", "price", 5)
    exchange(a, b)
    assert a.content == b.content == ({"pets": {"rex": {"color": "black"}}}, {})


def test_facts_of_the_binding_an_equal_write_makes_no_update(kind: Kind) -> None:
    peer = make_peer(kind)
    peer.store.set_content(({"t": {"r": {"i": 1, "b": True, "o": {"a": 1}, "n": None}}}, {"v": 1.5}))
    updates = peer.updates()
    peer.store.set_content(({"t": {"r": {"i": 1.0, "b": True, "o": {"a": 1.0}, "n": None}}}, {"v": 1.5}))
    assert updates == []
    peer.store.set_cell("t", "r", "b", 1)
    assert len(updates) == 1
    assert peer.store.get_cell("t", "r", "b") == 1
    assert peer.store.get_cell("t", "r", "b") is not True


def test_facts_of_the_binding_a_mirror_does_not_keep_its_document_alive_nor_leak(kind: Kind) -> None:
    peer = make_peer(kind)
    peer.store.set_cell("t", "r", "c", 1)
    gone: list[weakref.ref[Any]] = [weakref.ref(peer.doc), weakref.ref(peer.store), weakref.ref(peer.mirror)]
    del peer
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]


def test_facts_of_the_binding_a_failing_listener_does_not_surface_in_the_committer(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)

    def fail(*_args: object) -> None:
        raise RuntimeError("mine")

    b.store.add_did_finish_transaction_listener(fail)
    a.store.set_cell("t", "r", "c", 1)
    deliver(a, b)
    assert [str(error) for error in b.errors] == ["mine"]
    assert b.agrees()


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_facts_of_the_binding_lone_surrogates_never_reach_it(text: str, kind: Kind) -> None:
    peer = make_peer(kind)
    calls: tuple[Callable[[], object], ...] = (
        lambda: peer.store.set_cell("t", "r", "c", text),
        lambda: peer.store.set_cell("t", "r", text, 1),
        lambda: peer.store.set_cell("t", text, "c", 1),
        lambda: peer.store.set_cell(text, "r", "c", 1),
        lambda: peer.store.set_value(text, 1),
        lambda: peer.store.set_cell("t", "r", "c", {text: 1}),
        lambda: peer.store.set_cell("t", "r", "c", [text]),
    )
    for call in calls:
        with pytest.raises(ValueError, match="surrogate"):
            call()
    assert peer.content == ({}, {})
    assert peer.agrees()


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**63, float("nan"), float("inf")])
def test_facts_of_the_binding_numbers_that_are_none_in_javascript_never_reach_it(
    number: float, kind: Kind
) -> None:
    peer = make_peer(kind)
    with pytest.raises(ValueError, match=r"number|integer"):
        peer.store.set_cell("t", "r", "c", number)
    assert peer.agrees()


def test_two_mirrors_of_one_document_follow_each_other(kind: Kind) -> None:
    a = make_peer(kind)
    b = Peer(kind, a.doc)
    a.store.set_cell("t", "r", "c", 1)
    b.store.set_cell("t", "r", "d", 2)
    assert a.content == b.content == ({"t": {"r": {"c": 1, "d": 2}}}, {})


def test_ids_with_separators_and_of_every_kind_survive(kind: Kind) -> None:
    a, b = make_peer(kind), make_peer(kind)
    ids = [
        "",
        ".",
        "a.b",
        "__proto__",
        "constructor",
        "\0x",
        "é",
        "e\u0301",
        "😀",
        "\x1e",
        "\x1f",
        "\x1e1\x1f0",
        "x" * 999,
    ]
    a.store.set_tables({i: {i: {i: i for i in ids if i[:1] != "\ufffd"}} for i in ids})
    deliver(a, b)
    assert b.content == a.content
    assert b.agrees()
    assert a.errors == b.errors == []


def test_close_stops_and_may_be_called_twice(kind: Kind) -> None:
    peer = make_peer(kind)
    peer.mirror.close()
    assert not peer.mirror.running
    peer.store.set_value("open", True)
    assert peer.project() == ({}, {})
    peer.mirror.close()
    peer.mirror.start()
    assert peer.project() == ({}, {"open": True})


def _draw_shapes(kind: Kind) -> Any:
    """A document in which another application has a map of maps under the mirror's name."""
    if kind == "automerge":
        document = AutomergeDocument()
        with document.transaction() as tx:
            shapes = tx.put_object(ROOT, "tinybase", ObjType.Map)
            tx.put(tx.put_object(shapes, "shape:1", ObjType.Map), "x", ScalarType.Int, 10)
        return document
    doc = create_doc()
    doc.get("tinybase", type=Map)["shape:1"] = Map({"x": 10})
    return doc


def _state(kind: Kind, doc: Any) -> object:
    return doc.heads if kind == "automerge" else doc.get_state()


def test_a_root_that_is_another_applications_is_refused_at_start_and_not_touched(kind: Kind) -> None:
    doc = _draw_shapes(kind)
    before = _state(kind, doc)
    peer = Peer(kind, doc, Store().set_value("open", True), start=False)
    with pytest.raises(
        MirrorError, match="holds 'shape:1' and nothing of a Store: it is another application's"
    ):
        peer.mirror.start()
    assert not peer.mirror.running
    peer.store.set_cell("pets", "fido", "species", "dog")
    assert _state(kind, doc) == before
    assert peer.content == ({"pets": {"fido": {"species": "dog"}}}, {"open": True})
    assert peer.errors == []


def test_a_root_that_turns_out_to_be_another_applications_is_not_written(kind: Kind) -> None:
    peer = make_peer(kind)
    (amdocs if kind == "automerge" else ydocs).deliver(_draw_shapes(kind), peer.doc)
    before = _state(kind, peer.doc)
    peer.store.set_cell("pets", "fido", "species", "dog")
    assert _state(kind, peer.doc) == before
    assert "another application's" in str(peer.errors[-1])


# -- for a bridge of two documents -------------------------------------------------------------------------


def test_what_a_judge_refuses_is_not_written_and_not_owed(kind: Kind) -> None:
    peer = make_peer(kind)
    asked: list[object] = []
    allowed = False

    def judge(tables: object, values: object) -> bool:
        asked.append((tables, values))
        return allowed

    peer.mirror.judged_by(judge)
    peer.store.set_cell("t", "r", "c", 1)
    peer.mirror.flush()
    assert peer.project() == ({}, {})
    allowed = True
    peer.store.set_value("v", 2)
    assert peer.project() == ({}, {"v": 2})
    assert asked == [({"t": {"r": {"c": 1}}}, {}), ({}, {"v": 2})]


def test_places_are_read_taken_over_and_written_again(kind: Kind) -> None:
    peer = make_peer(kind)
    peer.store.set_content(({"t": {"r": {"c": 1, "d": 2}}}, {"v": 3}))
    peer.mirror.judged_by(lambda _tables, _values: False)
    peer.store.set_content(({"t": {"r": {"c": 10, "d": 20}}}, {"v": 30}))
    peer.mirror.judged_by(lambda _tables, _values: True)
    paths = Paths()
    paths.add({"t": {"r": ["c", "missing"]}}, ["v"])
    assert peer.mirror.read_places(paths) == ({"t": {"r": {"c": 1, "missing": UNDEFINED}}}, {"v": 3})
    one = Paths()
    one.add({"t": {"r": ["c"]}})
    peer.mirror.take_over(one)
    assert peer.content == ({"t": {"r": {"c": 1, "d": 20}}}, {"v": 30})
    peer.mirror.write_again(paths)
    assert peer.project() == ({"t": {"r": {"c": 1, "d": 2}}}, {"v": 30})
