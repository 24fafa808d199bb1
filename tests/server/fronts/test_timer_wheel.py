from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from support.servers import eventually
from weft.server.fronts.timer_wheel import Timed, TimerWheel

if TYPE_CHECKING:
    import pytest


class Client(Timed):
    def __init__(self) -> None:
        self.slot = 0
        self.calls = 0
        self.fault: Exception | None = None

    def deadline(self) -> None:
        self.calls += 1
        if self.fault is not None:
            raise self.fault


async def test_deadlines_come_and_those_that_were_moved_or_dropped_do_not() -> None:
    wheel = TimerWheel(step=0.01)
    due, moved, dropped = Client(), Client(), Client()
    for client in (due, moved, dropped):
        wheel.set(client, 0.01)
    wheel.set(moved, 1000.0)
    wheel.discard(dropped)
    wheel.discard(dropped)
    started = asyncio.get_running_loop().time()
    await eventually(lambda: due.calls > 0)
    assert asyncio.get_running_loop().time() - started >= 0.01
    again = Client()
    wheel.set(again, 0.0)
    await eventually(lambda: again.calls > 0)
    assert (due.calls, moved.calls, dropped.calls) == (1, 0, 0)
    wheel.discard(moved)


async def test_a_fault_of_one_is_reported_and_the_others_have_their_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wheel = TimerWheel(step=0.01)
    clients = [Client() for _ in range(3)]
    for client in clients:
        client.fault = RuntimeError("a bug")
        wheel.set(client, 0.0)
    await eventually(lambda: all(client.calls for client in clients))
    assert len(caplog.records) == 3
