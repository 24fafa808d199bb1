"""Conveniences: rows for data frames, copies, comparing, and something to look at."""

from __future__ import annotations

import copy
import gc
import weakref
from html.parser import HTMLParser
from typing import Any

import pytest

from weft import Store
from weft.store import create_middleware

CONTENT: Any = (
    {"pets": {"fido": {"species": "dog", "tags": ["a"]}, "0": {"species": "cat"}}},
    {"open": True},
)


def test_rows_come_as_a_list_with_or_without_their_ids() -> None:
    store = Store().set_content(CONTENT)
    assert store.to_dicts("pets") == [{"species": "dog", "tags": ["a"]}, {"species": "cat"}]
    rows = store.to_dicts("pets", row_id="id")
    assert rows == [{"id": "fido", "species": "dog", "tags": ["a"]}, {"id": "0", "species": "cat"}]
    assert list(rows[0]) == ["id", "species", "tags"]
    with pytest.raises(ValueError, match="table 'pets' has cells 'species', which the row's id would take"):
        store.to_dicts("pets", row_id="species")
    assert store.to_dicts("missing") == []
    rows[0]["tags"].append("b")  # type: ignore[union-attr]
    assert store.get_cell("pets", "fido", "tags") == ["a"]


def test_a_copy_is_a_store_of_its_own_with_the_same_content_and_schemas() -> None:
    heard: list[object] = []
    store = Store(on_invalid="ignore").set_content(CONTENT)
    store.set_values_schema({"open": {"type": "boolean"}})
    store.del_row("pets", "0").set_row("pets", "7", {"species": "cat"})
    store.add_tables_listener(lambda *_: heard.append(1))
    create_middleware(store).add_will_set_cell_callback(lambda *_: "changed")
    for twin in (store.copy(), copy.copy(store), copy.deepcopy(store)):
        assert type(twin) is Store
        assert twin.get_content() == store.get_content()
        assert twin.get_schema_json() == store.get_schema_json()
        assert twin.get_table_cell_ids("pets") == store.get_table_cell_ids("pets")
        assert [twin.add_row("pets", {"x": 1}) for _ in range(2)] == ["0", "1"], "the pool was copied too"
        twin.set_value("open", 5).set_cell("pets", "fido", "species", "wolf").del_schema()
        assert twin.get_value("open") is True, "and so was the way of treating bad data"
    assert store.get_cell("pets", "fido", "species") == "dog"
    assert store.get_row_ids("pets") == ["fido", "7"]
    assert store.has_values_schema()
    assert heard == []


def test_content_is_compared_as_json() -> None:
    store = Store().set_content(({"t": {"a": {"x": 1, "o": {"k": [1]}}, "b": {"x": True}}}, {"v": None}))
    same: Any = ({"t": {"b": {"x": True}, "a": {"o": {"k": [1.0]}, "x": 1.0}}}, {"v": None})
    assert store.same_content(Store().set_content(same))
    assert store.same_content(same)
    assert not store.same_content(Store().set_content(same).set_cell("t", "b", "x", 1))
    assert not store.same_content(Store().set_content(same).del_value("v"))
    assert store != store.copy(), "Stores are places: they compare by identity"
    assert len({store, store.copy()}) == 2


def test_the_text_of_a_store_shows_its_sizes() -> None:
    store = Store()
    assert repr(store) == "<Store no tables; 0 values>"
    store.set_content(({"pets": {"a": {"x": 1}, "b": {"x": 1}}, "zoo": {"a": {"x": 1}}}, {"v": 1}))
    assert repr(store) == "<Store pets: 2 rows, zoo: 1 row; 1 value>"
    store.set_tables({str(number): {"r": {"c": 1}} for number in range(8)})
    assert repr(store).endswith("4: 1 row, … 3 more tables; 1 value>")
    large = Store().set_table("t", {str(number): {"c": 1} for number in range(1234)})
    assert repr(large) == "<Store t: 1,234 rows; 0 values>"


class Reader(HTMLParser):
    """Reads the text of the elements."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.opened: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> list[str]:
    reader = Reader()
    reader.feed(html)
    assert reader.opened == [], "every element is closed"
    return reader.texts


def test_a_notebook_shows_tables() -> None:
    store = Store().set_content(
        ({"<pets>": {"fi&do": {"a": "<b>", "c": [1, {"x": "y"}]}, "rex": {"d": None}}}, {"v": True})
    )
    texts = read(store._repr_html_())
    assert texts == [
        "<pets> (2 rows)",
        "a",
        "c",
        "d",
        "fi&do",
        "<b>",
        '[1,{"x":"y"}]',
        "rex",
        "None",
        "values",
        "v",
        "True",
    ]
    assert read(Store()._repr_html_()) == ["an empty Store"]
    long = Store().set_table("t", {str(number): {"c": number} for number in range(50)})
    assert read(long._repr_html_())[-1] == "… 30 more rows"


def test_a_store_is_freed_without_the_garbage_collector() -> None:
    store = Store()
    store.add_cell_listener(None, None, None, lambda *_: None)
    with store.transaction():
        store.set_content(CONTENT)
    store.set_cell("pets", "fido", "species", "wolf")
    reference = weakref.ref(store)
    gc.disable()
    try:
        del store
        assert reference() is None
    finally:
        gc.enable()
