"""The rows of a room in a SQLite file, read slice by slice: what others write is committed in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from weft.errors import RoomDamagedError
from weft.server.storage.contract import StoredRoom
from weft.server.storage.settings import read_settings
from weft.server.storage.slices import SLICE_BYTES, SLICE_ROWS
from weft.server.storage.sqlite_schema import row_checksum, settings_checksum

if TYPE_CHECKING:
    import sqlite3

__all__ = ["RoomRecord", "RowsRead"]

# How often a room is read anew since rows of it have gone meanwhile, until it is read in one go.
_MAX_ATTEMPTS = 4

# The type of a value can be damaged, too: its bytes are what counts.
_ROWS = "SELECT seq, number, crc, CAST(data AS BLOB) FROM updates WHERE room = ? AND "


class RoomRecord(NamedTuple):
    """A row of the table ``rooms``."""

    id: int
    head: int
    absorbed: int
    settings: str
    deleted: int | None
    settings_crc: int | None


class RowsRead:
    """What a room has beyond a number, as far as it has been read.

    Rows that are appended meanwhile come with the last slice. Where rows have gone meanwhile, compacted or
    set aside, it begins anew: how many there should be could not be said otherwise.

    Args:
        name: The room's name.
        number: Up to which nothing is asked for.
        in_one_go: Whether to read all of it at once.
    """

    def __init__(self, name: str, number: int, *, in_one_go: bool = False) -> None:
        self.name = name
        self._number = number
        self._in_one_go = in_one_go
        self._attempts = 0
        self._begin()

    def _begin(self) -> None:
        self.room: RoomRecord | None = None
        self._first = self._number if self._number > 0 else -1
        self._is_old = False  # has rows of format 1, which are numbered by their order
        self._seqs: set[int] = set()
        self._numbers: list[Any] = []
        self._rows: list[bytes] = []
        self._faults: dict[int, str] = {}

    def read_on(self, db: sqlite3.Connection, room: RoomRecord) -> StoredRoom | None:
        """Read a slice; gives all there is when that was the last.

        Args:
            db: In a transaction.
            room: What the room is at this moment.

        Raises:
            RoomDamagedError: The room is not whole.
        """
        if self.room is not None and (self.room.id, self.room.absorbed) != (room.id, room.absorbed):
            self._attempts += 1
            self._in_one_go = self._attempts >= _MAX_ATTEMPTS
            self._begin()
        if self.room is None:
            nameless = "SELECT 1 FROM updates WHERE room = ? AND number IS NULL LIMIT 1"
            self._is_old = db.execute(nameless, (room.id,)).fetchone() is not None
            if self._is_old:
                self._first = -1
        self.room = room
        return self._finish(room) if self._read(db, room) else None

    def _read(self, db: sqlite3.Connection, room: RoomRecord) -> bool:
        """Whether it was the last slice."""
        unbounded = self._is_old or self._in_one_go
        last = self._numbers[-1] if self._numbers else self._first
        order = (
            "ifnull(number, 0) > ? ORDER BY number, seq"
            if self._is_old
            else "number > ? ORDER BY number, seq"
        )
        cursor = db.execute(f"{_ROWS}{order} LIMIT ?", (room.id, last, -1 if unbounded else SLICE_ROWS))
        before, size = len(self._numbers), 0
        for seq, number, crc, data in cursor:
            at = len(self._numbers) + 1 if number is None else number
            self._seqs.add(seq)
            self._numbers.append(at)
            self._rows.append(data)
            if not isinstance(data, bytes) or row_checksum(self.name, data) != crc:
                self._faults[at] = "the data does not match its checksum"
            size += len(data or b"")
            if size >= SLICE_BYTES and not unbounded:
                cursor.close()
                break
        else:
            return unbounded or len(self._numbers) - before < SLICE_ROWS
        return not isinstance(self._numbers[-1], int)  # nothing can be read beyond it; see below

    def _finish(self, room: RoomRecord) -> StoredRoom:
        name, numbers = self.name, self._numbers
        if self._first < 0 and len(numbers) != room.head - room.absorbed:
            raise RoomDamagedError(
                name, f"it has {len(numbers)} rows, and should have {room.head - room.absorbed}"
            )
        if len(self._seqs) < len(numbers):  # the index leads to one row twice
            raise RoomDamagedError(name, "a row is missing, and another is there twice")
        if any(not isinstance(at, int) or not 0 < at <= room.head for at in numbers):
            raise RoomDamagedError(name, f"a row has a number that is none of 1 to {room.head}")
        if self._faults:
            raise RoomDamagedError(name, rows=self._faults)
        settings = read_settings(name, room.settings)
        if room.settings_crc not in {None, settings_checksum(room.settings)}:
            raise RoomDamagedError(name, f"its settings do not match their checksum: {room.settings!r:.100}")
        start = sum(1 for at in numbers if at <= self._number)
        return StoredRoom(self._rows[start:], numbers[start:], room.head, settings)
