"""Faults that the comparison with TinyBase found (tests/differential), each as small as it could be made."""

from __future__ import annotations

from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidCellError
from weft.store import create_checkpoints, create_middleware

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


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("present", [False, True])
def test_nan_and_infinities_are_refused_by_the_fast_path(number: float, present: bool) -> None:
    store = Store()
    if present:
        store.set_cell("t", "r", "c", 1)
    with pytest.raises(InvalidCellError):
        store.set_cell("t", "r", "c", number)
    with pytest.raises(InvalidCellError), store.transaction():
        store.set_cell("t", "r", "c", number)
    assert store.get_cell("t", "r", "c", UNDEFINED) == (1 if present else UNDEFINED)


def test_a_long_hexadecimal_text_sorts_as_infinity() -> None:
    store = Store().set_table("t", {"r": {"c": "0x" + "f" * 300}, "s": {"c": 5}, "u": {"c": "Infinity"}})
    assert store.get_sorted_row_ids("t", "c") == ["s", "r", "u"]


def test_cells_a_new_row_misses_are_reported_before_middleware_is_asked() -> None:
    store = Store(on_invalid="ignore").set_tables_schema(
        {"t": {"a": {"type": "string"}, "b": {"type": "number"}}}
    )
    create_middleware(store).add_will_set_cell_callback(lambda *_: None)
    heard: list[Any] = []
    store.add_invalid_cell_listener("t", "r", None, lambda *args: heard.append(args[3:]))
    store.set_cell("t", "r", "b", 1)
    assert heard == [("a", [UNDEFINED]), ("b", [None])]


def test_an_object_that_cannot_be_restored_is_reported_as_an_object() -> None:
    store = Store().set_values_schema({"w": {"type": "array", "default": [0]}})
    checkpoints = create_checkpoints(store)
    heard: list[Any] = []
    store.add_invalid_value_listener(None, lambda *args: heard.append(args[1:]))
    store.set_values_schema({"v": {"type": "object"}})
    heard.clear()
    checkpoints.go_backward()
    assert heard == [("w", [[0]])]
    assert type(heard[0][1][0]) is list


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
