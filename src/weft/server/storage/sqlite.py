"""Rooms in one SQLite file: the embedded default of the server.

One row an update, as received; a checksum on each. Appends of one turn of the event loop and all that arrive
while a write is running share one transaction: many pay the price of a synced commit together, and a crash
takes both sides of a bridged change or neither. All of SQLite's work happens on one thread of the storage's
own: the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from weft._aio.thread import WorkerThread, run_apart
from weft._support.arguments import path_of
from weft._support.sqlite_file import SqliteFile
from weft.errors import StorageError
from weft.server.storage.contract import RoomStorage
from weft.server.storage.group_commit import GroupCommit
from weft.server.storage.replacement import Replacement
from weft.server.storage.slices import SLICE_ROWS
from weft.server.storage.sqlite_rooms import SqliteRooms
from weft.server.storage.sqlite_rows import RowsRead
from weft.server.storage.sqlite_schema import ROOMS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Mapping

    from weft.documents import Compactor
    from weft.server.storage.commit_stats import CommitStats
    from weft.server.storage.contract import CommitListener, QuarantinedRow, RoomInfo, StoredRoom
    from weft.server.storage.group_commit import Batch

__all__ = ["SqliteRoomStorage"]

# At a time: each has a room's rows in memory, and takes the interpreter from who serves.
_COMPACTIONS = 2
_P = ParamSpec("_P")
_T = TypeVar("_T")


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
        self.path = self.place = path_of(path)
        # Of the event loop's side:
        self._thread: WorkerThread | None = None
        self._commits = GroupCommit(self._write, self.path)
        self._compactions = asyncio.Semaphore(_COMPACTIONS)
        # Of the thread's side:
        self._file = SqliteFile(
            self.path, ROOMS, synchronous=synchronous, exclusive=exclusive, busy_timeout=busy_timeout
        )
        self._rooms = SqliteRooms(self._file)

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
            await self._run(self._file.open)
        except BaseException:
            self._thread = None
            await thread.close()
            raise

    async def load(self, room: str) -> StoredRoom:
        """All updates of a room.

        Raises:
            StorageError: As for :meth:`since`.
        """
        stored = await self._read(room, 0, load=True)
        self._commits.mark_deleted(room, False)
        return stored

    def release(self, room: str) -> None:
        """Forget the room's id, unless something of it is not written yet."""
        if self._commits.release(room):
            self._rooms.release(room)

    async def since(self, room: str, number: int) -> StoredRoom:
        """The updates of a room beyond a number.

        Raises:
            StorageError: A row's checksum does not match, rows are missing, or SQLite cannot read the file.
                It is as it was.
            RoomDeletedError: The room was deleted.
        """
        return await self._read(room, number)

    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        """The numbers of the last updates."""
        return await self._run(self._rooms.heads, rooms)

    def append(self, room: str, update: bytes) -> int:
        """Queue one update for the next transaction.

        Raises:
            ValueError: The room's name cannot be encoded.
            RoomDeletedError: The room was deleted.
        """
        return self._commits.append(room, update)

    async def stored(self, ticket: int) -> None:
        """Wait until everything up to this ticket has been committed.

        Raises:
            StorageError: The transaction failed. Its updates are kept and tried again.
            RoomDeletedError: The update was refused.
        """
        await self._commits.stored(ticket)

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        """Tell after each commit."""
        return self._commits.listeners.add(listener)

    async def compact(self, room: str, compactor: Compactor) -> int | None:
        """Replace rows of a room by one snapshot: write it, then delete what it stands for, slice by slice.

        Rows of which a part waits for missing structs stay (a snapshot cannot carry them); rows appended
        meanwhile are not touched.

        Raises:
            StorageError: A row is corrupt or is not an update, and nothing was changed; or a slice could not
                be deleted.
        """
        async with self._compactions:
            return await self._compact(room, compactor)

    async def _compact(self, room: str, compactor: Compactor) -> int | None:
        stored = await self.since(room, 0)
        # Not on the storage's thread: it may take seconds, in which nothing of other rooms would be written.
        replacement = await run_apart(Replacement.of, room, stored, compactor)
        if replacement is None:
            return None
        room_id = await self._run(self._rooms.put_snapshot, room, replacement)
        for rows in replacement.slices():
            if not await self._run(self._rooms.delete_absorbed, room, room_id, replacement, rows):
                break  # it was compacted anew, or set aside: by whoever did that
        return replacement.left

    async def set_aside(self, room: str, faults: Mapping[int, str]) -> None:
        """Move rows to the table ``quarantine``, in one transaction."""
        await self._change(self._rooms.set_aside, room, faults)

    async def quarantined(self, room: str | None = None) -> list[QuarantinedRow]:
        """What is in that table."""
        return await self._run(self._rooms.quarantined, room)

    async def restore(self, room: str, number: int) -> int:
        """Move a row from that table, in one transaction."""
        await self._commits.flush()
        return await self._run(self._rooms.restore, room, number)

    async def discard(self, room: str, numbers: Collection[int]) -> int:
        """Delete rows of that table, in one transaction."""
        return await self._run(self._rooms.discard, room, numbers)

    async def accept_missing(self, room: str) -> int:
        """Count the rows there are, in one transaction."""
        await self._commits.flush()
        return await self._run(self._rooms.accept_missing, room)

    async def delete(self, room: str) -> None:
        """Delete a room, in one transaction."""
        await self._change(self._rooms.delete, room)
        self._commits.mark_deleted(room)

    async def free(self, room: str) -> None:
        """Let the name of a deleted room be used again."""
        await self._change(self._rooms.free, room)

    async def rename(self, room: str, to: str) -> None:
        """Rename a room, in one transaction; each of its rows is written."""
        to.encode()
        await self._change(self._rooms.rename, room, to)
        self._commits.mark_deleted(room)
        self._commits.mark_deleted(to, False)

    async def configure(self, room: str, settings: Mapping[str, Any]) -> None:
        """Keep settings with a room."""
        await self._change(self._rooms.configure, room, json.dumps(dict(settings)))

    async def rooms(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[RoomInfo]:
        """A page of the rooms there are."""
        await self._commits.flush()
        found: list[RoomInfo] = []
        while len(found) < limit:
            part = await self._run(self._rooms.rooms, prefix, after, min(limit - len(found), SLICE_ROWS))
            if not part:
                break
            found += part
            after = part[-1].name
        return found

    @property
    def commit_stats(self) -> CommitStats:
        """What has been committed."""
        return self._commits.stats

    async def probe(self) -> None:
        """Commit a transaction that changes nothing, synced as every other.

        Raises:
            StorageError: It could not be written, or the file is not the one at its path any more.
        """
        await self._run(self._rooms.probe)

    async def close(self) -> None:
        """Write what is queued and close the file. A second call does nothing.

        Raises:
            StorageError: The last updates could not be written.
        """
        if self._thread is None:
            return
        try:
            await self._commits.flush()
        finally:
            thread, self._thread = self._thread, None
            try:
                await self._commits.settle()
            finally:
                try:
                    await thread.run(self._close)
                finally:
                    await thread.close()

    async def _read(self, room: str, number: int, *, load: bool = False) -> StoredRoom:
        """All that was appended before is in it."""
        await self._commits.flush()
        rows = RowsRead(room, number)
        while (stored := await self._run(self._rooms.read_on, rows, load=load)) is None:
            pass
        return stored

    async def _write(self, batch: Batch) -> Mapping[str, int]:
        return await self._run(self._rooms.insert, batch)

    async def _change(self, work: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Change a room; all that was appended to it before is in it."""
        await self._commits.flush()
        await self._run(work, *args, **kwargs)

    async def _run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if self._thread is None:
            raise StorageError(f"{self.path}: not open")
        return await self._thread.run(work, *args, **kwargs)

    def _close(self) -> None:
        try:
            self._file.verify()
        finally:
            self._file.close()
            self._rooms.clear()
