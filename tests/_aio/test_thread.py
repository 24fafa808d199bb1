from __future__ import annotations

import asyncio
import threading

import pytest

from weft._aio.thread import WorkerThread
from weft.testing.persisters import until


async def test_calls_run_one_after_the_other_in_one_thread_that_is_not_the_callers() -> None:
    thread, ran = WorkerThread("weft-test"), list[tuple[int, str]]()

    def call(number: int) -> int:
        ran.append((number, threading.current_thread().name))
        return number

    assert await asyncio.gather(*(thread.run(call, number) for number in range(20))) == [*range(20)]
    assert [number for number, _ in ran] == [*range(20)]
    assert {name for _, name in ran} == {"weft-test_0"}
    await thread.close()


async def test_what_a_call_raises_is_raised_and_the_next_runs() -> None:
    thread = WorkerThread("weft-test")
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0)
    assert await thread.run(lambda: 1) == 1
    await thread.close()


async def test_a_cancelled_caller_leaves_its_call_running_and_the_next_waits_for_it() -> None:
    thread, log = WorkerThread("weft-test"), list[str]()
    begun, release = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        release.wait(10)
        log.append("slow")

    cancelled = asyncio.create_task(thread.run(slow))
    await until(begun.is_set)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    following = asyncio.create_task(thread.run(lambda: log.append("next")))
    closed = asyncio.create_task(thread.close())
    await asyncio.sleep(0)
    assert log == []
    release.set()
    await asyncio.gather(following, closed)
    assert log == ["slow", "next"]
    with pytest.raises(RuntimeError):
        await thread.run(lambda: None)


async def test_a_closing_that_is_cancelled_ends_the_thread_all_the_same() -> None:
    thread, gate = WorkerThread("weft-cancelled"), threading.Event()
    work = asyncio.create_task(thread.run(gate.wait))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await thread.close()
    gate.set()
    assert await work
    await until(lambda: not any(one.name.startswith("weft-cancelled") for one in threading.enumerate()))
