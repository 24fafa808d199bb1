"""Trying again by itself what a place refused of a save, after pauses that grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["RetryTimer"]


class RetryTimer:
    """Calls ``retry`` after a pause, which is doubled with each :meth:`plan` until it is forgotten.

    Args:
        retry: What to call, in the event loop.
    """

    def __init__(self, retry: Callable[[], None]) -> None:
        self._retry = retry
        self._handle: asyncio.TimerHandle | None = None
        self._pause = 0.0

    def plan(self, loop: asyncio.AbstractEventLoop, first_seconds: float, last_seconds: float) -> None:
        """Have it called, unless that is planned already."""
        if self._handle is None:
            self._pause = min(self._pause * 2 or first_seconds, last_seconds)
            self._handle = loop.call_later(self._pause, self._fire)

    def forget(self) -> None:
        """Have it not called; the next pause is the first again."""
        self._pause = 0.0
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        self._retry()
