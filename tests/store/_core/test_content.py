"""Whole content in and out, as data and as JSON."""

from __future__ import annotations

import math
from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidCellError, InvalidJsonError, InvalidValueError

TABLES: Any = {"t": {"r": {"a": 1, "b": [1.0, {"x": None}]}, "1": {"c": "é"}, "0": {"c": 1e21}}}
VALUES: Any = {"v": True, "10": None, "9": {"k": 1e-7}}
# As JSON.stringify writes it: array indices first, objects as encoded strings, JavaScript's numbers.
JSON = (
    '[{"t":{"0":{"c":1e+21},"1":{"c":"é"},"r":{"a":1,"b":"\ufffd[1,{\\"x\\":null}]"}}},'
    '{"9":"\ufffd{\\"k\\":1e-7}","10":null,"v":true}]'
)


def test_content_goes_in_and_out() -> None:
    store = Store().set_content((TABLES, VALUES))
    assert store.get_content() == (TABLES, VALUES)
    assert Store().set_content(lambda: (TABLES, {})).get_content() == (TABLES, {})
    store.set_content(({}, {"v": 1}))
    assert store.get_content() == ({}, {"v": 1})
    store.set_content(({"t": {"r": {"c": 1}}}, {}))
    assert store.get_content() == ({"t": {"r": {"c": 1}}}, {})


@pytest.mark.parametrize(
    "content", [None, 5, "ab", {}, (), ({"t": {}}, {}), (None, {}), ({}, 5), (TABLES, {"v": math.nan})]
)
def test_what_is_no_content_changes_nothing(content: Any) -> None:
    store = Store().set_content((TABLES, VALUES))
    with pytest.raises((InvalidCellError, InvalidValueError)):
        store.set_content(content)
    assert store.get_content() == (TABLES, VALUES)


def test_content_of_tables_alone_leaves_the_values() -> None:
    store = Store().set_value("v", 1)
    tables_only: Any = (TABLES,)
    assert store.set_content(tables_only).get_content() == (TABLES, {"v": 1})


def test_json_has_tinybases_text_and_reads_back() -> None:
    store = Store().set_content((TABLES, VALUES))
    assert store.get_json() == JSON
    assert f"[{store.get_tables_json()},{store.get_values_json()}]" == JSON
    again = Store().set_json(JSON)
    assert again.get_content() == (TABLES, VALUES)
    assert again.get_row_ids("t") == ["0", "1", "r"], "a JavaScript parser would have put them so"
    assert again.get_json() == JSON
    apart = Store().set_tables_json(store.get_tables_json()).set_values_json(store.get_values_json())
    assert apart.get_json() == JSON
    assert Store().get_json() == "[{},{}]"


def test_json_may_hold_objects_as_they_are_and_any_number() -> None:
    store = Store().set_json('[{"t":{"r":{"a":{"x":[1.0]},"b":12345678901234567890,"c":-0.0}}},{"v":[]}]')
    assert store.get_content() == (
        {"t": {"r": {"a": {"x": [1]}, "b": 1.2345678901234567e19, "c": 0}}},
        {"v": []},
    )
    assert type(store.get_cell("t", "r", "b")) is float


def test_json_of_nothing_deletes_and_json_of_tables_alone_leaves_the_values() -> None:
    store = Store().set_content((TABLES, VALUES)).set_tables_json("{}")
    assert store.get_content() == ({}, VALUES)
    store.set_values_json("{}").set_tables_json('{"t":{"r":{"c":1}}}')
    assert store.get_content() == ({"t": {"r": {"c": 1}}}, {})
    store.set_value("v", 1).set_json('{"u":{"r":{"c":1}}}')
    assert store.get_content() == ({"u": {"r": {"c": 1}}}, {"v": 1})
    assert store.set_json("[{},{}]").get_content() == ({}, {})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[{},{}] x", "5", "null", '"a"', '[{"t":{},"t":{}},{}]', "[[],{}]", "[{},5]", "[NaN,{}]"],
)
def test_text_that_is_no_content_changes_nothing(text: str) -> None:
    store = Store().set_content((TABLES, VALUES))
    for method in (store.set_json, store.set_tables_json, store.set_values_json):
        with pytest.raises(InvalidJsonError):
            method(text)
    assert store.get_json() == JSON
    ignoring = Store(on_invalid="ignore").set_content((TABLES, VALUES))
    for method in (ignoring.set_json, ignoring.set_tables_json, ignoring.set_values_json):
        if text not in {"[{},5]", "[[],{}]"}:  # one of the parts is fine
            assert method(text) is ignoring
    assert ignoring.get_json() == JSON


