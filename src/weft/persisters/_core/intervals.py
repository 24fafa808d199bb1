"""How long automatic saves stay apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["SaveInterval"]


class SaveInterval:
    """The seconds from the end of one save to the begin of the next automatic one.

    The first edit after a pause is saved at once, and what is edited within the interval after that in one
    save at its end.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_loop: asyncio.AbstractEventLoop | None = None

    def saved(self, loop: asyncio.AbstractEventLoop) -> None:
        """A save has ended well."""
        self._next = loop.time() + self.seconds
        if self._timer is not None:  # planned by another interval
            self._timer.cancel()
            self._timer = None

    def is_over(self, loop: asyncio.AbstractEventLoop | None) -> bool:
        """Whether the next save may begin."""
        return not self.seconds or loop is None or loop.time() >= self._next

    def wait(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
        """Have a callback called when it is over; once, however often this is called before."""
        if self._timer is None or self._timer_loop is not loop:  # that of a loop which ended never comes

            def over() -> None:
                self._timer = None
                callback()

            self._timer = loop.call_at(self._next, over)
            self._timer_loop = loop

    def end(self) -> None:
        """Wait no longer, and keep saves apart no longer."""
        self.seconds = 0.0
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
