"""Many updates in one transaction: what is queued, what is durable, who waits, and who listens.

It knows nothing of the place: how a batch is written is told it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from weft._aio.tasks import end_tasks
from weft.errors import RoomDeletedError, StorageError
from weft.server.storage.commit_stats import CommitStats
from weft.server.storage.commits import CommitListeners

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

__all__ = ["Batch", "GroupCommit"]

Batch: TypeAlias = "Mapping[str, Sequence[bytes]]"
"""Updates to write in one transaction, by their rooms."""

# One transaction's worth. A commit is one unit of loss and of waiting: without a bound, whoever asks for a
# small update to be durable waits for all the megabytes queued behind it. What was appended in one turn of
# the event loop may be two sides of one change: it is not taken apart before twice as much.
_BATCH_BYTES = 8 * 1024 * 1024
# What a row costs beside its bytes: some thousands of small ones take as long as megabytes.
_ROW_BYTES = 2048


class GroupCommit:
    """The queue before a place. Appends of one turn of the event loop share a transaction.

    Args:
        write: Writes a batch in one transaction and returns the number of each room's first update. A room
            that it leaves out has been deleted, and its updates are not written. A batch for which it raises
            is given to it again, as it was.
        place: What errors say was written to.
    """

    def __init__(self, write: Callable[[Batch], Awaitable[Mapping[str, int]]], place: str) -> None:
        self.ticket = 0  # of the last append
        self.listeners = CommitListeners()
        self.stats = CommitStats()
        self._write = write
        self._place = place
        self._queue: list[tuple[str, bytes]] = []  # appended, not yet durable
        self._batch_size = 0  # of the first of them, how many are being written, or could not be
        self._durable = 0  # everything up to this ticket is written
        self._turn_ends: deque[int] = deque()  # tickets after which a turn of the event loop ended
        self._in_turn = False
        self._writing: asyncio.Task[None] | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._deleted: set[str] = set()
        self._refused: dict[int, str] = {}  # tickets of updates that were dropped, with their rooms

    def append(self, room: str, update: bytes) -> int:
        """Queue one update for the next transaction.

        Raises:
            ValueError: UTF-8 cannot carry the room's name.
            RoomDeletedError: An update of the room was refused.
        """
        room.encode()  # refused here, it cannot spoil the transaction of others
        if room in self._deleted:
            raise RoomDeletedError(room)
        self._queue.append((room, bytes(update)))
        self.ticket += 1
        if not self._in_turn:
            self._in_turn = True
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._start_writing()
        return self.ticket

    async def stored(self, ticket: int) -> None:
        """Wait until everything up to this ticket has been committed.

        Raises:
            StorageError: The transaction failed. Its updates are kept and tried again.
            RoomDeletedError: This very update was refused.
        """
        if ticket > self._durable:
            if ticket > self.ticket:
                raise ValueError(f"ticket {ticket} was never given out")
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append((ticket, waiter))
            self._start_writing()
            await waiter
        if ticket in self._refused:
            raise RoomDeletedError(self._refused[ticket])

    async def flush(self) -> None:
        """Wait until all that was appended so far is committed, or refused.

        Raises:
            StorageError: As for :meth:`stored`.
        """
        with suppress(RoomDeletedError):
            await self.stored(self.ticket)

    def mark_deleted(self, room: str, deleted: bool = True) -> None:
        """Refuse what is appended to a room from now on, or accept it again."""
        (self._deleted.add if deleted else self._deleted.discard)(room)

    def release(self, room: str) -> bool:
        """Forget that a room was deleted, and which of its updates were refused: nobody holds it any more.

        Returns:
            Whether nothing of it is queued. If something is, nothing was forgotten.
        """
        if any(name == room for name, _ in self._queue):
            return False
        self._deleted.discard(room)
        for ticket in [at for at, name in self._refused.items() if name == room]:
            del self._refused[ticket]
        return True

    async def settle(self) -> None:
        """Wait until nothing is being written."""
        if self._writing is not None:
            await end_tasks([self._writing], grace_seconds=None)

    def _start_writing(self) -> None:
        # The task begins in the next turn of the loop: all that is appended in this one shares a transaction.
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_queue())

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                self._batch_size = self._batch_size or self._next_batch()
                rooms: dict[str, list[bytes]] = {}
                for room, update in self._queue[: self._batch_size]:
                    rooms.setdefault(room, []).append(update)
                began = time.monotonic()
                numbers = await self._write(rooms)
                self._count(time.monotonic() - began)
                if len(numbers) < len(rooms):
                    self._refuse(numbers)
                del self._queue[: self._batch_size]
                self._durable += self._batch_size
                self._batch_size = 0
                for room, number in numbers.items():
                    self.listeners.tell(room, number, rooms[room])
                self._wake(None)
        except StorageError as error:
            self.stats.failures += 1
            self._wake(error)
        except BaseException as error:
            self._wake(StorageError(f"{self._place}: {error!r}"))  # nobody is left waiting for ever
            raise
        finally:
            self._writing = None

    def _count(self, seconds: float) -> None:
        stats = self.stats
        stats.seconds.note(seconds)
        stats.updates += self._batch_size
        stats.size += sum(len(update) for _, update in self._queue[: self._batch_size])

    def _refuse(self, written: Mapping[str, int]) -> None:
        for at, (room, _) in enumerate(self._queue[: self._batch_size], self._durable + 1):
            if room not in written:
                self._deleted.add(room)
                self._refused[at] = room

    def _end_turn(self) -> None:
        self._in_turn = False
        self._turn_ends.append(self.ticket)

    def _next_batch(self) -> int:
        """How many of the queued updates go into the next transaction."""
        while self._turn_ends and self._turn_ends[0] <= self._durable:
            self._turn_ends.popleft()
        ends = set(self._turn_ends)
        count, size = 0, 0
        while count < len(self._queue) and (
            size < _BATCH_BYTES or (size < 2 * _BATCH_BYTES and self._durable + count not in ends)
        ):
            size += len(self._queue[count][1]) + _ROW_BYTES
            count += 1
        return count

    def _wake(self, error: StorageError | None) -> None:
        waiting = []
        # First whose update was refused: its room lets its clients go then, before one of them that has other
        # rooms, too, is told that all it wrote up to some later ticket is stored.
        waiters = self._waiters
        if self._refused:
            waiters = sorted(waiters, key=lambda each: each[0] not in self._refused)
        for ticket, waiter in waiters:
            if waiter.done():
                continue
            if ticket <= self._durable:
                waiter.set_result(None)
            elif error is not None:
                waiter.set_exception(StorageError(*error.args))
            else:
                waiting.append((ticket, waiter))
        self._waiters = waiting
