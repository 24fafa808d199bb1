from __future__ import annotations

import asyncio

from weft.persisters._core.retry_timer import RetryTimer
from weft.testing.persisters import until


async def test_it_calls_once_for_each_plan_and_not_when_it_is_forgotten() -> None:
    calls: list[int] = []
    timer, loop = RetryTimer(lambda: calls.append(1)), asyncio.get_running_loop()
    timer.plan(loop, 0.001, 0.002)
    timer.plan(loop, 0.001, 0.002)
    await until(lambda: calls == [1])
    timer.plan(loop, 60.0, 60.0)
    timer.forget()
    timer.plan(loop, 0.001, 0.002)
    await until(lambda: calls == [1, 1])


async def test_pauses_grow_until_it_is_forgotten() -> None:
    pauses: list[float] = []

    class Loop:
        def call_later(self, seconds: float, call: object) -> asyncio.TimerHandle:
            assert callable(call)
            pauses.append(seconds)
            call()
            return asyncio.get_running_loop().call_later(0, lambda: None)

    timer = RetryTimer(lambda: None)
    for _ in range(2):
        for _ in range(4):
            timer.plan(Loop(), 1.0, 5.0)  # type: ignore[arg-type]
            timer._handle = None
        timer.forget()
    assert pauses == [1.0, 2.0, 4.0, 5.0] * 2
