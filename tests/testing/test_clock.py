from __future__ import annotations

import asyncio

import pytest

from weft.testing.clock import ManualClock


async def test_sleepers_wake_when_their_moment_has_come_earliest_first() -> None:
    clock = ManualClock(100.0)
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as group:
        for seconds in (3, 1, 2, 0, -1):
            group.create_task(sleep(seconds))
        assert await clock.wait_for_sleepers(3) == [101.0, 102.0, 103.0]
        clock.advance(2)
        assert clock.deadlines == [103.0]
        assert clock.now() == 102.0
        clock.advance(1)
    assert woken == [0, -1, 1, 2, 3]


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1))
    await clock.wait_for_sleepers()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.deadlines == []
    clock.advance(2)


async def test_a_watcher_waits_for_as_many_sleepers_as_it_asked_for() -> None:
    clock = ManualClock()
    watcher = asyncio.create_task(clock.wait_for_sleepers(2))
    async with asyncio.TaskGroup() as group:
        group.create_task(clock.sleep(1))
        await clock.wait_for_sleepers(1)
        assert not watcher.done()
        group.create_task(clock.sleep(2))
        assert await watcher == [1.0, 2.0]
        clock.advance(2)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="back"):
        ManualClock().advance(-1)
