"""One timer for all connections: each has one next deadline, and most never reach it."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

__all__ = ["Timed", "TimerWheel"]

_log = logging.getLogger("weft.server")


class Timed(Protocol):
    """Who has a deadline.

    Attributes:
        slot: Written by the wheel.
    """

    slot: int

    def deadline(self) -> None:
        """The deadline has come."""


class TimerWheel:
    """Deadlines, each up to a step late.

    Args:
        step: Seconds.
    """

    def __init__(self, step: float = 0.5) -> None:
        self._step = step
        self._slots: dict[int, set[Timed]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def set(self, timed: Timed, seconds: float) -> None:
        """Give somebody a deadline in place of the one there was."""
        loop = asyncio.get_running_loop()
        self.discard(timed)
        timed.slot = int((loop.time() + seconds) / self._step) + 1
        self._slots.setdefault(timed.slot, set()).add(timed)
        if self._timer is None:
            self._timer = loop.call_later(self._step, self._turn)

    def discard(self, timed: Timed) -> None:
        """Forget the deadline that somebody may have."""
        slot = self._slots.get(timed.slot)
        if slot is not None:
            slot.discard(timed)
            if not slot:
                del self._slots[timed.slot]

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = int(loop.time() / self._step)
        for number in [number for number in self._slots if number <= now]:
            for timed in self._slots.pop(number):
                try:
                    timed.deadline()
                except Exception:  # noqa: BLE001 - one connection's fault is not the others'
                    _log.exception("a connection's timer failed")
        self._timer = loop.call_later(self._step, self._turn) if self._slots else None
