"""When news is told: at once, together with what follows, and in the thread that listens."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from weft.notebook.batches import INTERVAL, Batches


async def test_the_first_is_told_at_once_and_the_others_together() -> None:
    told: list[float] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        told.append(loop.time())
        if len(told) == 2:
            done.set()

    batches = Batches(tell, loop.time)
    for _ in range(100):
        batches.note()
    assert len(told) == 1  # before the loop runs again: a cell of a notebook may work for long
    await done.wait()
    assert told[1] - told[0] >= INTERVAL
    for _ in range(3):  # nothing is left over
        await asyncio.sleep(0)
    assert len(told) == 2


async def test_what_other_threads_note_is_told_in_this_one() -> None:
    told: list[str] = []
    done = asyncio.Event()

    def tell() -> None:
        told.append(threading.current_thread().name)
        done.set()

    batches = Batches(tell)

    def work() -> None:
        for _ in range(100):
            batches.note()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == []
    await done.wait()
    assert told == [threading.current_thread().name]


async def test_after_close_nothing_is_told() -> None:
    told: list[Any] = []
    batches = Batches(lambda: told.append(1))
    batches.note()
    batches.note()
    batches.close()
    batches.note()
    await asyncio.sleep(0)
    assert told == [1]


def test_without_a_loop_each_is_told_at_once() -> None:
    told: list[Any] = []
    batches = Batches(lambda: told.append(1))
    batches.note()
    batches.note()
    assert told == [1, 1]
