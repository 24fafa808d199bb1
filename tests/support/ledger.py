"""What a server that is about to be killed has promised its clients."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Ledger"]


class Ledger:
    """What the clients were promised, round by round, and when the server's end has come."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int] = {}
        self.sent: dict[str, int] = {}
        self.seen: dict[str, Any] = {}  # by a client that did not write it
        self._left = 0
        self._reached = asyncio.Event()

    def count_down(self, acknowledgements: int) -> None:
        self._left = acknowledgements
        self._reached.clear()

    def acknowledge(self, cells: dict[str, int]) -> None:
        self.acknowledged.update(cells)
        self._left -= len(cells)
        if self._left <= 0:
            self._reached.set()

    async def reached(self) -> None:
        async with asyncio.timeout(20):
            await self._reached.wait()
