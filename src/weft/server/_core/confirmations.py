"""Everybody who waits for storage, with one task for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Confirmations"]


class Confirmations:
    """Tells those who wait that storage has everything up to their ticket.

    Storage commits in groups: whoever waits for a ticket of one commit is told in one go when it is over, by
    the one task there is while somebody waits.

    Args:
        stored: Awaits the durability of a ticket.

    Attributes:
        durable: A ticket up to which everything is known to be durable.
    """

    __slots__ = ("_stored", "_task", "_waiting", "durable")

    def __init__(self, stored: Callable[[int], Awaitable[None]]) -> None:
        self.durable = 0
        self._stored = stored
        self._waiting: dict[int, list[Callable[[Exception | None], None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def wait(self, ticket: int, told: Callable[[Exception | None], None]) -> None:
        """Have somebody told.

        Args:
            ticket: Storage's.
            told: Called once, in a later turn, with ``None`` or with what was raised instead. Must not raise.
        """
        self._waiting.setdefault(ticket, []).append(told)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        try:
            while self._waiting:
                ticket = min(self._waiting)
                error: Exception | None = None
                try:
                    await self._stored(ticket)
                except Exception as failure:  # noqa: BLE001 - whatever a storage raises is told
                    error = failure
                else:
                    self.durable = max(self.durable, ticket)
                for told in self._waiting.pop(ticket):
                    told(error)
        finally:
            self._task = None
