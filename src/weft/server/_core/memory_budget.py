"""One bound on what waits in memory for all clients of a server together; the largest debtor is let go first.

Each client has bounds of its own, but many of them at once are more than a machine has. What is held is
summed up only when it has grown by a part of the bound, so that a server whose clients keep up never does.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Debtor", "MemoryBudget"]

_log = logging.getLogger("weft.server")

_QUIET_S = 10.0  # between two lines of log
_PARTS = 16  # of the bound: what may come upon it before it is looked at


class Debtor(Protocol):
    """A client for whom something is held."""

    def held(self) -> Iterator[tuple[int, int]]:
        """What is held for it: an identity, or 0 for what is held for nobody else, and the size in bytes."""

    def let_go(self) -> None:
        """End it, and free what is held, at once."""


class MemoryBudget:
    """What all clients of a server may have waiting.

    Args:
        max_bytes: Bytes, each counted once however many clients wait for it.
        debtors: All clients.

    Attributes:
        let_go: How many were.
        is_due: Whether it is looked in the next turn of the loop: what comes until then is not counted.
    """

    def __init__(self, max_bytes: int, debtors: Callable[[], Iterable[Debtor]]) -> None:
        self.let_go = 0
        self._max_bytes = max_bytes
        self._debtors = debtors
        self._grown = 0  # bytes since the last look, at most
        self.is_due = False
        self._quiet_until = 0.0

    def note(self, size: int) -> None:
        """So many bytes more may be held than before."""
        self._grown += size
        if self._grown * _PARTS > self._max_bytes and not self.is_due:
            self.is_due = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._grown, self.is_due = 0, False
        debtors = tuple(self._debtors())
        holders: dict[int, int] = {}
        for debtor in debtors:
            for identity, _ in debtor.held():
                holders[identity] = holders.get(identity, 0) + 1
        holders[0] = 1
        # Of what several wait for each has a share.
        debts = [sum(size // holders[identity] for identity, size in debtor.held()) for debtor in debtors]
        total = sum(debts)
        if total <= self._max_bytes:
            return
        over, count = total, 0
        for debt, debtor in sorted(zip(debts, debtors, strict=True), key=lambda each: each[0], reverse=True):
            if over <= self._max_bytes or not debt:
                break
            over -= debt
            count += 1
            debtor.let_go()
        self.let_go += count
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_S
            _log.warning(
                "%d bytes wait in memory for clients, more than max_waiting (%d): those who have most of it "
                "are let go (1013), %d so far",
                total,
                self._max_bytes,
                self.let_go,
            )
        self.note(self._max_bytes)  # what others wait for too is there still
