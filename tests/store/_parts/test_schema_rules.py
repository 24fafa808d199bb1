"""What a schema is, and what it allows."""

from __future__ import annotations

from typing import Any

import pytest

from weft import Store
from weft.errors import (
    InvalidCellError,
    InvalidSchemaError,
    InvalidValueError,
)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string"}, ["", "a"], [1, True, None, [], {}]),
        ({"type": "number"}, [0, 1.5, 2.0], ["1", True, None, []]),
        ({"type": "boolean"}, [True, False], [1, 0, "true", None]),
        ({"type": "object"}, [{}, {"a": 1}], [[], "{}", None]),
        ({"type": "array"}, [[], (1,)], [{}, "[]", None]),
        ({"type": ["string", "array"]}, ["a", [1]], [1, {}, None]),
        ({"type": "number", "allowNull": True}, [1, None], ["a"]),
        ({"enum": ["a", 1, True]}, ["a", 1, 1.0, True], ["b", 2, False, None, [], "1"]),
        ({"enum": [1]}, [1], [True]),
        ({"enum": ["a"], "allowNull": True}, ["a", None], ["b"]),
    ],
)
def test_a_schema_allows_and_refuses(schema: Any, good: list[Any], bad: list[Any]) -> None:
    store = Store().set_schema({"t": {"c": schema}}, {"v": schema})
    for cell in good:
        store.set_cell("t", "r", "c", cell).set_row("t", "s", {"c": cell}).set_value("v", cell)
    before = store.get_content()
    for cell in bad:
        with pytest.raises(InvalidCellError, match="schema"):
            store.set_cell("t", "r", "c", cell)
        with pytest.raises(InvalidCellError, match="schema"):
            store.set_tables({"t": {"r": {"c": cell}}})
        with pytest.raises(InvalidValueError, match="schema"):
            store.set_value("v", cell)
        with pytest.raises(InvalidValueError, match="schema"):
            store.set_values({"v": cell})
    assert store.get_content() == before


def test_a_nested_default_from_a_peer_is_checked_by_its_kind() -> None:
    store = Store().set_tables_schema({"t": {"a": {"type": "array"}, "o": {"type": "object"}}})
    with store.transaction():
        refused = store._apply_stored(
            {"t": {"r": {"a": "\ufffd [1]", "o": "\ufffd[1]"}, "s": {"a": "\ufffd{}"}}}, {}
        )
    assert store.get_tables() == {"t": {"r": {"a": [1]}}}
    assert refused == [("t", "r", "o", "\ufffd[1]"), ("t", "s", "a", "\ufffd{}")]


BAD: list[Any] = [
    None, 5, [], {}, {"t": {}}, {"t": 1}, {"t": {"c": {}}}, {"t": {"c": 1}}, {"t": {"c": {"type": "texts"}}},
    {"t": {"c": {"type": ["text"]}}},
       {"t": {"c": {"type": []}}}, {"t": {"c": {"type": ["string", 1]}}}, {"t": {"c": {"default": 1}}},
    {"t": {"c": {"type": "string", "enum": ["a"]}}}, {"t": {"c": {"enum": []}}}, {"t": {"c": {"enum": "a"}}},
    {"t": {"c": {"enum": [None]}}}, {"t": {"c": {"enum": [[1]]}}}, {"t": {"c": {"enum": ["\ufffc"]}}},
    {"t": {"c": {"enum": [float("nan")]}}}, {"t": {"c": {"type": "string", "default": None}}},
]  # fmt: skip


@pytest.mark.parametrize("schema", BAD)
def test_what_is_no_schema_changes_nothing(schema: Any) -> None:
    store = Store().set_tables_schema({"old": {"c": {"type": "number"}}}).set_cell("old", "r", "c", 1)
    with pytest.raises(InvalidSchemaError):
        store.set_tables_schema(schema)
    ignoring = Store(on_invalid="ignore").set_tables_schema({"old": {"c": {"type": "number"}}})
    ignoring.set_cell("old", "r", "c", 1).set_tables_schema(schema)
    for each in (store, ignoring):
        assert each.get_tables_schema() == {"old": {"c": {"type": "number"}}}
        assert each.get_tables() == {"old": {"r": {"c": 1}}}


@pytest.mark.parametrize("schema", [case["t"] for case in BAD if isinstance(case, dict) and "t" in case])
def test_what_is_no_schema_of_values_changes_nothing(schema: Any) -> None:
    with pytest.raises(InvalidSchemaError):
        Store().set_values_schema(schema)
    ignoring = Store(on_invalid="ignore").set_value("v", 1).set_values_schema(schema)
    assert not ignoring.has_values_schema()
    assert ignoring.get_values() == {"v": 1}


@pytest.mark.parametrize(
    "cell",
    [{"type": "string", "default": 1}, {"type": "string", "extra": 1}, {"enum": ["a"], "default": "b"},
             {"type": "string", "allow_null": True}, {"type": "object", "default": {"a": float("nan")}}],
)  # fmt: skip
def test_a_default_that_does_not_fit_and_unknown_keys_raise_or_are_dropped(cell: Any) -> None:
    with pytest.raises(InvalidSchemaError, match=r"'t'.*'c'"):
        Store().set_tables_schema({"t": {"c": cell}})
    kept = {key: cell[key] for key in ("type", "enum") if key in cell}
    assert Store(on_invalid="ignore").set_tables_schema({"t": {"c": cell}}).get_tables_schema() == {
        "t": {"c": kept}
    }


def test_with_ignore_entries_that_are_no_schema_are_left_out() -> None:
    given: Any = {"t": {"c": {"type": "string"}, "d": 5}, "u": {"x": {}}, 1: {"c": {"type": "string"}}}
    values: Any = {"v": {"type": "string"}, "w": None, 1: {}}
    store = Store(on_invalid="ignore").set_schema(given, values)
    assert store.get_tables_schema() == {"t": {"c": {"type": "string"}}}
    assert store.get_values_schema() == {"v": {"type": "string"}}


def test_a_schema_is_the_stores_own() -> None:
    given: Any = {"t": {"c": {"type": ["array"], "default": [1]}, "d": {"enum": [1]}}}
    store = Store().set_tables_schema(given)
    given["t"]["c"]["default"].append(2)
    given["t"]["c"]["type"].append("string")
    read: Any = store.get_tables_schema()
    read["t"]["c"]["default"].append(2)
    read["t"]["d"]["enum"].append(2)
    assert store.get_tables_schema() == {"t": {"c": {"type": ["array"], "default": [1]}, "d": {"enum": [1]}}}
    assert store.get_values_schema() == {}


def test_a_schema_keeps_the_places_of_the_one_in_force_when_it_is_set() -> None:
    store = Store().set_tables_schema({"t": {"b": {"type": "string"}}})

    def replace(_: Store) -> None:
        store.set_tables_schema({"u": {"b": {"type": "string"}}})

    listener = store.add_start_transaction_listener(replace)
    store.set_tables_schema({"t": {"a": {"type": "string"}, "b": {"type": "string"}}})
    assert list(store.get_tables_schema()["t"]) == ["a", "b"]
    store.del_listener(listener)
    store.set_tables_schema(
        {"s": {"c": {"type": "string"}}, "t": {"c": {"type": "string"}, "b": {"type": "string"}}}
    )
    assert list(store.get_tables_schema()) == ["t", "s"]
    assert list(store.get_tables_schema()["t"]) == ["b", "c"]
