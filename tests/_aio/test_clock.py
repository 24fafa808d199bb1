from __future__ import annotations

from weft._aio.clock import SystemClock


async def test_time_goes_on_by_what_is_slept() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.02)
    assert clock.now() - before >= 0.015  # timers may be early by the clock's resolution
    await clock.sleep(0)
    await clock.sleep(-1)
