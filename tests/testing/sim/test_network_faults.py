"""The faults that pass by themselves hold back what they are there to hold back, and no longer."""

from __future__ import annotations

from weft.testing import FaultRates
from weft.testing.sim.network_faults import NetworkFaults
from weft.testing.sim.scheduler import Scheduler


class Faults(NetworkFaults):
    """With a clock of its own, and the moments at which a fault was over."""

    def __init__(self) -> None:
        self.clock = Scheduler()
        self.passed: list[float] = []
        super().__init__(
            self.clock, FaultRates(delay=1.0, drop=0.5), lambda: self.passed.append(self.clock.now)
        )

    def pass_time(self, until: float) -> None:
        while self.clock.step(until):
            pass


def test_a_clog_holds_one_direction_until_it_is_over() -> None:
    faults = Faults()
    faults.clog("a", "b", 3.0)
    faults.clog("a", "b", 2.0)
    faults.pass_time(2.9)
    assert faults.is_held("a", "b")
    assert not faults.is_held("b", "a")
    assert not faults.is_cut("a", "b")
    faults.pass_time(3.0)
    assert not faults.is_held("a", "b")
    assert faults.passed == [2.0, 3.0]


def test_a_partition_cuts_and_a_frozen_node_hears_nothing() -> None:
    faults = Faults()
    faults.partition([("a", "b"), ("b", "a")], 2.0)
    faults.freeze("c", 1.0)
    assert faults.is_cut("a", "b")
    assert faults.is_cut("b", "a")
    assert faults.is_held("a", "c")
    assert not faults.is_held("c", "a")
    faults.pass_time(1.0)
    assert not faults.is_frozen("c")
    assert faults.is_held("b", "a")


def test_healing_ends_everything_at_once() -> None:
    faults = Faults()
    faults.clog("a", "b", 9.0)
    faults.partition([("a", "b")], 9.0)
    faults.freeze("b", 9.0)
    faults.heal()
    assert not faults.is_held("a", "b")
    assert faults.rates == FaultRates(delay=0.05)
    assert faults.passed == [0.0]
