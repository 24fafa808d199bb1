"""TinyBase's layout, and documents in which something else stands in it."""

from __future__ import annotations

import pytest
from pycrdt import Array, Map, Text

from support.ydocs import deliver, numbered_doc
from support.ypeers import Peer
from weft.mirrors.yjs import create_doc


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


def test_a_map_whose_containers_become_something_else_is_reported_and_survived() -> None:
    peer = Peer()
    root = peer.doc.get("tinybase", type=Map)
    root["t"] = "text"
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
