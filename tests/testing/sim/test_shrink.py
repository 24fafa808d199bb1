from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, strategies as st

from weft.testing import SimFailure, SimNet
from weft.testing.sim.__main__ import shrunk
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


class ThirdEditIsOneTooMany:
    def step(self, net: SimNet, peer: object) -> None:
        assert net.stats.edits < 3, "three edits"

    def end(self, net: SimNet) -> None: ...


def test_a_failing_schedule_becomes_as_small_as_its_failure() -> None:
    options = {"oracles": [ThirdEditIsOneTooMany()]}
    failure = None
    try:
        SimNet(2, **options).run()  # type: ignore[arg-type]
    except SimFailure as caught:
        failure = caught
    assert failure is not None
    small = shrunk(2, failure, options)
    assert [action.kind for action in small.plan.actions] == ["edit"] * 3
    assert "three edits" in small.reason
    kept = ",".join(str(action.index) for action in small.plan.actions)
    assert small.command == f"python -m weft.testing.sim --seed 2 --keep {kept}"
