"""A stalled event loop, and what the log says of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from support.servers import eventually, serving
from support.yclient import YClient
from weft.limits import ServerLimits
from weft.server.auth import Allow, Request
from weft.server.fronts import watchdog as module

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def block_everybody(until: Callable[[], bool]) -> None:
    while not until():
        time.sleep(0.01)  # what is tested: nobody is served meanwhile


def has_stalled(watchdog: module.LoopWatchdog, more_than: int) -> bool:
    return watchdog.stalls > more_than


async def test_the_log_says_where_the_loop_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    monkeypatch.setattr(module, "_QUIET_S", 0.0)
    watchdog = module.LoopWatchdog(0.1)
    watchdog.start()
    try:
        block_everybody(until=lambda: "block_everybody (" in caplog.text)
    finally:
        watchdog.stop()
    assert "(test_watchdog.py:" in caplog.text
    assert not any(thread.name == "weft-watchdog" for thread in threading.enumerate())


async def test_many_stalls_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    watchdog = module.LoopWatchdog(0.05)
    watchdog.start()
    try:
        for _ in range(3):
            stalls, began = watchdog.stalls, time.monotonic()
            block_everybody(until=partial(has_stalled, watchdog, stalls))
            await eventually(lambda began=began: watchdog._noted > began)
    finally:
        watchdog.stop()
    assert caplog.text.count("max_stall") == 1


async def test_a_loop_that_goes_on_is_left_alone() -> None:
    watchdog = module.LoopWatchdog(5.0)
    watchdog.start()
    await asyncio.sleep(0)
    watchdog.stop()
    assert not watchdog.stalls


async def test_a_hook_that_blocks_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def blocking_hook(request: Request) -> Allow:
        block_everybody(until=lambda: "blocking_hook" in caplog.text)
        return Allow()

    caplog.set_level(logging.WARNING, "weft.server")
    monkeypatch.setattr(module, "_QUIET_S", 0.0)
    async with (
        serving(auth=blocking_hook, server_limits=ServerLimits(max_stall=0.05)) as server,
        YClient(server.url, "room") as client,
    ):
        await client.synced()
        assert server.stats().stalls >= 1
    assert "blocking_hook (test_watchdog.py:" in caplog.text
