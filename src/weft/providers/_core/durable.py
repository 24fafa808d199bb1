"""A connection over which nothing leaves that is not on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft.providers.transport import Connection

__all__ = ["DurableConnection"]


class DurableConnection:
    """A connection that waits for the disk before each message.

    Args:
        connection: The connection.
        durable: Waits until all that has been written up to now is on disk.
    """

    def __init__(self, connection: Connection, durable: Callable[[], Awaitable[None]]) -> None:
        self._connection = connection
        self._durable = durable
        self.recv = connection.recv
        self.close = connection.close
        self.abort = connection.abort

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol the server chose."""
        return self._connection.subprotocol

    async def send(self, data: bytes | str) -> None:
        """Send one message, after what is on its way to the disk."""
        await self._durable()
        await self._connection.send(data)
