"""Finding out that a place changed, by looking again and again, and at once where something says so."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from weft._aio.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Polling"]


class Polling:
    """Calls ``look`` every ``seconds``, in a task of its own.

    Args:
        seconds: How long to wait between two looks; ``None``: until something calls. May be changed before
            the first.
        look: What to call. What it raises is reported once, until it works again.
        report: Takes those errors.
    """

    def __init__(
        self,
        seconds: float | None,
        look: Callable[[], Awaitable[None]],
        report: Callable[[Exception], object],
    ) -> None:
        self.seconds = seconds
        self._look = look
        self.report = report
        self._wake = asyncio.Event()
        self._woken = False
        self._ends: list[Callable[[], object]] = []
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    def wake_by(self, subscribe: Callable[[Callable[[], None]], Callable[[], object]]) -> None:
        """Look at once, besides, when something calls; from any thread, and as often as it likes.

        Args:
            subscribe: Called with what it is to call; returns a function that ends this, called by ``stop``.
        """
        self.when_stopped(subscribe(self._look_now))

    def when_stopped(self, end: Callable[[], object]) -> None:
        """Have ``stop`` call this too, and wait for what is awaitable of it."""
        self._ends.append(end)

    def _look_now(self) -> None:
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake.set)

    async def stop(self) -> None:
        """End the task, wait for its end, and then call all that was to be called."""
        async with AsyncExitStack() as stack:  # each of them, whatever becomes of the others
            for end in reversed(self._ends):
                stack.push_async_callback(_wait_for, end)
            await end_tasks([self._task])

    async def _run(self) -> None:
        failing = False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.seconds):  # wait_for can swallow a stop (Python 3.11)
                    await self._wake.wait()
            self._wake.clear()
            self._woken = False  # what calls from here on is seen by the next look
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - reported, and looked again
                if not failing:
                    self.report(error)
                failing = True
            else:
                failing = False


async def _wait_for(end: Callable[[], object]) -> None:
    ending = end()
    if inspect.isawaitable(ending):
        await ending
