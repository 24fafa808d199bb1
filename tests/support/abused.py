"""A server process with little memory, and an honest pair that goes on editing on it whatever others do."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.serving import WeftServe
from support.yclient import YClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["HonestPair", "abused", "honest_pair"]

_LIMITED = (str(Path(__file__).with_name("crash_server.py")), "limited")
_KEYS = 50
_PAUSE_S = 0.01  # between their writes, so that they are not the ones who keep the server busy


def abused(path: Path, *options: str) -> WeftServe:
    """``weft serve`` with 512 MiB."""
    return WeftServe(path, *options, program=_LIMITED)


class HonestPair:
    """Two clients of a room of their own that take turns to write, each waiting until the other has it.

    Attributes:
        writes: How many have arrived.
        latencies: Seconds that each took.
    """

    def __init__(self, one: YClient, other: YClient) -> None:
        self.writes = 0
        self.latencies: list[float] = []
        self._began = 0.0
        self._pair = one, other

    async def edit(self) -> None:
        """Go on for ever."""
        while True:
            writer, reader = self._pair if self.writes % 2 else self._pair[::-1]
            self._began = time.perf_counter()
            cell = {f"{self.writes % _KEYS}": self.writes}
            await writer.set(**cell)
            await reader.wait_for(**cell)
            self.latencies.append(self.waiting)
            self.writes += 1
            await asyncio.sleep(_PAUSE_S)

    @property
    def waiting(self) -> float:
        """Seconds since the last write was begun."""
        return time.perf_counter() - self._began

    async def settle(self) -> None:
        """See to it that everything they wrote is stored, and read by both."""
        one, other = self._pair
        await one.flush()
        await other.flush()
        assert one.content == other.content
        assert len(one.content) >= min(self.writes, _KEYS)


@asynccontextmanager
async def honest_pair(url: str) -> AsyncIterator[HonestPair]:
    """Have them edit for as long as the block lasts, and all of it arrive."""
    async with YClient(url, "honest") as one, YClient(url, "honest") as other:
        await one.synced()
        await other.synced()
        pair = HonestPair(one, other)
        editing = asyncio.create_task(pair.edit())
        try:
            yield pair
            before = pair.writes
            async with asyncio.timeout(20):
                while pair.writes < before + 2 and not editing.done():  # noqa: ASYNC110 - no event tells of it
                    await asyncio.sleep(_PAUSE_S)
        finally:
            editing.cancel()
            await asyncio.wait([editing])
        if not editing.cancelled():
            editing.result()
        await pair.settle()
