"""Rooms in one SQLite file: the embedded default of the server.

One row an update, as received; a checksum on each. Appends of one turn of the event loop and all that arrive
while a write is running share one transaction: many pay the price of a synced commit together, and a crash
takes both sides of a bridged change or neither. All of SQLite's work happens on one thread of the storage's
own: the event loop never waits for the disk.

File format 1: ``rooms(id, name)`` and ``updates(seq, room, crc, data)``, where ``seq`` grows for ever and
``crc`` is the CRC-32 of the room's name in UTF-8, a zero byte and the data.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

from weft._aio.tasks import end_tasks
from weft._aio.thread import WorkerThread
from weft._support.arguments import path_of
from weft.errors import RemoteProtocolError, StorageError
from weft.server._core.sqlite_file import SqliteFile
from weft.server.storage import RoomStorage

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from weft.documents import Compactor

__all__ = ["SqliteRoomStorage"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

# One transaction's worth. A commit is one unit of loss and of waiting: without a bound, whoever asks for a
# small update to be durable waits for all the megabytes queued behind it. What was appended in one turn of
# the event loop may be two sides of one change: it is not taken apart before twice as much.
_BATCH_BYTES = 8 * 1024 * 1024


class SqliteRoomStorage(RoomStorage):
    """Rooms in one SQLite file.

    The file is to stay where it is while it is open; that is looked at before anything is confirmed. If it
    was removed, all that it held is written again. If it was replaced by another file, nothing is confirmed
    any more (``StorageError``), and what it held is put into a file beside it, ``…-kept-…``.

    Args:
        path: The file. It is created if absent; two more files with ``-wal`` and ``-shm`` endings may stand
            beside it while it is in use.
        synchronous: ``"FULL"`` syncs every commit, so what is acknowledged survives a loss of power.
            ``"NORMAL"`` is several times faster on slow disks and survives any end of the process, but a loss
            of power may take the last acknowledged updates.
        exclusive: Whether to lock the file against other processes for as long as it is open. Two servers on
            one file would each keep rooms of their own and never show one's edits to the other's clients.
            ``False`` allows reading, and thereby backups, while the server runs.
        busy_timeout: Seconds to wait for another process that holds the file, such as the server this one
            replaces.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        exclusive: bool = True,
        busy_timeout: float = 5.0,
    ) -> None:
        if synchronous not in {"FULL", "NORMAL"}:
            raise ValueError(f"synchronous must be 'FULL' or 'NORMAL', not {synchronous!r}")
        self.path = path_of(path)
        # Of the event loop's side:
        self._thread: WorkerThread | None = None
        self._queue: list[tuple[str, bytes]] = []  # appended, not yet durable
        self._ticket = 0  # of the last append
        self._durable = 0  # everything up to this ticket is on disk
        self._turn_ends: deque[int] = deque()  # tickets after which a turn of the event loop ended
        self._in_turn = False
        self._writing: asyncio.Task[None] | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        # Of the thread's side:
        self._file = SqliteFile(
            self.path, synchronous=synchronous, exclusive=exclusive, busy_timeout=busy_timeout
        )
        self._room_ids: dict[str, int] = {}

    # What the server calls

    async def open(self) -> None:
        """Open or create the file.

        Raises:
            StorageError: It cannot be opened, is not a file of weft's, is of a newer format, or another
                process holds it.
        """
        if self._thread is not None:
            raise StorageError(f"{self.path}: already open")
        thread = self._thread = WorkerThread("weft-sqlite")
        try:
            await self._run(self._open)
        except BaseException:
            self._thread = None
            await thread.close()
            raise

    async def load(self, room: str) -> list[bytes]:
        """Every update of a room.

        Raises:
            StorageError: A row's checksum does not match, or SQLite cannot read the file. It is as it was.
        """
        await self.stored(self._ticket)
        return await self._run(self._load, room)

    def append(self, room: str, update: bytes) -> int:
        """Queue one update for the next transaction.

        Raises:
            ValueError: The room's name cannot be encoded.
        """
        room.encode()  # refused here, it cannot spoil the transaction of others
        self._queue.append((room, bytes(update)))
        self._ticket += 1
        if not self._in_turn:
            self._in_turn = True
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._start_writing()
        return self._ticket

    async def stored(self, ticket: int) -> None:
        """Wait until everything up to this ticket has been committed.

        Raises:
            StorageError: The transaction failed. Its updates are kept and tried again.
        """
        if ticket <= self._durable:
            return
        if ticket > self._ticket:
            raise ValueError(f"ticket {ticket} was never given out")
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((ticket, waiter))
        self._start_writing()
        await waiter

    async def compact(self, room: str, compactor: Compactor) -> int | None:
        """Replace the rows of a room by one snapshot, in one transaction.

        Rows of which a part waits for missing structs stay (a snapshot cannot carry them); rows appended
        meanwhile are not touched.

        Raises:
            StorageError: A row is corrupt or is not an update; nothing was changed.
        """
        await self.stored(self._ticket)
        return await self._run(self._compact, room, compactor)

    async def close(self) -> None:
        """Write what is queued and close the file. A second call does nothing.

        Raises:
            StorageError: The last updates could not be written.
        """
        if self._thread is None:
            return
        try:
            await self.stored(self._ticket)
        finally:
            thread, self._thread = self._thread, None
            try:
                if self._writing is not None:
                    await end_tasks([self._writing], grace_seconds=None)
            finally:
                try:
                    await thread.run(self._close)
                finally:
                    await thread.close()

    # Group commit, on the event loop

    def _start_writing(self) -> None:
        # The task begins in the next turn of the loop: all that is appended in this one shares a transaction.
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_queue())

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                count = self._next_batch()
                batch = self._queue[:count]
                await self._run(self._insert, batch)
                del self._queue[:count]
                self._durable += count
                self._wake(None)
        except StorageError as error:
            self._wake(error)
        except BaseException as error:
            self._wake(StorageError(f"{self.path}: {error!r}"))  # nobody is left waiting for ever
            raise
        finally:
            self._writing = None

    def _end_turn(self) -> None:
        self._in_turn = False
        self._turn_ends.append(self._ticket)

    def _next_batch(self) -> int:
        """How many of the queued updates go into the next transaction."""
        while self._turn_ends and self._turn_ends[0] <= self._durable:
            self._turn_ends.popleft()
        ends = set(self._turn_ends)
        count, size = 0, 0
        while count < len(self._queue) and (
            size < _BATCH_BYTES or (size < 2 * _BATCH_BYTES and self._durable + count not in ends)
        ):
            size += len(self._queue[count][1])
            count += 1
        return count

    def _wake(self, error: StorageError | None) -> None:
        waiting = []
        for ticket, waiter in self._waiters:
            if waiter.done():
                continue
            if ticket <= self._durable:
                waiter.set_result(None)
            elif error is not None:
                waiter.set_exception(StorageError(*error.args))
            else:
                waiting.append((ticket, waiter))
        self._waiters = waiting

    async def _run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if self._thread is None:
            raise StorageError(f"{self.path}: not open")
        return await self._thread.run(work, *args, **kwargs)

    # On the storage's thread

    def _open(self) -> None:
        self._file.open()

    def _close(self) -> None:
        try:
            self._file.verify()
        finally:
            self._file.close()
            self._room_ids.clear()

    def _insert(self, batch: list[tuple[str, bytes]]) -> None:
        if self._file.is_lost:  # what is tried again would be written again to a file without a name
            self._file.verify()
        ids: dict[str, int] = {}
        with self._file.transaction() as db:
            for room in {room for room, _ in batch}:
                known = self._room_ids.get(room)
                if known is None:
                    db.execute("INSERT INTO rooms (name) VALUES (?) ON CONFLICT DO NOTHING", (room,))
                    known = db.execute("SELECT id FROM rooms WHERE name = ?", (room,)).fetchone()[0]
                ids[room] = known
            db.executemany(
                "INSERT INTO updates (room, crc, data) VALUES (?, ?, ?)",
                [(ids[room], _checksum(room, data), data) for room, data in batch],
            )
        self._room_ids.update(ids)  # only now: a rolled back room has no id
        self._file.verify()

    def _load(self, room: str) -> list[bytes]:
        self._file.verify()
        return [data for _, data in self._rows(room)]

    def _rows(self, room: str) -> list[tuple[int, bytes]]:
        with self._file.mapped() as db:
            rows = db.execute(
                "SELECT seq, crc, data FROM updates"
                " WHERE room = (SELECT id FROM rooms WHERE name = ?) ORDER BY seq",
                (room,),
            ).fetchall()
        for seq, crc, data in rows:
            if not isinstance(data, bytes) or _checksum(room, data) != crc:
                raise StorageError(
                    f"{self.path}: room {room!r}, row {seq}: the data does not match its checksum"
                )
        return [(seq, data) for seq, _, data in rows]

    def _compact(self, room: str, compactor: Compactor) -> int | None:
        rows = self._rows(room)
        if len(rows) < 2:
            return None
        try:
            compacted = compactor([data for _, data in rows])
        except RemoteProtocolError as error:
            raise StorageError(
                f"{self.path}: room {room!r} holds a row that is not an update: {error}"
            ) from error
        if compacted is None:
            return None
        snapshot = compacted.snapshot
        replaced = [seq for at, (seq, _) in enumerate(rows) if at not in compacted.kept]
        with self._file.transaction() as db:
            db.executemany("DELETE FROM updates WHERE seq = ?", [(seq,) for seq in replaced])
            # In the place of the first, so that it comes before what builds upon it.
            db.execute(
                "INSERT INTO updates (seq, room, crc, data) SELECT ?, id, ?, ? FROM rooms WHERE name = ?",
                (replaced[0], _checksum(room, snapshot), snapshot, room),
            )
        return len(snapshot) + sum(len(rows[at][1]) for at in compacted.kept)


def _checksum(room: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(room.encode() + b"\0"))
