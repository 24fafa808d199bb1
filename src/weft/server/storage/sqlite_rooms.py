"""The rooms in a SQLite file: what is read and written, on the storage's thread."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.errors import RoomDeletedError, StorageError
from weft.server.storage.contract import DELETED, RoomInfo, StoredRoom
from weft.server.storage.listing import end_of_prefix
from weft.server.storage.sqlite_schema import FORMAT, name_checksum, row_checksum

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from weft.server.storage.group_commit import Batch
    from weft.server.storage.replacement import Replacement
    from weft.server.storage.sqlite_file import SqliteFile

__all__ = ["SqliteRooms"]


class _Room(NamedTuple):
    """A row of the table ``rooms``."""

    id: int
    head: int
    absorbed: int
    settings: str
    deleted: int | None


class SqliteRooms:
    """The tables of an open file. Used by one thread.

    Args:
        file: The file.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._ids: dict[
            str, int
        ] = {}  # of the rooms that were used: a name may be that of another room later

    def clear(self) -> None:
        """Forget what is known of a file that was closed."""
        self._ids.clear()

    def insert(self, batch: Batch) -> dict[str, int]:
        """Write updates in one transaction; returns the number of each room's first, if it is not deleted."""
        self._file.verify_if_lost()
        numbers: dict[str, int] = {}
        ids: dict[str, int] = {}
        with self._file.transaction() as db:
            for name, updates in batch.items():
                room = self._find(db, name) or self._make(db, name)
                if room.deleted is not None or self._ids.get(name, room.id) != room.id:
                    continue
                ids[name] = room.id
                numbers[name] = room.head + 1
                db.executemany(
                    "INSERT INTO updates (room, number, crc, data) VALUES (?, ?, ?, ?)",
                    [
                        (room.id, number, row_checksum(name, data), data)
                        for number, data in enumerate(updates, room.head + 1)
                    ],
                )
                db.execute("UPDATE rooms SET head = head + ? WHERE id = ?", (len(updates), room.id))
        self._ids.update(ids)  # only now: a rolled back room has no id
        self._file.verify()
        return numbers

    def load(self, name: str) -> StoredRoom:
        """Read a room, and hold what its name stands for now."""
        self._ids.pop(name, None)
        stored = self.since(name, 0)
        with self._file.reading() as db:
            room = self._find(db, name)
        if room is not None:
            self._ids[name] = room.id
        return stored

    def since(self, name: str, number: int) -> StoredRoom:
        """Read a room."""
        self._file.verify()
        with self._file.reading() as db:
            room = self._find(db, name)
            held = self._ids.get(name)
            if room is None and held is None:
                return StoredRoom([], [], 0, {})
            if room is None or room.deleted is not None or held not in {None, room.id}:
                raise RoomDeletedError(name)
            stored = self._read(db, name, room)
        if number > 0:
            at = sum(1 for other in stored.numbers if other <= number)
            del stored.rows[:at], stored.numbers[:at]
        return stored

    def heads(self, names: Collection[str]) -> dict[str, int]:
        """The last number of each room."""
        with self._file.reading() as db:
            found = {name: self._find(db, name) for name in names}
        return {
            name: DELETED if room is None or room.deleted is not None else room.head
            for name, room in found.items()
            if room is not None or name in self._ids
        }

    def replace(self, name: str, replacement: Replacement) -> None:
        """Replace rows by a snapshot."""
        snapshot, numbers = replacement.snapshot, replacement.numbers
        with self._file.transaction() as db:
            room = self._find(db, name)
            if room is None or room.deleted is not None:
                raise RoomDeletedError(name)
            self._write_numbers(db, room)
            # With their checksums: the room may have been deleted, and its name been used again.
            deleted = db.executemany(
                "DELETE FROM updates WHERE room = ? AND number = ? AND crc = ?",
                [
                    (room.id, number, row_checksum(name, data))
                    for number, data in zip(numbers, replacement.rows, strict=True)
                ],
            ).rowcount
            if deleted != len(numbers):
                raise StorageError(f"{self._file.path}: room {name!r} was changed by somebody else")
            db.execute(
                "INSERT INTO updates (room, number, crc, data) VALUES (?, ?, ?, ?)",
                (room.id, numbers[-1], row_checksum(name, snapshot), snapshot),
            )
            db.execute("UPDATE rooms SET absorbed = absorbed + ? WHERE id = ?", (len(numbers) - 1, room.id))

    def delete(self, name: str) -> None:
        """Delete the rows, and keep the name."""
        with self._file.transaction() as db:
            room = self._find(db, name) or self._make(db, name)
            db.execute("DELETE FROM updates WHERE room = ?", (room.id,))
            db.execute(
                "UPDATE rooms SET deleted = ?, absorbed = head WHERE id = ?", (int(time.time()), room.id)
            )
        self._file.verify()

    def free(self, name: str) -> None:
        """Delete the name of a deleted room."""
        with self._file.transaction() as db:
            db.execute("DELETE FROM rooms WHERE name = ? AND deleted IS NOT NULL", (name,))
        self._ids.pop(name, None)
        self._file.verify()

    def rename(self, name: str, to: str) -> None:
        """Give a room another name; the checksums of its rows have the name in them."""
        with self._file.transaction() as db:
            room, other = self._find(db, name), self._find(db, to)
            if room is None or room.deleted is not None:
                raise StorageError(f"{self._file.path}: there is no room {name!r}")
            if other is not None and other.deleted is None:
                raise StorageError(f"{self._file.path}: there is a room {to!r}")
            stored = self._read(db, name, room)
            db.execute("DELETE FROM rooms WHERE name = ?", (to,))
            db.execute(
                "UPDATE rooms SET name = ?, crc = ? WHERE id = ?", (to, name_checksum(room.id, to), room.id)
            )
            self._write_numbers(db, room)
            db.executemany(
                "UPDATE updates SET crc = ? WHERE room = ? AND number = ?",
                [
                    (row_checksum(to, data), room.id, number)
                    for number, data in zip(stored.numbers, stored.rows, strict=True)
                ],
            )
            old = self._make(db, name)
            db.execute("UPDATE rooms SET deleted = ? WHERE id = ?", (int(time.time()), old.id))
        self._ids.pop(to, None)
        self._file.verify()

    def configure(self, name: str, settings: str) -> None:
        """Keep settings, as JSON."""
        with self._file.transaction() as db:
            room = self._find(db, name) or self._make(db, name)
            if room.deleted is not None:
                raise RoomDeletedError(name)
            db.execute("UPDATE rooms SET settings = ? WHERE id = ?", (settings, room.id))
        self._file.verify()

    def rooms(self, prefix: str, after: str, limit: int) -> list[RoomInfo]:
        """A page of the rooms."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT name, head, count(updates.seq), coalesce(sum(length(data)), 0)"
                " FROM (SELECT id, name, head FROM rooms"
                "       WHERE name > :after AND name >= :prefix AND (:end IS NULL OR name < :end)"
                "       AND deleted IS NULL ORDER BY name LIMIT :limit) AS page"
                " LEFT JOIN updates ON updates.room = page.id GROUP BY page.id ORDER BY name",
                {"after": after, "prefix": prefix, "end": end_of_prefix(prefix), "limit": limit},
            ).fetchall()
        return [RoomInfo(*row) for row in rows]

    def probe(self) -> None:
        """Write what is there already."""
        self._file.verify_if_lost()
        with self._file.transaction() as db:
            db.execute(f"PRAGMA user_version = {FORMAT}")
        self._file.verify()

    def _find(self, db: sqlite3.Connection, name: str) -> _Room | None:
        row: Any = db.execute(
            "SELECT id, head, absorbed, settings, deleted FROM rooms WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            if self._file.damage:  # it may be the one whose name cannot be read
                raise StorageError(f"{self._file.path}: room {name!r} is not there, and {self._file.damage}")
            return None
        return _Room(*row)

    @staticmethod
    def _make(db: sqlite3.Connection, name: str) -> _Room:
        made: Any = db.execute("INSERT INTO rooms (name) VALUES (?)", (name,)).lastrowid
        db.execute("UPDATE rooms SET crc = ? WHERE id = ?", (name_checksum(made, name), made))
        return _Room(made, 0, 0, "{}", None)

    def _read(self, db: sqlite3.Connection, name: str, room: _Room) -> StoredRoom:
        """All rows of a room.

        Also where only the last are asked for, as no other process brings any that this one has not got.
        """
        rows = db.execute(
            "SELECT seq, number, crc, data FROM updates WHERE room = ? ORDER BY number, seq", (room.id,)
        ).fetchall()
        for seq, _, crc, data in rows:
            if not isinstance(data, bytes) or row_checksum(name, data) != crc:
                raise StorageError(
                    f"{self._file.path}: room {name!r}, row {seq}: the data does not match its checksum"
                )
        if len(rows) != room.head - room.absorbed:
            raise StorageError(
                f"{self._file.path}: room {name!r} has {len(rows)} rows, and should have "
                f"{room.head - room.absorbed}"
            )
        numbers = [number or at for at, (_, number, _, _) in enumerate(rows, 1)]
        return StoredRoom([row[3] for row in rows], numbers, room.head, json.loads(room.settings))

    @staticmethod
    def _write_numbers(db: sqlite3.Connection, room: _Room) -> None:
        """Write the numbers that rows of format 1 have by their order, before some of them go."""
        old = db.execute(
            "SELECT seq FROM updates WHERE room = ? AND number IS NULL ORDER BY seq", (room.id,)
        ).fetchall()
        db.executemany(
            "UPDATE updates SET number = ? WHERE seq = ?", [(at, seq) for at, (seq,) in enumerate(old, 1)]
        )
