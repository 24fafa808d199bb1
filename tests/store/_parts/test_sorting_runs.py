"""The sort that short columns without an order are sorted by."""

from __future__ import annotations

import random
import sys
from functools import cmp_to_key

import pytest
from hypothesis import given, strategies as st

from weft.store._parts.sorting import SHORT, run_sorted


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


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="list.sort begins in another way since 3.13")
def test_it_is_the_sort_that_python_had() -> None:
    draw = random.Random(1)
    for _ in range(300):
        table = {(a, b): draw.random() < 0.5 for a in range(8) for b in range(8)}
        items = [draw.randrange(8) for _ in range(draw.randrange(SHORT))]

        def less(one: int, two: int, table: dict[tuple[int, int], bool] = table) -> bool:
            return table[one, two]

        def compare(one: int, two: int, table: dict[tuple[int, int], bool] = table) -> int:
            return -1 if table[one, two] else 1

        assert run_sorted(list(items), less) == sorted(items, key=cmp_to_key(compare))
