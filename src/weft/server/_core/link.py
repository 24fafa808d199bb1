"""One client's connection as the server's core sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Link"]


class Link(Protocol):
    """One client's connection as the server's core sees it: whole messages, in order.

    The websocket front is the first implementation; another front (ASGI) is another.
    """

    def write(self, messages: Sequence[bytes]) -> None:
        """Hand messages to the socket without waiting. Does nothing once the connection is gone."""

    def buffered(self) -> int:
        """Bytes handed over that the operating system has not taken yet."""

    async def drain(self) -> None:
        """Wait until the socket takes more. Returns at once when it does, and when the connection is gone."""

    async def read(self) -> bytes | None:
        """The next message; ``None`` when the connection has ended."""

    async def close(self, code: int, reason: str) -> None:
        """Close with a code and a phrase; in bounded time, whatever the peer does. Does not raise."""
