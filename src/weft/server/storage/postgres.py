"""Rooms in PostgreSQL, for any number of server processes.

One connection writes: what arrives while a batch is being committed is the next one. A few more read. When it
is lost it is made again, and the server is asked whether the batch that was under way had been committed, so
that it is written once.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from weft._support.arguments import wrong_kind
from weft.errors import RoomDeletedError, StorageError
from weft.persisters.postgres.driver import CONNECT_SECONDS, UNREADABLE_DSN
from weft.server.storage import postgres_rooms, postgres_statements as sql
from weft.server.storage.contract import DELETED, QuarantinedRow, RoomInfo, RoomStorage
from weft.server.storage.group_commit import GroupCommit
from weft.server.storage.listing import end_of_prefix
from weft.server.storage.missing import report_accepted
from weft.server.storage.postgres_reader import PostgresReader
from weft.server.storage.postgres_writer import PostgresWriter
from weft.server.storage.slices import SLICE_ROWS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping

    from weft.documents import Compactor
    from weft.server.storage.commit_stats import CommitStats
    from weft.server.storage.contract import CommitListener, StoredRoom
    from weft.server.storage.group_commit import Batch

__all__ = ["PostgresRoomStorage"]

_T = TypeVar("_T")

# All that asyncpg raises for the server's or the network's reasons. The internal one is what comes of a
# statement after the server's last word, before the end is noticed.
_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
# Of the server's answers those that may be another the next time: it is starting, stopping, or full of
# connections; it is a standby that takes over; a deadlock, or a conflict of transactions.
_PASSING = ("08", "40", "57P", "53300", "25006")
# Reading is bound by the server, not by the number of connections.
_READERS = 4
# Compactions hold a connection for as long as they compute: some are left for who waits for a room.
_COMPACTIONS = 2
# Seconds to connect, and for a statement: a server that vanished without a word is not waited for for ever.
_OPTIONS = {"timeout": CONNECT_SECONDS, "command_timeout": 60.0}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
# PostgreSQL's index takes entries of up to about 2,700 bytes.
_MAX_NAME = 2048


class PostgresRoomStorage(RoomStorage):
    """Rooms in PostgreSQL 12 or newer, which several servers may share.

    ``weft db init ADDRESS``, or :meth:`init`, makes its tables; nothing else changes the schema.

    Args:
        dsn: Where, as asyncpg takes it: ``postgresql://user@host/database``.
        patience: Seconds for which a lost connection is tried again before what waits for it fails. Nothing
            that was appended is given up then either.
    """

    is_shared = True

    def __init__(self, dsn: str, *, patience: float = 5.0) -> None:
        if not isinstance(dsn, str):
            raise wrong_kind('a DSN, such as "postgresql://user@host/database",', dsn)
        self._dsn = dsn
        self.place = _place(dsn)
        self._patience = patience
        self._pool: asyncpg.Pool[Any] | None = None
        self._commits = GroupCommit(self._write, self.place)
        self._writer = PostgresWriter(self._connect)
        self._ids = self._writer.ids
        self._compactions = asyncio.Semaphore(_COMPACTIONS)

    async def init(self) -> None:
        """Make the tables, if they are not there.

        Raises:
            StorageError: The server cannot be reached, or does not let us; or its encoding is not UTF-8.
        """
        connection = await self._mapped(self._connect())
        try:
            await self._check_format(connection)
            if await self._mapped(connection.fetchval("SHOW server_encoding")) != "UTF8":
                raise StorageError(f"{self.place}: the encoding of the database is not UTF8")
            await self._mapped(connection.execute(sql.TABLES))  # several statements are one transaction
        finally:
            await _close(connection)

    async def open(self) -> None:
        """Connect.

        Raises:
            StorageError: The server cannot be reached, or the tables are not there or cannot be written.
        """
        if self._pool is not None:
            raise StorageError(f"{self.place}: already open")
        connection = await self._mapped(self._connect())
        try:
            if not await self._check_format(connection) or await self._mapped(
                connection.fetch(sql.MISSING_TABLES)
            ):
                raise StorageError(self._tables_are_missing)
            await self._mapped(self._check_writing(connection))
            self._pool = await asyncpg.create_pool(
                self._dsn, min_size=0, max_size=_READERS, init=_prepare_session, **_OPTIONS
            )
        finally:
            await _close(connection)

    async def load(self, room: str) -> StoredRoom:
        """All updates of a room.

        Raises:
            StorageError: A row's checksum does not match, rows are missing, or the server cannot be reached.
            RoomDeletedError: The room was deleted.
        """
        await self._commits.flush()
        room_id, stored = await self._again(lambda connection: postgres_rooms.read(connection, room, 0))
        self._ids.pop(room, None)
        if room_id is not None:
            self._ids[room] = room_id
        self._commits.mark_deleted(room, False)
        return stored

    def release(self, room: str) -> None:
        """Forget the room's id, unless something of it is not written yet."""
        if self._commits.release(room):
            self._ids.pop(room, None)

    async def since(self, room: str, number: int) -> StoredRoom:
        """The updates of a room beyond a number.

        Raises:
            StorageError: As for :meth:`load`.
        """
        await self._commits.flush()
        held = self._ids.get(room)  # before it is read: the first update may be committed meanwhile
        room_id, stored = await self._again(lambda connection: postgres_rooms.read(connection, room, number))
        if held not in {None, room_id}:
            raise RoomDeletedError(room)
        return stored

    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        """The numbers of the last updates."""
        held = {name: self._ids[name] for name in rooms if name in self._ids}  # before, as above
        rows = await self._again(lambda connection: connection.fetch(sql.HEADS, list(rooms)))
        heads = dict.fromkeys(held, DELETED)
        heads |= {name: head for name, room_id, head in rows if held.get(name, room_id) == room_id}
        return heads

    def append(self, room: str, update: bytes) -> int:
        """Queue one update for the next batch.

        Raises:
            ValueError: The name has a NUL, cannot be encoded, or has more than 2048 bytes.
            RoomDeletedError: The room was deleted.
        """
        if room not in self._ids:
            _check_name(room)
        return self._commits.append(room, update)

    async def stored(self, ticket: int) -> None:
        """Wait until everything up to this ticket has been committed.

        Raises:
            StorageError: The server cannot be reached, or refuses. The updates are kept and tried again.
            RoomDeletedError: The update was refused.
        """
        await self._commits.stored(ticket)

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        """Tell after each commit."""
        return self._commits.listeners.add(listener)

    async def compact(self, room: str, compactor: Compactor) -> int | None:
        """Replace rows of a room by one snapshot, unless another process is at it.

        The snapshot is written in one transaction, and what it stands for deleted in small ones.

        Raises:
            StorageError: A row is corrupt or is not an update, or the server cannot be reached.
        """
        await self._commits.flush()
        async with self._compactions:
            return await self._once(lambda connection: postgres_rooms.compact(connection, room, compactor))

    async def set_aside(self, room: str, faults: Mapping[int, str]) -> None:
        """Move rows to the table ``weft_quarantine``, in one statement."""
        arguments = (room, list(faults), [fault.replace("\0", "") for fault in faults.values()])
        await self._again(lambda connection: connection.execute(sql.SET_ASIDE, *arguments))

    async def quarantined(self, room: str | None = None) -> list[QuarantinedRow]:
        """What is in that table."""
        rows = await self._again(lambda connection: connection.fetch(sql.QUARANTINED, room))
        return [QuarantinedRow(*row) for row in rows]

    async def restore(self, room: str, number: int) -> int:
        """Move a row from that table, in one transaction."""
        return await self._once(lambda connection: postgres_rooms.restore(connection, room, number))

    async def discard(self, room: str, numbers: Collection[int]) -> int:
        """Delete rows of that table, in one statement."""
        done = await self._once(lambda connection: connection.execute(sql.DISCARD, room, list(numbers)))
        return int(done.split()[-1])

    async def accept_missing(self, room: str) -> int:
        """Count the rows there are, in one transaction."""
        await self._commits.flush()
        missing = await self._once(lambda connection: postgres_rooms.accept_missing(connection, room))
        report_accepted(room, missing)
        return missing

    async def delete(self, room: str) -> None:
        """Delete a room, in one transaction."""
        _check_name(room)
        await self._commits.flush()
        await self._again(lambda connection: postgres_rooms.delete(connection, room))
        self._commits.mark_deleted(room)

    async def free(self, room: str) -> None:
        """Let the name of a deleted room be used again."""
        statement = "DELETE FROM weft_rooms WHERE name = $1 AND deleted_at IS NOT NULL"
        await self._again(lambda connection: connection.execute(statement, room))
        self._ids.pop(room, None)

    async def rename(self, room: str, to: str) -> None:
        """Rename a room, in one transaction."""
        _check_name(to)
        await self._commits.flush()
        await self._once(lambda connection: postgres_rooms.rename(connection, room, to))
        self._commits.mark_deleted(room)
        self._commits.mark_deleted(to, False)
        self._ids.pop(to, None)

    async def configure(self, room: str, settings: Mapping[str, Any]) -> None:
        """Keep settings with a room."""
        _check_name(room)
        text = json.dumps(dict(settings))
        if await self._again(lambda connection: connection.fetchval(sql.CONFIGURE, room, text)) is None:
            raise RoomDeletedError(room)

    async def rooms(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[RoomInfo]:
        """A page of the rooms there are."""
        await self._commits.flush()
        found: list[RoomInfo] = []
        while len(found) < limit:
            page = (after, prefix, end_of_prefix(prefix), min(limit - len(found), SLICE_ROWS))
            rows = await self._again(lambda connection: connection.fetch(sql.ROOMS, *page))  # noqa: B023
            found += [RoomInfo(*row) for row in rows]
            if len(rows) < page[-1]:
                break
            after = found[-1].name
        return found

    @property
    def commit_stats(self) -> CommitStats:
        """What has been committed."""
        return self._commits.stats

    async def probe(self) -> None:
        """Write the one row that is there for it.

        Raises:
            StorageError: The server cannot be reached, or does not write.
        """
        await self._once(lambda connection: connection.execute(sql.PROBE))

    async def close(self) -> None:
        """Write what is queued and disconnect. A second call does nothing.

        Raises:
            StorageError: The last updates could not be written.
        """
        if self._pool is None:
            return
        try:
            await self._commits.flush()
        finally:
            pool, self._pool = self._pool, None
            try:
                await self._commits.settle()
            finally:
                await _close(self._writer)
                await _close(pool)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[PostgresReader]:
        """All rooms as of one moment, on a connection of its own; the storage need not be open.

        Raises:
            StorageError: The server cannot be reached, or the tables are not there.
        """
        connection = await self._mapped(self._connect())
        try:
            if not await self._check_format(connection):
                raise StorageError(self._tables_are_missing)
            await self._mapped(connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield PostgresReader(connection, self._mapped)
        finally:
            await _close(connection)

    # Writing

    async def _write(self, batch: Batch) -> Mapping[str, int]:
        return await self._patiently(lambda: self._writer.write(batch))

    async def _connect(self) -> asyncpg.Connection[Any]:
        try:
            connection = await asyncpg.connect(self._dsn, **_OPTIONS)
        except ValueError:
            raise StorageError(UNREADABLE_DSN) from None  # which shows a part of it
        try:
            await _prepare_session(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _check_writing(self, connection: asyncpg.Connection[Any]) -> None:
        """What a server would otherwise learn of each room by itself."""
        if await connection.fetchval("SHOW transaction_read_only") == "on":
            raise StorageError(f"{self.place}: it cannot be written, it is a standby or set to read-only")
        denied = [name for (name,) in await connection.fetch(sql.DENIED_TABLES)]
        if denied:
            tables = ", ".join(denied)
            raise StorageError(f"{self.place}: this role may not read and write {tables}; GRANT it that")
        await connection.execute(sql.OLD_WRITERS)
        await connection.execute(sql.PROBE)  # whether there is space

    async def _check_format(self, connection: asyncpg.Connection[Any]) -> bool:
        """Whether the tables are there; those of a newer weft are left alone."""
        found = await self._mapped(connection.fetchval(sql.FORMAT_OF_TABLES))
        if found not in {None, sql.FORMAT}:
            raise StorageError(f"{self.place}: written by a newer weft ({found!r})")
        return found is not None

    async def _again(self, work: Callable[[asyncpg.Connection[Any]], Awaitable[_T]]) -> _T:
        """Do what may be done twice."""
        return await self._patiently(lambda: self._on_a_reader(work))

    async def _once(self, work: Callable[[asyncpg.Connection[Any]], Awaitable[_T]]) -> _T:
        return await self._mapped(self._on_a_reader(work))

    async def _on_a_reader(self, work: Callable[[asyncpg.Connection[Any]], Awaitable[_T]]) -> _T:
        if self._pool is None:
            raise StorageError(f"{self.place}: not open")
        async with self._pool.acquire() as connection:
            return await work(connection)

    async def _patiently(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Try until it succeeds, or fails for a reason that will not pass, or patience is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience
        pause = 0.0
        while True:
            if self._pool is None:
                raise StorageError(f"{self.place}: not open")
            try:
                return await attempt()
            except _ERRORS as error:
                code = getattr(error, "sqlstate", None) or "08"
                if not code.startswith(_PASSING) or loop.time() + pause >= end:
                    raise self._storage_error(error) from error
            await asyncio.sleep(pause)
            pause = min(max(2 * pause, _FIRST_PAUSE), _LONGEST_PAUSE)

    async def _mapped(self, work: Awaitable[_T]) -> _T:
        try:
            return await work
        except _ERRORS as error:
            raise self._storage_error(error) from error

    def _storage_error(self, error: Exception) -> StorageError:
        if isinstance(error, asyncpg.UndefinedTableError):
            return StorageError(self._tables_are_missing)
        return StorageError(f"{self.place}: {str(error) or type(error).__name__}")

    @property
    def _tables_are_missing(self) -> str:
        return f"{self.place}: weft's tables are not there; make them with: weft db init {self.place}"


async def _prepare_session(connection: asyncpg.Connection[Any]) -> None:
    """The isolation that the statements are made for, and no commit that is not on disk."""
    await connection.execute(
        "SET default_transaction_isolation = 'read committed';"
        " SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'"
    )


async def _close(connection: Any) -> None:
    """Let go of a connection, a writer or a pool, whatever state it is in."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.close()
    except _ERRORS:
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise


def _check_name(name: str) -> None:
    """Refuse what would spoil the batch of others."""
    if "\0" in name or len(name.encode()) > _MAX_NAME:
        raise ValueError(f"PostgreSQL cannot carry the name {name!r:.200}: it has a NUL or is too long")


def _place(dsn: str) -> str:
    """The address without what may be a secret."""
    try:
        parts = urlsplit(dsn)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "PostgreSQL"
    return f"postgresql://{parts.hostname or ''}{port}{parts.path}"
