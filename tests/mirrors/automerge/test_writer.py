"""Cells are written in the types that JavaScript reads as a Store's, and missing containers are made."""

from __future__ import annotations

from typing import Any

import pytest

from support.amdocs import exchange
from support.ampeers import HIGH, LOW, Peer
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType


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


def test_a_root_without_tables_and_values_gets_both() -> None:
    """As TinyBase leaves it when it has opened a document and saved nothing."""
    peer = Peer()
    with peer.document.transaction() as tx:
        tx.put_object(ROOT, "tinybase", ObjType.Map)
    peer.store.set_value("open", True)
    assert peer.document.core.keys(peer.at()) == ["t", "v"]
    assert peer.agrees()
