"""A stalled event loop, and what the log says of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING

from support.servers import eventually, serving
from support.yclient import YClient
from weft.limits import ServerLimits
from weft.server.auth import Allow, Request
from weft.server.fronts.watchdog import LoopWatchdog

if TYPE_CHECKING:
    import pytest


def block_everybody(seconds: float) -> None:
    time.sleep(seconds)


async def test_the_log_says_where_the_loop_is_and_does_so_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    watchdog = LoopWatchdog(0.05)
    watchdog.start()
    try:
        for stalls in (1, 2):
            block_everybody(0.5)
            await eventually(lambda stalls=stalls: watchdog.stalls >= stalls)
    finally:
        watchdog.stop()
    (said,) = [record.getMessage() for record in caplog.records if "max_stall" in record.getMessage()]
    assert "in block_everybody (test_watchdog.py:" in said
    assert not any(thread.name == "weft-watchdog" for thread in threading.enumerate())


async def test_a_loop_that_goes_on_is_left_alone() -> None:
    watchdog = LoopWatchdog(5.0)
    watchdog.start()
    await asyncio.sleep(0)
    watchdog.stop()
    assert not watchdog.stalls


async def test_a_hook_that_blocks_is_named(caplog: pytest.LogCaptureFixture) -> None:
    def blocking_hook(request: Request) -> Allow:
        block_everybody(0.5)
        return Allow()

    caplog.set_level(logging.WARNING, "weft.server")
    async with (
        serving(auth=blocking_hook, server_limits=ServerLimits(max_stall=0.05)) as server,
        YClient(server.url, "room") as client,
    ):
        await client.synced()
        assert server.stats().stalls >= 1
    assert "blocking_hook (test_watchdog.py:" in caplog.text
