"""What somebody types into a cell, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from weft import Store
from weft.errors import DataError
from weft.notebook.edits import edit_cell

GONE = object()


def edited(present: dict[str, Any], text: str, schema: Any = None, on_invalid: Any = "raise") -> Any:
    store = Store(on_invalid=on_invalid).set_row("t", "r", {**present, "other": 0})
    if schema is not None:
        store.set_tables_schema({"t": {"other": {"type": "number"}, "c": schema}})
    edit_cell(store, "t", "r", "c", text)
    return store.get_row("t", "r").get("c", GONE)


@pytest.mark.parametrize(
    ("present", "text", "cell"),
    [
        ({"c": "dog"}, "5", "5"),
        ({"c": "dog"}, "", ""),
        ({"c": "dog"}, '"x"', '"x"'),
        ({"c": 5}, "6.5", 6.5),
        ({"c": 5}, " ", GONE),
        ({"c": 5}, "null", None),
        ({"c": True}, "false", False),
        ({"c": [1]}, '{"a": [null]}', {"a": [None]}),
        ({"c": None}, "5", 5),
        ({}, "5", 5),
        ({}, "five", "five"),
        ({}, "[1", "[1"),
        ({}, "[1]", [1]),
        ({}, "", GONE),
    ],
)
def test_without_a_schema_the_kind_of_cell_stays(present: dict[str, Any], text: str, cell: object) -> None:
    result = edited(present, text)
    assert result == cell
    assert type(result) is type(cell)


@pytest.mark.parametrize(
    ("schema", "text", "cell"),
    [
        ({"type": "string"}, "5", "5"),
        ({"type": "number"}, "5", 5),
        ({"type": ["number", "string"]}, "5", 5),
        ({"type": ["number", "string"]}, "five", "five"),
        ({"type": "number", "allowNull": True}, "null", None),
        ({"type": "number", "default": 7}, "", 7),
        ({"enum": ["a", "1"]}, "1", "1"),
        ({"enum": [1, 2]}, "2", 2),
        ({"type": "array"}, "[1]", [1]),
    ],
)
def test_a_schema_says_what_it_is(schema: Any, text: str, cell: object) -> None:
    assert edited({}, text, schema) == cell


@pytest.mark.parametrize(
    ("present", "text", "schema", "reason"),
    [
        ({"c": 5}, "five", None, "this must be a number"),
        ({"c": 5}, "true", None, "this must be a number"),
        ({"c": True}, "yes", None, "this must be true or false"),
        ({"c": [1]}, "[1", None, "this must be a list or an object in JSON"),
        ({"c": 5}, "1e400", None, "finite"),
        ({"c": "a"}, "\ufffdx", None, "U\\+FFFD"),
        ({"c": 5}, "null", {"type": "number"}, "null|None"),
        ({"c": 5}, "", {"type": "number", "required": True}, "the schema requires this cell"),
        ({"c": "a"}, "z", {"enum": ["a", "b"]}, "the schema allows"),
    ],
)
def test_what_is_refused(present: Any, text: str, schema: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        edited(present, text, schema)


def test_a_store_that_ignores_says_nothing_so_the_edit_does() -> None:
    with pytest.raises(DataError, match="the Store did not take it"):
        edited({"c": "a"}, "z", {"enum": ["a", "b"]}, on_invalid="ignore")


def test_a_row_that_is_gone_is_not_made_again() -> None:
    store = Store()
    with pytest.raises(DataError, match="the row was deleted meanwhile"):
        edit_cell(store, "t", "r", "c", "5")
    assert store.get_tables() == {}
