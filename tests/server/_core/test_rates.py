"""Token buckets on a clock of the test's own."""

from __future__ import annotations

import random

import pytest

from weft.limits import ServerLimits
from weft.server._core.rates import BYTES, FRAMES, JOINS, MESSAGES, RATES, TIME, Meter, meter_of


def test_a_burst_is_free_and_what_is_above_it_waits() -> None:
    meter = Meter((10.0,), (2.0,))
    assert meter.take_one(0, 20, 100.0) == pytest.approx(0.0)  # what was saved up
    assert meter.take_one(0, 5, 100.0) == pytest.approx(0.5)
    assert meter.owed(0, 100.4) == pytest.approx(0.1)
    assert meter.owed(0, 100.6) < 0
    assert not meter.is_full(102.0)
    assert meter.is_full(102.6)
    assert meter.take_one(0, 20, 200.0) == pytest.approx(0.0)  # no more is saved up than that


def test_the_rate_that_is_exceeded_most_is_named() -> None:
    meter = Meter((10.0, 10.0, 0.0), (1.0, 1.0, 1.0))
    assert meter.take((5, 0, 1e9), 0.0) < 0
    assert meter.take((10, 40, 0), 0.0) == pytest.approx(3.0)
    assert meter.exceeded == 1
    assert meter.take((0, 0, 0), 0.0) == float("-inf")


def test_whatever_comes_no_more_than_burst_and_rate_is_let_in() -> None:
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    meter = Meter((50.0,), (3.0,))
    now = taken = 0.0
    for _ in range(2_000):
        wait = meter.owed(0, now)
        if wait > 0:
            now += wait * draw.choice((0.5, 1.0, 1.5))
            continue
        amount = draw.randrange(1, 30)
        meter.take_one(0, amount, now)
        taken += amount
        assert taken <= 50 * (now + 3) + 30, seed
        now += draw.random() * 0.2


def test_a_meter_has_the_rates_of_the_settings_and_those_of_many_are_a_multiple() -> None:
    limits = ServerLimits(
        byte_rate=100, frame_rate=1, message_rate=2, join_rate=5, rate_burst=1, time_burst=2
    )
    own, user = meter_of(limits), meter_of(limits, 3)
    for meter, times in ((own, 1), (user, 3)):
        assert meter.take_one(BYTES, 100 * times, 0.0) == pytest.approx(0.0)
        assert meter.take_one(FRAMES, times, 0.0) == pytest.approx(0.0)
        assert meter.take_one(MESSAGES, 2 * times, 0.0) == pytest.approx(0.0)
        assert meter.take_one(JOINS, 5 * times, 0.0) == pytest.approx(0.0)
    assert own.take_one(TIME, 1.0, 0.0) == pytest.approx(0.0)
    assert user.take_one(TIME, 100.0, 0.0) < 0  # of a connection alone
    assert [name for name in RATES if not hasattr(limits, name)] == []
