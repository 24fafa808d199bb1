"""A Store in an Automerge document of another application's shapes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from support.amshapes import Peer, edit_at_random, exchange, plain
from support.shapes import fill
from weft import Store
from weft.documents.automerge.binding import ROOT, ObjType
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import MirrorError
from weft.mirrors.automerge import AutomergeMirror
from weft.mirrors.automerge.keys import op_id
from weft.mirrors.shapes import ArrayOfMaps, MapOfMaps, SharedText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.mirrors.shapes import Shapes


@pytest.fixture
def peers() -> Iterator[tuple[Peer, Peer]]:
    one = Peer()
    fill(one.store)
    two = Peer(one)
    yield one, two
    assert one.store.get_content() == two.store.get_content()
    assert plain(one.document) == plain(two.document)
    for peer in (one, two):
        content = peer.store.get_content()
        peer.mirror.reread()
        assert peer.store.get_content() == content
        peer.mirror.stop()


def test_each_shape_is_where_it_was_declared(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    assert plain(one.document) == {
        "shapes": {"a": {"x": 1, "lbl": "text"}},
        "todos": [{"id": "one", "title": "one"}, {"id": "two", "title": "two"}],
        "settings": {"theme": "dark"},
        "app": {"state": {"things": {"k": {"v": 2}}, "list": [{"id": "q", "w": 1}]}},
        "prefs": {"p": True},
        "note": "hello",
    }
    assert two.store.get_tables() == one.store.get_tables()
    assert two.store.get_row("todos", "two") == {"title": "two", "order": 1}
    assert not one.errors + two.errors


def test_rows_of_a_list_are_moved_inserted_and_deleted(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    exchange(one, two)
    two.store.set_cell("todos", "two", "order", 0)
    assert two.store.get_cell("todos", "one", "order") == 1
    two.store.set_cell("todos", "three", "title", "three")
    one.store.set_cell("todos", "one", "done", True)
    exchange(one, two)
    assert [row["id"] for row in plain(one.document)["todos"]] == ["two", "one", "three"]
    assert one.store.get_row("todos", "one") == {"title": "one", "order": 1, "done": True}
    one.assign("todos", 0, value={"id": 7, "title": "js"})
    with one.document.transaction() as tx:
        tx.delete(one.at("todos"), 1)
    exchange(one, two)
    assert two.store.get_cell("todos", "7", "order") == 0
    assert not two.store.has_row("todos", "two")
    two.store.del_row("todos", "7")
    exchange(one, two)
    assert [row["id"] for row in plain(one.document)["todos"]] == ["one", "three"]


def test_what_is_in_a_row_and_is_no_cell_is_read_and_left(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.assign("app", "state", "things", "k", value={"v": 3, "nest": {"a": [1, {"b": "two"}]}})
    one.assign("shapes", "a", "tags", value=["x"])
    exchange(one, two)
    assert two.store.get_cell("things", "k", "nest") == {"a": [1, {"b": "two"}]}
    one.assign("app", "state", "things", "k", "nest", "a", 2, value=5)
    exchange(one, two)
    assert two.store.get_cell("things", "k", "nest") == {"a": [1, {"b": "two"}, 5]}
    assert not two.store.has_cell("shapes", "a", "tags")
    assert ["deep=True" in error for error in two.errors] == [True]
    two.store.set_cell("shapes", "a", "tags", ["y"])
    two.store.set_cell("things", "k", "nest", {})
    two.store.set_cell("shapes", "a", "list", [1])
    assert two.store.get_cell("things", "k", "nest") == {"a": [1, {"b": "two"}, 5]}
    assert two.store.get_row_ids("shapes") == ["a"]
    assert sorted(two.store.get_cell_ids("shapes", "a")) == ["label", "x"]
    assert len(two.errors) == 4
    two.store.set_cell("shapes", "a", "meta", {"by": "me", "n": [1.5, True]})
    exchange(one, two)
    assert plain(one.document)["shapes"]["a"]["meta"] == {"by": "me", "n": [1.5, True]}
    assert plain(one.document)["shapes"]["a"]["tags"] == ["x"]
    one.assign("shapes", "a", "meta", "by", value="you")
    exchange(one, two)
    assert two.store.get_cell("shapes", "a", "meta") == {"by": "you", "n": [1.5, True]}


def test_strings_are_heard_of_however_they_are_changed(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.assign("note", value="another")
    one.assign("shapes", "a", "s", value="string")
    exchange(one, two)
    assert two.store.get_cell("notes", "n", "body") == "another"
    with one.document.transaction() as tx:
        tx.splice_text(one.at("note"), 0, 0, "yet ")
        tx.splice_text(one.at("shapes", "a", "s"), 0, 1, "S")
        tx.splice_text(one.at("shapes", "a", "lbl"), 4, 0, "ed")
        tx.splice_text(one.at("todos", 0, "title"), 0, 0, "no. ")
        tx.splice_text(one.at("settings", "theme"), 0, 4, "light")
    exchange(one, two)
    assert two.store.get_cell("notes", "n", "body") == "yet another"
    assert two.store.get_row("shapes", "a") == {"x": 1, "label": "texted", "s": "String"}
    assert two.store.get_cell("todos", "one", "title") == "no. one"
    assert two.store.get_value("theme") == "light"
    texts = [op_id(two.at(*keys)) for keys in (("shapes", "a", "lbl"), ("note",))]
    two.store.set_cell("shapes", "a", "label", "tested")
    two.store.set_cell("notes", "n", "body", "yet one")
    one.store.set_cell("notes", "n", "body", "yet another!")
    assert [op_id(two.at(*keys)) for keys in (("shapes", "a", "lbl"), ("note",))] == texts
    exchange(one, two)
    assert two.store.get_cell("notes", "n", "body") == "yet one!"


def test_an_id_that_is_edited_makes_another_row(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    exchange(one, two)
    with one.document.transaction() as tx:
        tx.splice_text(one.at("todos", 0, "id"), 0, 3, "1")
    exchange(one, two)
    assert two.store.get_row_ids("todos") == ["two", "1"]
    assert two.store.get_row("todos", "1") == {"title": "one", "order": 0}


def test_what_is_not_declared_stays_in_the_store(peers: tuple[Peer, Peer]) -> None:
    one, _ = peers
    before = one.document.heads
    one.store.set_cell("other", "a", "b", 1)
    one.store.set_cell("notes", "n", "other", 1)
    one.mirror.reread()
    assert one.document.heads == before
    assert one.store.get_cell("other", "a", "b") == 1
    assert len(one.errors) == 2
    one.store.del_table("other")
    one.store.del_cell("notes", "n", "other")


def test_a_deleted_row_and_an_emptied_one(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.store.del_cell("shapes", "a", "x")
    one.store.del_cell("shapes", "a", "label")
    exchange(one, two)
    assert plain(two.document)["shapes"] == {"a": {}}
    two.store.set_cell("shapes", "a", "x", 2)
    two.store.del_table("things")
    exchange(one, two)
    assert one.store.get_table("shapes") == {"a": {"x": 2}}
    assert plain(one.document)["app"]["state"]["things"] == {}


def test_first_writes_at_once_merge() -> None:
    one, two = Peer(), Peer()
    fill(one.store)
    two.store.set_cell("shapes", "a", "y", 2)
    two.store.set_cell("things", "k", "u", 3)
    two.store.set_cell("list", "z", "w", 4)
    exchange(one, two)
    assert one.store.get_content() == two.store.get_content()
    assert one.store.get_row("shapes", "a") == {"x": 1, "label": "text", "y": 2}
    assert one.store.get_row("things", "k") == {"v": 2, "u": 3}
    assert set(one.store.get_row_ids("list")) == {"q", "z"}


def test_what_others_made_at_the_same_time_is_put_together() -> None:
    one, two = Peer(), Peer()
    fill(one.store)
    two.assign("shapes", value={"b": {"x": 5}, "a": {"z": 9}})
    two.assign("todos", value=[{"id": "js", "title": "js"}])
    two.assign("app", value={"state": {"things": {"j": {"v": 1}}}, "theirs": [1]})
    exchange(one, two)
    assert one.store.get_content() == two.store.get_content()
    assert plain(one.document) == plain(two.document)
    assert one.store.get_table("shapes") == {"b": {"x": 5}, "a": {"x": 1, "label": "text", "z": 9}}
    assert set(one.store.get_row_ids("todos")) == {"one", "two", "js"}
    assert set(one.store.get_row_ids("things")) == {"k", "j"}
    assert one.store.get_cell("list", "q", "w") == 1
    assert plain(one.document)["app"]["theirs"] == [1]


def test_a_container_that_was_replaced_on_purpose_takes_its_rows_with_it(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    exchange(one, two)
    two.assign("shapes", value={"b": {"x": 5}})
    two.assign("app", value={})
    exchange(one, two)
    assert one.store.get_table("shapes") == {"b": {"x": 5}}
    assert not one.store.has_table("things")
    one.store.set_cell("things", "n", "v", 1)
    exchange(one, two)
    assert two.store.get_cell("things", "n", "v") == 1


def test_a_root_of_another_kind_is_refused() -> None:
    document = AutomergeDocument()
    with document.transaction() as tx:
        tx.put_object(ROOT, "todos", ObjType.Map)
    with pytest.raises(MirrorError, match="todos"):
        AutomergeMirror(Store(), document, layout={"todos": ArrayOfMaps("todos")}).start()
    with pytest.raises(ValueError, match="XML"):
        AutomergeMirror(Store(), document, layout={"a.b.c": SharedText("x", xml=True)})
    with pytest.raises(ValueError, match="layout"):
        AutomergeMirror(Store(), document, layout="flat")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(12))
def test_random_edits_of_three_peers_converge(seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")
    peers = [Peer() for _ in range(3)]
    fill(peers[0].store)
    if seed % 2:
        exchange(*peers)
    for _ in range(25):
        for peer in peers:
            for _ in range(rng.randrange(3)):
                edit_at_random(peer, rng)
        if rng.random() < 0.5:
            exchange(*rng.sample(peers, 2))
    for _ in range(3):
        exchange(*peers)
    contents = [peer.store.get_content() for peer in peers]
    for peer in peers:
        assert plain(peer.document) == plain(peers[0].document)
        fresh = Peer(peer)
        assert fresh.store.get_content() == peer.store.get_content()
        assert not [error for error in peer.errors if "no map with an id" not in error]
    assert contents[0] == contents[1] == contents[2]


def test_a_declared_text_is_edited_as_one() -> None:
    layout: Shapes = {
        "rows": MapOfMaps("rows"),
        "rows.body": SharedText("b"),
        "notes.n.body": SharedText("note"),
    }
    store, document = Store(), AutomergeDocument()
    with AutomergeMirror(store, document, layout=layout):
        store.set_cell("rows", "r", "body", "é😀 text")
        store.text("rows", "r", "body").insert(3, " new")
        store.set_cell("notes", "n", "body", "begun")
        text = store.text("notes", "n", "body")
        cursor = text.cursor(2)
        text.insert(0, "has ").append("!")
        assert (str(text), cursor.offset) == ("has begun!", 6)
        assert store.get_cell("rows", "r", "body") == "é😀 new text"
    other = Store()
    with AutomergeMirror(other, AutomergeDocument(document.save()), layout=layout):
        assert other.get_content() == store.get_content()
