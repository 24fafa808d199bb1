from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, strategies as st

from weft.testing.sim.shrink import shrink

if TYPE_CHECKING:
    from collections.abc import Sequence


@given(st.sets(st.integers(0, 40), min_size=1, max_size=5))
def test_what_is_left_is_just_what_the_failure_needs(needed: set[int]) -> None:
    assert set(shrink(range(41), needed.issubset)) == needed


def test_no_more_attempts_are_made_than_allowed() -> None:
    tried: list[Sequence[int]] = []

    def fails(items: Sequence[int]) -> bool:
        tried.append(items)
        return {3, 90} <= set(items)

    kept = shrink(range(100), fails, attempts=7)
    assert len(tried) == 7
    assert {3, 90} <= set(kept)
    assert len(kept) < 100
