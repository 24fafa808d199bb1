"""What is read and changed of rooms in PostgreSQL, on some connection of asyncpg."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from weft._aio.thread import run_apart
from weft.errors import RoomDamagedError, RoomDeletedError, StorageError
from weft.server.storage import postgres_statements as sql
from weft.server.storage.contract import StoredRoom
from weft.server.storage.postgres_writer import checksum_seed
from weft.server.storage.replacement import Replacement
from weft.server.storage.settings import read_settings
from weft.server.storage.slices import SLICE_BYTES, SLICE_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.documents import Compactor

__all__ = ["accept_missing", "compact", "delete", "read", "rename", "restore"]

_LOCK = 0x77656674 << 32  # of a room's compaction, with the room's id


async def read(connection: Any, name: str, number: int) -> tuple[int | None, StoredRoom]:
    """The id of a room, and what it has got beyond a number. A long one comes in slices, of one moment.

    Raises:
        RoomDamagedError: A row's checksum does not match, or rows are missing.
        RoomDeletedError: The room was deleted.
    """
    rows = _RowsRead(name, number)
    first = await connection.fetch(sql.FIRST_SINCE, name, number, SLICE_ROWS)
    if len(first) < SLICE_ROWS:
        rows.take(first)
        return rows.finish()
    size = sum(len(row[7]) for row in first)
    step = max(1, min(SLICE_ROWS, SLICE_ROWS * SLICE_BYTES // max(1, size)))
    async with connection.transaction():  # which a cursor needs
        cursor = await connection.cursor(sql.SINCE, name, number)
        while part := await cursor.fetch(step):
            rows.take(part)
    return rows.finish()


class _RowsRead:
    """What a room has beyond a number, as far as it has been read."""

    def __init__(self, name: str, number: int) -> None:
        self._name = name
        self._number = number
        self._room: Any = None
        self._numbers: list[int] = []
        self._rows: list[bytes] = []
        self._faults: dict[int, str] = {}

    def take(self, part: Sequence[Any]) -> None:
        """Take in rows of the statement; where the room has none, one of nothing but the room."""
        if not part:
            return
        self._room = part[0][:5]
        if part[0][5] is None:
            return
        seed = checksum_seed(part[0][0])
        for *_, number, crc, data in part:
            self._numbers.append(number)
            self._rows.append(data)
            if zlib.crc32(data, seed) != crc:
                self._faults[number] = "the data does not match its checksum"

    def finish(self) -> tuple[int | None, StoredRoom]:
        """All of it, if it is whole."""
        if self._room is None:
            return None, StoredRoom([], [], 0, {})
        name, count = self._name, len(self._rows)
        room_id, head, absorbed, settings, is_deleted = self._room
        if is_deleted:
            if head != absorbed:
                raise RoomDamagedError(name, "it is marked as deleted, and was not")
            raise RoomDeletedError(name)
        if self._number == 0 and count != head - absorbed:
            raise RoomDamagedError(name, f"it has {count} rows, and should have {head - absorbed}")
        if self._faults:
            raise RoomDamagedError(name, rows=self._faults)
        return room_id, StoredRoom(self._rows, self._numbers, head, read_settings(name, settings))


async def compact(connection: Any, name: str, compactor: Compactor) -> int | None:
    """Replace rows by a snapshot, unless another process is at it; what it stands for goes in slices."""
    async with connection.transaction():
        room_id = await connection.fetchval("SELECT id FROM weft_rooms WHERE name = $1", name)
        # Only to save work: the snapshot takes the place of a row that was read, or nothing is changed.
        if room_id is None or not await connection.fetchval(
            "SELECT pg_try_advisory_xact_lock($1)", _LOCK + room_id
        ):
            return None
        _, stored = await read(connection, name, 0)
        replacement = await run_apart(Replacement.of, name, stored, compactor)
        if replacement is None:
            return None
        seed = checksum_seed(room_id)
        number, crc = replacement.numbers[-1], zlib.crc32(replacement.snapshot, seed)
        put = await connection.execute(
            sql.PUT_SNAPSHOT,
            *(room_id, number, zlib.crc32(replacement.rows[-1], seed), crc, replacement.snapshot),
        )
        if put != "UPDATE 1":
            raise StorageError(f"room {name!r} was compacted or deleted by somebody else")
    for rows in replacement.slices():
        deleted = await connection.execute(sql.DELETE_ABSORBED, room_id, number, crc, [at for at, _ in rows])
        if deleted != "UPDATE 1":
            break  # it was compacted anew, or set aside: by whoever did that
    return replacement.left


async def delete(connection: Any, name: str) -> None:
    """Delete the rows, and keep the name."""
    async with connection.transaction():
        room_id = await connection.fetchval(sql.DELETE_ROOM, name)
        await connection.execute("DELETE FROM weft_updates WHERE room = $1", room_id)
        await connection.execute("DELETE FROM weft_quarantine WHERE room = $1", room_id)


async def restore(connection: Any, name: str, number: int) -> int:
    """Move a row from the quarantine to the end of its room."""
    async with connection.transaction():
        row = await connection.fetchrow(
            "UPDATE weft_rooms SET head = head + 1 WHERE name = $1 AND deleted_at IS NULL RETURNING id, head",
            name,
        )
        data = await connection.fetchval(sql.RESTORE, name, number)
        if row is None or data is None:
            raise StorageError(f"no row {number} of room {name!r} was set aside")
        room_id, head = row
        await connection.execute(
            "INSERT INTO weft_updates (room, seq, crc, data) VALUES ($1, $2, $3, $4)",
            *(room_id, head, zlib.crc32(data, checksum_seed(room_id)), data),
        )
    return int(head)


async def accept_missing(connection: Any, name: str) -> int:
    """Set how many rows a room should have to how many it has; gives the difference."""
    async with connection.transaction():
        room_id = await connection.fetchval(
            "SELECT id FROM weft_rooms WHERE name = $1 AND deleted_at IS NULL FOR UPDATE", name
        )
        if room_id is None:
            raise StorageError(f"there is no room {name!r}")
        return int(await connection.fetchval(sql.ACCEPT_MISSING, room_id))


async def rename(connection: Any, name: str, to: str) -> None:
    """Give a room another name."""
    async with connection.transaction():
        rows = await connection.fetch(
            "SELECT name, deleted_at FROM weft_rooms WHERE name = ANY($1) ORDER BY id FOR UPDATE", [name, to]
        )
        alive = {found for found, deleted_at in rows if deleted_at is None}
        if name not in alive:
            raise StorageError(f"there is no room {name!r}")
        if to in alive:
            raise StorageError(f"there is a room {to!r}")
        await connection.execute("DELETE FROM weft_rooms WHERE name = $1", to)
        await connection.execute("UPDATE weft_rooms SET name = $2 WHERE name = $1", name, to)
        await connection.execute(sql.DELETE_ROOM, name)
