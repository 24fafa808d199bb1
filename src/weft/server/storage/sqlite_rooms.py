"""The rooms in a SQLite file: what is read and written, on the storage's thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.errors import RoomDamagedError, RoomDeletedError, StorageError
from weft.server.storage.contract import DELETED, QuarantinedRow, RoomInfo, StoredRoom
from weft.server.storage.listing import end_of_prefix
from weft.server.storage.settings import read_settings
from weft.server.storage.sqlite_schema import (
    FORMAT,
    QUARANTINED,
    name_checksum,
    row_checksum,
    settings_checksum,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping

    from weft._support.sqlite_file import SqliteFile
    from weft.server.storage.group_commit import Batch
    from weft.server.storage.replacement import Replacement

__all__ = ["SqliteRooms"]


class _Room(NamedTuple):
    """A row of the table ``rooms``."""

    id: int
    head: int
    absorbed: int
    settings: str
    deleted: int | None
    settings_crc: int | None


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
        try:
            return self._since(name, number)
        except StorageError as error:
            if getattr(error.__cause__, "sqlite_errorname", "").startswith("SQLITE_CORRUPT"):
                raise RoomDamagedError(name, str(error)) from error
            raise

    def _since(self, name: str, number: int) -> StoredRoom:
        with self._file.reading() as db:
            room = self._find(db, name)
            held = self._ids.get(name)
            if room is None and held is None:
                return StoredRoom([], [], 0, {})
            if room is None or room.deleted is not None or held not in {None, room.id}:
                if room is not None and room.deleted is not None and room.head != room.absorbed:
                    raise RoomDamagedError(name, "it is marked as deleted, and was not")
                raise RoomDeletedError(name)
            return self._read(db, name, room, number)

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

    def set_aside(self, name: str, faults: Mapping[int, str]) -> None:
        """Move rows to the quarantine."""
        with self._file.transaction() as db:
            room = self._find(db, name)
            if room is None or room.deleted is not None:
                raise RoomDeletedError(name)
            self._write_numbers(db, room)
            for number, fault in faults.items():
                found: Any = db.execute(
                    "SELECT seq FROM updates WHERE room = ? AND number = ?", (room.id, number)
                ).fetchone()
                # By the table itself: the index may be what is damaged, and lead to a row of another room.
                moved = (
                    found
                    and db.execute(
                        "INSERT INTO quarantine"
                        " SELECT :room, :number, :fault, coalesce(CAST(data AS BLOB), x'')"
                        " FROM updates NOT INDEXED WHERE seq = :seq AND room = :room AND number = :number",
                        {"room": room.id, "number": number, "fault": fault, "seq": found[0]},
                    ).rowcount
                )
                if moved:
                    db.execute("DELETE FROM updates WHERE seq = ?", found)
                    db.execute("UPDATE rooms SET absorbed = absorbed + 1 WHERE id = ?", (room.id,))
        self._file.verify()

    def quarantined(self, name: str | None) -> list[QuarantinedRow]:
        """What was set aside."""
        with self._file.reading() as db:
            rows = db.execute(QUARANTINED, {"name": name}).fetchall()
        return [QuarantinedRow(*row) for row in rows]

    def restore(self, name: str, number: int) -> int:
        """Move a row from the quarantine to the end of its room."""
        with self._file.transaction() as db:
            room = self._find(db, name)
            where = (None if room is None else room.id, number)
            row: Any = db.execute(
                "SELECT data FROM quarantine WHERE room = ? AND number = ?", where
            ).fetchone()
            if room is None or row is None:
                raise StorageError(f"{self._file.path}: no row {number} of room {name!r} was set aside")
            db.execute(
                "INSERT INTO updates (room, number, crc, data) VALUES (?, ?, ?, ?)",
                (room.id, room.head + 1, row_checksum(name, row[0]), row[0]),
            )
            db.execute("UPDATE rooms SET head = head + 1 WHERE id = ?", (room.id,))
            db.execute("DELETE FROM quarantine WHERE room = ? AND number = ?", where)
        self._file.verify()
        return room.head + 1

    def delete(self, name: str) -> None:
        """Delete the rows, and keep the name."""
        with self._file.transaction() as db:
            room = self._find(db, name) or self._make(db, name)
            db.execute("DELETE FROM updates WHERE room = ?", (room.id,))
            db.execute("DELETE FROM quarantine WHERE room = ?", (room.id,))
            db.execute(
                "UPDATE rooms SET deleted = ?, absorbed = head WHERE id = ?", (int(time.time()), room.id)
            )
        self._file.verify()

    def free(self, name: str) -> None:
        """Delete the name of a deleted room."""
        with self._file.transaction() as db:
            db.execute(
                "DELETE FROM rooms WHERE name = ? AND deleted IS NOT NULL AND head = absorbed", (name,)
            )
        self._ids.pop(name, None)
        self._file.verify()

    def rename(self, name: str, to: str) -> None:
        """Give a room another name; the checksums of its rows have the name in them."""
        with self._file.transaction() as db:
            room, other = self._find(db, name), self._find(db, to)
            if room is None or room.deleted is not None:
                raise StorageError(f"{self._file.path}: there is no room {name!r}")
            if other is not None and (other.deleted is None or other.head != other.absorbed):
                raise StorageError(f"{self._file.path}: there is a room {to!r}")
            stored = self._read(db, name, room, 0)
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
            db.execute(
                "UPDATE rooms SET settings = ?, settings_crc = ? WHERE id = ?",
                (settings, settings_checksum(settings), room.id),
            )
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
            "SELECT id, head, absorbed, settings, deleted, settings_crc FROM rooms WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            if self._file.damage:  # it may be the one whose name cannot be read
                raise StorageError(f"{self._file.path}: room {name!r} is not there, and {self._file.damage}")
            return None
        room = _Room(*row)
        counts = (row[1], row[2])  # in a damaged file a value can have any type
        if not (all(isinstance(count, int) for count in counts) and 0 <= room.absorbed <= room.head):
            raise RoomDamagedError(name, "how many rows it should have cannot be read")
        return room

    @staticmethod
    def _make(db: sqlite3.Connection, name: str) -> _Room:
        made: Any = db.execute("INSERT INTO rooms (name) VALUES (?)", (name,)).lastrowid
        db.execute("UPDATE rooms SET crc = ? WHERE id = ?", (name_checksum(made, name), made))
        return _Room(made, 0, 0, "{}", None, None)

    def _read(self, db: sqlite3.Connection, name: str, room: _Room, number: int) -> StoredRoom:
        """The rows of a room beyond a number."""
        # Rows of format 1 are numbered by their order: of such a room all are read.
        nameless = "SELECT 1 FROM updates WHERE room = ? AND number IS NULL LIMIT 1"
        first = -1 if number <= 0 or db.execute(nameless, (room.id,)).fetchone() else number
        rows = db.execute(  # the type of a value can be damaged, too: its bytes are what counts
            "SELECT seq, number, crc, CAST(data AS BLOB) FROM updates"
            " WHERE room = ? AND ifnull(number, 0) > ? ORDER BY number, seq"
            if first < 0
            else "SELECT seq, number, crc, CAST(data AS BLOB) FROM updates"
            " WHERE room = ? AND number > ? ORDER BY number",
            (room.id, first),
        ).fetchall()
        numbers = [at if other is None else other for at, (_, other, _, _) in enumerate(rows, 1)]
        if first < 0 and len(rows) != room.head - room.absorbed:
            raise RoomDamagedError(
                name, f"it has {len(rows)} rows, and should have {room.head - room.absorbed}"
            )
        if len({row[0] for row in rows}) < len(rows):  # the index leads to one row twice
            raise RoomDamagedError(name, "a row is missing, and another is there twice")
        if any(not isinstance(at, int) or not 0 < at <= room.head for at in numbers):
            raise RoomDamagedError(name, f"a row has a number that is none of 1 to {room.head}")
        faults = {
            at: "the data does not match its checksum"
            for at, (_, _, crc, data) in zip(numbers, rows, strict=True)
            if not isinstance(data, bytes) or row_checksum(name, data) != crc
        }
        if faults:
            raise RoomDamagedError(name, rows=faults)
        settings = read_settings(name, room.settings)
        if room.settings_crc not in {None, settings_checksum(room.settings)}:
            raise RoomDamagedError(name, f"its settings do not match their checksum: {room.settings!r:.100}")
        start = sum(1 for at in numbers if at <= number)
        return StoredRoom([row[3] for row in rows[start:]], numbers[start:], room.head, settings)

    @staticmethod
    def _write_numbers(db: sqlite3.Connection, room: _Room) -> None:
        """Write the numbers that rows of format 1 have by their order, before some of them go."""
        old = db.execute(
            "SELECT seq FROM updates WHERE room = ? AND number IS NULL ORDER BY seq", (room.id,)
        ).fetchall()
        db.executemany(
            "UPDATE updates SET number = ? WHERE seq = ?", [(at, seq) for at, (seq,) in enumerate(old, 1)]
        )
