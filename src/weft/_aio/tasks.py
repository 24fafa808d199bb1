"""Ending tasks, and waiting for the first of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

__all__ = ["end_tasks", "first_of"]


async def end_tasks(tasks: Iterable[asyncio.Task[object]], *, grace_seconds: float | None = 0) -> None:
    """Cancel tasks and return when they are over. A cancellation of the caller is raised after that.

    Those whose event loop was closed are left alone: they are over, or never will be.

    Args:
        tasks: The tasks. They must end in bounded time when cancelled: nothing else ends the wait, so that
            nothing leaks.
        grace_seconds: How long they may take to end by themselves before they are cancelled; ``None``: as
            long as they like. A cancellation of the caller ends it.
    """
    tasks = [task for task in tasks if not task.get_loop().is_closed()]
    interruption: asyncio.CancelledError | None = None
    if grace_seconds != 0 and (pending := [task for task in tasks if not task.done()]):
        try:
            await asyncio.wait(pending, timeout=grace_seconds)
        except asyncio.CancelledError as error:
            interruption = error
    for task in tasks:
        task.cancel()
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            interruption = error
    if interruption is not None:
        raise interruption


async def first_of(*waits: Coroutine[object, object, object]) -> None:
    """Wait until one of them is over, and end the others. What they return or raise is not told."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()
