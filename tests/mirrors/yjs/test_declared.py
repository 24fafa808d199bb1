"""A Store in a Yjs document of another application's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Array, Doc, Map, Text

from support.shapes import fill
from weft import Store
from weft.deltas import Delta, apply
from weft.errors import MirrorError
from weft.mirrors import YDocument, YjsMirror, create_doc
from weft.mirrors.shapes import ArrayOfMaps, MapOfMaps, MapOfValues, Nested, SharedText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.mirrors.shapes import Shapes

LAYOUT: Shapes = {
    "shapes": MapOfMaps("shapes"),
    "shapes.label": SharedText("lbl"),
    "todos": ArrayOfMaps("todos", position="order"),
    "values": MapOfValues("settings"),
    "notes.n.body": SharedText("note"),
    "things": Nested("app.state", MapOfMaps("things", deep=True)),
    "app.prefs": MapOfValues("prefs"),
    "list": Nested("app.state", ArrayOfMaps("list")),
}


class Peer:
    def __init__(self, *others: Peer, layout: Shapes = LAYOUT) -> None:
        self.doc: Doc[Any] = create_doc()
        self.store = Store()
        self.errors: list[str] = []
        for other in others:
            self.doc.apply_update(other.doc.get_update())
        self.mirror = YjsMirror(
            self.store, self.doc, layout=layout, on_error=lambda error: self.errors.append(str(error))
        ).start()

    def json(self) -> dict[str, object]:
        roots = ("shapes", "todos", "settings", "app", "prefs")
        return {name: self.doc[name].to_py() for name in roots} | {"note": str(self.doc["note"])}


def exchange(*peers: Peer) -> None:
    for peer in peers:
        peer.mirror.flush()
    for _ in range(2):
        for one in peers:
            for other in peers:
                YDocument.of(other.doc).apply(one.doc.get_update(other.doc.get_state()), origin=None)


@pytest.fixture
def peers() -> Iterator[tuple[Peer, Peer]]:
    one = Peer()
    fill(one.store)
    two = Peer(one)
    yield one, two
    assert one.store.get_content() == two.store.get_content()
    assert one.json() == two.json()
    for peer in (one, two):
        peer.mirror.stop()


def test_each_shape_is_where_it_was_declared(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    assert one.json() == {
        "shapes": {"a": {"x": 1, "lbl": "text"}},
        "todos": [{"id": "one", "title": "one"}, {"id": "two", "title": "two"}],
        "settings": {"theme": "dark"},
        "app": {"state": {"things": {"k": {"v": 2}}, "list": [{"id": "q", "w": 1}]}},
        "prefs": {"p": True},
        "note": "hello",
    }
    assert two.store.get_tables() == one.store.get_tables()
    assert two.store.get_row("todos", "two") == {"title": "two", "order": 1}
    assert isinstance(one.doc["shapes"]["a"]["lbl"], Text)
    assert not one.errors + two.errors


def test_rows_of_a_list_are_moved_inserted_and_deleted(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    two.store.set_cell("todos", "two", "order", 0)
    assert two.store.get_cell("todos", "one", "order") == 1
    two.store.set_cell("todos", "three", "title", "three")
    one.store.set_cell("todos", "one", "done", True)
    exchange(one, two)
    assert [row["id"] for row in one.json()["todos"]] == ["two", "one", "three"]  # type: ignore[attr-defined]
    assert one.store.get_row("todos", "one") == {"title": "one", "order": 1, "done": True}
    with one.doc.transaction():
        one.doc["todos"].insert(0, Map({"id": 7, "title": "js"}))
        del one.doc["todos"][1]
    exchange(one, two)
    assert two.store.get_cell("todos", "7", "order") == 0
    assert not two.store.has_row("todos", "two")
    two.store.del_row("todos", "7")
    exchange(one, two)
    assert [row["id"] for row in one.json()["todos"]] == ["one", "three"]  # type: ignore[attr-defined]


def test_what_is_in_a_row_and_is_no_cell_is_read_and_left(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.doc["app"]["state"]["things"]["k"] = Map({"v": 3, "nest": Map({"a": Array([1, {"b": 2}])})})
    one.doc["shapes"]["a"]["tags"] = Array(["x"])
    exchange(one, two)
    assert two.store.get_cell("things", "k", "nest") == {"a": [1, {"b": 2}]}
    one.doc["app"]["state"]["things"]["k"]["nest"]["a"].append(5)
    exchange(one, two)
    assert two.store.get_cell("things", "k", "nest") == {"a": [1, {"b": 2}, 5]}
    assert not two.store.has_cell("shapes", "a", "tags")
    assert ["deep=True" in error for error in two.errors] == [True]
    two.store.set_cell("shapes", "a", "tags", ["y"])
    two.store.set_cell("things", "k", "nest", {})
    assert not two.store.has_cell("shapes", "a", "tags")
    assert two.store.get_cell("things", "k", "nest") == {"a": [1, {"b": 2}, 5]}
    assert len(two.errors) == 3
    exchange(one, two)
    assert one.doc["shapes"]["a"]["tags"].to_py() == ["x"]


def test_what_is_not_declared_stays_in_the_store(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    before = one.doc.get_update()
    one.store.set_cell("other", "a", "b", 1)
    one.store.set_cell("notes", "n", "other", 1)
    one.mirror.reread()
    assert one.doc.get_update() == before
    assert one.store.get_cell("other", "a", "b") == 1
    assert len(one.errors) == 2
    one.store.del_table("other")
    one.store.del_cell("notes", "n", "other")
    exchange(one, two)


def test_a_deleted_row_and_an_emptied_one(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.store.del_cell("shapes", "a", "x")
    one.store.del_cell("shapes", "a", "label")
    exchange(one, two)
    assert two.json()["shapes"] == {"a": {}}
    two.store.set_cell("shapes", "a", "x", 2)
    two.store.del_table("things")
    exchange(one, two)
    assert one.store.get_table("shapes") == {"a": {"x": 2}}
    assert one.json()["app"]["state"]["things"] == {}  # type: ignore[index]


def test_first_writes_at_once_merge() -> None:
    one, two = Peer(), Peer()
    fill(one.store)
    two.store.set_cell("shapes", "a", "y", 2)
    two.store.set_cell("things", "k", "u", 3)
    two.store.set_cell("list", "z", "w", 4)
    exchange(one, two)
    exchange(one, two)
    assert one.store.get_content() == two.store.get_content()
    assert one.store.get_row("shapes", "a") == {"x": 1, "label": "text", "y": 2}
    assert one.store.get_row("things", "k") == {"v": 2, "u": 3}
    assert set(one.store.get_row_ids("list")) == {"q", "z"}


def test_a_root_of_another_kind_is_refused() -> None:
    doc = create_doc()
    doc.get("todos", type=Map)["a"] = 1
    with pytest.raises(MirrorError, match="todos"):
        YjsMirror(Store(), doc, layout={"todos": ArrayOfMaps("todos")}).start()
    received, other = create_doc(), create_doc()
    other.get("shapes", type=Array).append(1)
    received.apply_update(other.get_update())
    with pytest.raises(MirrorError, match="map"):
        YjsMirror(Store(), received, layout={"shapes": MapOfMaps("shapes")}).start()


@pytest.mark.parametrize(
    ("table", "shape"),
    [
        ("shapes", MapOfMaps("shapes")),
        ("todos", ArrayOfMaps("todos")),
        ("inside", Nested("a.b", MapOfMaps("c"))),
    ],
)
def test_texts_of_rows_are_edited_in_place_and_followed(table: str, shape: Any) -> None:
    layout: Shapes = {table: shape, f"{table}.body": SharedText("b")}
    one = Peer(layout=layout)
    one.store.set_row(table, "r", {"body": "é😀 text", "n": 1})
    two = Peer(one, layout=layout)
    mine, theirs = one.store.text(table, "r", "body"), two.store.text(table, "r", "body")
    heard: list[Delta] = []
    theirs.add_listener(lambda _text, delta, _is_local: heard.append(delta))
    cursor = theirs.cursor(3)
    mine.insert(3, "new ", {"bold": True})
    mine.append("!")
    exchange(one, two)
    assert str(theirs) == "é😀new  text!"
    before = "é😀 text"
    for delta in heard:
        before = apply(before, delta)
    assert before == str(theirs)
    assert {"insert": "new ", "attributes": {"bold": True}} in theirs.delta()
    assert cursor.offset in {3, 7}
    theirs.delete(0, 1)
    mine.format(3, 3, {"bold": None})
    exchange(one, two)
    assert str(mine) == str(theirs) == "😀new  text!"
    assert mine.delta() == theirs.delta()
    two.store.set_cell(table, "r", "body", "😀new text")
    two.store.set_row(table, "s", {"body": "second"})
    exchange(one, two)
    assert (
        one.store.get_table(table)
        == two.store.get_table(table)
        == {"r": {"body": "😀new text", "n": 1}, "s": {"body": "second"}}
    )
    assert not one.errors + two.errors
