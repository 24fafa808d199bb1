"""Shared texts of a Store without a document: edits, transactions, listeners, what is refused."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from weft import Store
from weft.deltas import apply, from_utf16, invert, to_utf16, utf16_length
from weft.errors import InvalidCellError, InvalidSchemaError, ReadOnlyError
from weft.store import create_middleware
from weft.store.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.deltas import Delta
    from weft.store import Text

SCHEMA: Any = {"notes": {"body": {"type": "text"}, "title": {"type": "string"}}}
WORDS = ["a", "hello", " ", "é", "e\u0301", "🙂", "👩‍👩‍👧", "🇩🇪", "שלום", "مرحبا", "\n", "\u200f", "각"]


@pytest.fixture
def store() -> Store:
    return Store().set_tables_schema(SCHEMA)


@pytest.fixture
def text(store: Store) -> Text:
    return store.text("notes", "n1", "body")


def test_edits_are_writes_of_the_cell(store: Store, text: Text) -> None:
    seen: list[Any] = []
    store.add_cell_listener("notes", None, None, lambda _, *what: seen.append((*what[:3], what[3])))
    assert (str(text), len(text), text.delta()) == ("", 0, [])
    text.insert(0, "world").insert(0, "hello ").append("!").delete(11, 1).splice(0, 5, "Hi")
    assert store.get_cell("notes", "n1", "body") == str(text) == "Hi world"
    assert [cell for *_, cell in seen] == ["world", "hello world", "hello world!", "hello world", "Hi world"]
    text.apply_delta([{"retain": 3}, {"delete": 5}, {"insert": "🙂"}])
    assert (str(text), len(text)) == ("Hi 🙂", 5)
    assert text.delta() == [{"insert": "Hi 🙂"}]
    text.set("Hi 🙃")
    assert store.get_row("notes", "n1") == {"body": "Hi 🙃"}
    assert "Hi" in repr(text)


def test_an_empty_text_is_there_once_it_was_set(store: Store, text: Text) -> None:
    text.delete(0, 0).insert(0, "").apply_delta([])
    assert not store.has_cell("notes", "n1", "body")
    text.set("")
    assert store.get_cell("notes", "n1", "body") == ""
    text.set("")


@pytest.mark.parametrize("offset", [-1, 1, 4])
def test_places_outside_and_within_a_character_are_refused(text: Text, offset: int) -> None:
    text.set("🙂a")
    edits: list[Callable[[], object]] = [
        lambda: text.insert(offset, "x"),
        lambda: text.delete(offset, 1),
        lambda: text.delete(0, 1),
        lambda: text.insert_embed(offset, {"image": "x"}),
        lambda: text.apply_delta([{"retain": 1}, {"insert": "x"}]),
        lambda: text.apply_delta([{"delete": 4}]),
        lambda: text.cursor(offset),
        lambda: text.format(0, 4, {"bold": True}),
        lambda: text.splice(3, -1, "x"),
    ]
    for edit in edits:
        with pytest.raises(ValueError):  # noqa: PT011 - any of them
            edit()
    assert str(text) == "🙂a"


def test_what_is_no_text_is_refused(store: Store, text: Text) -> None:
    bad: Any = 5
    with pytest.raises(TypeError):
        text.insert(0, bad)
    with pytest.raises(TypeError):
        text.insert("0", "a")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        text.set(bad)
    with pytest.raises(TypeError):
        text.insert_embed(0, bad)
    with pytest.raises(InvalidCellError):
        text.insert(0, "\ud800")
    assert not store.has_row("notes", "n1")
    with pytest.raises(InvalidSchemaError, match="is no shared text"):
        store.text("notes", "n1", "title")
    with pytest.raises(InvalidSchemaError, match="keyed value"):
        store.set_values_schema({"open": {"type": "text"}})


def test_formats_and_embeds_need_a_document(store: Store, text: Text) -> None:
    text.set("abc")
    edits: list[Callable[[], object]] = [
        lambda: text.format(0, 1, {"bold": True}),
        lambda: text.insert(0, "x", {"bold": True}),
        lambda: text.insert_embed(0, {"image": "x"}),
        lambda: text.apply_delta([{"retain": 1, "attributes": {"bold": None}}]),
    ]
    for edit in edits:
        with pytest.raises(InvalidCellError, match="in no document that keeps"):
            edit()
    with pytest.raises(TypeError):
        text.format(0, 1, [])  # type: ignore[arg-type]
    assert str(text) == "abc"
    assert text.insert(0, "x", {}).delta() == [{"insert": "xabc"}]


def test_the_schema_says_text_and_the_places_of_others_string(store: Store) -> None:
    assert store.get_tables_schema()["notes"]["body"] == {"type": "text"}
    assert '"text"' in store.get_schema_json()
    assert Replica(store).kinds() == {"notes": {"body": "string", "title": "string"}}
    copied = store.copy()
    assert str(copied.text("notes", "n1", "body").append("x")) == "x"
    assert not store.has_row("notes", "n1")


def test_a_transaction_that_is_rolled_back_takes_its_edits_with_it(store: Store, text: Text) -> None:
    seen: list[Any] = []
    text.set("abc")
    text.add_listener(lambda *args: seen.append(args))
    cursor = text.cursor(3)
    store.start_transaction()
    text.insert(0, "x")
    assert (str(text), cursor.offset) == ("xabc", 4)
    inside = text.cursor(1)
    text.insert(0, "y")
    assert (cursor.offset, inside.offset) == (5, 2)
    store.finish_transaction(lambda _: True)
    assert (str(text), cursor.offset, seen) == ("abc", 3, [])
    store.transaction(lambda: text.append("d"), lambda _: True)
    assert (str(text), cursor.offset, seen) == ("abc", 3, [])
    with store.transaction():
        inside = text.insert(0, "x").cursor(1)
        text.insert(0, "y")
    assert (cursor.offset, inside.offset) == (5, 2)
    assert [delta for _, delta, _ in seen] == [[{"insert": "yx"}]]


def test_cursors_keep_to_their_side(text: Text) -> None:
    text.set("ab")
    before, after = text.cursor(1, -1), text.cursor(1)
    text.insert(1, "--")
    assert (before.offset, after.offset) == (1, 3)
    text.delete(0, 4)
    assert (before.offset, after.offset) == (0, 0)
    assert before.to_json() is None
    assert text.cursor_from_json({"item": {"client": 1, "clock": 1}, "assoc": 0}) is None
    assert "Cursor at 0" in repr(before)


def test_listeners_hear_of_each_transaction_once(store: Store, text: Text) -> None:
    seen: list[tuple[str, Delta, bool]] = []
    listener = text.add_listener(lambda text, delta, is_local: seen.append((str(text), delta, is_local)))
    text.append("ab")
    with store.transaction():
        text.append("c").append("d").delete(0, 1)
    store.set_cell("notes", "n1", "body", "bcXd")
    store.set_cell("notes", "n1", "title", "bcXd").set_cell("notes", "n2", "body", "bcXd")
    store.del_row("notes", "n1")
    assert seen == [
        ("ab", [{"insert": "ab"}], True),
        ("bcd", [{"delete": 1}, {"retain": 1}, {"insert": "cd"}], True),
        ("bcXd", [{"retain": 2}, {"insert": "X"}], True),
        ("", [{"delete": 4}], True),
    ]
    store.del_listener(listener)
    text.append("x")
    assert len(seen) == 4


def test_a_listener_cannot_write_and_what_it_raises_comes_to_the_writer(store: Store, text: Text) -> None:
    def write(text: Text, *_: Any) -> None:
        text.append("again")

    heard: list[Any] = []
    text.add_listener(write)
    text.add_listener(lambda *args: heard.append(args))
    with pytest.raises(ReadOnlyError):
        text.append("x")
    assert (str(text), len(heard)) == ("x", 1)
    quiet = Store(on_invalid="ignore").set_tables_schema(SCHEMA).text("notes", "n1", "body")
    quiet.add_listener(write)
    assert str(quiet.append("x")) == "x"
    del store


def test_middleware_may_make_another_string_of_it(store: Store, text: Text) -> None:
    seen: list[Any] = []
    create_middleware(store).add_will_set_cell_callback(lambda _t, _r, _c, cell: str(cell).upper())
    text.add_listener(lambda _, delta, __: seen.append(delta))
    text.insert(0, "ab").insert(1, "x")
    assert str(text) == "AXB"
    assert seen == [[{"insert": "AB"}], [{"retain": 1}, {"insert": "X"}]]


def test_what_no_cell_can_hold_is_held_by_another_character(store: Store, text: Text) -> None:
    replica = Replica(store)
    replica.receive({"notes": {"n1": {"body": "\uffff"}}}, {}, print)
    assert str(text) == "\ufffc"
    assert str(text.insert(1, "a")) == "\ufffca"
    assert store.get_cell("notes", "n1", "body") == "\ufffca"
    assert str(text.delete(1, 1)) == "\ufffc"
    assert store.get_cell("notes", "n1", "body") == "\uffff"


def test_random_edits_against_a_string() -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    store = Store().set_tables_schema(SCHEMA)
    text = store.text("notes", "n1", "body")
    model, heard = "", ""
    deltas: list[Delta] = []
    text.add_listener(lambda _, delta, __: deltas.append(delta))
    cursors = []
    for step in range(400):
        at = rng.randrange(len(model) + 1)
        end = rng.randint(at, min(len(model), at + 3))
        offset, length = to_utf16(model, at), utf16_length(model[at:end])
        word = rng.choice(WORDS)
        match rng.randrange(7):
            case 0:
                text.insert(offset, word)
                model = model[:at] + word + model[at:]
            case 1:
                text.delete(offset, length)
                model = model[:at] + model[end:]
            case 2:
                text.splice(offset, length, word)
                model = model[:at] + word + model[end:]
            case 3:
                text.append(word)
                model += word
            case 4:
                model = model[:at] + word + model[end:]
                text.set(model)
            case 5:
                with store.transaction():
                    text.insert(offset, word)
                    store.set_cell("notes", "n1", "body", model[:at] + model[end:])
                    text.append(word)
                model = model[:at] + model[end:] + word
            case _:
                cursors.append(text.cursor(offset, rng.choice([0, -1])))
        said = f"seed {seed}, step {step}"
        assert str(text) == model, said
        assert len(text) == utf16_length(model), said
        for delta in deltas:
            back = invert(delta, [{"insert": heard}])
            after = apply(heard, delta)
            assert apply(after, back) == heard, said
            heard = after
        deltas.clear()
        assert heard == model, said
        for cursor in cursors[-5:]:
            from_utf16(model, cursor.offset)
