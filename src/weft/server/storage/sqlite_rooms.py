"""The rooms in a SQLite file: what is read and written, on the storage's thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from weft.errors import RoomDamagedError, RoomDeletedError, StorageError
from weft.server.storage.contract import DELETED, QuarantinedRow, RoomInfo, StoredRoom
from weft.server.storage.listing import end_of_prefix
from weft.server.storage.missing import report_accepted
from weft.server.storage.slices import SLICE_ROWS
from weft.server.storage.sqlite_rows import RoomRecord, RowsRead
from weft.server.storage.sqlite_schema import (
    FORMAT,
    QUARANTINED,
    name_checksum,
    row_checksum,
    settings_checksum,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence

    from weft._support.sqlite_file import SqliteFile
    from weft.server.storage.group_commit import Batch
    from weft.server.storage.replacement import Replacement

__all__ = ["SqliteRooms"]


# To count a row takes a fraction of reading it.
_COUNTED_ROWS = 10 * SLICE_ROWS


class SqliteRooms:
    """The tables of an open file. Used by one thread.

    Args:
        file: The file.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        # Of the rooms that were used: a name may be that of another room later.
        self._ids: dict[str, int] = {}

    def clear(self) -> None:
        """Forget what is known of a file that was closed."""
        self._ids.clear()

    def release(self, name: str) -> None:
        """Forget which room a name stood for. Called on any thread, while no row of it is being written."""
        self._ids.pop(name, None)

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

    def read_on(self, rows: RowsRead, *, load: bool) -> StoredRoom | None:
        """Read a slice of a room; gives all of it when that was the last.

        Args:
            rows: What has been read before.
            load: Whether to hold what the name stands for now, in place of what it did.
        """
        self._file.verify()
        try:
            return self._read_on(rows, load=load)
        except StorageError as error:
            if getattr(error.__cause__, "sqlite_errorname", "").startswith("SQLITE_CORRUPT"):
                raise RoomDamagedError(rows.name, str(error)) from error
            raise

    def _read_on(self, rows: RowsRead, *, load: bool) -> StoredRoom | None:
        name = rows.name
        with self._file.reading() as db:
            room = self._find(db, name)
            held = None if load else self._ids.get(name)
            if room is None and held is None:
                self._ids.pop(name, None)
                return StoredRoom([], [], 0, {})
            if room is None or room.deleted is not None or held not in {None, room.id}:
                if room is not None and room.deleted is not None and room.head != room.absorbed:
                    raise RoomDamagedError(name, "it is marked as deleted, and was not")
                raise RoomDeletedError(name)
            stored = rows.read_on(db, room)
        if load and stored is not None:
            self._ids[name] = room.id
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

    def put_snapshot(self, name: str, replacement: Replacement) -> int:
        """Put a snapshot in the place of the last row that it stands for; gives the room's id."""
        snapshot, number, row = replacement.snapshot, replacement.numbers[-1], replacement.rows[-1]
        with self._file.transaction() as db:
            room = self._find(db, name)
            if room is None or room.deleted is not None:
                raise RoomDeletedError(name)
            self._write_numbers(db, room.id)
            # With its checksum: the room may have been deleted, and its name been used again.
            replaced = db.execute(
                "UPDATE updates SET crc = ?, data = ? WHERE room = ? AND number = ? AND crc = ?",
                (row_checksum(name, snapshot), snapshot, room.id, number, row_checksum(name, row)),
            ).rowcount
            if not replaced:
                raise StorageError(f"{self._file.path}: room {name!r} was changed by somebody else")
        self._file.verify()
        return room.id

    def delete_absorbed(
        self, name: str, room_id: int, replacement: Replacement, rows: Sequence[tuple[int, bytes]]
    ) -> bool:
        """Delete rows for which a snapshot stands; whether it is still there. If not, they stay."""
        where = (room_id, replacement.numbers[-1], row_checksum(name, replacement.snapshot))
        with self._file.transaction() as db:
            if not db.execute(
                "SELECT 1 FROM updates JOIN rooms ON rooms.id = room AND deleted IS NULL"
                " WHERE room = ? AND number = ? AND updates.crc = ?",
                where,
            ).fetchone():
                return False
            deleted = db.executemany(
                "DELETE FROM updates WHERE room = ? AND number = ? AND crc = ?",
                [(room_id, number, row_checksum(name, data)) for number, data in rows],
            ).rowcount
            db.execute("UPDATE rooms SET absorbed = absorbed + ? WHERE id = ?", (deleted, room_id))
        return True

    def set_aside(self, name: str, faults: Mapping[int, str]) -> None:
        """Move rows to the quarantine."""
        with self._file.transaction() as db:
            room = self._find(db, name)
            if room is None or room.deleted is not None:
                raise RoomDeletedError(name)
            self._write_numbers(db, room.id)
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

    def discard(self, name: str, numbers: Collection[int]) -> int:
        """Delete rows from the quarantine."""
        with self._file.transaction() as db:
            deleted = db.executemany(
                "DELETE FROM quarantine WHERE room = (SELECT id FROM rooms WHERE name = ?) AND number = ?",
                [(name, number) for number in set(numbers)],
            ).rowcount
        self._file.verify()
        return max(0, deleted)

    def accept_missing(self, name: str) -> int:
        """Set how many rows a room should have to how many it has."""
        with self._file.transaction() as db:
            found: Any = db.execute(
                "SELECT id, head, absorbed FROM rooms WHERE name = ? AND deleted IS NULL", (name,)
            ).fetchone()
            if found is None:
                raise StorageError(f"{self._file.path}: there is no room {name!r}")
            room_id, head, absorbed = (count if isinstance(count, int) else 0 for count in found)
            self._write_numbers(db, room_id)
            there, last = db.execute(
                "SELECT count(*), max(number) FROM updates WHERE room = ? AND number > 0", (room_id,)
            ).fetchone()
            missing: int = head - absorbed - there
            head = max(head, last if isinstance(last, int) else 0)
            db.execute("UPDATE rooms SET head = ?, absorbed = ? WHERE id = ?", (head, head - there, room_id))
        self._file.verify()
        report_accepted(name, missing)
        return missing

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
            stored = RowsRead(name, 0, in_one_go=True).read_on(db, room)
            assert stored is not None  # noqa: S101 - for the type checker
            db.execute("DELETE FROM rooms WHERE name = ?", (to,))
            db.execute(
                "UPDATE rooms SET name = ?, crc = ? WHERE id = ?", (to, name_checksum(room.id, to), room.id)
            )
            self._write_numbers(db, room.id)
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
        """The next rooms of a page, so many that not too many rows have to be counted."""
        found: list[RoomInfo] = []
        left = _COUNTED_ROWS
        with self._file.reading() as db:
            page = db.execute(
                "SELECT id, name, head FROM rooms"
                " WHERE name > :after AND name >= :prefix AND (:end IS NULL OR name < :end)"
                " AND deleted IS NULL ORDER BY name LIMIT :limit",
                {"after": after, "prefix": prefix, "end": end_of_prefix(prefix), "limit": limit},
            ).fetchall()
            for room_id, name, head in page:
                rows, size = db.execute(
                    "SELECT count(*), coalesce(sum(length(data)), 0) FROM updates WHERE room = ?", (room_id,)
                ).fetchone()
                found.append(RoomInfo(name, head, rows, size))
                left -= rows
                if left <= 0:
                    break
        return found

    def probe(self) -> None:
        """Write what is there already."""
        self._file.verify_if_lost()
        with self._file.transaction() as db:
            db.execute(f"PRAGMA user_version = {FORMAT}")
        self._file.verify()

    def _find(self, db: sqlite3.Connection, name: str) -> RoomRecord | None:
        row: Any = db.execute(
            "SELECT id, head, absorbed, settings, deleted, settings_crc FROM rooms WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            if self._file.damage:  # it may be the one whose name cannot be read
                raise StorageError(f"{self._file.path}: room {name!r} is not there, and {self._file.damage}")
            return None
        room = RoomRecord(*row)
        counts = (row[1], row[2])  # in a damaged file a value can have any type
        if not (all(isinstance(count, int) for count in counts) and 0 <= room.absorbed <= room.head):
            raise RoomDamagedError(name, "how many rows it should have cannot be read")
        return room

    @staticmethod
    def _make(db: sqlite3.Connection, name: str) -> RoomRecord:
        made: Any = db.execute("INSERT INTO rooms (name) VALUES (?)", (name,)).lastrowid
        db.execute("UPDATE rooms SET crc = ? WHERE id = ?", (name_checksum(made, name), made))
        return RoomRecord(made, 0, 0, "{}", None, None)

    @staticmethod
    def _write_numbers(db: sqlite3.Connection, room_id: int) -> None:
        """Write the numbers that rows of format 1 have by their order, before some of them go."""
        old = db.execute(
            "SELECT seq FROM updates WHERE room = ? AND number IS NULL ORDER BY seq", (room_id,)
        ).fetchall()
        db.executemany(
            "UPDATE updates SET number = ? WHERE seq = ?", [(at, seq) for at, (seq,) in enumerate(old, 1)]
        )
