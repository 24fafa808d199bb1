"""Reading a SQLite file of rooms from outside, also while a server has locked it.

A server's lock keeps SQLite out, not the operating system: the file and its write-ahead log are copied, and
the copy is read. Copied in this order, file first, they are what a crash would have left behind: what a
checkpoint writes into the file meanwhile stands in the log as well, as long as the log is not begun anew. It
begins with salts of its own each time, so that is seen, and the copy is made again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from weft.errors import StorageError
from weft.server.storage.contract import QuarantinedRow, RoomInfo
from weft.server.storage.listing import end_of_prefix
from weft.server.storage.reading import ReadRoom, ReadRow, RoomReader
from weft.server.storage.sqlite_schema import (
    APPLICATION_ID,
    FORMAT,
    QUARANTINED,
    has_quarantine,
    has_settings_checksums,
    name_checksum,
    row_checksum,
    settings_checksum,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["SqliteReader", "connect_to_read", "copy_in_use", "is_in_use", "read_sqlite"]

_BUSY_TIMEOUT = 1.0  # seconds: a commit of a server that shares its file is over by then
_LOG_HEADER = 32  # bytes; SQLite's file format, section 4.1: it has the salts
_TRIES = 20


@asynccontextmanager
async def read_sqlite(path: str) -> AsyncIterator[RoomReader]:
    """The rooms in a file as of one moment. It is copied first, to a temporary place, if a server locks it.

    Raises:
        StorageError: There is no such file, or it is not weft's, or of a newer format.
    """
    if is_in_use(path):
        with tempfile.TemporaryDirectory(prefix="weft-") as folder:
            copy = str(Path(folder) / "copy.sqlite3")
            copy_in_use(path, copy)
            with connect_to_read(copy, place=path) as db:
                yield SqliteReader(db, path)
    else:
        with connect_to_read(path) as db:
            yield SqliteReader(db, path)


@contextmanager
def connect_to_read(path: str, *, place: str = "") -> Iterator[sqlite3.Connection]:
    """A connection to a file that is there, with one moment's view of it.

    Args:
        path: The file.
        place: How errors call it, if not by that.

    Raises:
        StorageError: It is not weft's, is of a newer format, or cannot be read.
    """
    place = place or path
    if not Path(path).is_file():
        raise StorageError(f"{place}: there is no such file")
    uri = f"file:{quote(str(Path(path).absolute()))}?mode=rw"
    try:
        db = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None)
        try:
            db.execute("BEGIN")
            application = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if application != APPLICATION_ID or not version:
                raise StorageError(f"{place}: this database is not weft's")
            if version > FORMAT:
                raise StorageError(f"{place}: written by a newer weft (format {version}, known is {FORMAT})")
            yield db
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StorageError(f"{place}: {error}") from error


def is_in_use(path: str) -> bool:
    """Whether a process has locked the file against all others.

    Raises:
        StorageError: As for :func:`connect_to_read`.
    """
    try:
        with connect_to_read(path):
            return False
    except StorageError as error:
        if getattr(error.__cause__, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            return True
        raise


def copy_in_use(path: str, target: str) -> None:
    """Copy a file that another process has locked, with its write-ahead log: ``target`` and ``target-wal``.

    Raises:
        StorageError: Each time the log was begun anew meanwhile.
        OSError: It cannot be read, or the copy cannot be written.
    """
    # The log stands beside the file itself, where the path is a link.
    log, log_copy = Path(f"{os.path.realpath(path)}-wal"), Path(f"{target}-wal")
    for _ in range(_TRIES):
        log_copy.unlink(missing_ok=True)
        before = _log_header(log)
        shutil.copyfile(path, target)
        if before:
            shutil.copyfile(log, log_copy)
        if _log_header(log) == before:
            return
    raise StorageError(
        f"{path}: more is written than can be copied from outside; have it served with --shared"
    )


def _log_header(log: Path) -> bytes:
    try:
        with log.open("rb") as file:
            return file.read(_LOG_HEADER)
    except FileNotFoundError:
        return b""


class SqliteReader(RoomReader):
    """The rooms that a connection sees.

    Args:
        db: A connection of :func:`connect_to_read`.
        place: How errors call the file.
    """

    def __init__(self, db: sqlite3.Connection, place: str) -> None:
        self._db = db
        self._place = place
        is_old = db.execute("PRAGMA user_version").fetchone()[0] == 1
        # Format 1 had neither numbers nor what a room had.
        head = "(SELECT count(*) FROM updates WHERE room = rooms.id)" if is_old else "head"
        self._fields = f"id, name, {head} AS head" + (
            ", NULL AS crc, 0 AS absorbed, '{}' AS settings, NULL AS deleted"
            if is_old
            else ", crc, absorbed, settings, deleted"
        )
        self._number = "NULL" if is_old else "number"
        self._is_old = is_old

    async def rooms(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[RoomInfo]:
        """A page of the rooms there are."""
        rows = self._db.execute(
            "SELECT name, head, count(updates.seq), coalesce(sum(length(data)), 0)"
            f" FROM (SELECT * FROM (SELECT {self._fields} FROM rooms) WHERE deleted IS NULL"
            "       AND name > :after AND name >= :prefix AND (:end IS NULL OR name < :end)"
            "       ORDER BY name LIMIT :limit) AS page"
            " LEFT JOIN updates ON updates.room = page.id GROUP BY page.id ORDER BY name",
            {"after": after, "prefix": prefix, "end": end_of_prefix(prefix), "limit": limit},
        ).fetchall()
        return [RoomInfo(*row) for row in rows]

    async def deleted(self) -> list[str]:
        """The names that deleted rooms keep."""
        if self._is_old:
            return []
        return [name for (name,) in self._db.execute("SELECT name FROM rooms WHERE deleted IS NOT NULL")]

    async def read(self, name: str) -> ReadRoom | None:
        """A room."""
        found = self._db.execute(f"SELECT {self._fields} FROM rooms WHERE name = ?", (name,)).fetchone()
        if found is None:
            return None
        room, _, head, _, absorbed, settings, deleted = found
        rows = self._db.execute(
            f"SELECT {self._number}, crc, CAST(data AS BLOB) FROM updates WHERE room = ? ORDER BY 1, seq",
            (room,),
        )
        read = [
            ReadRow(number or at, data, isinstance(data, bytes) and row_checksum(name, data) == crc)
            for at, (number, crc, data) in enumerate(rows, 1)
        ]
        return ReadRoom(
            name, head, absorbed, settings, deleted is not None, read, await self.quarantined(name)
        )

    async def quarantined(self, name: str | None = None) -> list[QuarantinedRow]:
        """What was set aside."""
        if not has_quarantine(self._db):
            return []
        return [QuarantinedRow(*row) for row in self._db.execute(QUARANTINED, {"name": name})]

    async def damage(self) -> list[str]:
        """What SQLite itself finds, names that are not as they were written, rows of no room."""
        # At most a few: one bad page can be a thousand of them.
        found = [line for (line,) in self._db.execute("PRAGMA integrity_check(20)") if line != "ok"]
        for room, name, _, crc, *_ in self._db.execute(f"SELECT {self._fields} FROM rooms NOT INDEXED"):
            if not self._is_old and (not isinstance(name, str) or name_checksum(room, name) != crc):
                found.append(f"the name of room number {room}, {name!r:.200}, does not match its checksum")
        if has_settings_checksums(self._db):
            rooms = self._db.execute("SELECT name, settings, settings_crc FROM rooms NOT INDEXED")
            found += [
                f"the settings of room {name!r:.200} do not match their checksum"
                for name, settings, crc in rooms
                if crc is not None and (not isinstance(settings, str) or settings_checksum(settings) != crc)
            ]
        orphans = self._db.execute(
            "SELECT room, count(*) FROM updates WHERE room NOT IN (SELECT id FROM rooms) GROUP BY room"
        )
        found += [f"{count} rows are of room number {room}, which is not there" for room, count in orphans]
        return found
