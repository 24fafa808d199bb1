"""The rules of DESIGN.md section 4, each with the tests that prove it, and what a bad document does."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pycrdt import Array, Doc, Map, Text, XmlFragment, XmlText

from support.ydocs import deliver, exchange, numbered_doc, project
from weft import Store
from weft.errors import MirrorError
from weft.mirrors.ydoc import YDocument
from weft.mirrors.yjs import YjsMirror, create_doc

if TYPE_CHECKING:
    from collections.abc import Callable

LAYOUTS: tuple[Literal["tinybase", "flat"], ...] = ("tinybase", "flat")

Layout = Literal["tinybase", "flat"]


class Peer:
    """One Store mirrored into one document."""

    def __init__(
        self, client_id: int | None = None, *, layout: Layout = "tinybase", doc: Doc[Any] | None = None
    ) -> None:
        self.errors: list[Exception] = []
        self.store = Store()
        self.doc = doc or (create_doc() if client_id is None else numbered_doc(client_id))
        self.layout = layout
        self.mirror = YjsMirror(self.store, self.doc, layout=layout, on_error=self.errors.append).start()

    def agrees(self) -> bool:
        return self.content == project(self.doc, layout=self.layout)

    @property
    def content(self) -> tuple[Any, Any]:
        tables, values = self.store.get_content()
        return tables, values


def updates_of(doc: Doc[Any]) -> list[bytes]:
    updates: list[bytes] = []
    YDocument.of(doc).subscribe(lambda update, _origin: updates.append(update))
    return updates


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    chosen: Layout = request.param
    return chosen


LOW, MIDDLE, HIGH = 300_000_001, 300_000_002, 300_000_003


# -- both directions --------------------------------------------------------------------------------------


def test_a_store_change_is_in_the_document_when_the_call_returns(layout: Layout) -> None:
    peer = Peer(layout=layout)
    peer.store.set_cell("pets", "fido", "species", "dog")
    peer.store.set_value("open", True)
    assert project(peer.doc, layout=layout) == ({"pets": {"fido": {"species": "dog"}}}, {"open": True})


def test_a_received_update_is_in_the_store_when_apply_returns(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    a.store.set_content(({"pets": {"fido": {"legs": 4, "tags": ["a", {"b": None}]}}}, {"open": False}))
    deliver(a.doc, b.doc)
    assert b.content == ({"pets": {"fido": {"legs": 4, "tags": ["a", {"b": None}]}}}, {"open": False})
    assert type(b.store.get_cell("pets", "fido", "legs")) is int


def test_one_store_transaction_is_one_document_transaction(layout: Layout) -> None:
    peer = Peer(layout=layout)
    updates = updates_of(peer.doc)
    with peer.store.transaction():
        for row in range(5):
            peer.store.set_row("pets", str(row), {"a": 1, "b": 2})
        peer.store.set_value("v", 1)
    assert len(updates) == 1


def test_one_document_transaction_is_one_store_transaction(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    with a.store.transaction():
        a.store.set_tables({"t": {"r": {"c": 1}}, "u": {"r": {"c": 2}}})
        a.store.set_value("v", 3)
    finished: list[object] = []
    b.store.add_did_finish_transaction_listener(lambda _store: finished.append(1))
    deliver(a.doc, b.doc)
    assert len(finished) == 1


def test_start_brings_each_side_what_only_the_other_has_and_the_document_wins(layout: Layout) -> None:
    a = Peer(layout=layout)
    a.store.set_content(({"t": {"r": {"both": "document", "theirs": 1}}}, {"x": 1}))
    store = Store()
    store.set_content(({"t": {"r": {"both": "store", "ours": 2}}, "u": {"s": {"c": 3}}}, {"y": 2}))
    with YjsMirror(store, a.doc, layout=layout):
        expected = (
            {"t": {"r": {"both": "document", "theirs": 1, "ours": 2}}, "u": {"s": {"c": 3}}},
            {"x": 1, "y": 2},
        )
        assert tuple(store.get_content()) == expected
        assert a.content == expected
        assert a.agrees()


def test_a_stopped_mirror_follows_neither_side_and_can_start_again(layout: Layout) -> None:
    peer = Peer(layout=layout)
    peer.store.set_cell("t", "r", "a", 1)
    peer.mirror.stop()
    peer.mirror.stop()
    peer.store.set_cell("t", "r", "b", 2)
    assert project(peer.doc, layout=layout)[0] == {"t": {"r": {"a": 1}}}
    other = Peer(layout=layout)
    deliver(peer.doc, other.doc)
    other.store.set_cell("t", "r", "c", 3)
    deliver(other.doc, peer.doc)
    assert peer.store.get_row("t", "r") == {"a": 1, "b": 2}
    peer.mirror.start()
    assert peer.store.get_row("t", "r") == {"a": 1, "b": 2, "c": 3}
    assert peer.agrees()


def test_a_layout_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="layout is 'nested'"):
        YjsMirror(Store(), create_doc(), layout="nested")  # type: ignore[arg-type]


def test_a_rolled_back_store_transaction_leaves_the_document_alone(layout: Layout) -> None:
    peer = Peer(layout=layout)
    peer.store.set_cell("t", "r", "c", 1)
    updates = updates_of(peer.doc)

    def fail() -> None:
        peer.store.set_cell("t", "r", "c", 2)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        peer.store.transaction(fail)
    peer.store.transaction(lambda: peer.store.set_cell("t", "r", "c", 3), lambda _store: True)
    assert updates == []
    assert peer.agrees()


# -- rule 1 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [10, 1000])
def test_rule_1_cost_follows_the_change_and_not_the_document(rows: int, layout: Layout) -> None:
    """Counted in bytes of update and in Store log entries, which do not depend on the machine."""
    a, b = Peer(HIGH, layout=layout), Peer(LOW, layout=layout)
    a.store.set_table("t", {f"r{row:04}": {"c": row} for row in range(rows)})
    deliver(a.doc, b.doc)
    updates = updates_of(a.doc)
    changed: list[tuple[object, ...]] = []
    b.store.add_cell_listener(None, None, None, lambda *args: changed.append(args[1:4]))
    a.store.set_cell("t", "r0003", "c", "new")
    a.store.set_cell("t", "fresh", "c", 1)
    a.store.del_row("t", "r0004")
    assert len(updates) == 3
    assert all(len(update) < 60 for update in updates)
    for update in updates:
        YDocument.of(b.doc).apply(update, origin="test")
    assert changed == [("t", "r0003", "c"), ("t", "fresh", "c"), ("t", "r0004", "c")]
    assert a.content == b.content


# -- rule 2 -----------------------------------------------------------------------------------------------


def test_rule_2_origins_are_tokens_compared_by_identity() -> None:
    a, b = Peer(), Peer()
    seen: list[object] = []
    b.store.add_did_finish_transaction_listener(lambda store: seen.append(store.transaction_origin))
    token = object()
    with b.store.transaction(origin=token):
        b.store.set_cell("t", "r", "c", 1)
    deliver(b.doc, a.doc)
    a.store.set_cell("t", "r", "c", 2)
    deliver(a.doc, b.doc)
    assert seen[0] is token
    assert seen[1] is b.mirror._token
    origins: list[object] = []
    root = b.doc.get("tinybase", type=Map)  # the wrapper holds the subscription
    root.observe_deep(lambda events: origins.append(events[0].transaction.origin))
    b.store.set_cell("t", "r", "c", 3)
    assert origins == [b.mirror._token]


def test_rule_2_what_a_listener_writes_during_a_remote_change_goes_back(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)

    def add_vat(store: Store, table_id: str, row_id: str, _cell_id: str, new: Any, *_rest: object) -> None:
        store.set_cell(table_id, row_id, "vat", new * 2)

    b.store.add_cell_listener("sales", None, "net", add_vat, True)
    a.store.set_cell("sales", "1", "net", 1)
    deliver(a.doc, b.doc)
    assert b.store.get_row("sales", "1") == {"net": 1, "vat": 2}
    assert b.agrees()
    deliver(b.doc, a.doc)
    assert a.content == b.content


def test_rule_2_a_listener_that_changes_the_received_cell_itself_is_heard(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)

    def clamp(store: Store, table_id: str, row_id: str, cell_id: str, new: Any, *_rest: object) -> None:
        if new > 10:
            store.set_cell(table_id, row_id, cell_id, 10)

    b.store.set_cell("t", "r", "c", 10)
    exchange(a.doc, b.doc)
    b.store.add_cell_listener("t", None, "c", clamp, True)
    a.store.set_cell("t", "r", "c", 99)
    deliver(a.doc, b.doc)
    assert b.store.get_cell("t", "r", "c") == 10
    assert b.agrees()
    deliver(b.doc, a.doc)
    assert a.store.get_cell("t", "r", "c") == 10


# -- rule 3 -----------------------------------------------------------------------------------------------


def test_rule_3_the_document_is_not_written_inside_its_own_observer(layout: Layout) -> None:
    """Without the hub nobody flushes after the commit: the debt waits for ``flush``."""
    a, b = Peer(layout=layout), Peer(layout=layout)
    b.store.add_cell_listener(
        "t", None, "c", lambda store, t, r, _c, new, *_rest: store.set_cell(t, r, "derived", new), True
    )
    a.store.set_cell("t", "r", "c", 1)
    b.doc.apply_update(a.doc.get_update())
    assert b.store.get_row("t", "r") == {"c": 1, "derived": 1}
    assert project(b.doc, layout=layout)[0] == {"t": {"r": {"c": 1}}}
    b.mirror.flush()
    assert b.agrees()
    assert b.errors == []


async def test_rule_3_a_running_loop_flushes_at_its_next_turn(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    b.store.add_cell_listener(
        "t", None, "c", lambda store, t, r, _c, new, *_rest: store.set_cell(t, r, "derived", new), True
    )
    a.store.set_cell("t", "r", "c", 1)
    b.doc.apply_update(a.doc.get_update())
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turn.set_result, None)
    await turn
    assert b.agrees()


def test_rule_3_a_store_written_from_a_document_observer_arrives_after_it(layout: Layout) -> None:
    peer = Peer(layout=layout)
    notes = peer.doc.get("notes", type=Text)
    notes.observe(lambda event: peer.store.set_cell("log", "1", "length", len(str(event.target))))
    notes += "hello"
    peer.mirror.flush()
    assert peer.store.get_cell("log", "1", "length") == 5
    assert peer.agrees()
    assert peer.errors == []


def test_rule_3_several_store_transactions_in_one_tick_all_arrive(layout: Layout) -> None:
    """TinyBase since 9.3 keeps the first only: facts/tinybase.md 6.2."""
    peer = Peer(layout=layout)
    peer.store.set_cell("t", "r", "a", 1)
    peer.store.set_cell("t", "r", "b", 2)
    peer.store.set_cell("t", "r", "a", 3)
    assert project(peer.doc, layout=layout)[0] == {"t": {"r": {"a": 3, "b": 2}}}


def test_rule_3_a_store_changed_inside_a_document_transaction_joins_it(layout: Layout) -> None:
    peer = Peer(layout=layout)
    updates = updates_of(peer.doc)
    with peer.doc.transaction(origin="mine"):
        peer.store.set_cell("t", "r", "c", 1)
        peer.doc.get("notes", type=Text)[:] = "x"
        peer.store.set_cell("t", "r", "d", 2)
    assert len(updates) == 1
    assert peer.agrees()
    assert peer.store.get_row("t", "r") == {"c": 1, "d": 2}


# -- rule 4 -----------------------------------------------------------------------------------------------


def test_rule_4_received_cells_are_never_written_back(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    a.store.set_content(({"t": {"r": {"c": 1, "o": {"k": [1]}}, "s": {"c": 2}}}, {"v": 1}))
    updates = updates_of(b.doc)
    deliver(a.doc, b.doc)
    a.store.set_cell("t", "r", "c", 5)
    a.store.del_row("t", "s")
    a.store.del_value("v")
    deliver(a.doc, b.doc)
    assert len(updates) == 2  # the two received ones
    assert b.content == a.content


def test_rule_4_a_cell_the_schema_refuses_stays_in_the_document_and_is_reported(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    b.store.set_tables_schema({"pets": {"legs": {"type": "number"}}})
    invalid: list[object] = []
    b.store.add_invalid_cell_listener(None, None, None, lambda *args: invalid.append(args[1:]))
    a.store.set_row("pets", "fido", {"legs": 4})
    deliver(a.doc, b.doc)
    a.store.set_cell("pets", "fido", "legs", "four")
    a.store.set_cell("pets", "rex", "legs", 3)
    deliver(a.doc, b.doc)
    assert b.store.get_tables() == {"pets": {"rex": {"legs": 3}}}
    assert project(b.doc, layout=layout)[0]["pets"]["fido"] == {"legs": "four"}
    assert [str(error) for error in b.errors if "'fido'" in str(error)]
    assert all(isinstance(error, MirrorError) for error in b.errors)
    assert invalid == [("pets", "fido", "legs", ["four"])]
    b.store.set_cell("pets", "rex", "legs", 2)
    assert project(b.doc, layout=layout)[0]["pets"] == {"fido": {"legs": "four"}, "rex": {"legs": 2}}


# -- rule 5 -----------------------------------------------------------------------------------------------


def test_rule_5_store_and_document_agree_although_a_mutator_fails(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)

    def fail(*_args: object) -> None:
        raise RuntimeError("listener is broken")

    b.store.add_cell_listener(None, None, None, fail, True)
    b.store.add_row_listener(None, None, fail)
    a.store.set_cell("t", "r", "c", 1)
    deliver(a.doc, b.doc)
    assert b.content == ({"t": {"r": {"c": 1}}}, {})
    assert b.agrees()
    assert "listener is broken" in {str(error) for error in b.errors}


def test_rule_5_a_document_event_inside_a_store_transaction_waits_for_its_end(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    a.store.set_row("t", "r", {"theirs": 1, "both": "a"})
    with b.store.transaction():
        b.store.set_row("t", "r", {"ours": 2, "both": "b"})
        deliver(a.doc, b.doc)
    assert b.agrees()
    assert b.store.get_cell("t", "r", "theirs") == 1
    assert b.store.get_cell("t", "r", "ours") == 2
    exchange(a.doc, b.doc)
    assert a.content == b.content
    assert a.agrees()


def test_rule_5_a_document_event_inside_a_store_transaction_survives_its_rollback(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    a.store.set_cell("t", "r", "c", 1)

    def fail() -> None:
        b.store.set_cell("t", "r", "mine", 2)
        deliver(a.doc, b.doc)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        b.store.transaction(fail)
    assert b.content == ({"t": {"r": {"c": 1}}}, {})
    assert b.agrees()


def test_rule_5_what_is_owed_waits_for_an_open_transaction_that_may_roll_back(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    b.store.add_cell_listener(
        "t", None, "c", lambda store, t, r, _c, new, *_rest: store.set_cell(t, r, "derived", new), True
    )
    a.store.set_cell("t", "r", "c", 1)
    b.doc.apply_update(a.doc.get_update())  # the derived cell is owed now

    def fail() -> None:
        b.store.set_cell("t", "r", "derived", "uncommitted")
        b.mirror.flush()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        b.store.transaction(fail)
    assert b.store.get_row("t", "r") == {"c": 1, "derived": 1}
    assert b.agrees()


def test_rule_5_a_document_changed_from_a_store_listener_agrees_afterwards(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
    a.store.set_cell("t", "r", "remote", 1)
    b.store.add_cell_listener("t", "r", "local", lambda *_args: deliver(a.doc, b.doc))
    b.store.set_cell("t", "r", "local", 2)
    assert b.store.get_row("t", "r") == {"local": 2, "remote": 1}
    assert b.agrees()


# -- rule 6 -----------------------------------------------------------------------------------------------


def test_rule_6_a_peer_never_deletes_what_it_never_loaded(layout: Layout) -> None:
    """TinyBase deletes it when it adds a row: facts/tinybase.md 6.4."""
    a, b = Peer(layout=layout), Peer(layout=layout)
    a.store.set_row("pets", "fido", {"species": "dog"})
    b.mirror.stop()
    deliver(a.doc, b.doc)
    b.store.set_row("pets", "rex", {"species": "dog"})
    b.mirror.start()
    exchange(a.doc, b.doc)
    assert a.content == b.content == ({"pets": {"fido": {"species": "dog"}, "rex": {"species": "dog"}}}, {})


# -- rule 7 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_concurrent_first_writes_merge(layout: Layout, first: int, second: int) -> None:
    a, b = Peer(first, layout=layout), Peer(second, layout=layout)
    a.store.set_content(({"pets": {"fido": {"color": "brown"}}, "t1": {"r": {"c": 1}}}, {"a": 1}))
    b.store.set_content(({"pets": {"fido": {"price": 5}}, "t2": {"r": {"c": 2}}}, {"b": 2}))
    exchange(a.doc, b.doc)
    assert a.content == b.content
    assert a.content == (
        {"pets": {"fido": {"color": "brown", "price": 5}}, "t1": {"r": {"c": 1}}, "t2": {"r": {"c": 2}}},
        {"a": 1, "b": 2},
    )
    assert a.agrees()
    assert b.agrees()


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_concurrent_re_creation_of_a_deleted_row_and_table_merges(
    layout: Layout, first: int, second: int
) -> None:
    a, b = Peer(first, layout=layout), Peer(second, layout=layout)
    a.store.set_tables({"pets": {"fido": {"old": 1}}, "gone": {"r": {"old": 1}}})
    exchange(a.doc, b.doc)
    b.store.del_row("pets", "fido")
    b.store.del_table("gone")
    exchange(a.doc, b.doc)
    assert a.content == ({}, {})
    a.store.set_tables({"pets": {"fido": {"color": "brown"}}, "gone": {"r": {"a": 1}}})
    b.store.set_tables({"pets": {"fido": {"price": 5}}, "gone": {"r": {"b": 1}, "s": {"b": 2}}})
    exchange(a.doc, b.doc)
    assert a.content == b.content
    assert a.content[0] == {
        "pets": {"fido": {"color": "brown", "price": 5}},
        "gone": {"r": {"a": 1, "b": 1}, "s": {"b": 2}},
    }


def test_rule_7_a_real_replacement_is_left_alone() -> None:
    """The peer that replaced the row knew ours: what it deleted stays deleted."""
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_row("pets", "fido", {"color": "brown", "price": 5})
    exchange(a.doc, b.doc)
    b.store.del_row("pets", "fido")
    b.store.set_row("pets", "fido", {"price": 6})
    exchange(a.doc, b.doc)
    assert a.content == b.content == ({"pets": {"fido": {"price": 6}}}, {})
    b.store.del_table("pets")
    b.store.set_row("pets", "fido", {"name": "Fido"})
    b.store.del_table("pets")
    b.store.set_row("pets", "fido", {"sold": True})
    exchange(a.doc, b.doc)
    assert a.content == b.content == ({"pets": {"fido": {"sold": True}}}, {})
    assert a.agrees()


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_emptied_is_not_deleted(layout: Layout, first: int, second: int) -> None:
    a, b = Peer(first, layout=layout), Peer(second, layout=layout)
    a.store.set_cell("pets", "fido", "color", "brown")
    exchange(a.doc, b.doc)
    a.store.del_cell("pets", "fido", "color")
    b.store.set_cell("pets", "fido", "price", 5)
    exchange(a.doc, b.doc)
    assert a.content == b.content == ({"pets": {"fido": {"price": 5}}}, {})
    a.store.del_row("pets", "fido")
    b.store.set_row("pets", "rex", {"price": 6})
    exchange(a.doc, b.doc)
    assert a.content == b.content == ({"pets": {"rex": {"price": 6}}}, {})


def test_rule_7_deleting_a_row_wins_over_a_concurrent_cell() -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_tables({"pets": {"fido": {"color": "brown"}, "rex": {"color": "black"}}})
    exchange(a.doc, b.doc)
    a.store.del_row("pets", "fido")
    b.store.set_cell("pets", "fido", "price", 5)
    exchange(a.doc, b.doc)
    assert a.content == b.content == ({"pets": {"rex": {"color": "black"}}}, {})


@pytest.mark.parametrize(("ours", "theirs"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_content_of_a_peer_that_does_not_heal_is_kept(ours: int, theirs: int) -> None:
    """The peer makes its containers as TinyBase does, and neither heals nor has a Store."""
    a, foreign = Peer(ours), numbered_doc(theirs)
    a.store.set_content(({"pets": {"fido": {"color": "brown"}}}, {"a": 1}))
    root = foreign.get("tinybase", type=Map)
    with foreign.transaction():
        root["t"] = Map({"pets": Map({"fido": Map({"price": 5}), "rex": Map({"price": 6})})})
        root["v"] = Map({"b": 2})
    exchange(a.doc, foreign)
    expected = (
        {"pets": {"fido": {"color": "brown", "price": 5}, "rex": {"price": 6}}},
        {"a": 1, "b": 2},
    )
    assert a.content == expected
    assert project(foreign) == expected


def test_rule_7_a_peer_that_goes_on_writing_into_its_lost_row_is_heard() -> None:
    a, foreign = Peer(HIGH), numbered_doc(LOW)
    a.store.set_cell("pets", "rex", "age", 1)
    exchange(a.doc, foreign)
    a.store.set_cell("pets", "fido", "color", "brown")
    sent: list[bytes] = []
    foreign.observe(lambda event: sent.append(event.update))
    pets = foreign.get("tinybase", type=Map)["t"]["pets"]
    pets["fido"] = Map({"price": 5})
    pets["fido"]["price"] = 6
    pets["fido"]["legs"] = 4
    for update in sent:
        YDocument.of(a.doc).apply(update, origin="test")
    assert a.store.get_row("pets", "fido") == {"color": "brown", "price": 5, "legs": 4} or a.store.get_row(
        "pets", "fido"
    ) == {"color": "brown", "price": 6, "legs": 4}
    exchange(a.doc, foreign)
    assert project(foreign) == a.content


# -- rule 8 and the binding -------------------------------------------------------------------------------


def test_facts_of_the_binding_client_ids_are_32_bit_and_above_the_containers() -> None:
    ids = {create_doc().client_id for _ in range(200)}
    assert len(ids) == 200
    assert all(2**28 <= client_id < 2**32 for client_id in ids)


def test_facts_of_the_binding_an_equal_write_makes_no_update(layout: Layout) -> None:
    peer = Peer(layout=layout)
    peer.store.set_content(({"t": {"r": {"i": 1, "b": True, "o": {"a": 1}, "n": None}}}, {"v": 1.5}))
    updates = updates_of(peer.doc)
    peer.store.set_content(({"t": {"r": {"i": 1.0, "b": True, "o": {"a": 1.0}, "n": None}}}, {"v": 1.5}))
    assert updates == []
    peer.store.set_cell("t", "r", "b", 1)
    assert len(updates) == 1
    assert peer.store.get_cell("t", "r", "b") == 1
    assert peer.store.get_cell("t", "r", "b") is not True


def test_facts_of_the_binding_a_mirror_does_not_keep_its_document_alive_nor_leak(layout: Layout) -> None:
    peer = Peer(layout=layout)
    peer.store.set_cell("t", "r", "c", 1)
    gone: list[weakref.ref[Any]] = [weakref.ref(peer.doc), weakref.ref(peer.store), weakref.ref(peer.mirror)]
    del peer
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]


def test_facts_of_the_binding_a_running_mirror_lives_as_long_as_its_store() -> None:
    store, doc = Store(), create_doc()
    YjsMirror(store, doc).start()
    gc.collect()
    store.set_cell("t", "r", "c", 1)
    assert project(doc) == ({"t": {"r": {"c": 1}}}, {})


def test_facts_of_the_binding_a_failing_listener_does_not_surface_in_the_committer(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)

    def fail(*_args: object) -> None:
        raise RuntimeError("mine")

    b.store.add_did_finish_transaction_listener(fail)
    a.store.set_cell("t", "r", "c", 1)
    deliver(a.doc, b.doc)
    assert [str(error) for error in b.errors] == ["mine"]
    assert b.agrees()


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_facts_of_the_binding_lone_surrogates_never_reach_it(text: str, layout: Layout) -> None:
    peer = Peer(layout=layout)
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
def test_facts_of_the_binding_numbers_that_are_none_in_javascript_never_reach_it(number: float) -> None:
    peer = Peer()
    with pytest.raises(ValueError, match=r"number|integer"):
        peer.store.set_cell("t", "r", "c", number)
    assert peer.agrees()


# -- documents that are not ours --------------------------------------------------------------------------


def test_foreign_types_are_reported_and_the_rest_is_applied() -> None:
    peer, foreign = Peer(), create_doc()
    root = foreign.get("tinybase", type=Map)
    with foreign.transaction():
        root["t"] = Map(
            {
                "pets": Map({"fido": Map({"name": Text("Fido"), "legs": 4}), "rex": "no row"}),
                "list": Array([1]),
            }
        )
        root["v"] = Map({"good": 1, "bad": b"bytes"})
        root["stray"] = 1
    deliver(foreign, peer.doc)
    assert peer.content == ({"pets": {"fido": {"legs": 4}}}, {"good": 1})
    text = "\n".join(map(str, peer.errors))
    for place in ("name", "rex", "list", "bad", "stray"):
        assert place in text
    peer.store.set_cell("pets", "fido", "legs", 3)
    peer.store.set_cell("pets", "rex", "legs", 3)
    peer.store.set_cell("list", "r", "c", 1)
    assert sum("where a map should be" in str(error) for error in peer.errors) >= 4
    tables = peer.doc.get("tinybase", type=Map)["t"]
    assert tables["pets"]["fido"]["legs"] == 3
    assert str(tables["pets"]["fido"]["name"]) == "Fido"
    assert tables["pets"]["rex"] == "no row"


@pytest.mark.parametrize("started", ["before it comes", "after", "where it was made"])
@pytest.mark.parametrize("kind", [Text, Array, XmlFragment])
def test_a_root_of_another_type_is_reported_and_not_written(
    layout: Layout, kind: type[Text | Array[Any] | XmlFragment], started: str
) -> None:
    foreign = create_doc()
    root = foreign.get("tinybase", type=kind)
    if isinstance(root, Text):
        root += "a text"
    elif isinstance(root, Array):
        root.append(1)
    else:
        root.children.append(XmlText("a text"))
    before = len(str(root))
    doc = foreign if started == "where it was made" else create_doc()
    if started == "after":
        deliver(foreign, doc)
    peer = Peer(layout=layout, doc=doc)
    if started == "before it comes":
        deliver(foreign, doc)
    state = doc.get_state()
    peer.store.set_content(({"t": {"r": {"c": 1}}}, {"x": 2}))
    name = kind.__name__ if doc is foreign else "sequence"
    expected = f"the document's root 'tinybase' is a {name}, where a map should be"
    assert {str(error) for error in peer.errors} == {expected}
    assert peer.content == ({"t": {"r": {"c": 1}}}, {"x": 2})
    assert doc.get_state() == state
    assert len(str(doc.get("tinybase", type=kind))) == before


def test_a_map_in_use_is_written_even_if_somebody_types_into_it(layout: Layout) -> None:
    peer, foreign = Peer(layout=layout), create_doc()
    peer.store.set_cell("t", "r", "c", 1)
    text = foreign.get("tinybase", type=Text)
    text += "typed"
    deliver(foreign, peer.doc)
    peer.store.set_cell("t", "r", "c", 2)
    assert peer.errors == []
    assert peer.agrees()


@pytest.mark.parametrize("standing", ["t", "v"])
def test_a_map_that_has_one_container_of_ours_gets_the_other(standing: str) -> None:
    doc = numbered_doc(7)  # below the ids of our containers, which must not win against a standing one
    doc.get("tinybase", type=Map)[standing] = Map()
    peer = Peer(doc=doc)
    before = doc.get("tinybase", type=Map)[standing]
    before["kept"] = Map({"r": Map({"c": 1})}) if standing == "t" else 1
    peer.store.set_cell("t", "r", "c", 1)
    peer.store.set_value("x", 2)
    assert peer.agrees()
    assert len(peer.content[0 if standing == "t" else 1]) == 2


def test_a_map_whose_containers_are_something_else_is_reported_and_survived() -> None:
    doc = create_doc()
    root = doc.get("tinybase", type=Map)
    root["t"] = "text"
    peer = Peer(doc=doc)
    peer.store.set_cell("t", "r", "c", 1)
    peer.store.set_value("x", 1)
    assert root["t"] == "text"
    assert root["v"].to_py() == {"x": 1}
    assert any("where a map should be" in str(error) for error in peer.errors)


def test_containers_deleted_by_a_peer_are_made_again() -> None:
    peer = Peer()
    peer.store.set_content(({"t": {"r": {"c": 1}}}, {"v": 1}))
    root = peer.doc.get("tinybase", type=Map)
    del root["t"]
    del root["v"]
    assert peer.content == ({}, {})
    peer.store.set_content(({"t": {"r": {"c": 2}}}, {"v": 2}))
    assert peer.agrees()


def test_two_mirrors_of_one_document_follow_each_other(layout: Layout) -> None:
    a = Peer(layout=layout)
    b = Peer(layout=layout, doc=a.doc)
    a.store.set_cell("t", "r", "c", 1)
    b.store.set_cell("t", "r", "d", 2)
    assert a.content == b.content == ({"t": {"r": {"c": 1, "d": 2}}}, {})


def test_two_maps_of_one_document_are_two_stores() -> None:
    doc = create_doc()
    one, two = Store(), Store()
    with YjsMirror(one, doc, "one"), YjsMirror(two, doc, "two"):
        one.set_cell("t", "r", "c", 1)
        two.set_cell("t", "r", "c", 2)
        assert project(doc, "one")[0] == {"t": {"r": {"c": 1}}}
        assert project(doc, "two")[0] == {"t": {"r": {"c": 2}}}


def test_ids_with_separators_and_of_every_kind_survive(layout: Layout) -> None:
    a, b = Peer(layout=layout), Peer(layout=layout)
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
    deliver(a.doc, b.doc)
    assert b.content == a.content
    assert b.agrees()
    assert a.errors == b.errors == []
