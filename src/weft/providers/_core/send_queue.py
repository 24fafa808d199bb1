"""What waits to be sent on one connection: an ordered queue that cannot grow without bound.

Document content is the one thing that may grow large, and the one thing that need not wait here: it is in the
document. So when more than ``max_bytes`` wait, the content in the queue is forgotten, further content is not
queued, and when the socket has taken the rest, ``emptied`` puts in one update with everything the server may
lack. Slow sockets cost a larger message later, never a lost write.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["ResendQueue"]


class ResendQueue:
    """Messages for one connection, in order: binary ones, or texts.

    Args:
        max_bytes: Bytes that may wait; a single message may exceed it.
        emptied: Called each time all that was queued has been sent, with whether content was forgotten.
            It may put in more, and has to make up for what was forgotten, with :meth:`put`.
    """

    def __init__(self, *, max_bytes: int, emptied: Callable[[bool], None]) -> None:
        self.sent = 0  # bytes, in all
        self.largest = 0  # bytes of the largest message sent, or tried to be
        self._max_bytes = max_bytes
        self._emptied = emptied
        self._queue: deque[tuple[bytes | str, int, bool]] = deque()
        self._size = 0
        self._forgot = False
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def size(self) -> int:
        """Bytes that have not been sent."""
        return self._size

    @property
    def forgot(self) -> bool:
        """Whether content was forgotten that has not been put in again."""
        return self._forgot

    def put(self, message: bytes | str) -> None:
        """Queue a message that has to leave as it is: a question, an answer."""
        self._add(message, False)

    def put_content(self, message: bytes | str) -> bool:
        """Queue a message that ``emptied`` can make up for: document content, awareness.

        Returns:
            Whether it was queued. If not, content put in earlier may have been forgotten with it, so a
            question that stands in the queue no longer comes after all that was written before it.
        """
        if self._forgot:
            return False
        if self._queue and self._size + _size_of(message) > self._max_bytes:
            kept = [entry for entry in self._queue if not entry[2]]
            self._size -= sum(size for _, size, is_content in self._queue if is_content)
            self._queue = deque(kept)
            self._forgot = True
            self._filled.set()  # the queue may be empty now, and making up for it is due
            return False
        self._add(message, True)
        return True

    async def drained(self) -> None:
        """Wait until everything has been given to the connection, what was forgotten included."""
        await self._empty.wait()

    async def run(self, send: Callable[[bytes | str], Awaitable[None]]) -> Never:
        """Send what is put in, in order, until cancelled or until ``send`` raises."""
        while True:
            if not self._queue:
                forgot, self._forgot = self._forgot, False
                self._emptied(forgot)
            if not self._queue:
                self._filled.clear()
                self._empty.set()
                await self._filled.wait()
                continue
            message, size, _ = self._queue.popleft()
            self.largest = max(self.largest, size)
            await send(message)
            self._size -= size
            self.sent += size

    def _add(self, message: bytes | str, is_content: bool) -> None:
        size = _size_of(message)
        self._queue.append((message, size, is_content))
        self._size += size
        self._empty.clear()
        self._filled.set()


def _size_of(message: bytes | str) -> int:
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())
