"""Schemas: what they allow, what they add, and how they are read and exchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidCellError, InvalidSchemaError, InvalidValueError


def lenient() -> tuple[Store, list[Any]]:
    store = Store(on_invalid="ignore")
    reports: list[Any] = []
    store.add_invalid_cell_listener(None, None, None, lambda _s, *args: reports.append(args))
    store.add_invalid_value_listener(None, lambda _s, *args: reports.append(args))
    return store, reports


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


def test_a_schema_on_a_store_with_content_drops_what_does_not_fit_and_adds_defaults() -> None:
    store = Store().set_content(
        (
            {"pets": {"a": {"species": 1, "price": 2}, "b": {"x": 1}}, "zoo": {"q": {"x": 1}}},
            {"open": 1, "size": 2},
        )
    )
    store.set_schema(SCHEMA, {"open": {"type": "boolean", "default": False}, "size": {"type": "number"}})
    assert store.get_tables() == {
        "pets": {
            "a": {"species": "dog", "price": 2, "tags": ["new"], "owner": None},
            "b": {"species": "dog", "tags": ["new"], "owner": None},
        }
    }
    assert store.get_values() == {"open": False, "size": 2}
    store.del_schema()
    assert not store.has_tables_schema()
    assert not store.has_values_schema()
    assert store.get_row_count("pets") == 2
    store.set_cell("pets", "a", "species", 1)
    assert store.get_cell("pets", "a", "species") == 1


def test_deleting_one_schema_keeps_the_other_and_the_data() -> None:
    store = Store().set_schema(SCHEMA, {"open": {"type": "boolean", "default": False}})
    assert (store.has_tables_schema(), store.has_values_schema()) == (True, True)
    store.del_tables_schema()
    assert (store.has_tables_schema(), store.has_values_schema()) == (False, True)
    store.del_values_schema()
    assert (store.has_tables_schema(), store.has_values_schema()) == (False, False)
    assert store.get_values() == {"open": False}


def test_schemas_are_exchangeable_as_json() -> None:
    store = Store().set_schema(SCHEMA, {"v": {"enum": ["a", 1.0], "required": True}})
    assert store.get_tables_schema_json() == json.dumps(SCHEMA, separators=(",", ":"))
    assert store.get_values_schema_json() == '{"v":{"enum":["a",1],"required":true}}'
    assert store.get_schema_json() == f"[{store.get_tables_schema_json()},{store.get_values_schema_json()}]"
    tables_schema, values_schema = json.loads(store.get_schema_json())
    again = Store().set_schema(tables_schema, values_schema)
    assert again.get_schema_json() == store.get_schema_json()
    assert Store().get_schema_json() == "[{},{}]"


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


BAD: list[Any] = [
    None, 5, [], {}, {"t": {}}, {"t": 1}, {"t": {"c": {}}}, {"t": {"c": 1}}, {"t": {"c": {"type": "text"}}},
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


def test_a_nested_default_from_a_peer_is_checked_by_its_kind() -> None:
    store = Store().set_tables_schema({"t": {"a": {"type": "array"}, "o": {"type": "object"}}})
    with store.transaction():
        refused = store._apply_stored(
            {"t": {"r": {"a": "\ufffd [1]", "o": "\ufffd[1]"}, "s": {"a": "\ufffd{}"}}}, {}
        )
    assert store.get_tables() == {"t": {"r": {"a": [1]}}}
    assert refused == [("t", "r", "o", "\ufffd[1]"), ("t", "s", "a", "\ufffd{}")]
