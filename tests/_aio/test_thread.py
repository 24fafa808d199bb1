from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from weft._aio.thread import WorkerThread, run_apart
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


async def test_apart_it_gives_and_raises_what_the_function_does() -> None:
    assert await run_apart(lambda one, two: one + two, 1, two=2) == 3
    with pytest.raises(ZeroDivisionError):
        await run_apart(lambda: 1 // 0)


def test_neither_the_loop_nor_the_process_waits_for_what_runs_apart() -> None:
    program = (
        "import asyncio, threading\n"
        "from weft._aio.thread import run_apart\n"
        "async def main():\n"
        "    task = asyncio.create_task(run_apart(threading.Event().wait))\n"
        "    await asyncio.sleep(0.01)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
        "print('over')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert (done.stdout, done.stderr) == ("over\n", "")


async def test_what_comes_after_a_cancellation_goes_nowhere() -> None:
    begun, release = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        release.wait(10)
        raise ValueError("nobody hears of it")

    call = asyncio.create_task(run_apart(slow))
    await asyncio.to_thread(begun.wait, 10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    release.set()
    await until(lambda: not any(thread.name == "weft-apart" for thread in threading.enumerate()))
    await asyncio.sleep(0)
