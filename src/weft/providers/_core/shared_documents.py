"""The documents of a provider that keeps several in sync on one connection, and who waits for them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from weft.providers._core.confirmations import Confirmations

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from weft.providers._core.reconnect import ReconnectLoop
    from weft.providers._core.status import StatusTracker

__all__ = ["SharedDocuments"]


class _Kept(Protocol):
    def durable(self) -> Awaitable[None]:
        """Return when all that is in the document is on disk."""


class _Shared(Protocol):
    @property
    def synced(self) -> bool:
        """Whether what the server had has been received on the present connection."""

    @property
    def confirmations(self) -> Confirmations:
        """Who waits for the document."""

    @property
    def kept(self) -> _Kept | None:
        """The replica that it is in."""

    def detach(self) -> None:
        """Listen to it no longer."""


S = TypeVar("S", bound=_Shared)


class SharedDocuments(ABC, Generic[S]):
    """What adapters of the reconnect loop with several documents have in common.

    Args:
        tracker: Where errors go, and where waiting is done.

    Attributes:
        shares: The documents, by the name that they have on the connection.
        tracker: As given.
    """

    reconnect_loop: ReconnectLoop

    def __init__(self, tracker: StatusTracker) -> None:
        self.shares: dict[str, S] = {}
        self.tracker = tracker
        self._attached = False
        self._all = Confirmations(tracker, lambda: None)  # who waits for all documents

    def detach(self) -> None:
        """Listen no longer."""
        self._attached = False
        for shared in self.shares.values():
            shared.detach()

    async def durable(self) -> None:
        """Return when all that is in the documents is on disk, of those that a replica keeps."""
        for shared in tuple(self.shares.values()):
            if shared.kept is not None:
                await shared.kept.durable()

    @property
    def unconfirmed(self) -> int:
        """How many writes of all documents the server has not confirmed."""
        return sum(shared.confirmations.unconfirmed for shared in self.shares.values())

    async def wait_synced(self, seconds: float | None) -> None:
        """Return when all documents have what the server had when the present connection was made."""
        self.reconnect_loop.check_running()
        if not self.tracker.synced:
            await self._all.synced(seconds)

    async def flush(self, seconds: float | None) -> None:
        """Return when the server has everything that was written up to now, in any document."""
        self.reconnect_loop.check_running()
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        for name, shared in tuple(self.shares.items()):
            if self.shares.get(name) is shared:  # it was not removed meanwhile
                await self.flush_one(shared, None if end is None else end - loop.time())

    @abstractmethod
    async def flush_one(self, shared: S, seconds: float | None) -> None:
        """Return when the server has everything that was written to the document up to now."""

    @property
    @abstractmethod
    def _is_connected(self) -> bool:
        """Whether there is a connection on which documents are kept in sync."""

    def _update_synced(self) -> None:
        """Tell whether all documents have what the server had."""
        if self._is_connected and all(shared.synced for shared in self.shares.values()):
            self.reconnect_loop.mark_synced()
            self._all.note_synced()
        else:
            self.tracker.change(synced=False)
