"""Finding out that a place changed, by looking again and again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Polling"]


class Polling:
    """Calls ``look`` every ``seconds``, in a task of its own.

    Args:
        seconds: How long to wait between two looks.
        look: What to call. What it raises is reported once, until it works again.
        report: Takes those errors.
    """

    def __init__(
        self, seconds: float, look: Callable[[], Awaitable[None]], report: Callable[[Exception], object]
    ) -> None:
        self._seconds = seconds
        self._look = look
        self._report = report
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End the task, and wait for its end."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - reported, and looked again
                if not failing:
                    self._report(error)
                failing = True
            else:
                failing = False
