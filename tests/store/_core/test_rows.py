"""Writing whole rows, tables and values."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from weft import Store


@pytest.fixture(params=["plain", "watched", "schema"])
def store(request: pytest.FixtureRequest) -> Store:
    store = Store()
    if request.param == "watched":
        store.add_row_ids_listener(None, lambda *_: None)
        store.add_cell_listener(None, None, None, lambda *_: None)
    elif request.param == "schema":
        cell: Any = {"type": ["number", "string", "array"], "allowNull": True}
        store.set_tables_schema({t: dict.fromkeys("abc", cell) for t in ("t", "u", "v")})
        store.set_values_schema(dict.fromkeys("abc", cell))
    return store


def test_setting_a_row_replaces_its_cells(store: Store) -> None:
    store.set_row("t", "r", {"a": 1, "b": 2.0}).set_row("t", "r", {"b": 2, "c": [3]})
    assert list(store.get_row("t", "r").items()) == [("b", 2), ("c", [3])]
    assert store.get_table_cell_ids("t") == ["b", "c"]


def test_setting_part_of_a_row_keeps_the_others(store: Store) -> None:
    store.set_partial_row("t", "r", {"a": 1}).set_partial_row("t", "r", {"b": 2, "a": 3})
    assert list(store.get_row("t", "r").items()) == [("a", 3), ("b", 2)]


def test_setting_a_table_replaces_its_rows_and_keeps_the_place_of_those_that_stay(store: Store) -> None:
    store.set_table("t", {"x": {"a": 1}, "y": {"a": 2}, "z": {"a": 3}})
    store.set_table("t", {"new": {"b": 1}, "z": {"a": 3}, "x": {"a": 4}})
    assert list(store.get_table("t").items()) == [("x", {"a": 4}), ("z", {"a": 3}), ("new", {"b": 1})]
    assert dict(store._counts["t"]) == {"a": 2, "b": 1}
    store.set_table("t", {"x": {"c": 1}})
    assert store.get_tables() == {"t": {"x": {"c": 1}}}
    assert dict(store._counts["t"]) == {"c": 1}


def test_setting_all_tables_replaces_them(store: Store) -> None:
    store.set_tables({"t": {"x": {"a": 1}}, "u": {"x": {"a": 1}}})
    store.set_tables({"v": {"x": {"a": 1}}, "u": {"y": {"b": 1}}})
    assert list(store.get_tables().items()) == [("u", {"y": {"b": 1}}), ("v", {"x": {"a": 1}})]


def test_setting_values_replaces_or_merges(store: Store) -> None:
    store.set_values({"a": 1, "b": 2}).set_values({"b": 3, "c": 4})
    assert store.get_values() == {"b": 3, "c": 4}
    store.set_partial_values({"a": 5, "b": None})
    assert store.get_values() == {"b": None, "c": 4, "a": 5}


def test_what_is_passed_in_stays_the_callers(store: Store) -> None:
    given: Any = {"t": {"x": {"a": [1]}, "y": {"a": 2.0}}}
    store.set_tables(MappingProxyType(given))
    given["t"]["x"]["a"].append(2)
    given["t"]["x"]["b"] = [2]
    given["t"]["z"] = {"a": 3.0}
    assert store.get_tables() == {"t": {"x": {"a": [1]}, "y": {"a": 2}}}


def test_any_mapping_is_taken(store: Store) -> None:
    proxy = MappingProxyType({"x": MappingProxyType({"a": 1})})
    store.set_table("t", proxy).set_row("u", "r", MappingProxyType({"a": 2}))
    store.set_values(MappingProxyType({"a": 3}))
    assert store.get_content() == ({"t": {"x": {"a": 1}}, "u": {"r": {"a": 2}}}, {"a": 3})


def test_deleting_rows_tables_and_values(store: Store) -> None:
    store.set_tables({"t": {"x": {"a": 1}, "y": {"a": 1, "b": 1}}, "u": {"x": {"a": 1}}}).set_values(
        {"a": 1, "b": 2}
    )
    store.del_row("t", "y").del_row("t", "missing").del_row("missing", "x")
    assert store.get_tables() == {"t": {"x": {"a": 1}}, "u": {"x": {"a": 1}}}
    assert store.get_table_cell_ids("t") == ["a"]
    store.del_row("t", "x")
    assert store.get_table_ids() == ["u"]
    store.set_row("t", "x", {"a": 1}).del_table("u").del_table("missing")
    assert store.get_table_ids() == ["t"]
    store.del_tables().del_tables().del_values().del_values()
    assert store.get_content() == ({}, {})
