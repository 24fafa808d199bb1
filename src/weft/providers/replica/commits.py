"""The queue before a replica's file: what is written, what waits for that, and when it is tried again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, TypeAlias

from weft._aio.tasks import end_tasks
from weft.errors import StorageError
from weft.providers.replica.file import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from weft._aio.thread import WorkerThread
    from weft.providers.replica.meta import Meta

__all__ = ["CommitQueue", "Durable"]

Durable: TypeAlias = Literal["now", "soon"]

Beside: TypeAlias = "Mapping[str, bytes | None]"

_BATCH = 4_096  # rows of one transaction at most, so that nobody waits for all that is behind
_RETRY_S, _MAX_RETRY_S = 0.1, 5.0  # seconds between tries of what could not be written


class CommitQueue:
    """Rows on their way to the file; those of one turn of the event loop share a transaction.

    Args:
        write: Writes rows, what is known of them and what is kept beside them, on the thread.
        meta: What is known now.
        thread: The file's.
        last: Number of the last row there is.
        durable: Whether the event loop waits for each commit at the end of the turn.
        failed: Told of what could not be written; it is kept, and tried again.
        beside: Asked for what has changed of what is kept beside the document, when all else is written.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Row], Meta | None, Beside], None],
        meta: Callable[[], Meta],
        thread: WorkerThread,
        *,
        last: int,
        durable: Durable,
        failed: Callable[[StorageError], None],
        beside: Callable[[], Beside] = dict,
    ) -> None:
        self.last = last  # number of the last row
        self._write = write
        self._meta = meta
        self._thread = thread
        self._waits = durable == "now"
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._rows: list[Row] = []
        self._ask_beside = beside
        self._beside: dict[str, bytes | None] = {}  # of that, what could not be written
        self._is_stale = False  # whether what is known has changed since it was written
        self._is_owed = False  # whether nothing may be sent before it is
        self._turn: asyncio.Handle | None = None  # the end of the turn, or the next try
        self._tries = 0
        self._writing: asyncio.Task[None] | None = None
        self._waiters: list[tuple[int, bool, asyncio.Future[StorageError | None]]] = []
        self._durable = last  # number of the last row on disk

    @property
    def stored(self) -> int:
        """Number of the last row on disk."""
        return self._durable

    @property
    def is_behind(self) -> bool:
        """Whether something is not on disk that is to be before anything is sent."""
        return self._durable < self.last or self._is_owed

    @property
    def is_failing(self) -> bool:
        """Whether the last try to write failed."""
        return self._tries > 0

    def append(self, data: bytes, *, is_own: bool) -> int:
        """Queue a row; gives its number."""
        self.last += 1
        self._rows.append(Row(self.last, is_own, data))
        self._schedule()
        return self.last

    def touch(self, is_owed: bool = False) -> None:
        """Have what is known written with the next rows, or alone; perhaps before anything is sent."""
        self._is_stale = True
        self._is_owed |= is_owed
        self._schedule()

    async def saved(self) -> None:
        """Wait until all that was queued so far is on disk.

        Raises:
            StorageError: It could not be written. It is kept, and tried again.
        """
        if self.is_behind:
            error = await self._wait(is_told=True)
            if error is not None:
                raise error

    async def durable(self) -> None:
        """The same, however long and often it is tried."""
        if self.is_behind:
            await self._wait(is_told=False)

    async def _wait(self, *, is_told: bool) -> StorageError | None:
        outcome: asyncio.Future[StorageError | None] = self._loop.create_future()
        self._waiters.append((self.last, is_told, outcome))
        if is_told:
            self._end_turn()  # at once, whenever the next try would be
        return await outcome

    async def settle(self) -> None:
        """Try once more to write what is queued, and wait for what is under way; nothing is tried after it.

        Raises:
            StorageError: Something could not be written.
        """
        try:
            if self._writing is not None:
                await asyncio.wait([self._writing])
            if self._rows or self._is_stale:
                await self._thread.run(self._write, self._rows, self._meta(), self._take_beside())
                self._rows, self._durable = [], self.last
                self._is_stale = self._is_owed = False
                self._tries = 0
        finally:
            if self._turn is not None:
                self._turn.cancel()
            for _, _, outcome in self._waiters:
                if not outcome.done():
                    outcome.set_result(StorageError("the replica was closed"))
            self._waiters = []
            if self._writing is not None:
                await end_tasks([self._writing])

    def _schedule(self) -> None:
        if self._turn is None:
            self._turn = self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._writing is not None:
            return
        if not self._waits:
            self._writing = self._loop.create_task(self._write_all())
            return
        while batch := self._batch():
            try:
                self._thread.wait(self._write, *batch)
            except StorageError as error:
                self._put_back(*batch, error)
                return
            self._note(*batch)

    async def _write_all(self) -> None:
        try:
            while batch := self._batch():
                try:
                    await self._thread.run(self._write, *batch)
                except StorageError as error:
                    self._put_back(*batch, error)
                    return
                except BaseException:
                    self._rows[:0] = batch[0]
                    self._beside = {**batch[2], **self._beside}
                    raise
                self._note(*batch)
        finally:
            self._writing = None

    def _take_beside(self) -> Beside:
        beside = {**self._beside, **self._ask_beside()}
        self._beside = {}
        return beside

    def _batch(self) -> tuple[list[Row], Meta | None, Beside] | None:
        if not self._rows and not self._is_stale:
            return None
        rows, self._rows = self._rows[:_BATCH], self._rows[_BATCH:]
        is_stale, self._is_stale = self._is_stale, False
        # With the last rows: it may tell of what stands in them.
        beside = {} if self._rows else self._take_beside()
        return rows, self._meta() if is_stale else None, beside

    def _put_back(self, rows: list[Row], meta: Meta | None, beside: Beside, error: StorageError) -> None:
        self._rows[:0] = rows
        self._beside = {**beside, **self._beside}
        self._is_stale |= meta is not None
        delay = min(_RETRY_S * 2 ** min(self._tries, 16), _MAX_RETRY_S)
        self._tries += 1
        if self._turn is not None:
            self._turn.cancel()
        self._turn = self._loop.call_later(delay, self._end_turn)
        self._tell(error)
        self._failed(error)

    def _note(self, rows: list[Row], meta: Meta | None, _beside: Beside) -> None:
        self._tries = 0
        if meta is not None and not self._is_stale:
            self._is_owed = False
        if rows:
            self._durable = rows[-1].number
        self._tell(None)

    def _tell(self, error: StorageError | None) -> None:
        waiting = []
        for number, is_told, outcome in self._waiters:
            if outcome.done():
                continue
            if number <= self._durable and not self._is_owed:
                outcome.set_result(None)
            elif error is not None and is_told:
                outcome.set_result(StorageError(*error.args))
            else:
                waiting.append((number, is_told, outcome))
        self._waiters = waiting
