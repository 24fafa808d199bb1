"""What is checked before a write changes anything."""

from __future__ import annotations

import math
from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import (
    InvalidCellError,
    InvalidCellTypeError,
    InvalidValueError,
)


def lenient() -> tuple[Store, list[Any]]:
    store = Store(on_invalid="ignore")
    reports: list[Any] = []
    store.add_invalid_cell_listener(None, None, None, lambda _s, *args: reports.append(args))
    store.add_invalid_value_listener(None, lambda _s, *args: reports.append(args))
    return store, reports


@pytest.mark.parametrize(
    ("write", "place"),
    [
        (lambda s: s.set_row("t", "r", {"a": 1, "b": math.nan}), ("t", "r", "b")),
        (lambda s: s.set_partial_row("t", "r", {"a": 1, "b": b""}), ("t", "r", "b")),
        (lambda s: s.set_row("t", "r", {}), ("t", "r", None)),
        (lambda s: s.set_row("t", "r", [1]), ("t", "r", None)),
        (lambda s: s.set_partial_row("t", "r", {}), ("t", "r", None)),
        (lambda s: s.add_row("t", {}), ("t", None, None)),
        (lambda s: s.add_row("t", {"a": "\ud800"}), ("t", None, "a")),
        (lambda s: s.set_table("t", {}), ("t", None, None)),
        (lambda s: s.set_table("t", {"r": {"a": 1}, "q": {}}), ("t", "q", None)),
        (lambda s: s.set_table("t", None), ("t", None, None)),
        (lambda s: s.set_tables({}), (None, None, None)),
        (lambda s: s.set_tables({"t": {"r": {"a": 1}}, "u": {}}), ("u", None, None)),
        (lambda s: s.set_tables({"t": {"r": {"a": 2**53}}}), ("t", "r", "a")),
        (lambda s: s.set_tables("x"), (None, None, None)),
    ],
)
def test_one_bad_piece_raises_before_anything_changes(write: Any, place: tuple[str | None, ...]) -> None:
    store = Store().set_tables({"t": {"r": {"a": 0}}})
    for _ in range(2):
        with pytest.raises(InvalidCellError) as caught:
            write(store)
        assert (caught.value.table_id, caught.value.row_id, caught.value.cell_id) == place
        assert store.get_tables() == {"t": {"r": {"a": 0}}}
        store.add_cell_listener(None, None, None, lambda *_: None)  # and the same on the other paths


def test_what_is_no_mapping_is_a_type_error() -> None:
    store: Any = Store()
    for method, args in (
        (store.set_row, ("t", "r", 1)),
        (store.set_table, ("t", {"r": "x"})),
        (store.set_tables, ([],)),
    ):
        with pytest.raises(InvalidCellTypeError, match="mapping"):
            method(*args)


@pytest.mark.parametrize("values", [{}, {"a": 1, "b": math.nan}, 1, None, {"a": {1}}])
def test_one_bad_value_raises_before_anything_changes(values: Any) -> None:
    store = Store().set_value("a", 0)
    with pytest.raises(InvalidValueError):
        store.set_values(values)
    with pytest.raises(InvalidValueError):
        store.set_partial_values(values)
    assert store.get_values() == {"a": 0}


def test_with_ignore_the_good_pieces_are_kept_and_the_bad_reported() -> None:
    store = Store(on_invalid="ignore")
    heard: list[Any] = []
    store.add_invalid_cell_listener(None, None, None, lambda _s, *args: heard.append(args))
    store.set_tables({"t": {"r": {"a": 1, "b": math.inf}, "s": {}}, "u": {}, "v": {"r": {"a": b""}}})
    assert store.get_tables() == {"t": {"r": {"a": 1}}}
    assert heard == [
        ("t", "r", "b", [math.inf]),
        ("t", "s", None, [UNDEFINED]),
        ("u", None, None, [UNDEFINED]),
        ("v", "r", "a", [b""]),
    ]
    heard.clear()
    assert store.add_row("t", {}) is None
    assert store.add_row("t", {"a": b""}) is None
    store.set_tables({})
    assert heard == [
        ("t", None, None, [UNDEFINED]),
        ("t", None, "a", [b""]),
        (None, None, None, [UNDEFINED]),
    ]
    assert store.add_row("t", {"a": 1}) == "0"


def test_with_ignore_bad_pieces_are_left_out_and_reported() -> None:
    store = Store(on_invalid="ignore")
    cells: list[object] = []
    values: list[object] = []
    store.add_invalid_cell_listener(None, None, None, lambda _s, *args: cells.append(args))
    store.add_invalid_value_listener(None, lambda _s, *args: values.append(args))
    with store.transaction():
        store.set_cell("t", "r", "c", b"1").set_cell("t", "r", "c", b"2").set_cell("t", 1, "c", 3)  # type: ignore[arg-type]
        store.set_value("v", b"").set_value(2, 1)  # type: ignore[arg-type]
    assert cells == [("t", "r", "c", [b"1", b"2"]), ("t", "1", "c", [3])]
    assert values == [("v", [b""]), ("2", [1])]
    assert store.get_content() == ({}, {})


def test_an_integer_that_python_cannot_even_show_is_refused_in_words() -> None:
    with pytest.raises(InvalidCellError, match="data of type int that cannot be shown"):
        Store().set_cell("t", "r", "c", 10**5000)


