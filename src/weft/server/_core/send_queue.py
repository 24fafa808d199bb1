"""What is on its way to one client: an ordered, bounded queue and the task that empties it.

Order is the contract. Yjs tolerates updates out of order but has to repair them by another round trip, and
a client counts SyncStep2 answers to know what the server has; so everything leaves in the order in which it
was put in. An answer that may only leave once storage has everything received before it therefore holds
back what stands behind it in *this* client's queue, for the length of one group commit, and nothing else:
what stands before it has left, and every other client has a queue of its own. The alternative, letting
relayed updates overtake the answer, would send a joining client updates before the state they build upon.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft.server._core.link import Link

__all__ = ["AcknowledgedQueue", "StalledError"]

# Bytes written before the writer waits for the socket: enough for thousands of small updates a system call,
# few enough that the queue's own bound means something.
_CHUNK = 64 * 1024
# Bytes per second below which a client that has something to read counts as stuck.
_MIN_RATE = 1024
# Answers to SyncStep1 that may wait in one queue. A question is a few bytes and an answer can be the whole
# document: without a bound, asking is an attack. Clients that flush have one or two under way.
_MAX_ANSWERS = 64


class StalledError(Exception):
    """The client has stopped reading."""


@dataclass(slots=True)
class _Answer:
    """A message that leaves once storage has everything up to a ticket."""

    message: bytes
    ticket: int


class AcknowledgedQueue:
    """Messages for one client.

    Args:
        link: Where they go.
        max_bytes: Bytes that may wait before :attr:`is_full`.
        stored: Awaits the durability of a ticket; what it raises ends :meth:`run`.
        refill: Called when everything has left; puts in what was held back while the queue was full.
        stall_timeout: Seconds without progress worth the name after which :meth:`run` gives up.
    """

    def __init__(
        self,
        link: Link,
        *,
        max_bytes: int,
        stored: Callable[[int], Awaitable[None]],
        refill: Callable[[], None],
        stall_timeout: float,
    ) -> None:
        self._link = link
        self._max_bytes = max_bytes
        self._stored = stored
        self._refill = refill
        self._stall_timeout = stall_timeout
        self._queue: deque[bytes | _Answer] = deque()
        self._size = 0  # bytes in the queue and in the socket's buffer
        self._answers = 0
        self._answer_bytes = 0
        self._wake: asyncio.Future[None] | None = None  # set while run() has nothing to do
        self._answers_left: asyncio.Future[None] | None = None  # set while answers_sent() waits

    @property
    def size(self) -> int:
        """Bytes that have not left yet."""
        return self._size

    @property
    def is_full(self) -> bool:
        """Whether more bytes wait than may."""
        return self._size > self._max_bytes

    @property
    def has_too_many_answers(self) -> bool:
        """Whether so many answers wait that no further question should be read."""
        return self._answers >= _MAX_ANSWERS or (self._answers > 1 and self._answer_bytes > self._max_bytes)

    def put(self, message: bytes) -> None:
        """Queue one message."""
        self._queue.append(message)
        self._size += len(message)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def put_answer(self, message: bytes, ticket: int) -> None:
        """Queue one message that leaves only when everything up to the ticket is durable."""
        self._answers += 1
        self._answer_bytes += len(message)
        self._queue.append(_Answer(message, ticket))
        self._size += len(message)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def answers_sent(self) -> None:
        """Wait until no longer too many answers wait. One waiter at a time."""
        while self.has_too_many_answers:
            self._answers_left = asyncio.get_running_loop().create_future()
            try:
                await self._answers_left
            finally:
                self._answers_left = None

    async def run(self) -> None:
        """Send what is put in, for ever.

        Raises:
            StalledError: The client takes nothing any more.
            Exception: What ``stored`` raised.
        """
        loop = asyncio.get_running_loop()
        while True:
            if not self._queue:
                self._refill()
            if not self._queue:
                self._wake = loop.create_future()
                await self._wake
                self._wake = None
                continue
            head = self._queue[0]
            if isinstance(head, _Answer):
                await self._stored(head.ticket)
                self._answers -= 1
                self._answer_bytes -= len(head.message)
                self._queue[0] = head.message
                if self._answers_left is not None and not self._answers_left.done():
                    self._answers_left.set_result(None)
            await self._send(self._next_chunk())

    def _next_chunk(self) -> list[bytes]:
        queue = self._queue
        if self._answers == 0 and self._size <= _CHUNK:
            chunk: list[bytes] = list(queue)  # type: ignore[arg-type]  # no answers among them
            queue.clear()
            return chunk
        chunk = []
        size = 0
        while queue and size < _CHUNK and isinstance(message := queue[0], bytes):
            queue.popleft()
            chunk.append(message)
            size += len(message)
        return chunk

    async def _send(self, chunk: list[bytes]) -> None:
        link = self._link
        link.write(chunk)
        before = link.buffered()
        while before:
            try:
                async with asyncio.timeout(self._stall_timeout):
                    await link.drain()
                break
            except TimeoutError:
                after = link.buffered()
                if after and before - after < self._stall_timeout * _MIN_RATE:
                    raise StalledError from None
                before = after
        self._size -= sum(map(len, chunk))
