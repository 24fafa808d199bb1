"""The rules of the Yjs mirror, each with the tests that prove it, and what a bad document does."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, Literal

import pytest
from pycrdt import Array, Doc, Map, Text, XmlFragment, XmlText

from support.ydocs import deliver, exchange, numbered_doc, project
from weft import Store
from weft.documents.yjs.document import YDocument
from weft.mirrors.yjs import YjsMirror, create_doc

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


# -- rule 7 -----------------------------------------------------------------------------------------------


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


def test_facts_of_the_binding_a_running_mirror_lives_as_long_as_its_store() -> None:
    store, doc = Store(), create_doc()
    YjsMirror(store, doc).start()
    gc.collect()
    store.set_cell("t", "r", "c", 1)
    assert project(doc) == ({"t": {"r": {"c": 1}}}, {})


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


def test_two_maps_of_one_document_are_two_stores() -> None:
    doc = create_doc()
    one, two = Store(), Store()
    with YjsMirror(one, doc, "one"), YjsMirror(two, doc, "two"):
        one.set_cell("t", "r", "c", 1)
        two.set_cell("t", "r", "c", 2)
        assert project(doc, "one")[0] == {"t": {"r": {"c": 1}}}
        assert project(doc, "two")[0] == {"t": {"r": {"c": 2}}}
