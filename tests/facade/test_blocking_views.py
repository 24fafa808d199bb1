"""Views of a Store for any thread: they behave as the Store's own, and iterate over copies."""

from __future__ import annotations

from _thread import get_ident
from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.foreign import in_thread
from weft import Store
from weft.errors import InvalidCellError
from weft.facade.blocking_views import BlockingRow, BlockingTable, BlockingTables, BlockingValues
from weft.store import RowView, TablesView, TableView, ValuesView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with weft.sync.open(tmp_path / "pets.json") as store:
        store.set_table("pets", {"fido": {"species": "dog"}, "felix": {"species": "cat", "price": 5}})
        store.set_values({"open": True, "n": 1})
        yield store


@pytest.mark.parametrize(
    ("blocking", "view"),
    [
        (BlockingRow, RowView),
        (BlockingTable, TableView),
        (BlockingTables, TablesView),
        (BlockingValues, ValuesView),
    ],
)
def test_everything_a_view_defines_runs_in_the_owner_thread(blocking: type[Any], view: type[Any]) -> None:
    defined = {
        name
        for base in view.__mro__
        if base.__module__.startswith("weft.")
        for name, thing in vars(base).items()
        if callable(thing) and (not name.startswith("_") or name.startswith("__"))
    }
    left = {name for name in defined if getattr(blocking, name) is getattr(view, name)}
    # What comes to the others, and what runs the caller's code or takes long.
    frames = {"load", "to_arrow", "to_pandas", "to_polars"}
    assert left - {"__class_getitem__"} <= {"__init__", "__ior__", "__or__", "__ror__", "update"} | frames
    assert issubclass(blocking, view)


def test_they_read_and_write_as_dictionaries_do(store: Store) -> None:
    pets = store.tables["pets"]
    assert isinstance(pets, TableView)
    assert list(pets) == ["fido", "felix"]
    assert list(reversed(pets)) == ["felix", "fido"]
    assert len(pets) == 2
    assert "fido" in pets
    assert pets["fido"]["species"] == "dog"
    pets["fido"]["price"] = 4
    assert dict(pets["fido"].items()) == {"species": "dog", "price": 4}
    assert [row["price"] for row in pets.values()] == [4, 5]
    assert pets.pop("felix") == {"species": "cat", "price": 5}
    with pytest.raises(KeyError, match="felix"):
        pets["felix"]
    with pytest.raises(KeyError):
        store.tables["shops"]
    assert pets.setdefault("rex", {"price": 1})["price"] == 1
    assert store.tables.setdefault("shops", {"a": {"b": 1}}).copy() == {"a": {"b": 1}}
    store.table("pets").update({"rex": {"price": 2}})
    assert store.row("pets", "rex") == {"price": 2}
    del pets["rex"]
    assert store.row("pets", "rex") == {}
    assert repr(pets) == "<TableView 'pets' {'fido': {'species': 'dog', 'price': 4}}>" or "pets" in repr(pets)
    assert "fido" in pets._repr_html_()
    values = store.values
    assert dict(values) == {"open": True, "n": 1}
    values |= {"m": 2}
    assert values.popitem() == ("m", 2)
    assert values | {"x": 1} == {"open": True, "n": 1, "x": 1}
    values.clear()
    assert store.get_values() == {}
    store.tables.clear()
    assert not store.tables


def test_what_another_thread_deletes_does_not_disturb_iteration(store: Store) -> None:
    for row_id, row in store.tables["pets"].items():
        in_thread(lambda row_id=row_id: store.del_row("pets", row_id))  # type: ignore[misc]
        assert row == {}
    for table in store.tables.values():
        table["new"] = {"c": 1}
    assert store.get_tables() == {}


def test_records_are_read_where_they_are_loaded_and_frames_are_made_there(store: Store) -> None:
    readers: list[int] = []

    def records() -> Iterator[dict[str, object]]:
        readers.append(get_ident())
        yield {"name": "rex", "price": 1}

    pets = store.table("pets")
    assert pets.load(records(), id="name").added == 1
    assert readers == [get_ident()]
    with store.transaction():
        assert pets.load([{"name": "rex", "price": 2}], id="name").changed == 1
    frame = in_thread(pets.to_polars)
    assert frame["price"].to_list() == [None, 5, 2]
    with pytest.raises(InvalidCellError, match="record 0"):
        pets.load([{"name": "bo", "price": {1}}], id="name")


def test_in_a_transaction_they_are_the_threads(store: Store) -> None:
    with store.transaction():
        for row in store.tables["pets"].values():
            row["seen"] = True
    assert all(row["seen"] for row in store.tables["pets"].values())


def test_a_shared_text_is_edited_from_any_thread(tmp_path: Path) -> None:
    with weft.sync.open(tmp_path / "notes.json") as store:
        store.set_tables_schema({"notes": {"body": {"type": "text"}}})
        text = store.text("notes", "n1", "body")
        heard: list[Any] = []
        text.add_listener(lambda text, delta, is_local: heard.append((str(text), delta, is_local)))
        in_thread(lambda: text.append("hello"))
        cursor = in_thread(lambda: text.cursor(5))
        with store.transaction():
            text.insert(0, "> ")
            assert (str(text), len(text), cursor.offset) == ("> hello", 7, 7)
        assert in_thread(lambda: (str(text), cursor.offset, cursor.to_json())) == ("> hello", 7, None)
        with pytest.raises(ValueError, match="outside"):
            in_thread(lambda: text.insert(9, "x"))
    assert heard == [
        ("hello", [{"insert": "hello"}], True),
        ("> hello", [{"insert": "> "}], True),
    ]
