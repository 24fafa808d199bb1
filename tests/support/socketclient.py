"""What the tests' clients of either protocol do with their connection."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from websockets.asyncio.client import ClientConnection

__all__ = ["SocketClient"]


class SocketClient(ABC):
    """One client. Use as ``async with``; everything it receives it also keeps.

    Attributes:
        frames: Every frame received, oldest first.
        close_code: Of the connection's end; ``None`` before it.
        close_reason: Likewise.
        patience: Seconds that a wait may take.
    """

    patience = 20.0

    def __init__(self, target: str, options: dict[str, Any]) -> None:
        self.frames: list[bytes] = []
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.socket: ClientConnection
        self._target = target
        self._options = {"max_size": None, "compression": None, "ping_interval": None, **options}
        self._news = asyncio.Event()

    @abstractmethod
    async def _greet(self) -> None:
        """Say what is said first. The reader tells of the connection's end."""

    @abstractmethod
    async def _take(self, frame: bytes) -> None:
        """Take in one frame."""

    async def send(self, frame: bytes) -> None:
        """Send one frame.

        Raises:
            ConnectionError: The connection has ended.
        """
        try:
            await self.socket.send(frame)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, asked after each frame.

        Raises:
            ConnectionError: The connection ended first.
        """
        async with asyncio.timeout(self.patience):
            while not condition():
                self.expect_open()
                self._news.clear()
                await self._news.wait()

    def expect_open(self) -> None:
        """Go on only while the connection stands.

        Raises:
            ConnectionError: It has ended.
        """
        if self.close_code is not None:
            raise ConnectionError(f"closed with {self.close_code} {self.close_reason}")

    async def wait_closed(self) -> int:
        """Wait for the end of the connection; its close code."""
        async with asyncio.timeout(self.patience):
            await asyncio.shield(self._reader)
        assert self.close_code is not None
        return self.close_code

    def cut(self) -> None:
        """Break the connection without a word, as a network does."""
        self.socket.transport.abort()

    async def __aenter__(self) -> Self:
        self.close_code = None
        self.socket = await connect(self._target, **self._options)
        self._reader = asyncio.create_task(self._read())
        await self._greet()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()
        await self._reader

    async def _read(self) -> None:
        try:
            while True:
                frame = await self.socket.recv()
                assert isinstance(frame, bytes), "a text frame"
                self.frames.append(frame)
                await self._take(frame)
                self._news.set()
        except (ConnectionClosed, ConnectionError):
            await self.socket.wait_closed()
            self.close_code = self.socket.protocol.close_code or 1006
            self.close_reason = self.socket.protocol.close_reason
            self._news.set()
