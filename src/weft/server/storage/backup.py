"""A copy of all rooms as a SQLite file: what a server can serve, whichever storage it was made of."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from weft._support.sqlite_file import SqliteFile
from weft.errors import StorageError
from weft.server.storage.address import is_shared, reading
from weft.server.storage.reading import problems_of
from weft.server.storage.sqlite_reader import connect_to_read, copy_in_use, is_in_use
from weft.server.storage.sqlite_schema import ROOMS, name_checksum, row_checksum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.server.storage.reading import ReadRoom

__all__ = ["back_up", "new_file"]


async def back_up(address: str, path: str) -> None:
    """Copy all rooms as of one moment, with their numbers and settings and the names of deleted rooms.

    Everything that was confirmed before it began is in the copy. A server may be running.

    Args:
        address: Of the storage.
        path: The file to make. It is there when it is whole and on disk.

    Raises:
        StorageError: There is a file already, or the rooms cannot be read whole.
        OSError: It cannot be written.
    """
    with new_file(path) as target:
        if is_shared(address):
            await _copy_rooms(address, target)
        elif is_in_use(address):
            copy_in_use(address, target)
        else:
            with connect_to_read(address) as source, closing(sqlite3.connect(target)) as copy:
                source.execute("ROLLBACK")  # a backup has a view of its own
                source.backup(copy)
        if not is_shared(address):
            Path(target).chmod(Path(address).stat().st_mode)
        _fold_log(target)


@contextmanager
def new_file(path: str) -> Iterator[str]:
    """A name beside the path to write to; it becomes the path at the end, if nothing is raised.

    Raises:
        StorageError: There is a file already.
    """
    if Path(path).exists():
        raise StorageError(f"{path} is there already")
    part = f"{path}.{secrets.token_hex(4)}.part"
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        with Path(part).open("rb+") as file:
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # unlike a rename it replaces nothing
        except FileExistsError:
            raise StorageError(f"{path} is there already") from None
        except OSError:  # a file system without links
            Path(part).rename(path)
        if os.name != "nt":
            folder = os.open(Path(path).absolute().parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    finally:
        for left in (part, f"{part}-wal", f"{part}-shm"):
            with suppress(FileNotFoundError):
                Path(left).unlink()


async def _copy_rooms(address: str, target: str) -> None:
    file = SqliteFile(target, ROOMS, synchronous="NORMAL", exclusive=True, busy_timeout=0.0)
    file.open()
    try:
        async with reading(address) as reader:
            async for info in reader.all_rooms():
                room = await reader.read(info.name)
                if room is not None:
                    _write_room(file, room)
            for name in await reader.deleted():
                room = await reader.read(name)
                if room is not None:
                    _write_room(file, room)
    finally:
        file.close()


def _write_room(file: SqliteFile, room: ReadRoom) -> None:
    problems = problems_of(room)
    if problems:
        # New checksums would make it look as if nothing had happened.
        raise StorageError(f"room {room.name!r}: {problems[0]}; see weft db check")
    with file.transaction() as db:
        made = db.execute(
            "INSERT INTO rooms (name, head, absorbed, settings, deleted) VALUES (?, ?, ?, ?, ?)",
            (room.name, room.head, room.absorbed, room.settings, 0 if room.is_deleted else None),
        ).lastrowid
        assert made is not None  # noqa: S101 - for the type checker
        db.execute("UPDATE rooms SET crc = ? WHERE id = ?", (name_checksum(made, room.name), made))
        db.executemany(
            "INSERT INTO updates (room, number, crc, data) VALUES (?, ?, ?, ?)",
            [(made, row.number, row_checksum(room.name, row.data), row.data) for row in room.rows],
        )
        db.executemany(
            "INSERT INTO quarantine (room, number, reason, data) VALUES (?, ?, ?, ?)",
            [(made, row.number, row.reason, row.data) for row in room.set_aside],
        )


def _fold_log(target: str) -> None:
    """Bring what is in the write-ahead log into the file, and see that SQLite finds it whole."""
    with connect_to_read(target) as db:
        db.execute("ROLLBACK")
        damage = [line for (line,) in db.execute("PRAGMA integrity_check(1)") if line != "ok"]
        if damage:
            raise StorageError(f"the copy is damaged, as the original may be: {damage[0]}")
        with suppress(sqlite3.OperationalError):  # there is none in the file of an older weft
            db.execute("UPDATE state SET is_open = 0")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
