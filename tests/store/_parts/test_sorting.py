"""The order of rows by a cell, as JavaScript has it."""

from __future__ import annotations

import random
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft import UNDEFINED, Store


def store_of(cells: list[Any]) -> Store:
    """A table with a row for each cell; UNDEFINED: without the cell."""
    rows = {
        f"r{number}": {"c": cell} if cell is not UNDEFINED else {"x": 1} for number, cell in enumerate(cells)
    }
    return Store().set_table("t", rows)


def sorted_cells(cells: list[Any], **options: Any) -> list[Any]:
    ids = store_of(cells).get_sorted_row_ids("t", "c", **options)
    return [cells[int(row_id[1:])] for row_id in ids]


# What getSortedRowIds of TinyBase 10.0.1 gives under Node 20.
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([3, 1, 2], [1, 2, 3]),
        ([1.5, -1, True, 0, False], [-1, 0, False, True, 1.5]),
        ([2, None, -1, UNDEFINED, 1], [-1, None, UNDEFINED, 1, 2]),
        (["b", "a", "B", ""], ["", "B", "a", "b"]),
        (["é", "z", "a", "😀", "\uffee"], ["a", "z", "é", "😀", "\uffee"]),
        (["10", 9, "8"], ["8", 9, "10"]),
        (["2", 10, "x1f", 3], ["2", 10, "x1f", 3]),
        ([[2], [10, 1], "1"], ["1", [10, 1], [2]]),
        ([{"a": 1}, "[object Objecs]", "[object Objecu]"], ["[object Objecs]", {"a": 1}, "[object Objecu]"]),
        ([[None, True, [1.0, {}]], ",true,1,[object Object\x00"],
         [",true,1,[object Object\x00", [None, True, [1.0, {}]]]),
        (["0x10", " 15 ", "0b1", "0o7", "", "-1e1", "Infinity", 5],
         ["", " 15 ", "-1e1", "0b1", 5, "0o7", "0x10", "Infinity"]),
        (["0x10", 17, " 15 ", 8, "0b1", 2, "0o11", 1000, "-1e1", "Infinity", "-Infinity", ".5", "5.", "1_0",
          "\u00a07\ufeff"],
         [8, " 15 ", "-1e1", "-Infinity", ".5", "0b1", 2, "0o11", "0x10", "5.", "\u00a07\ufeff", 17, 1000,
          "1_0", "Infinity"]),
    ],
)  # fmt: skip
def test_cells_are_ordered_as_javascript_compares_them(cells: list[Any], expected: list[Any]) -> None:
    assert list(map(repr, sorted_cells(cells))) == list(map(repr, expected))


NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, -0.5, True, False, None, UNDEFINED])


@given(st.lists(NUMBERS) | st.lists(st.text("aAé😀\uffff", max_size=2)), st.booleans())
def test_equal_cells_stay_in_place_and_descending_is_the_exact_reverse(
    cells: list[Any], descending: bool
) -> None:
    store = store_of(cells) if cells else Store()

    def key(row_id: str) -> Any:
        cell = cells[int(row_id[1:])]
        if isinstance(cell, str):
            return cell.encode("utf-16-be")
        return cell if cell not in {None, UNDEFINED} else 0

    ascending = sorted((f"r{number}" for number in range(len(cells))), key=key)
    expected = ascending[::-1] if descending else ascending
    assert store.get_sorted_row_ids("t", "c", descending) == expected


def js_less(a: float | str, b: float | str) -> bool:
    """The comparison for numbers and text of digits or letters."""
    if isinstance(a, str) and isinstance(b, str):
        return a < b
    numbers = [float(x) if not isinstance(x, str) or x.isdigit() else float("nan") for x in (a, b)]
    return numbers[0] < numbers[1]