# With a schema.


SCHEMA: Any = {
    "pets": {
        "species": {"type": "string", "default": "dog"},
        "price": {"type": "number"},
        "tags": {"type": "array", "default": ["new"]},
        "owner": {"type": "string", "allowNull": True, "default": None},
    }
}


def test_defaults_fill_new_rows_after_what_was_given() -> None:
    store = Store().set_tables_schema(SCHEMA)
    full = {"price": 1, "species": "dog", "tags": ["new"], "owner": None}
    store.set_row("pets", "a", {"price": 1})
    assert list(store.get_row("pets", "a").items()) == list(full.items())
    assert store.add_row("pets", {}) == "0"
    assert store.get_row("pets", "0") == {"species": "dog", "tags": ["new"], "owner": None}
    store.set_partial_row("pets", "b", {"price": 1}).set_partial_row("pets", "b", {"owner": "x"})
    assert store.get_row("pets", "b") == full | {"owner": "x"}
    store.set_table("pets", {"c": {"species": "cat"}})
    assert store.get_table("pets") == {"c": {"species": "cat", "tags": ["new"], "owner": None}}
    store.set_row("pets", "c", {"price": 5})
    assert store.get_row("pets", "c") == full | {"price": 5}
    store.set_row("pets", "e", {})
    assert store.has_row("pets", "e")


def test_a_refused_cell_gives_way_to_its_default_where_it_is_ignored() -> None:
    store, reports = lenient()
    store.set_tables_schema(SCHEMA)
    store.set_cell("pets", "a", "species", 5)
    assert store.get_row("pets", "a") == {"species": "dog", "tags": ["new"], "owner": None}
    assert reports == [("pets", "a", "species", [5]), ("pets", "a", "price", [UNDEFINED])]
    reports.clear()
    store.set_row("pets", "b", {"price": "x", "unknown": 1, "species": "cat"})
    assert store.get_row("pets", "b") == {"species": "cat", "tags": ["new"], "owner": None}
    assert reports == [("pets", "b", "price", ["x"]), ("pets", "b", "unknown", [1])]
    reports.clear()
    store.set_row("zoo", "a", {"x": 1}).set_table("zoo", {"a": {"x": 1}})
    assert reports == [("zoo", "a", "x", [1]), ("zoo", None, None, [UNDEFINED])]
    assert not store.has_table("zoo")


def test_what_is_required_must_be_in_whole_rows_and_only_there() -> None:
    schema: Any = {"t": {"a": {"type": "number", "required": True}, "b": {"type": "number", "default": 0}}}
    for store in (Store().set_tables_schema(schema), Store(on_invalid="ignore").set_tables_schema(schema)):
        raising = store._raising
        writes: list[Any] = [
            lambda s: s.set_row("t", "r", {"b": 1}),
            lambda s: s.add_row("t", {"b": 1}),
            lambda s: s.set_table("t", {"r": {}}),
            lambda s: s.set_tables({"t": {"r": {"b": 1}}}),
        ]
        for write in writes:
            if raising:
                with pytest.raises(InvalidCellError, match="requires") as caught:
                    write(store)
                assert caught.value.cell_id == "a"
            else:
                assert write(store) in {store, None}
            assert store.get_tables() == {}
        store.set_partial_row("t", "r", {"b": 1}).set_cell("t", "s", "b", 1).set_row(
            "t", "u", {"a": 1}
        ).del_cell("t", "u", "a")
        assert store.get_tables() == {"t": {"r": {"b": 1}, "s": {"b": 1}, "u": {"b": 0}}}


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.set_table("u", {"k0": {}}),
        lambda s: s.set_tables({"u": {"k0": {}}}),
        lambda s: s.set_row("u", "k0", {}),
    ],
)
def test_an_empty_row_is_reported_after_the_required_cells_that_it_lacks(write: Any) -> None:
    store, reports = lenient()
    store.set_tables_schema(
        {"u": {"a": {"type": "string", "required": True}, "b": {"type": "number", "required": True}}}
    )
    write(store)
    assert reports == [
        ("u", "k0", "a", [UNDEFINED]),
        ("u", "k0", "b", [UNDEFINED]),
        ("u", "k0", None, [UNDEFINED]),
    ]
    assert store.get_tables() == {}


def test_an_empty_row_that_raises_names_a_cell_that_the_schema_requires() -> None:
    store = Store().set_tables_schema({"u": {"a": {"type": "string", "required": True}}})
    with pytest.raises(InvalidCellError, match="table 'u', row 'k0', cell 'a': the schema requires"):
        store.set_table("u", {"k0": {}})


def test_what_is_required_must_be_in_whole_values_and_only_there() -> None:
    schema: Any = {"a": {"type": "number", "required": True}, "b": {"type": "number", "default": 0}}
    store = Store()
    with pytest.raises(InvalidValueError, match="requires"):
        store.set_values_schema(schema).set_values({"b": 1})
    store.set_values({"a": 1})
    assert store.get_values() == {"a": 1, "b": 0}
    store.del_value("a").set_partial_values({"b": 2})
    assert store.get_values() == {"b": 2}
    ignoring, reports = lenient()
    ignoring.set_values_schema(schema).set_values({"b": 1})
    assert ignoring.get_values() == {}
    assert reports == [("a", [UNDEFINED]), ("a", [UNDEFINED])]
