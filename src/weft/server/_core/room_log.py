"""A room's way to storage: what was taken in, what is durable of it, and when a log is worth compacting.

It knows nothing of documents; a room of any kind has one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from weft.errors import StorageError
from weft.limits import DEFAULT_SERVER_LIMITS
from weft.server._core.counters import RoomCounters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from weft.documents import Compactor
    from weft.server.storage import RoomStorage

__all__ = ["RoomLog"]

_log = logging.getLogger("weft.server")

# What a row costs beside its data while it is not durable, in bytes: thousands of small ones take a storage
# as long as megabytes.
_UNSAVED_ROW = 2048
# What a row costs beside its data, in bytes of file and in time to load; makes many small rows weigh.
_ROW_WEIGHT = 64
# Rows below which compaction is not worth its commit: while clients are in the room, and when all have left.
_LIVE_ROWS = 1_000
_IDLE_ROWS = 50


class RoomLog:
    """The log of one room.

    Args:
        name: The room's name.
        rows: What storage has of it.
        storage: Where updates go.
        compactor: Called when a compaction begins; gives what makes one update out of many.
        failed: Called once, when storage could not take an update; nothing may be acknowledged any more.
        counters: Of the server's rooms.
        max_unsaved: Bytes that are not durable at which the room is behind.
        prepare: Awaited before the compactor is asked for, if given.
        compacted: Called after what the compactor gave has taken its place in storage, if given.
    """

    def __init__(
        self,
        name: str,
        rows: Sequence[bytes],
        *,
        storage: RoomStorage,
        compactor: Callable[[], Compactor],
        failed: Callable[[Exception], None],
        counters: RoomCounters | None = None,
        max_unsaved: int = DEFAULT_SERVER_LIMITS.max_unsaved,
        prepare: Callable[[], Awaitable[None]] | None = None,
        compacted: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.partners: Sequence[RoomLog] = ()  # of the rooms on the other sides of a bridge
        self.appended: Callable[[], None] | None = None  # called when storage was handed an update
        self.own_ticket = 0  # storage's, of the last update of this room alone
        self.rows = len(rows)  # that storage holds of this room
        self._storage = storage
        self._compactor = compactor
        self._prepare = prepare
        self._compacted = compacted
        self._failed: Callable[[Exception], None] | None = failed
        self._refusal: StorageError | None = None  # why storage has not taken in an update
        self._counters = counters or RoomCounters()
        self._durable = 0  # a ticket
        self.unsaved = 0  # bytes that are not durable yet
        self._unsaved_rows = 0  # and updates
        self._max_unsaved = max_unsaved
        self._saver: asyncio.Task[None] | None = None
        self._caught_up = asyncio.Event()
        self._caught_up.set()
        self._weight = sum(map(len, rows)) + _ROW_WEIGHT * len(rows)
        self._snapshot_weight = 0
        self._compaction: asyncio.Task[None] | None = None

    @property
    def ticket(self) -> int:
        """Storage's, of the last update of the room, or of those it is bridged with."""
        if not self.partners:
            return self.own_ticket
        return max(self.own_ticket, *[partner.own_ticket for partner in self.partners])

    @property
    def is_behind(self) -> bool:
        """Whether so much waits for storage that no more should be read."""
        return not self._caught_up.is_set()

    async def catch_up(self) -> None:
        """Wait until storage has caught up, or has failed."""
        await self._caught_up.wait()

    async def stored(self, ticket: int) -> None:
        """Wait until everything up to the ticket is durable.

        Raises:
            StorageError: It could not be made so, or an update was not even taken in, and has no ticket.
        """
        if self._refusal is not None:
            raise self._refusal
        if ticket > self._durable:
            if self.own_ticket < ticket:  # a partner's; storage may have refused what is this room's
                await self._storage.stored(self.own_ticket)
            await self._storage.stored(ticket)

    def append(self, update: bytes) -> bool:
        """Hand an update to storage.

        Returns:
            Whether it was taken in. If not, the room has failed.
        """
        if self._failed is None:
            return False
        try:
            self.own_ticket = self._storage.append(self.name, update)
        except Exception as error:  # noqa: BLE001 - the contract forbids it; whatever it is, nothing was stored
            self._refusal = error if isinstance(error, StorageError) else StorageError(repr(error))
            self._fail(error)
            return False
        size = len(update)
        self._counters.updates += 1
        self._counters.update_bytes += size
        self.unsaved += size
        self._unsaved_rows += 1
        if self._has_much_unsaved:
            self._caught_up.clear()
        if self._saver is None:
            self._saver = asyncio.get_running_loop().create_task(self._save())
        self.note(update)
        if self.appended is not None:
            self.appended()
        return True

    def note(self, update: bytes) -> None:
        """Count a row that storage has got, by this process or another, and compact what has grown."""
        self.rows += 1
        self._weight += len(update) + _ROW_WEIGHT
        if self.rows >= _LIVE_ROWS and self._is_heavy and self._compaction is None:
            self._start_compaction()

    async def settle(self, *, compact: bool = True, wait: bool = True) -> None:
        """Wait until everything is stored and no compaction is under way.

        Args:
            compact: Whether to compact if it is worth it.
            wait: Whether to wait for a compaction.

        Raises:
            StorageError: An update could not be stored.
        """
        while True:
            await self.stored(self.ticket)
            if compact and self._compaction is None and self.rows >= _IDLE_ROWS and self._is_heavy:
                self._start_compaction()
            compaction = self._compaction if wait else None
            under_way = {task for task in (self._saver, compaction) if task is not None}
            if not under_way:
                return
            await asyncio.wait(under_way)

    def close(self) -> None:
        """Take nothing more, and blame nobody for it. A compaction is left where it is: the log is whole."""
        self._failed = None
        if self._compaction is not None:
            self._compaction.cancel()

    def _fail(self, error: Exception) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            self._caught_up.set()
            failed(error)

    async def _save(self) -> None:
        try:
            while self._durable < self.ticket:
                ticket, size, rows = self.ticket, self.unsaved, self._unsaved_rows
                await self.stored(ticket)
                self._durable = ticket
                self.unsaved -= size
                self._unsaved_rows -= rows
                if not self._has_much_unsaved:
                    self._caught_up.set()
        except Exception as error:  # noqa: BLE001 - whatever a storage raises, nothing is acknowledged any more
            self._fail(error)
        finally:
            self._saver = None

    @property
    def _has_much_unsaved(self) -> bool:
        return self.unsaved + _UNSAVED_ROW * self._unsaved_rows > self._max_unsaved

    @property
    def _is_heavy(self) -> bool:
        # Compacting when the tail outweighs the snapshot writes each byte a constant number of times.
        return self._weight > 2 * self._snapshot_weight

    def _start_compaction(self) -> None:
        self._compaction = asyncio.get_running_loop().create_task(self._compact())

    async def _compact(self) -> None:
        rows, weight = self.rows, self._weight
        try:
            if self._prepare is not None:
                await self._prepare()
            left = await self._storage.compact(self.name, self._compactor())
        except Exception as error:  # noqa: BLE001 - a log that cannot be compacted is a log all the same
            unexpected = None if isinstance(error, StorageError) else error
            _log.error("room %.200r could not be compacted: %r", self.name, error, exc_info=unexpected)
            self._counters.failed_compactions += 1
            left = None
        finally:
            self._compaction = None
        # Where nothing could be gained, wait for twice as much before the next try.
        self._snapshot_weight = weight if left is None else left
        if left is not None:
            if self._compacted is not None:
                self._compacted()
            self._counters.compactions += 1
            self.rows += 1 - rows
            self._weight += left - weight
