"""Cells and values as mirrors and persisters bring them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.values import EncodedCell


def receive(store: Store, tables: Any, values: Any) -> list[Any]:
    with store.transaction(origin="peer"):
        return list(store._apply_stored(tables, values))


def test_received_cells_come_raw_or_encoded_and_leave_the_rest_alone() -> None:
    store = Store().set_content(({"t": {"r": {"a": 1}}}, {"v": 1}))
    received: Any = {
        "t": {
            "r": {"b": "\ufffd[1]", "c": {"x": 1.0}, "d": 2.0},
            "s": {"a": EncodedCell("\ufffd{}"), "é": "é", "f": 1.5},
        },
        "u": {"q": {"a": None, "b": True}},
    }
    assert receive(store, received, {"w": "\ufffd[2]", "x": 3.0}) == []
    assert store.get_content() == (
        {
            "t": {"r": {"a": 1, "b": [1], "c": {"x": 1}, "d": 2}, "s": {"a": {}, "é": "é", "f": 1.5}},
            "u": {"q": {"a": None, "b": True}},
        },
        {"v": 1, "w": [2], "x": 3},
    )


def test_received_deletions_delete_one_cell_and_no_default_takes_its_place() -> None:
    cell: Any = {"type": "number", "default": 0}
    store = Store().set_schema({"t": {"a": cell, "b": cell}}, {"v": cell})
    store.set_row("t", "r", {"a": 1, "b": 2}).set_value("v", 5)
    assert (
        receive(
            store, {"t": {"r": {"a": UNDEFINED, "x": UNDEFINED}, "n": {"a": UNDEFINED}}}, {"v": UNDEFINED}
        )
        == []
    )
    assert store.get_content() == ({"t": {"r": {"b": 2}}}, {})
    receive(store, {"t": {"r": {"b": UNDEFINED}}}, {"missing": UNDEFINED})
    assert store.get_tables() == {}


BAD: list[Any] = [
    math.nan,
    2**53,
    b"x",
    "\ufffc",
    "\ufffd",
    "\ufffd5",
    "\ud800",
    object(),
    [math.nan],
    UNDEFINED.__class__,
]


@pytest.mark.parametrize("is_new", [False, True])
def test_received_data_that_is_bad_never_raises_and_is_reported(is_new: bool) -> None:
    store = Store()
    reports: list[Any] = []
    store.add_invalid_cell_listener(None, None, None, lambda _s, *args: reports.append(args))
    store.add_invalid_value_listener(None, lambda _s, *args: reports.append(args))
    for bad in BAD:
        store.set_content(({} if is_new else {"t": {"r": {"good": 0, "bad": 0}}}, {"bad": 0}))
        reports.clear()
        refused = receive(store, {"t": {"r": {"bad": bad, "good": 1}}}, {"bad": bad, "good": 1})
        assert refused == [("t", "r", "bad", bad), ("bad", bad)]
        assert reports == [("t", "r", "bad", [bad]), ("bad", [bad])]
        # What stood in the place of a refused cell stands nowhere any more.
        assert store.get_content() == ({"t": {"r": {"good": 1}}}, {"good": 1})


def test_received_ids_that_are_none_are_reported_too() -> None:
    store = Store().set_cell("t", "r", "a", 1)
    refused = receive(
        store,
        {1: {"r": {"a": 1}}, "t": {"\ud800": {"a": 2}, "r": {None: 3}, "n": {"\ud800": 1, "ok": 1}}},
        {2: 4},
    )
    assert refused == [
        ("1", "r", "a", 1),
        ("t", "\ud800", "a", 2),
        ("t", "r", "None", 3),
        ("t", "n", "\ud800", 1),
        ("2", 4),
    ]
    assert store.get_content() == ({"t": {"r": {"a": 1}, "n": {"ok": 1}}}, {})


def test_received_cells_pass_the_schema_and_defaults_fill_new_rows() -> None:
    store = Store().set_schema(
        {"t": {"a": {"type": "number", "default": 7}, "b": {"type": "string"}}},
        {"v": {"type": "number", "default": 1}},
    )
    refused = receive(
        store, {"t": {"r": {"b": "x"}, "s": {"a": "x", "c": 1}}, "u": {"r": {"a": 1}}}, {"v": "x", "w": 1}
    )
    assert refused == [("t", "s", "a", "x"), ("t", "s", "c", 1), ("u", "r", "a", 1), ("v", "x"), ("w", 1)]
    assert store.get_content() == ({"t": {"r": {"b": "x", "a": 7}, "s": {"a": 7}}}, {"v": 1})


def test_new_rows_are_received_in_order_and_deletions_of_what_is_not_there_are_no_cells() -> None:
    store = Store().set_content(({"t": {"old": {"a": 1}}}, {}))
    bad = "\ud800"
    rows = {
        "x": {"a": 1, "b": UNDEFINED},
        "old": {"a": 2, "b": 0},
        "none": {"a": UNDEFINED},
        bad: {"a": UNDEFINED, "b": 1},
        "y": {bad: UNDEFINED, "b": 2.0, "a": 3},
        "z": {bad: 1, "a": float("nan")},
    }
    refused = receive(store, {"t": rows, bad: {"r": {"a": UNDEFINED}}}, {})
    assert [item[:-1] for item in refused] == [("t", bad, "b"), ("t", "z", bad), ("t", "z", "a")]
    assert store.get_tables() == {"t": {"old": {"a": 2, "b": 0}, "x": {"a": 1}, "y": {"a": 3, "b": 2}}}
    assert store.get_row_ids("t") == ["old", "x", "y"]
    assert store.get_table_cell_ids("t") == ["a", "b"]


def test_received_cells_are_written_only_inside_a_transaction() -> None:
    store = Store(on_invalid="ignore")
    assert store._apply_stored({"t": {"r": {"c": 1}}}, {}) == []
    assert store.get_tables() == {}
