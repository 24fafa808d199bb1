"""A replica from its opening to its closing: what is written comes in here, and goes to the file."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from weft._aio.tasks import end_tasks
from weft.errors import WeftError
from weft.providers.replica.commits import CommitQueue
from weft.providers.replica.meta import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft._aio.thread import WorkerThread
    from weft.errors import StorageError
    from weft.providers.replica.commits import Beside, Durable
    from weft.providers.replica.content import ReplicaContent
    from weft.providers.replica.file import ReplicaFile, Row
    from weft.providers.replica.meta import Meta

__all__ = ["Session"]

_log = logging.getLogger("weft.replica")

# What a row costs beside its data, in bytes of file and in time to load; makes many small rows weigh.
_ROW_WEIGHT = 64
_LIVE_ROWS = 1_000  # below which compaction is not worth its commit while the replica is in use


class Session:
    """A replica that is open.

    Args:
        file: Its file, which is open.
        thread: The file's.
        rows: Of the file.
        meta: Of the file.
        durable: Whether the event loop waits for each commit at the end of the turn.
        failed: Told of what could not be written; it is kept, and tried again.
        beside: Asked for what has changed of what is kept beside the document.

    Attributes:
        content: The document; set once there is one.
        meta: What the file said of itself last.
        queue: The queue before the file.
    """

    def __init__(
        self,
        file: ReplicaFile,
        thread: WorkerThread,
        rows: Sequence[Row],
        meta: Meta,
        *,
        durable: Durable,
        failed: Callable[[StorageError], None],
        beside: Callable[[], Beside] = dict,
    ) -> None:
        self.content: ReplicaContent | None = None
        self.queue = CommitQueue(
            file.write, self._known, thread, last=file.last, durable=durable, failed=failed, beside=beside
        )
        self.meta = meta
        self._file = file
        self._thread = thread
        self._rows = len(rows)
        self._weight = sum(len(row.data) for row in rows) + _ROW_WEIGHT * len(rows)
        self._snapshot_weight = len(rows[0].data) if rows and not rows[0].is_own else 0
        self._compaction: asyncio.Task[None] | None = None

    def append(self, data: bytes, is_own: bool) -> int:
        """Write an update; gives the number of its row."""
        number = self.queue.append(data, is_own=is_own)
        self._rows += 1
        self._weight += len(data) + _ROW_WEIGHT
        self._compact_if(_LIVE_ROWS)
        return number

    def note_synced(self) -> None:
        """The server and the document are equal now."""
        self.meta = replace(self.meta, synced=time.time())
        self.queue.touch()

    def note_room(self, room: str) -> None:
        """The document is that of a room; nothing is sent there before that is on disk."""
        if self.meta.room != room:
            self.meta = replace(self.meta, room=room)
            self.queue.touch(True)

    def _known(self) -> Meta:
        if self.content is not None:
            self.meta = self.content.note(self.meta)
        return self.meta

    async def settle(self) -> None:
        """Compact what has grown."""
        if self.content is not None and not self.queue.is_failing:
            self._compact_if(self.content.idle_rows)
            if self._compaction is not None:
                await asyncio.wait([self._compaction])

    async def close(self) -> None:
        """Write what is queued, and close the file.

        Raises:
            StorageError: Not all could be written.
        """
        try:
            await self.queue.settle()
        finally:
            if self._compaction is not None:
                await end_tasks([self._compaction])
            await self._thread.run(self._file.close)

    def _compact_if(self, rows: int) -> None:
        # Compacting when the tail outweighs the snapshot writes each byte a constant number of times.
        if self._compaction is None and self._rows >= rows and self._weight > 2 * self._snapshot_weight:
            self._compaction = asyncio.get_running_loop().create_task(self._compact())

    async def _compact(self) -> None:
        try:
            await self.queue.durable()
            if self.content is not None and not self.queue.is_behind:
                await self._replace(self.content, self.queue.stored)
        except WeftError as error:  # a log that cannot be compacted is a log all the same
            _log.error("%s could not be compacted: %s", self._file.path, error)
            self._snapshot_weight = self._weight  # wait for twice as much before the next try
        finally:
            self._compaction = None

    async def _replace(self, content: ReplicaContent, last: int) -> None:
        rows, weight = self._rows, self._weight
        compact = content.compactor(last)
        stored = await self._thread.run(self._file.rows_up_to, last)
        # Not on the file's thread: it may take seconds, in which nothing would be written.
        made = await asyncio.to_thread(compact, [data for _, data in stored])
        self._snapshot_weight = weight
        if made is None or len(made.kept) == len(stored):
            return
        kept = {stored[at][0] for at in made.kept}
        await self._thread.run(self._file.replace, made.snapshot, last, kept, self._known())
        content.compacted()
        self._rows += 1 + len(kept) - rows
        self._weight += len(made.snapshot) - weight
        self._snapshot_weight = len(made.snapshot)
