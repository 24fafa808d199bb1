"""Giving memory back to the system when clients have left, which nobody does by itself.

Two things keep it: what refers to itself in a circle (a room, a client) waits for Python's collector, which
comes by when as much has been made anew; and glibc gives back only the end of its heap, so that a small thing
that is still in use keeps megabytes below it. After an attack that is over both may be for good.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_INTERVAL_S = 2.0
_LONGEST_S = 16.0  # between two looks, where the last ones brought nothing
_LOOKS = 3  # since somebody has left: what was kept for them may go somewhat later
_MORE = 1.05  # times the least that the process has had: less is not worth the milliseconds
_WORTH_IT = 0.98  # of what there was is left at most

__all__ = ["MemoryReturn", "resident"]


class MemoryReturn:
    """Looks every few seconds whether somebody has left and memory could be given back.

    Does nothing where the system does not say how much memory the process has, or the C library is not glibc.

    Args:
        departures: Something that is different when clients have left, or rooms are no longer in memory.
    """

    def __init__(self, departures: Callable[[], object]) -> None:
        self._departures = departures
        self._trim = _malloc_trim()

    async def run(self) -> None:
        """Go on for ever."""
        least = resident()
        if self._trim is None or least is None:
            return
        gc.freeze()  # what the imports left will not go, and need not be looked through each time
        seen = self._departures()
        pause = _INTERVAL_S
        looks = 0
        while True:
            await asyncio.sleep(pause)
            if (now := self._departures()) != seen:
                seen, looks = now, _LOOKS
            if not looks:
                continue
            looks -= 1
            before = after = resident() or 0
            if before > least * _MORE:
                # Some ten milliseconds for a hundred thousand objects; the other is done in a thread.
                gc.collect()
                await asyncio.to_thread(self._trim, 0)
                after = resident() or 0
                pause = _INTERVAL_S if after < before * _WORTH_IT else min(2 * pause, _LONGEST_S)
            least = min(least, after)


def resident() -> int | None:
    """Bytes of memory that the process has; ``None`` where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or none that is found so (Windows)
        return None
