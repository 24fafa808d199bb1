from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from weft.persisters._core.turn_queue import TurnQueue


async def _held(turns: TurnQueue, log: list[object], name: object) -> None:
    async with turns.turn():
        log.append(name)


async def test_turns_come_in_order_and_may_be_taken_again_by_their_holder() -> None:
    turns, log = TurnQueue(), list[object]()
    async with turns.turn(), turns.turn():
        assert (turns.mine, turns.free) == (True, False)
        tasks = [asyncio.create_task(_held(turns, log, number)) for number in range(5)]
        await asyncio.sleep(0)
        assert log == []
    await asyncio.gather(*tasks)
    assert log == [0, 1, 2, 3, 4]
    assert (turns.mine, turns.free) == (False, True)


async def test_whoever_is_cancelled_waiting_or_just_come_passes_the_turn_on() -> None:
    turns, log = TurnQueue(), list[object]()
    async with turns.turn():
        waiting, come, last = (asyncio.create_task(_held(turns, log, name)) for name in "abc")
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    come.cancel()  # the turn is its own already, and it does not know yet
    await asyncio.wait([come, last])
    assert come.cancelled()
    assert log == ["c"]
    assert turns.free


async def test_an_error_within_gives_the_turn_back() -> None:
    turns = TurnQueue()
    with suppress(ZeroDivisionError):
        async with turns.turn():
            raise ZeroDivisionError
    assert turns.free


async def test_one_thing_has_one_queue_and_none_has_its_own() -> None:
    thing, other = object(), object()
    queue = TurnQueue.of(thing)
    assert TurnQueue.of(thing) is queue
    assert TurnQueue.of(other) is not queue
    assert TurnQueue.of(None) is not TurnQueue.of(None)


def test_event_loops_in_several_threads_take_turns_with_each_other() -> None:
    turns, inside, most = TurnQueue(), list[int](), list[int]()

    async def work(number: int) -> None:
        for _ in range(50):
            async with turns.turn():
                inside.append(number)
                await asyncio.sleep(0)
                most.append(len(inside))
                inside.pop()

    async def several(number: int) -> None:
        await asyncio.gather(*(work(number) for _ in range(3)))

    threads = [threading.Thread(target=lambda n=n: asyncio.run(several(n))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 450
    assert set(most) == {1}
    assert turns.free


async def test_a_loop_that_was_closed_holds_nobody_up() -> None:
    turns, log = TurnQueue(), list[object]()

    def wait_in_a_loop_and_leave() -> None:
        loop = asyncio.new_event_loop()
        task = loop.create_task(_held(turns, log, "gone"))
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    async with turns.turn():
        await asyncio.to_thread(wait_in_a_loop_and_leave)
        task = asyncio.create_task(_held(turns, log, "here"))
        await asyncio.sleep(0)
    await task
    assert log == ["here"]
    assert turns.free