@given(st.lists(st.integers(0, 9) | st.sampled_from(["1", "5", "x", "y", "10"]), max_size=40), st.booleans())
def test_where_there_is_no_order_the_algorithm_gives_the_result(cells: list[Any], descending: bool) -> None:
    sign = -1 if descending else 1

    def compare(i: int, j: int) -> int:
        return sign * (-1 if js_less(cells[i], cells[j]) else 1)

    order = sorted(range(len(cells)), key=cmp_to_key(compare))
    if cells:
        assert store_of(cells).get_sorted_row_ids("t", "c", descending) == [f"r{i}" for i in order]


def test_row_ids_are_ordered_by_utf16_units_where_no_cell_is_given() -> None:
    ids = ["b", "a", "10", "9", "é", "\uffee", "😀"]
    store = Store().set_table("t", {row_id: {"c": 1} for row_id in ids})
    assert store.get_sorted_row_ids("t") == ["10", "9", "a", "b", "é", "😀", "\uffee"]
    assert store.get_sorted_row_ids("t", None, True) == ["10", "9", "a", "b", "é", "😀", "\uffee"][::-1]
    ascii_only = Store().set_table("t", {row_id: {"c": 1} for row_id in ids[:4]})
    assert ascii_only.get_sorted_row_ids("t") == ["10", "9", "a", "b"]


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [
        (0, None, "abcd"), (1, None, "bcd"), (0, 2, "ab"), (1, 2, "bc"), (2, 9, "cd"), (9, 2, ""), (0, 0, ""),
        (-1, None, "d"), (-3, 2, "bc"), (-2, 2, ""), (-9, 2, ""), (-9, 10, "a"), (0, -1, "abc"),
    ],
)  # fmt: skip
def test_offset_and_limit_cut_as_javascripts_slice(offset: int, limit: int | None, expected: str) -> None:
    store = Store().set_table("t", {row_id: {"c": 1} for row_id in "abcd"})
    assert "".join(store.get_sorted_row_ids("t", "c", False, offset, limit)) == expected


def test_a_sorter_of_the_callers_own_decides() -> None:
    store = store_of([3, [1], UNDEFINED, "x"])
    seen: list[Any] = []

    def by_text(a: Any, b: Any) -> int:
        seen.extend([a, b])
        return (repr(a) > repr(b)) - (repr(a) < repr(b))

    assert store.get_sorted_row_ids("t", "c", sorter=by_text) == ["r3", "r0", "r2", "r1"]
    assert store.get_sorted_row_ids("t", "c", True, sorter=by_text) == ["r1", "r2", "r0", "r3"]
    assert UNDEFINED in seen
    assert [1] in seen
    assert store.get_sorted_row_ids("t", sorter=lambda a, b: -1 if a > b else 1) == ["r3", "r2", "r1", "r0"]


def test_twenty_thousand_shuffled_rows_come_out_in_order() -> None:
    numbers = list(range(20_000))
    random.Random(1).shuffle(numbers)
    store = store_of([number / 2 for number in numbers])
    ids = store.get_sorted_row_ids("t", "c")
    assert [numbers[int(row_id[1:])] for row_id in ids] == list(range(20_000))


def test_the_arguments_may_come_as_one_dictionary() -> None:
    store = store_of([2, 3, 1])
    assert store.get_sorted_row_ids({"table_id": "t", "cell_id": "c", "descending": True, "limit": 2}) == [
        "r1",
        "r0",
    ]
    assert store.get_sorted_row_ids({"table_id": "t"}) == ["r0", "r1", "r2"]
    heard: list[Any] = []
    store.add_sorted_row_ids_listener(
        {"table_id": "t", "cell_id": "c", "sorter": lambda a, b: b - a}, lambda _s, *args: heard.append(args)
    )
    store.add_sorted_row_ids_listener(
        "t", "c", True, 0, limit=1, listener=lambda _s, *args: heard.append(args), mutator=True
    )
    store.set_cell("t", "r2", "c", 9)
    assert heard == [("t", "c", True, 0, 1, ["r2"]), ("t", "c", False, 0, None, ["r2", "r1", "r0"])]
    with pytest.raises(TypeError):
        store.add_sorted_row_ids_listener("t")  # type: ignore[call-overload]