@pytest.mark.parametrize("cell", ['"\ufffd5"', '"\ufffc"', "1e400", '"\ufffd[NaN]"'])
def test_json_with_a_cell_that_is_none_raises_or_is_left_out(cell: str) -> None:
    text = f'[{{"t":{{"r":{{"a":{cell},"b":1}}}}}},{{}}]'
    store = Store()
    with pytest.raises(InvalidCellError) as caught:
        store.set_json(text)
    assert caught.value.cell_id == "a"
    assert store.get_tables() == {}
    assert Store(on_invalid="ignore").set_json(text).get_tables() == {"t": {"r": {"b": 1}}}


def test_after_json_callers_may_still_not_pass_encoded_text() -> None:
    store = Store().set_json('[{"t":{"r":{"a":"\ufffd[1]"}}},{}]')
    with pytest.raises(InvalidCellError):
        store.set_cell("t", "r", "a", "\ufffd[1]")


def test_changes_merge() -> None:
    store = Store().set_content(
        ({"t": {"r": {"a": 1, "b": 2}, "s": {"a": 1}}, "u": {"r": {"a": 1}}}, {"v": 1, "w": 2})
    )
    changes: Any = (
        {
            "t": {"r": {"a": UNDEFINED, "c": [3]}, "s": UNDEFINED, "x": {"y": 1}},
            "u": UNDEFINED,
            "none": UNDEFINED,
        },
        {"v": UNDEFINED, "x": None, "none": UNDEFINED},
        1,
    )
    assert store.apply_changes(changes) is store
    assert store.get_content() == ({"t": {"r": {"b": 2, "c": [3]}, "x": {"y": 1}}}, {"w": 2, "x": None})


@pytest.mark.parametrize("changes", [None, 5, (), ({},), ({}, None, 1), ([], {}, 1)])
def test_what_are_no_changes_raises_or_is_ignored(changes: Any) -> None:
    store = Store().set_value("v", 1)
    with pytest.raises(InvalidCellError, match="triple"):
        store.apply_changes(changes)
    ignoring = Store(on_invalid="ignore").set_value("v", 1).apply_changes(changes)
    assert store.get_values() == ignoring.get_values() == {"v": 1}


def test_changes_give_defaults_only_to_new_rows_and_force_deletions() -> None:
    store = Store().set_tables_schema({"t": {"a": {"type": "number", "default": 0}, "b": {"type": "number"}}})
    store.apply_changes(({"t": {"r": {"b": 1}}}, {}, 1))
    assert store.get_row("t", "r") == {"b": 1, "a": 0}
    store.apply_changes(({"t": {"r": {"a": UNDEFINED}}}, {}, 1))
    assert store.get_tables() == {}


# What peers send.


MALFORMED: list[Any] = [None, 5, "ab", [1], True]


@pytest.mark.parametrize("rows", MALFORMED)
def test_changes_of_a_table_that_are_no_mapping_are_left_out(rows: Any) -> None:
    store = Store(on_invalid="ignore").set_cell("t", "r", "c", 1)
    heard: list[tuple[Any, ...]] = []
    store.add_invalid_cell_listener(None, None, None, lambda _, *args: heard.append(args))
    store.apply_changes(({"t": rows, "u": {"r": {"c": 2}}}, {"v": 3}, 1))
    assert store.get_content() == ({"t": {"r": {"c": 1}}, "u": {"r": {"c": 2}}}, {"v": 3})
    assert heard == [("t", None, None, [rows])]


@pytest.mark.parametrize("cells", MALFORMED)
def test_changes_of_a_row_that_are_no_mapping_are_left_out(cells: Any) -> None:
    store = Store(on_invalid="ignore").set_cell("t", "r", "c", 1)
    heard: list[tuple[Any, ...]] = []
    store.add_invalid_cell_listener(None, None, None, lambda _, *args: heard.append(args))
    store.apply_changes(({"t": {"r": cells, "s": {"c": 2}}}, {}, 1))
    assert store.get_content() == ({"t": {"r": {"c": 1}, "s": {"c": 2}}}, {})
    assert heard == [("t", "r", None, [cells])]


@pytest.mark.parametrize("tables", [{"u": {"r": {"c": 2}}, "t": None}, {"u": {"r": {"c": 2}}, "t": {"r": 5}}])
def test_changes_that_are_no_mapping_raise_and_change_nothing(tables: Any) -> None:
    store = Store().set_cell("t", "r", "c", 1)
    with pytest.raises(InvalidCellError, match="must be a mapping"):
        store.apply_changes((tables, {}, 1))
    assert store.get_tables() == {"t": {"r": {"c": 1}}}
    assert not store.has_table("u")
