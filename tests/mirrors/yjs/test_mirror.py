"""The rules of the Yjs mirror, each with the tests that prove it, and what a bad document does."""

from __future__ import annotations

import asyncio
import gc

import pytest
from pycrdt import Map, Text

from support.ydocs import deliver, project
from support.ypeers import LAYOUTS, Layout, Peer, updates_of
from weft import Store
from weft.mirrors.yjs import YjsMirror, create_doc


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    chosen: Layout = request.param
    return chosen


# -- both directions --------------------------------------------------------------------------------------


def test_a_layout_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="layout is 'nested'"):
        YjsMirror(Store(), create_doc(), layout="nested")  # type: ignore[arg-type]


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


# -- rule 3 -----------------------------------------------------------------------------------------------


def test_rule_3_the_document_is_not_written_inside_its_own_observer(layout: Layout) -> None:
    """Without the YDocument nobody flushes after the commit: the debt waits for ``flush``."""
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


# -- rule 5 -----------------------------------------------------------------------------------------------


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


# -- rule 8 and the binding -------------------------------------------------------------------------------


def test_facts_of_the_binding_client_ids_are_32_bit_and_above_the_containers() -> None:
    ids = {create_doc().client_id for _ in range(200)}
    assert len(ids) == 200
    assert all(2**28 <= client_id < 2**32 for client_id in ids)


def test_facts_of_the_binding_a_running_mirror_lives_as_long_as_its_store() -> None:
    store, doc = Store(), create_doc()
    YjsMirror(store, doc).start()
    gc.collect()
    store.set_cell("t", "r", "c", 1)
    assert project(doc) == ({"t": {"r": {"c": 1}}}, {})


# -- documents that are not ours --------------------------------------------------------------------------


def test_two_maps_of_one_document_are_two_stores() -> None:
    doc = create_doc()
    one, two = Store(), Store()
    with YjsMirror(one, doc, "one"), YjsMirror(two, doc, "two"):
        one.set_cell("t", "r", "c", 1)
        two.set_cell("t", "r", "c", 2)
        assert project(doc, "one")[0] == {"t": {"r": {"c": 1}}}
        assert project(doc, "two")[0] == {"t": {"r": {"c": 2}}}
