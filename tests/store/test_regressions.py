"""Faults that the comparison with TinyBase found (tests/differential), each as small as it could be made."""

from __future__ import annotations

from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidCellError

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
