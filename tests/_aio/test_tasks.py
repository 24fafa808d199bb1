from __future__ import annotations

import asyncio

import pytest

from weft._aio.tasks import end_tasks


async def test_tasks_are_over_when_it_returns() -> None:
    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)

    tasks = [asyncio.create_task(slow_to_end()) for _ in range(3)]
    await asyncio.sleep(0)
    await end_tasks(tasks)
    assert all(task.cancelled() for task in tasks)
    await end_tasks(tasks)
    await end_tasks([])


async def test_a_cancellation_waits_until_the_tasks_are_over() -> None:
    gate = asyncio.Event()
    ended = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await gate.wait()
            ended.set()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    ending = asyncio.create_task(end_tasks([task]))
    for _ in range(3):
        await asyncio.sleep(0)
        ending.cancel()
    await asyncio.sleep(0)
    assert not ending.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert ended.is_set()
