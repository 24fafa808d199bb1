"""The order of rows by a cell, as JavaScript has it, and the sort behind it."""

from __future__ import annotations

import random
import sys
from bisect import insort_right
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest
from hypothesis import given, strategies as st

from weft import UNDEFINED, Store
from weft.store._parts.sorting import SHORT, run_sorted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


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


def test_a_long_hexadecimal_text_sorts_as_infinity() -> None:
    store = Store().set_table("t", {"r": {"c": "0x" + "f" * 300}, "s": {"c": 5}, "u": {"c": "Infinity"}})
    assert store.get_sorted_row_ids("t", "c") == ["s", "r", "u"]


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


def sorted_by_v8(items: Iterable[T], less: Callable[[T, T], bool]) -> list[T]:
    """Sort fewer than 64 items as V8 does: a run at the beginning, and the rest by binary insertion."""

    class Item:
        def __init__(self, item: T) -> None:
            self.item = item

        def __lt__(self, other: Self) -> bool:
            return less(self.item, other.item)

    rest = list(map(Item, items))
    done, rest = rest[:1], rest[1:]
    descending = bool(rest) and rest[0] < done[0]
    while rest and (rest[0] < done[-1]) is descending:
        done.append(rest.pop(0))
    if descending:
        done.reverse()
    for item in rest:
        insort_right(done, item)
    return [item.item for item in done]


def js_less(a: float | str, b: float | str) -> bool:
    """The comparison for numbers and text of digits or letters."""
    if isinstance(a, str) and isinstance(b, str):
        return a < b
    numbers = [float(x) if not isinstance(x, str) or x.isdigit() else float("nan") for x in (a, b)]
    return numbers[0] < numbers[1]


@given(st.lists(st.integers(0, 9) | st.sampled_from(["1", "5", "x", "y", "10"]), max_size=40), st.booleans())
def test_where_there_is_no_order_the_algorithm_gives_the_result(cells: list[Any], descending: bool) -> None:
    order = sorted_by_v8(range(len(cells)), lambda i, j: js_less(cells[i], cells[j]) is not descending)
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


# The sort that short columns without an order are sorted by.


@given(st.lists(st.tuples(st.integers(0, 5), st.integers()), max_size=SHORT - 1))
def test_what_has_an_order_is_sorted_and_equal_items_stay_in_place(items: list[tuple[int, int]]) -> None:
    expected = sorted(items, key=lambda item: item[0])
    assert run_sorted(list(items), lambda one, two: one[0] < two[0]) == expected


@given(st.lists(st.tuples(st.integers(0, 5), st.integers()), max_size=SHORT - 1))
def test_with_equal_items_before_each_other_the_result_is_the_exact_reverse(
    items: list[tuple[int, int]],
) -> None:
    expected = sorted(items, key=lambda item: item[0])[::-1]
    assert run_sorted(list(items), lambda one, two: not one[0] < two[0]) == expected


# What Array.prototype.sort of V8 (Node 20) and list.sort of CPython 3.11 and 3.12 give for ``a < b ? -1 : 1``
# with NaN, which is less than nothing and which nothing is less than.
@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([3, None, 1, 2], [3, None, 1, 2]),
        ([None, 3, 1, None, 2], [None, 1, 2, 3, None]),
        ([5, 4, None, 3, 2, None, 1], [1, 2, 3, 4, 5, None, None]),
    ],
)
def test_what_has_no_order_is_left_as_v8_leaves_it(
    items: list[int | None], expected: list[int | None]
) -> None:
    def less(one: int | None, two: int | None) -> bool:
        return one is not None and two is not None and one < two

    assert run_sorted(list(items), less) == expected


def test_the_later_item_is_asked_about_first() -> None:
    asked: list[tuple[int, int]] = []

    def less(one: int, two: int) -> bool:
        asked.append((one, two))
        return one < two

    assert run_sorted([1, 2], less) == [1, 2]
    assert asked == [(2, 1)]


def test_it_is_the_sort_of_v8() -> None:
    draw = random.Random(1)
    for _ in range(300):
        table = {(a, b): draw.random() < 0.5 for a in range(8) for b in range(8)}
        items = [draw.randrange(8) for _ in range(draw.randrange(SHORT))]

        def less(one: int, two: int, table: dict[tuple[int, int], bool] = table) -> bool:
            return table[one, two]

        def compare(one: int, two: int, table: dict[tuple[int, int], bool] = table) -> int:
            return -1 if table[one, two] else 1

        expected = sorted_by_v8(items, less)
        assert run_sorted(list(items), less) == expected
        if sys.version_info < (3, 13):  # since when list.sort begins in another way
            assert sorted(items, key=cmp_to_key(compare)) == expected
