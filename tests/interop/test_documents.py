"""Documents written by one side and read by the other, as bytes."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from support.peers import JsTinyBasePeer, PythonPeer, decoded, exchange_all
from support.vectors import tinybase_yjs
from support.wire import ABSENT

if TYPE_CHECKING:
    from support.node import SyncJsPeer
    from support.peers import Call, Peer

pytestmark = pytest.mark.interop

VECTORS = tinybase_yjs()
STEPS = VECTORS["documents"]["steps"]

PYTHON_ID, JS_ID = 0x9000_0001, 0x9000_0002

CELLS: dict[str, Any] = {
    "empty": "",
    "text": "dog",
    "non-ASCII": "é😀\u2028\u0000ﬁ e\u0301",
    "long": "x" * 70_000,
    "zero": 0,
    "one": 1,
    "negative": -1,
    "7 bits": 63,
    "32 bits": 2**31,
    "-32 bits": -(2**31) - 1,
    "safe": 2**53 - 1,
    "-safe": -(2**53 - 1),
    "half": 1.5,
    "tenth": 0.1,
    "1e21": 1e21,
    "1e-7": 1e-7,
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "true": True,
    "false": False,
    "null": None,
    "[]": [],
    "{}": {},
    "array": [1, "é", None, [True, {"a": 0.5}]],
    "object": {"z": {"b": [1e21, 1e-7, ""], "10": 1, "9": 2}, "é": None},
}
# Ids are raw keys in the document. __proto__ is left to plain yjs: no object of TinyBase's can hold it.
IDS = [
    "",
    "é",
    "😀",
    "a.b",
    "constructor",
    "toString",
    "\u0000x",
    "\u2028",
    "0",
    "10",
    "n\u0303",
    "ñ",
    "x" * 5000,
]


def _set_all(*, ids: list[str]) -> list[Call]:
    calls: list[Call] = [["setCell", "cells", "row", name, cell] for name, cell in CELLS.items()]
    calls += [["setValue", name, value] for name, value in CELLS.items()]
    calls += [["setCell", name, f"row {name}", f"cell {name}", number] for number, name in enumerate(ids)]
    return calls


def _expected(*, ids: list[str]) -> Any:
    tables: dict[str, Any] = {"cells": {"row": CELLS}}
    tables |= {name: {f"row {name}": {f"cell {name}": number}} for number, name in enumerate(ids)}
    return tables, CELLS


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step["op"])
def test_python_reads_a_document_of_tinybase(step: dict[str, Any]) -> None:
    python = PythonPeer(PYTHON_ID)
    python.apply(base64.b64decode(step["fullStateV1"]))
    tables, values = json.loads(step["storeJson"])
    assert python.store_content() == (decoded(tables), decoded(values))
    assert python.errors == []


def test_python_follows_the_updates_of_tinybase_one_by_one() -> None:
    python = PythonPeer(PYTHON_ID)
    for step in STEPS:
        for update in step["incrementalUpdatesV1"]:
            python.apply(base64.b64decode(update))
        tables, values = json.loads(step["storeJson"])
        assert python.store_content() == (decoded(tables), decoded(values)), step["op"]
    assert python.errors == []


def test_reading_writes_nothing(sync_js: SyncJsPeer) -> None:
    python = PythonPeer(PYTHON_ID)
    for step in STEPS:
        python.apply(base64.b64decode(step["fullStateV1"]))
    sync_js("doc.create", name="reader")
    sync_js("doc.apply", name="reader", update=base64.b64decode(STEPS[-1]["fullStateV1"]))
    # Python's document has no struct of Python's: its state is that of a reader who cannot write.
    assert python.doc.get_state() == sync_js("doc.stateVector", name="reader")


def test_tinybase_reads_every_cell_that_python_wrote(sync_js: SyncJsPeer) -> None:
    javascript, python = JsTinyBasePeer(sync_js, "js", JS_ID), PythonPeer(PYTHON_ID)
    python.run(_set_all(ids=IDS))
    exchange_all(python, javascript)
    assert javascript.store_content() == _expected(ids=IDS)
    assert python.store_content() == _expected(ids=IDS)
    assert sync_js("store.ignoredErrors", name="js") == []


def test_python_reads_every_cell_that_tinybase_wrote(sync_js: SyncJsPeer) -> None:
    javascript, python = JsTinyBasePeer(sync_js, "js", JS_ID), PythonPeer(PYTHON_ID)
    javascript.run(_set_all(ids=IDS), together=True)
    state = javascript.update()
    exchange_all(javascript, python)
    assert python.store_content() == _expected(ids=IDS)
    assert javascript.store_content() == _expected(ids=IDS)
    assert javascript.update() == state, "reading made Python write"
    assert python.errors == []


def test_plain_yjs_reads_a_document_of_python_as_it_stands(sync_js: SyncJsPeer) -> None:
    ids = [*IDS, "__proto__"]
    python = PythonPeer(PYTHON_ID)
    python.run(_set_all(ids=ids))
    sync_js("doc.create", name="reader")
    sync_js("doc.apply", name="reader", update=python.update())
    root = sync_js("doc.content", name="reader", path=["tinybase"])
    assert (decoded(root["t"]), decoded(root["v"])) == _expected(ids=ids)
    # Lists and objects in TinyBase's own stored form.
    assert root["v"]["array"] == '\ufffd[1,"é",null,[true,{"a":0.5}]]'
    assert sync_js("doc.pending", name="reader") == {"structs": False, "deletes": False}


def test_python_reads_what_plain_yjs_wrote(sync_js: SyncJsPeer) -> None:
    sync_js("doc.create", name="writer", clientId=JS_ID)
    edits: list[Any] = [
        ["make", ["tinybase", "t"], "map"],
        ["make", ["tinybase", "v"], "map"],
        ["make", ["tinybase", "t", "__proto__"], "map"],
        ["make", ["tinybase", "t", "__proto__", "r"], "map", {"c": 1}],
        ["set", ["tinybase", "v", "-0"], -0.0],
        ["set", ["tinybase", "v", "2.0"], 2.0],
    ]
    sync_js("doc.edit", name="writer", edits=edits)
    python = PythonPeer(PYTHON_ID)
    python.apply(sync_js("doc.encode", name="writer"))
    assert python.store_content() == ({"__proto__": {"r": {"c": 1}}}, {"-0": 0, "2.0": 2})
    assert repr(python.store.get_value("-0")) == "0"
    assert repr(python.store.get_value("2.0")) == "2"


def test_what_no_cell_can_be_stays_in_the_document_and_the_rest_is_read(sync_js: SyncJsPeer) -> None:
    sync_js("doc.create", name="writer", clientId=JS_ID)
    edits: list[Any] = [
        ["make", ["tinybase", "t"], "map"],
        ["make", ["tinybase", "v"], "map"],
        ["make", ["tinybase", "t", "t"], "map"],
        ["make", ["tinybase", "t", "t", "r"], "map", {"good": 1}],
        ["make", ["tinybase", "t", "t", "r", "text"], "text", "hello"],
        ["make", ["tinybase", "t", "t", "r", "array"], "array", [1]],
        ["make", ["tinybase", "t", "t", "no row"], "text", "hello"],
        ["set", ["tinybase", "t", "no table"], 5],
        ["set", ["tinybase", "v", "nan"], float("nan")],
        ["set", ["tinybase", "v", "infinite"], float("inf")],
        ["set", ["tinybase", "v", "bytes"], b"\x00\x01"],
        ["set", ["tinybase", "v", "bigint"], 2**62],
        ["set", ["tinybase", "v", "undefined"], ABSENT],
        ["set", ["tinybase", "v", "broken"], "\ufffd{"],
        ["set", ["tinybase", "v", "good"], "yes"],
    ]
    sync_js("doc.edit", name="writer", edits=edits)
    before = sync_js("doc.content", name="writer", path=["tinybase"])
    python = PythonPeer(PYTHON_ID)
    python.apply(sync_js("doc.encode", name="writer"))
    assert python.store_content()[0] == {"t": {"r": {"good": 1}}}
    values = python.store_content()[1]
    assert values["good"] == "yes"
    assert {"nan", "infinite", "bytes", "bigint", "broken"}.isdisjoint(values)
    assert python.errors, "it must be reported"
    # Python goes on writing beside it, and takes nothing away.
    python.store.set_cell("t", "r", "mine", 2)
    sync_js("doc.apply", name="writer", update=python.update())
    after = sync_js("doc.content", name="writer", path=["tinybase"])
    assert after["t"]["t"]["r"].pop("mine") == 2
    assert repr(after) == repr(before)


IDENTIFIERS = st.sampled_from(["a", "b", "é", "10"])
CELL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffc\ufffd"), max_size=5),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(IDENTIFIERS, st.integers(0, 3), max_size=2),
)
ROW = st.dictionaries(IDENTIFIERS, CELL, min_size=1, max_size=3)
CALLS = st.one_of(
    st.tuples(st.just("setCell"), IDENTIFIERS, IDENTIFIERS, IDENTIFIERS, CELL),
    st.tuples(
        st.just("setRow"),
        IDENTIFIERS,
        IDENTIFIERS,
        st.dictionaries(IDENTIFIERS, CELL, min_size=1, max_size=3),
    ),
    st.tuples(st.just("setValue"), IDENTIFIERS, CELL),
    st.tuples(st.just("delCell"), IDENTIFIERS, IDENTIFIERS, IDENTIFIERS),
    st.tuples(st.just("delRow"), IDENTIFIERS, IDENTIFIERS),
    st.tuples(st.just("delTable"), IDENTIFIERS),
    st.tuples(st.just("delValue"), IDENTIFIERS),
)


@given(program=st.lists(st.tuples(st.booleans(), CALLS), max_size=12))
def test_programs_of_both_sides_in_turn_leave_one_content(
    js_session: SyncJsPeer, program: list[tuple[bool, tuple[Any, ...]]]
) -> None:
    try:
        javascript, python = JsTinyBasePeer(js_session, "js", JS_ID), PythonPeer(PYTHON_ID)
        peers: tuple[Peer, Peer] = (python, javascript)
        exchange_all(*peers)
        for from_javascript, call in program:
            peers[from_javascript].run([list(call)])
            exchange_all(*peers)
            content = python.store_content()
            assert javascript.store_content() == content
            assert python.document_content() == javascript.document_content() == content
        assert python.errors == []
        assert js_session("store.ignoredErrors", name="js") == []
    finally:
        js_session("reset")
