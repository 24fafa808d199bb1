"""What the oracle reads of a document, which it reads without the code under test."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from weft.documents.yjs.document import create_doc
from weft.mirrors import YjsMirror
from weft.store import Store
from weft.store.replica import Replica
from weft.testing.sim import document_reader as reading

CONTENT: tuple[dict[str, dict[str, dict[str, Any]]], dict[str, Any]] = (
    {"t": {"r": {"a": 1, "b": [True, None]}, "r\x1f2": {"a": "x"}}},
    {"v": 0.5},
)


@pytest.mark.parametrize("layout", ["tinybase", "flat"])
def test_a_document_is_read_as_the_store_that_made_it(layout: Literal["tinybase", "flat"]) -> None:
    store, doc = Store(), create_doc()
    with YjsMirror(store, doc, layout=layout):
        store.set_content(CONTENT)
        store.set_cell("t", "emptied", "a", 1)
        store.del_cell("t", "emptied", "a")
        held = Replica(store)
    assert reading.project(doc, layout) == (held.tables, held.values)


def test_contents_are_compared_by_json_equality_and_differences_are_shown() -> None:
    other = CONTENT[0], {"v": 0.5, "w": True}
    assert reading.is_equal(CONTENT, CONTENT)
    assert not reading.is_equal(({}, {"v": 1}), ({}, {"v": True}))
    assert reading.is_equal(({}, {"v": 1}), ({}, {"v": 1.0}))
    assert reading.difference(CONTENT, other) == "  w: 'nothing' against True"
    assert reading.look_up(CONTENT, ("t", "r", "a")) == 1
    assert reading.look_up(CONTENT, ("w",)) is None
