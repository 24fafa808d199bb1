"""A clock that goes when a test says so."""

from __future__ import annotations

import asyncio

__all__ = ["ManualClock"]


class ManualClock:
    """A public fake of a provider's clock: time stands still until :meth:`advance`.

    Use it from one event loop.
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._sleepers: dict[asyncio.Future[None], float] = {}
        self._watchers: dict[asyncio.Future[None], int] = {}

    def now(self) -> float:
        """Seconds."""
        return self._now

    @property
    def deadlines(self) -> list[float]:
        """The moments that sleepers wait for, earliest first."""
        return sorted(self._sleepers.values())

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has been moved that far; zero and less only give way to other tasks."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers[sleeper] = self._now + seconds
        for watcher, count in self._watchers.items():
            if len(self._sleepers) >= count and not watcher.done():
                watcher.set_result(None)
        try:
            await sleeper
        finally:
            self._sleepers.pop(sleeper, None)

    def advance(self, seconds: float) -> None:
        """Move time on and wake those whose moment has come, earliest first."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds
        for sleeper, deadline in sorted(self._sleepers.items(), key=lambda item: item[1]):
            if deadline <= self._now and not sleeper.done():
                del self._sleepers[sleeper]
                sleeper.set_result(None)

    async def wait_for_sleepers(self, count: int = 1) -> list[float]:
        """Wait until at least that many tasks sleep; return :attr:`deadlines`."""
        while len(self._sleepers) < count:
            watcher = asyncio.get_running_loop().create_future()
            self._watchers[watcher] = count
            try:
                await watcher
            finally:
                del self._watchers[watcher]
        return self.deadlines
