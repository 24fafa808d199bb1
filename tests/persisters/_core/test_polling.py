from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from weft._support.callbacks import subscribe
from weft.errors import StorageError
from weft.persisters._core.polling import Polling
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER = 3600.0


class Look:
    """Counts the looks, and fails while it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.failing = False

    async def __call__(self) -> None:
        self.count += 1
        if self.failing:
            raise StorageError("away")


async def test_it_looks_again_and_again_until_it_is_stopped() -> None:
    look = Look()
    polling = Polling(0.001, look, lambda error: None)
    await until(lambda: look.count > 3)
    await polling.stop()
    count = look.count
    await asyncio.sleep(0)
    assert look.count == count


async def test_an_error_is_reported_once_until_looking_works_again() -> None:
    look, errors = Look(), list[Exception]()
    polling = Polling(0.001, look, errors.append)
    for times in (1, 2):
        look.failing, before = True, look.count
        await until(lambda before=before: look.count > before + 3)  # type: ignore[misc]
        assert len(errors) == times
        look.failing, before = False, look.count
        await until(lambda before=before: look.count > before + 1)  # type: ignore[misc]
    await polling.stop()


async def test_it_looks_at_once_when_it_is_woken_and_once_for_many_calls() -> None:
    look, wakers = Look(), list["Callable[[], None]"]()
    polling = Polling(NEVER, look, lambda error: None)
    polling.wake_by(lambda wake: subscribe(wakers, wake))
    (wake,) = wakers
    for expected in (1, 2):
        thread = threading.Thread(target=lambda: [wake() for _ in range(100)])
        thread.start()
        thread.join()
        await until(lambda expected=expected: look.count == expected)  # type: ignore[misc]
    await polling.stop()
    assert wakers == []
    wake()


async def test_what_wakes_it_during_a_look_leads_to_another() -> None:
    began, release, looks = asyncio.Event(), asyncio.Event(), list[None]()

    async def look() -> None:
        looks.append(None)
        began.set()
        await release.wait()

    polling = Polling(NEVER, look, lambda error: None)
    wakers = list["Callable[[], None]"]()
    polling.wake_by(lambda wake: subscribe(wakers, wake))
    wakers[0]()
    await began.wait()
    wakers[0]()
    release.set()
    await until(lambda: len(looks) == 2)
    await polling.stop()


async def test_stopping_ends_a_look_that_hangs() -> None:
    hangs = asyncio.Event()

    async def look() -> None:
        hangs.set()
        await asyncio.Event().wait()

    polling = Polling(0, look, lambda error: None)
    await hangs.wait()
    await polling.stop()


async def test_stopping_in_the_moment_in_which_it_is_woken_ends_it() -> None:
    look, wakers = Look(), list["Callable[[], None]"]()
    polling = Polling(NEVER, look, lambda error: None)
    polling.wake_by(lambda wake: subscribe(wakers, wake))
    await asyncio.sleep(0)
    polling._wake.set()  # what a waker in another thread does in the turn of the loop in which it is stopped
    await polling.stop()
    assert polling._task.done()


async def test_who_is_cancelled_while_it_stops_one_hears_of_it() -> None:
    looking, gate = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        looking.set()
        try:
            await asyncio.Event().wait()
        finally:
            await gate.wait()

    polling = Polling(0, look, lambda error: None)
    await looking.wait()
    stop = asyncio.create_task(polling.stop())
    await asyncio.sleep(0)
    stop.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await stop
    await polling.stop()


async def test_all_that_a_stop_calls_is_called_whatever_becomes_of_the_rest() -> None:
    ended = list[str]()

    async def fails() -> None:
        ended.append("fails")
        raise StorageError("away")

    async def waits() -> None:
        ended.append("waits")
        await asyncio.Event().wait()

    polling = Polling(NEVER, Look(), lambda error: None)
    polling.when_stopped(fails)
    polling.when_stopped(waits)
    polling.when_stopped(lambda: ended.append("last"))
    stop = asyncio.create_task(polling.stop())
    await until(lambda: "waits" in ended)
    stop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stop
    assert ended == ["fails", "waits", "last"]
