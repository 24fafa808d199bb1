"""Ending a process that was told to end, and does not."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["ExitDeadline"]

_FAILED = 1


class ExitDeadline:
    """Ends the process some time after the first signal, whatever it is doing.

    Also while its event loop is held up by a call that does not return. What was acknowledged is stored.

    Args:
        seconds: That the process has to end in good order.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def watch(self, number: int) -> None:
        """Begin when that signal comes, beside what the event loop does then.

        The loop hears of a signal by a byte in a pipe, which is written all the same; it replaces the handler
        that does nothing.
        """
        signal.signal(number, self._begin)
        signal.siginterrupt(number, False)

    def _begin(self, number: int, frame: FrameType | None) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._seconds, self._end)
            self._timer.daemon = True
            self._timer.start()

    def _end(self) -> None:
        # No log, and nothing of Python's streams: whoever is held up may hold their locks.
        said = f"weft serve: it did not end within {self._seconds:g} s and is ended, where it was:\n"
        with suppress(OSError):
            os.write(2, said.encode())
            faulthandler.dump_traceback(2)
        os._exit(_FAILED)
