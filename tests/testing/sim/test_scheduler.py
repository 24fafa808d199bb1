"""Virtual time: calls in order, and nothing between them."""

from __future__ import annotations

from weft.testing.sim.scheduler import Scheduler


def test_calls_are_made_in_the_order_of_their_moments_and_then_of_their_asking() -> None:
    clock = Scheduler()
    heard: list[str] = []
    clock.at(2.0, heard.append, "late")
    clock.at(1.0, heard.append, "first")
    clock.at(1.0, heard.append, "second")
    clock.at(1.0, clock.at, 0.5, heard.append, "too late for 0.5")
    while clock.step(1.5):
        assert clock.now == 1.0
    assert heard == ["first", "second", "too late for 0.5"]
    assert clock.now == 1.5
    assert clock.step(2.0)
    assert heard[-1] == "late"
