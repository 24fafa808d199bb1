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


async def test_tasks_may_end_by_themselves_as_long_as_they_have_time() -> None:
    gate = asyncio.Event()

    async def waiting() -> bool:
        return await gate.wait()

    task = asyncio.create_task(waiting())
    ending = asyncio.create_task(end_tasks([task], grace_seconds=None))
    await asyncio.sleep(0)
    gate.set()
    await ending
    assert task.result()
    task = asyncio.create_task(asyncio.Event().wait())
    await end_tasks([task], grace_seconds=0.001)
    assert task.cancelled()
    await end_tasks([task], grace_seconds=None)


async def test_a_cancellation_ends_their_time_and_not_the_wait_for_their_end() -> None:
    gate, ended = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await gate.wait()
            ended.set()

    task = asyncio.create_task(stubborn())
    ending = asyncio.create_task(end_tasks([task], grace_seconds=None))
    await asyncio.sleep(0)
    for _ in range(3):
        ending.cancel()
        await asyncio.sleep(0)
    assert not ending.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert ended.is_set()


@pytest.mark.parametrize("grace_seconds", [0, None])
def test_tasks_of_a_closed_event_loop_are_not_waited_for(grace_seconds: float | None) -> None:
    loop = asyncio.new_event_loop()
    over = loop.create_task(asyncio.sleep(0))
    hanging = loop.create_task(asyncio.Event().wait())
    loop.run_until_complete(over)
    loop.close()
    asyncio.run(end_tasks([over, hanging], grace_seconds=grace_seconds))
    assert not hanging.done()
    hanging._log_destroy_pending = False  # type: ignore[attr-defined]
