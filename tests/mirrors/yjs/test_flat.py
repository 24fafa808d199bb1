"""The flat layout: keys of cells, what is no cell, and that both roots are told together."""

from __future__ import annotations

import pytest
from pycrdt import Map

from support.ydocs import deliver
from support.ypeers import Peer
from weft.mirrors.yjs import create_doc

IDS = ["a", "", "\x1e", "\x1f", "\x1e1", "\x1f\x1e0", "é😀"]


@pytest.mark.parametrize("table", IDS)
@pytest.mark.parametrize("row", IDS)
def test_keys_stand_for_one_cell_each_whatever_the_ids(table: str, row: str) -> None:
    one, other = Peer(layout="flat"), Peer(layout="flat")
    one.store.set_cell(table, row, "c\x1f\x1e", 1)
    one.store.set_cell(table + "\x1f", row, "c", 2)
    (short, long) = sorted(one.doc.get("tinybase", type=Map).keys(), key=len)
    assert short.count("\x1f") == long.count("\x1f") == 2
    deliver(one.doc, other.doc)
    assert other.content == one.content
    assert not other.errors


def test_a_key_that_is_no_cell_is_reported_and_left_alone() -> None:
    foreign = create_doc()
    cells = foreign.get("tinybase", type=Map)
    cells["no cell"] = 1
    cells["t\x1fr\x1fc"] = 2
    peer = Peer(layout="flat")
    deliver(foreign, peer.doc)
    assert peer.content == ({"t": {"r": {"c": 2}}}, {})
    assert ["'no cell'" in str(error) for error in peer.errors] == [True]
    assert cells.to_py() == peer.doc.get("tinybase", type=Map).to_py()


def test_cells_and_values_of_one_commit_are_one_transaction_of_the_store() -> None:
    one, other = Peer(layout="flat"), Peer(layout="flat")
    heard: list[object] = []
    other.store.add_did_finish_transaction_listener(lambda store: heard.append(store.get_content()))
    with one.store.transaction():
        one.store.set_cell("t", "r", "c", 1)
        one.store.set_value("v", 2)
    deliver(one.doc, other.doc)
    assert heard == [({"t": {"r": {"c": 1}}}, {"v": 2})]
