"""One client of the server, whatever protocol it speaks: how it is served, and how it is let go."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from weft.errors import DocumentClosedError, MessageTooLargeError, RemoteProtocolError, StorageError
from weft.server._core.send_queue import AcknowledgedQueue, StalledError
from weft.server._core.wrong_protocol import WrongProtocolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft.limits import Limits
    from weft.server._core.link import Link

__all__ = ["Peer", "close_code_for"]

_log = logging.getLogger("weft.server")

# Seconds one client's messages are worked on before the others get their turn. Reading does not suspend while
# frames are at hand, and one packet can hold thousands.
_TURN = 0.005


def close_code_for(error: BaseException) -> tuple[int, str]:
    """The websocket close code and phrase that tell a client why it was let go. All of them are here."""
    match error:
        case MessageTooLargeError():
            return 1009, f"message of {error.size} bytes exceeds limit of {error.limit} bytes"
        case RemoteProtocolError():
            return 1007, f"invalid message: {error}"
        case StorageError():
            return 1013, "storage is not available"
        case DocumentClosedError():
            return 1013, "the room was closed"
        case WrongProtocolError():
            return 4400, str(error)  # y-websocket's range for "permanent"
        case StalledError():
            return 1013, "too slow"
        case _:
            return 1011, "internal error"


class Peer(ABC):
    """One client. Whatever goes wrong with it ends it, and nobody else.

    Args:
        link: The client's connection.
        name: How the logs call it.
        limits: Bounds of the connection.
        stored: Awaits the durability of a ticket.
        stall_timeout: Seconds that a client with something to read may make no progress.
    """

    def __init__(
        self,
        link: Link,
        *,
        name: str,
        limits: Limits,
        stored: Callable[[int], Awaitable[None]],
        stall_timeout: float,
    ) -> None:
        self.queue = AcknowledgedQueue(
            link,
            max_bytes=limits.max_outbound,
            stored=stored,
            refill=self._refill,
            stall_timeout=stall_timeout,
        )
        self._link = link
        self._name = name
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the client until it leaves or is let go. Does not raise for what it or storage did."""
        self._join()
        tasks: set[asyncio.Future[None]] = {
            asyncio.create_task(self._read()),
            asyncio.create_task(self.queue.run()),
        }
        try:
            ends: set[asyncio.Future[Any]] = {*tasks, self._ended}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            self._disconnected()
        for error in results:
            if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
                self.fail(error)
        if self._ended.done():
            await self._link.close(*self._ended.result())

    def end(self, code: int, reason: str) -> None:
        """Have the client let go with a close code and phrase."""
        if not self._ended.done():
            self._ended.set_result((code, reason))

    def fail(self, error: BaseException) -> None:
        """Have the client let go for what went wrong with it."""
        code, reason = close_code_for(error)
        if code == 1011:
            _log.error("%s failed", self._name, exc_info=error)
        else:
            # The first two are an honest client's troubles, whose writes do not arrive.
            level = {1009: logging.ERROR, 4400: logging.WARNING}.get(code, logging.INFO)
            _log.log(level, "%s is let go (%d %s): %.200s", self._name, code, reason, error)
        self.end(code, reason)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        self._connected()
        turn = loop.time()
        while (message := await self._link.read()) is not None:
            self._receive(message)
            if self.queue.has_too_many_answers:
                await self.queue.answers_sent()
            await self._throttle()
            if loop.time() - turn > _TURN:
                await asyncio.sleep(0)
                turn = loop.time()

    # What a protocol says

    @abstractmethod
    def _join(self) -> None:
        """Be there for the others; nothing has been read yet."""

    @abstractmethod
    def _connected(self) -> None:
        """Say what is said first."""

    @abstractmethod
    def _receive(self, message: bytes) -> None:
        """Take in one message. What it raises ends the client."""

    @abstractmethod
    async def _throttle(self) -> None:
        """Wait while no more should be read of this client."""

    @abstractmethod
    def _refill(self) -> None:
        """The queue is empty: put in what was held back while it was full."""

    @abstractmethod
    def _leave(self) -> None:
        """Hear of nothing more. Called once; a last message may be under way still."""

    @abstractmethod
    def _disconnected(self) -> None:
        """Tell the others what has to be told; nothing is received any more."""
