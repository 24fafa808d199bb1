"""Telling many changes at once: the first at once, those that follow soon after it together."""

from __future__ import annotations

import time
from _thread import get_ident
from asyncio import get_running_loop
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

__all__ = ["INTERVAL", "Batches"]

INTERVAL: Final = 0.05
"""Seconds between two batches; what comes meanwhile is in the second."""


class Batches:
    """Calls a function in the thread and the event loop in which this was made, when there is news.

    A change in that thread is told at once where the last batch was a while ago: a program that works in a
    cell of a notebook does not let the loop run. Without a loop each is told at once, where it is made.

    Args:
        tell: What is called.
        clock: Seconds that never go back.
    """

    def __init__(self, tell: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._thread = get_ident()
        self._loop = _running_loop()
        self._next = 0.0
        self._timer: TimerHandle | None = None
        self._is_asked = False

    def note(self) -> None:
        """There is news; from any thread."""
        loop = self._loop
        if loop is None or not loop.is_running():
            self._tell()
        elif get_ident() == self._thread:
            self._note_here(loop)
        elif not self._is_asked:
            self._is_asked = True
            loop.call_soon_threadsafe(self._note_here, loop)

    def close(self) -> None:
        """Call nothing any more."""
        self._tell = _nothing
        if self._timer is not None:
            self._timer.cancel()

    def _note_here(self, loop: AbstractEventLoop) -> None:
        self._is_asked = False
        if self._timer is not None:
            return
        left = self._next - self._clock()
        if left > 0:
            self._timer = loop.call_later(left, self._tell_now)
        else:
            self._tell_now()

    def _tell_now(self) -> None:
        self._timer = None
        self._next = self._clock() + INTERVAL
        self._tell()


def _nothing() -> None:
    pass


def _running_loop() -> AbstractEventLoop | None:
    try:
        return get_running_loop()
    except RuntimeError:
        return None
