"""What is on its way to one client: nothing, as long as it keeps up; otherwise an ordered, bounded queue.

Order is the contract. Yjs tolerates updates out of order but has to repair them by another round trip, and
a client counts SyncStep2 answers to know what the server has; so everything leaves in the order in which it
was put in. An answer that may only leave once storage has everything received before it therefore holds
back what stands behind it in *this* client's queue, for the length of one group commit, and nothing else:
what stands before it has left, and every other client has a queue of its own. The alternative, letting
relayed updates overtake the answer, would send a joining client updates before the state they build upon.

There is no task: what is put in is written at once where the socket takes it. Only for who is behind is
there a queue, emptied as the socket tells that it takes more, and a timer that gives up who is stuck.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from weft.server._core.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.server._core.confirmations import Confirmations
    from weft.server._core.link import Link

__all__ = ["AcknowledgedQueue", "QueueOwner", "StalledError"]

# Bytes that are written together when a queue empties: enough for thousands of small updates a system call,
# few enough that the queue's own bound means something.
_CHUNK = 64 * 1024
# Bytes per second below which a client that has something to read counts as stuck.
_MIN_RATE = 1024
# Parts of a queue that are told one by one.
_MAX_PARTS = 1_000


class StalledError(Exception):
    """The client has stopped reading."""

    bound = "stall_timeout"


class QueueOwner(Protocol):
    """Whose queue it is."""

    def refill(self) -> None:
        """Everything has left: put in what was held back while the queue was full."""

    def reconsider(self) -> None:
        """Fewer answers wait: perhaps more may be read."""

    def fail(self, error: BaseException) -> None:
        """Nothing more can be sent: the client has stopped reading, or storage has failed."""


@dataclass(slots=True)
class _Answer:
    """What leaves once storage has everything up to a ticket."""

    batch: Batch
    ticket: int


class AcknowledgedQueue:
    """Messages for one client.

    Args:
        link: Where they go.
        owner: Told when the queue has emptied, and when it cannot.
        max_bytes: Bytes that may wait before :attr:`is_full`.
        max_answers: Answers that may wait before :attr:`has_too_many_answers`.
        confirmations: Of the storage that tickets are of.
        stall_timeout: Seconds without progress worth the name after which the client counts as stuck.
    """

    __slots__ = (
        "_answer_bytes", "_answers", "_before", "_confirmations", "_is_closed", "_is_waiting", "_link",
        "_max_answers", "_max_bytes", "_owner", "_queue", "_queued", "_stall", "_stall_timeout",
    )  # fmt: skip

    def __init__(
        self,
        link: Link,
        owner: QueueOwner,
        *,
        max_bytes: int,
        max_answers: int,
        confirmations: Confirmations,
        stall_timeout: float,
    ) -> None:
        self._link = link
        self._owner = owner
        self._max_bytes = max_bytes
        self._max_answers = max_answers
        self._confirmations = confirmations
        self._stall_timeout = stall_timeout
        self._queue: deque[Batch | _Answer] | None = None  # made when it is needed first
        self._queued = 0  # bytes in it
        self._answers = 0
        self._answer_bytes = 0
        self._is_waiting = False  # for storage to have what the answer at the head confirms
        self._is_closed = False
        self._stall: asyncio.TimerHandle | None = None  # while the socket takes no more
        self._before = 0  # bytes that the socket had not taken when the timer began

    @property
    def size(self) -> int:
        """Bytes that have not left yet."""
        return self._queued + self._link.waiting()

    @property
    def is_full(self) -> bool:
        """Whether more bytes wait than may."""
        return self.size > self._max_bytes

    @property
    def has_too_many_answers(self) -> bool:
        """Whether so many answers wait that no further question should be read."""
        return self._answers >= self._max_answers or (
            self._answers > 1 and self._answer_bytes > self._max_bytes
        )

    def held(self) -> Iterator[tuple[int, int]]:
        """What is in the queue, as ``MemoryBudget`` counts it; many parts are one that is nobody else's."""
        if self._queue is None or len(self._queue) > _MAX_PARTS:
            yield 0, self._queued
            return
        for item in self._queue:
            batch = item if isinstance(item, Batch) else item.batch
            yield id(batch.messages[0] if len(batch.messages) == 1 else batch), batch.size

    def put(self, batch: Batch) -> bool:
        """Write messages, or queue them behind those that wait.

        Returns:
            Whether the socket has taken all there was.
        """
        link = self._link
        if self._queue or not link.is_clear:
            self._append(batch, batch.size)
            return False
        if self._is_closed or link.write(batch):
            return True
        self._watch()
        return False

    def put_answer(self, batch: Batch, ticket: int) -> None:
        """Write what the client has asked for when everything up to the ticket is durable."""
        if not self._queue and ticket <= self._confirmations.durable and self._link.is_clear:
            self.put(batch)
        elif not self._is_closed:
            self._answers += 1
            self._answer_bytes += batch.size
            self._append(_Answer(batch, ticket), batch.size)
            if self._link.is_clear:
                self.pump()

    def pump(self) -> None:
        """The socket takes more, or storage has more: write what may leave."""
        if self._stall is not None and self._link.is_clear:
            self._stall.cancel()
            self._stall = None
        answers = self._answers
        while self._queue and self._link.is_clear and self._may_leave(self._queue[0]):
            if not self._link.write(self._next_chunk(self._queue)):
                self._watch()
        if self._answers < answers:
            self._owner.reconsider()
        if not self._queue and self._link.is_clear and not self._is_closed:
            self._owner.refill()

    def close(self) -> None:
        """Forget what waits, and take nothing more."""
        self._is_closed = True
        self._queue = None
        self._queued = self._answers = self._answer_bytes = 0
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _append(self, item: Batch | _Answer, size: int) -> None:
        if self._is_closed:
            return
        if self._queue is None:
            self._queue = deque()
        self._queue.append(item)
        self._queued += size
        self._link.note_held(size)

    def _may_leave(self, item: Batch | _Answer) -> bool:
        if isinstance(item, Batch) or item.ticket <= self._confirmations.durable:
            return True
        if not self._is_waiting:
            self._is_waiting = True
            self._confirmations.wait(item.ticket, self._confirmed)
        return False

    def _confirmed(self, error: Exception | None) -> None:
        self._is_waiting = False
        if self._is_closed:
            return
        if error is None:
            try:
                self.pump()
            except Exception as failure:  # noqa: BLE001 - of this link; others wait to be told, too
                error = failure
        if error is not None:
            self._owner.fail(error)

    def _next_chunk(self, queue: deque[Batch | _Answer]) -> Batch:
        batches: list[Batch] = []
        size = 0
        while queue and size < _CHUNK and self._may_leave(item := queue[0]):
            queue.popleft()
            if isinstance(item, _Answer):
                item = item.batch
                self._answers -= 1
                self._answer_bytes -= item.size
            batches.append(item)
            size += item.size
        self._queued -= size
        if len(batches) == 1:
            return batches[0]
        return Batch([message for batch in batches for message in batch.messages])

    def _watch(self) -> None:
        if self._stall is not None:
            return
        self._before = self._link.waiting()
        self._stall = asyncio.get_running_loop().call_later(self._stall_timeout, self._check_progress)

    def _check_progress(self) -> None:
        self._stall = None
        if self._link.is_clear:
            return
        if self._before - self._link.waiting() < self._stall_timeout * _MIN_RATE:
            self._owner.fail(StalledError())
        else:
            self._watch()
