"""Says in the log where an event loop is when it serves nobody for too long.

The loop notes the time; a thread looks at the note, and where it is old, at what the loop's thread is doing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from pathlib import Path

__all__ = ["LoopWatchdog"]

_log = logging.getLogger("weft.server")

_FRAMES = 6  # innermost ones, that are named
_QUIET_S = 10.0  # between two lines of log: what stalls once often does so again


class LoopWatchdog:
    """Watches the event loop that it is started in.

    Args:
        seconds: That a loop may do one thing.

    Attributes:
        stalls: How often it took longer.
    """

    def __init__(self, seconds: float) -> None:
        self.stalls = 0
        self._seconds = seconds
        self._noted = 0.0
        self._loop_thread = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch from now on."""
        self._loop_thread = threading.get_ident()
        self._note()
        self._thread = threading.Thread(target=self._watch, name="weft-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _note(self) -> None:
        self._noted = time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(self._seconds / 2, self._note)

    def _watch(self) -> None:
        step = self._seconds / 4
        told = quiet_until = 0.0
        before, used = time.monotonic(), time.process_time()
        while not self._ended.wait(step):
            now, now_used = time.monotonic(), time.process_time()
            # Who was late itself and has used no time was suspended, with the whole process.
            was_suspended = now - before > self._seconds and now_used - used < (now - before) / 2
            before, used = now, now_used
            noted = self._noted
            # The note is renewed each half of the time, and may be that old when the stall begins.
            if now - noted < self._seconds * 1.5 or noted == told or was_suspended:
                continue
            told = noted
            self.stalls += 1
            if now >= quiet_until:
                quiet_until = now + _QUIET_S
                _log.warning(
                    "the event loop has served nobody for more than %g s (max_stall); it is in %s",
                    self._seconds,
                    self._where(),
                )

    def _where(self) -> str:
        """The innermost calls of the loop's thread, the last first; no content."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - there is no other way
        calls = traceback.extract_stack(frame)[: -_FRAMES - 1 : -1]
        return " < ".join(f"{call.name} ({Path(call.filename).name}:{call.lineno})" for call in calls)
