"""Both layouts: what stands where the root maps should be."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pycrdt import Array, Text, XmlFragment, XmlText

from support.ydocs import deliver
from support.ypeers import LAYOUTS, Layout, Peer
from weft.errors import MirrorError
from weft.mirrors.yjs import create_doc


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    chosen: Layout = request.param
    return chosen


@pytest.mark.parametrize("started", ["before it comes", "after", "where it was made"])
@pytest.mark.parametrize("kind", [Text, Array, XmlFragment])
def test_a_root_of_another_type_is_refused_or_reported_and_not_written(
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
    name = kind.__name__ if doc is foreign else "sequence"
    expected = f"the document's root 'tinybase' is a {name}, where a map should be"
    if started == "before it comes":
        peer = Peer(layout=layout, doc=doc)
        deliver(foreign, doc)
        state = doc.get_state()
        peer.store.set_content(({"t": {"r": {"c": 1}}}, {"x": 2}))
        assert {str(error) for error in peer.errors} == {expected}
        assert peer.content == ({"t": {"r": {"c": 1}}}, {"x": 2})
    else:
        state = doc.get_state()
        with pytest.raises(MirrorError, match=re.escape(expected)):
            Peer(layout=layout, doc=doc)
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
