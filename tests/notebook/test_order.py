"""The order of rows, kept up to date a row at a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft.notebook.order import RowOrder
from weft.values import UNDEFINED

CELLS = st.one_of(
    st.none(),
    st.just(UNDEFINED),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-2, 2),
    st.sampled_from("abc"),
    st.lists(st.integers(0, 1), max_size=1),
)
STEPS = st.lists(st.tuples(st.sampled_from("stuvwxyz"), st.one_of(st.just("gone"), CELLS)), max_size=20)


def rank(cell: object) -> Any:
    if isinstance(cell, bool):
        return (0, cell)
    if isinstance(cell, (int, float)):
        return (1, cell)
    return (2, cell) if isinstance(cell, str) else (3, str(cell))


@given(STEPS, st.booleans(), st.booleans(), st.integers(0, 6), st.integers(0, 6))
def test_any_part_is_that_of_a_sorted_list(
    steps: Any, is_sorted: bool, descending: bool, start: int, count: int
) -> None:
    order = RowOrder([], is_sorted=is_sorted, descending=descending)
    rows: dict[str, Any] = {}
    missing: dict[str, None] = {}  # in the order in which they came to have no cell
    for row_id, cell in steps:
        was = row_id in rows
        if cell == "gone":
            assert order.remove(row_id) is was
            rows.pop(row_id, None)
            missing.pop(row_id, None)
            continue
        order.put(row_id, cell)
        assert not order.put(row_id, cell)
        rows[row_id] = cell
        if not is_sorted or cell is None or cell is UNDEFINED:
            missing.setdefault(row_id, None)
        else:
            missing.pop(row_id, None)
        assert row_id in order
    here = sorted(
        (row_id for row_id in rows if row_id not in missing), key=lambda id_: (rank(rows[id_]), id_)
    )
    others = list(missing)
    if descending:
        here.reverse()
        if not is_sorted:
            others.reverse()
    assert len(order) == len(rows)
    assert order.part(start, start + count) == [*here, *others][start : start + count]


@pytest.mark.parametrize("descending", [False, True])
def test_rows_that_are_there_at_first(descending: bool) -> None:
    rows = [("a", 2), ("b", UNDEFINED), ("c", True), ("d", "x"), ("e", 1.5)]
    order = RowOrder(rows, is_sorted=True, descending=descending)
    wanted = ["c", "e", "a", "d"]
    assert order.part(0, 9) == [*(reversed(wanted) if descending else wanted), "b"]
