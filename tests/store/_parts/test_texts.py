"""Which cells are texts, and the net edits that mirrors are told of."""

from __future__ import annotations

from typing import Any

import pytest

from weft import Store
from weft.store.replica import Replica

KEY = ("notes", "n1", "body")


class Source:
    """A document in which the text is what it is told to be."""

    def __init__(self, delta: Any) -> None:
        self.text = delta

    def delta(self, *_: str) -> Any:
        return self.text

    def position(self, _table_id: str, _row_id: str, _cell_id: str, offset: int, assoc: int) -> Any:
        return {"at": offset, "assoc": assoc}

    def offset(self, _table_id: str, _row_id: str, _cell_id: str, position: Any) -> int | None:
        found: int | None = position.get("at")
        return found


def heard(store: Store) -> list[Any]:
    replica = Replica(store)
    edits: list[Any] = []
    replica.on_finish(lambda: edits.append(replica.text_edits()))
    return edits


@pytest.fixture
def store() -> Store:
    return Store().set_tables_schema({"notes": {"body": {"type": "text"}, "title": {"type": "string"}}})


def test_texts_are_what_the_schema_or_a_layout_says() -> None:
    store = Store()
    replica = Replica(store)
    assert not Replica(store).has_texts
    assert not replica.is_text(*KEY)
    one, every = replica.declare_text("notes", "body", "n1"), replica.declare_text("notes", "body")
    assert Replica(store).has_texts
    assert replica.is_text("notes", "n2", "body")
    every()
    assert (replica.is_text(*KEY), replica.is_text("notes", "n2", "body")) == (True, False)
    one()
    assert not Replica(store).has_texts
    store.set_tables_schema({"notes": {"body": {"type": "text"}}})
    assert Replica(store).has_texts
    assert replica.is_text(*KEY)
    assert not replica.is_text("notes", "n1", "title")
    store.del_tables_schema()
    assert not Replica(store).has_texts


def test_the_net_edit_of_a_transaction(store: Store) -> None:
    edits = heard(store)
    text = store.text(*KEY)
    text.append("hello")
    with store.transaction():
        text.insert(0, "> ").append("!")
        store.set_cell("notes", "n1", "title", "x").set_cell("notes", "n2", "body", "new")
    store.set_cell(*KEY, "> help!")
    with store.transaction():
        text.append("x").delete(7, 1)
    with store.transaction():
        store.del_cell(*KEY).set_cell(*KEY, "> held!")
    store.set_row("notes", "n1", {"body": "held", "title": "t"})
    store.del_row("notes", "n1")
    assert edits == [
        {},
        {KEY: [{"insert": "> "}, {"retain": 5}, {"insert": "!"}]},
        {KEY: [{"retain": 5}, {"insert": "p"}, {"delete": 2}]},
        {},
        {KEY: [{"retain": 5}, {"insert": "d"}, {"delete": 1}]},
        {KEY: [{"insert": "held"}, {"delete": 7}]},
        {},
    ]


def test_what_was_received_is_no_edit_but_comes_before_what_follows(store: Store) -> None:
    replica = Replica(store)
    edits: list[Any] = []
    replica.on_finish(lambda: edits.append(replica.text_edits()))
    text = store.text(*KEY)
    text.append("abc")
    seen: list[Any] = []
    text.add_listener(lambda _, delta, is_local: seen.append((delta, is_local)))
    cursor = text.cursor(3)
    store.add_cell_listener(*KEY, lambda *_: text.append("!") if len(text) == 4 else None, mutator=True)
    change = [{"insert": "x", "attributes": {"bold": True}}]
    replica.receive({"notes": {"n1": {"body": "xabc"}}}, {}, print, deltas={KEY: change})
    assert edits == [{}, {KEY: [{"retain": 4}, {"insert": "!"}]}]
    assert seen == [(change, False), ([{"retain": 4}, {"insert": "!"}], True)]
    assert cursor.offset == 5
    styled = [{"retain": 2, "attributes": {"bold": True}}]
    replica.receive({"notes": {"n1": {"body": "xabc!"}}}, {}, print, deltas={KEY: styled})
    assert edits[2:] == [{}]
    assert seen[2:] == [(styled, False)]
    # a delta that does not lead to the string is not believed
    replica.receive({"notes": {"n1": {"body": "xb!"}}}, {}, print, deltas={KEY: [{"delete": 1}]})
    assert seen[3:] == [([{"retain": 1}, {"insert": "b"}, {"delete": 3}], False)]


def test_a_document_lends_formats_and_positions(store: Store) -> None:
    edits = heard(store)
    text = store.text(*KEY)
    source = Source(None)
    end = Replica(store).serve_texts(source)
    text.insert(0, "bold", {"bold": True}).insert_embed(4, {"image": "x"})
    assert edits == [
        {KEY: [{"insert": "bold", "attributes": {"bold": True}}]},
        {KEY: [{"retain": 4}, {"insert": {"image": "x"}}]},
    ]
    assert str(text) == "bold\ufffc"
    edits.clear()
    source.text = [{"insert": "bold", "attributes": {"bold": True}}, {"insert": {"image": "x"}}]
    assert text.delta() == source.text
    text.insert(2, "-")
    source.text = [{"insert": "bo-ld", "attributes": {"bold": True}}, {"insert": {"image": "x"}}]
    text.append("plain").format(0, 2, {"bold": None})
    with store.transaction():
        text.set("bo-lds\ufffcplain")
        assert text.delta() == [{"insert": "bo-lds\ufffcplain"}]  # the source has not kept up
    bold = {"bold": True}
    assert edits == [
        {KEY: [{"retain": 2}, {"insert": "-", "attributes": bold}]},
        {KEY: [{"retain": 6}, {"insert": "plain"}]},
        {KEY: [{"retain": 2, "attributes": {"bold": None}}]},
        {KEY: [{"retain": 5}, {"insert": "s"}]},
    ]
    cursor = text.cursor(3, -1)
    assert cursor.to_json() == {"at": 3, "assoc": -1}
    again = text.cursor_from_json(cursor.to_json())
    assert again is not None
    assert (again.offset, again.assoc) == (3, -1)
    with pytest.raises(TypeError):
        text.format(0, 1, {"bold": {1, 2}})
    end()
    assert cursor.to_json() is None
