"""A Store and a mergeable document kept equal: both ways, over starts and stops, in open transactions."""

from __future__ import annotations

import logging

import pytest

from weft.errors import DocumentClosedError, MirrorError
from weft.mergeable import MergeableDocument, MergeableEvent, MergeableMirror, encode_hlc
from weft.store import Store
from weft.store.replica import Paths
from weft.values import UNDEFINED

NOW = 1_000_000


def document(name: str = "a") -> MergeableDocument:
    return MergeableDocument(name, get_now=lambda: NOW)


def test_both_sides_follow_each_other() -> None:
    store, doc = Store(), document()
    with MergeableMirror(store, doc) as mirror:
        assert mirror.document is doc
        store.set_cell("t", "r", "c", [1]).set_value("v", 1)
        assert doc.get_living() == ({"t": {"r": {"c": "\ufffd[1]"}}}, {"v": 1})
        doc.set_cell("t", "r", "c", UNDEFINED)
        doc.set_value("w", 2)
        assert store.get_content() == ({}, {"v": 1, "w": 2})
        doc.apply([[{"t": [{"r": [{"d": [3, encode_hlc(NOW, 9, "b")]}]}]}], [{}], 1])
        assert store.get_tables() == {"t": {"r": {"d": 3}}}
    store.set_value("v", 5)
    doc.set_value("w", 6)
    assert (store.get_value("w"), doc.get_value("v")) == (2, 1)


def test_a_start_brings_each_side_what_it_lacks() -> None:
    store, doc = Store(), document()
    store.set_tables({"t": {"r": {"a": 1, "both": 1}}}).set_value("own", 1)
    doc.set_cell("t", "r", "both", 2)
    doc.set_cell("u", "r", "b", 3)
    doc.set_cell("t", "r", "a", UNDEFINED)
    with MergeableMirror(store, doc):
        assert store.get_content() == ({"t": {"r": {"a": 1, "both": 2}}, "u": {"r": {"b": 3}}}, {"own": 1})
        assert doc.get_living() == store.get_content()


def test_only_a_mergeable_document_can_be_mirrored() -> None:
    with pytest.raises(TypeError, match="MergeableDocument"):
        MergeableMirror(Store(), object())  # type: ignore[arg-type]


def test_what_was_received_goes_back_to_nobody() -> None:
    store, doc, events = Store(), document(), list[MergeableEvent]()
    doc.subscribe(events.append)
    with MergeableMirror(store, doc):
        doc.apply([[{"t": [{"r": [{"c": [3, encode_hlc(NOW, 9, "b")]}]}]}], [{}], 1], origin=doc)
        assert [(event.origin, event.is_local) for event in events] == [(doc, False)]


def test_what_a_listener_writes_is_told_after_what_it_heard_of() -> None:
    store, doc, events = Store(), document(), list[MergeableEvent]()
    with MergeableMirror(store, doc) as mirror:
        doc.subscribe(events.append)  # after the mirror, which writes while it is told

        def double(*args: object) -> None:
            store.set_cell("t", "r", "double", 6)

        store.add_cell_listener("t", "r", "c", double, True)
        doc.apply([[{"t": [{"r": [{"c": [3, encode_hlc(NOW, 9, "b")]}]}]}], [{}], 1], origin=doc)
        assert [(event.origin, event.is_local) for event in events] == [(doc, False), (mirror.origin, True)]
        assert doc.get_cell("t", "r", "double") == 6


def test_what_comes_while_a_transaction_is_open_waits_for_its_end() -> None:
    store, doc = Store(), document()
    with MergeableMirror(store, doc):
        with store.transaction():
            store.set_cell("t", "r", "c", "own")
            doc.apply([[{"t": [{"r": [{"c": ["x", encode_hlc(NOW, 9, "b")], "d": [1]}]}]}], [{}], 1])
            assert store.get_row("t", "r") == {"c": "own"}
        assert store.get_row("t", "r") == {"c": "own", "d": 1}
        with store.transaction():
            store.set_value("v", 1)
            doc.set_content([[{}, "", 0], [{"w": [2, "", 0]}, "", 0]])
            assert store.get_row("t", "r") == {"c": "own", "d": 1}
        assert store.get_content() == ({}, {"w": 2, "v": 1})
        assert doc.get_living() == store.get_content()


def test_a_rollback_takes_nothing_of_others_back() -> None:
    store, doc = Store(), document()
    with MergeableMirror(store, doc) as mirror:
        store.set_value("v", 0)
        store.start_transaction()
        store.set_value("v", 1).set_value("w", 1)
        mirror.catch_up()
        doc.apply([[{}], [{"v": [2, encode_hlc(NOW, 99, "b")]}], 1])
        store.finish_transaction(lambda _: True)
        assert store.get_values() == {"v": 2}
        assert doc.get_content()[1][0].keys() == {"v"}


def test_what_the_schema_refuses_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    store, doc, errors = Store(), document(), list[Exception]()
    store.set_values_schema({"v": {"type": "number"}})
    with MergeableMirror(store, doc, on_error=errors.append), caplog.at_level(logging.WARNING):
        doc.set_value("v", "text")
        doc.set_value("x", 1)
        assert store.get_values() == {}
        store.set_values_schema({"x": {"type": "number"}})
    assert [type(error) for error in errors] == [MirrorError, MirrorError]
    assert doc.get_living()[1] == {"v": "text", "x": 1}
    assert not caplog.records


def test_a_late_schema_reports_what_left_the_store() -> None:
    store, doc, errors = Store(), document(), list[Exception]()
    with MergeableMirror(store, doc, on_error=errors.append):
        store.set_value("v", "text")
        store.set_values_schema({"v": {"type": "number", "default": 1}})
        assert store.get_values() == {"v": 1}
        assert doc.get_living()[1] == {"v": "text"}
    assert len(errors) == 1


def test_a_closed_document_refuses_writes() -> None:
    store, doc = Store(), document()
    mirror = MergeableMirror(store, doc).start()
    doc.close("the room", "it was unloaded")
    with pytest.raises(DocumentClosedError):
        store.set_value("v", 1)
    mirror.stop()
    store.set_value("v", 2)


def test_a_bridge_judges_and_writes_again() -> None:
    store, doc, asked = Store(), document(), list[object]()
    with MergeableMirror(store, doc) as mirror:

        def refuse(tables: object, values: object) -> bool:
            asked.append((tables, values))
            return False

        mirror.judged_by(refuse)
        store.set_value("v", 1)
        assert asked == [({}, {"v": 1})]
        assert doc.get_value("v") is UNDEFINED
        mirror.judged_by(lambda *_: True)
        paths = Paths()
        paths.add({}, ["v"])
        mirror.write_again(paths)
        assert doc.get_value("v") == 1
        assert mirror.read_places(paths) == ({}, {"v": 1})


def test_what_was_deleted_is_told_from_what_never_was() -> None:
    store, doc = Store(), document()
    with MergeableMirror(store, doc) as mirror:
        store.set_row("t", "r", {"c": 1, "d": 2}).del_cell("t", "r", "c").set_value("v", 1).del_value("v")
        paths = Paths()
        paths.add({"t": {"r": ["c", "d", "e"], "s": ["c"]}, "u": {"r": ["c"]}}, ["v", "w"])
        assert mirror.deleted_at(paths) == {("t", "r", "c"), ("v",)}
