"""weft.inspect: what a document holds, and a layout that mirrors it."""

from __future__ import annotations

import pytest
from pycrdt import Array, Map, Text, XmlFragment, XmlText

import weft
from weft import AutomergeDocument, Store, create_doc
from weft.mirrors import YjsMirror

SAID = """\
'app': a map of 1
'empty': an array of 1
'pm': an XML fragment
's': a map of 2
'todos': an array of 2
'txt': a text of 5 characters
layout={
    'things': Nested('app.state', MapOfMaps('things')),
    'texts.pm.xml': SharedText('pm', xml=True),
    'values': MapOfValues('s'),
    'todos': ArrayOfMaps('todos', deep=True),
    'todos.note': SharedText('note'),
    'texts.txt.text': SharedText('txt'),
}
left out: 'empty', an array of 1: its elements are not all maps with an id"""


def test_a_layout_is_proposed_that_mirrors_the_document() -> None:
    doc = create_doc()
    doc["todos"] = Array([Map({"id": "a", "t": 1}), Map({"id": "b", "note": Text("x"), "tags": Array([1])})])
    doc["app"] = Map({"state": Map({"things": Map({"k": Map({"v": 1})})})})
    doc["s"] = Map({"a": 1, "b": True})
    doc["txt"] = Text("hello")
    doc["empty"] = Array([1])
    doc["pm"] = fragment = XmlFragment()
    fragment.children.append(XmlText("a"))
    found = weft.inspect(doc)
    assert found.roots == weft.inspect(doc.get_update()).roots
    assert sorted(str(found).splitlines()) == sorted(SAID.splitlines())
    store = Store()
    with YjsMirror(store, doc, layout=found.layout or "flat"):
        assert store.get_row("todos", "b") == {"note": "x", "tags": [1]}
        assert store.get_table("things") == {"k": {"v": 1}}
        assert store.get_values() == {"a": 1, "b": True}
        assert store.get_cell("texts", "txt", "text") == "hello"


def test_a_store_of_wefts_own_is_known() -> None:
    for layout in ("tinybase", "flat"):
        store, doc = Store(), create_doc()
        with YjsMirror(store, doc, layout=layout):
            store.set_cell("t", "r", "c", 1)
        assert weft.inspect(doc).layout == layout
    assert weft.inspect(create_doc()).layout is None


def test_an_automerge_document_is_looked_at() -> None:
    document = AutomergeDocument()
    store = Store()
    with weft.AutomergeMirror(store, document):
        store.set_cell("t", "r", "c", "text")
    assert weft.inspect(document).layout == "tinybase"
    assert weft.inspect(document.save()).layout == "tinybase"


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(TypeError, match=r"pycrdt\.Doc"):
        weft.inspect(Store())
