"""What is read and changed of rooms in PostgreSQL, on some connection of asyncpg."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any

from weft.errors import RoomDamagedError, RoomDeletedError, StorageError
from weft.server.storage import postgres_statements as sql
from weft.server.storage.contract import StoredRoom
from weft.server.storage.postgres_writer import checksum_seed
from weft.server.storage.replacement import Replacement
from weft.server.storage.settings import read_settings

if TYPE_CHECKING:
    from weft.documents import Compactor

__all__ = ["compact", "delete", "read", "rename", "restore"]

_LOCK = 0x77656674 << 32  # of a room's compaction, with the room's id


async def read(connection: Any, name: str, number: int) -> tuple[int | None, StoredRoom]:
    """The id of a room, and what it has got beyond a number.

    Raises:
        RoomDamagedError: A row's checksum does not match, or rows are missing.
        RoomDeletedError: The room was deleted.
    """
    rows = await connection.fetch(sql.SINCE, name, number)
    if not rows:
        return None, StoredRoom([], [], 0, {})
    room_id, head, absorbed, settings, deleted, first = rows[0][:6]
    if deleted:
        if head != absorbed:
            raise RoomDamagedError(name, "it is marked as deleted, and was not")
        raise RoomDeletedError(name)
    if first is None:
        rows = []
    seed = checksum_seed(room_id)
    if number == 0 and len(rows) != head - absorbed:
        raise RoomDamagedError(name, f"it has {len(rows)} rows, and should have {head - absorbed}")
    faults = {
        row[5]: "the data does not match its checksum" for row in rows if zlib.crc32(row[7], seed) != row[6]
    }
    if faults:
        raise RoomDamagedError(name, rows=faults)
    numbers = [row[5] for row in rows]
    return room_id, StoredRoom([row[7] for row in rows], numbers, head, read_settings(name, settings))


async def compact(connection: Any, name: str, compactor: Compactor) -> int | None:
    """Replace rows by a snapshot, unless another process is at it."""
    async with connection.transaction():
        room_id = await connection.fetchval("SELECT id FROM weft_rooms WHERE name = $1", name)
        # Only to save work: what is replaced is what was read, or nothing is.
        if room_id is None or not await connection.fetchval(
            "SELECT pg_try_advisory_xact_lock($1)", _LOCK + room_id
        ):
            return None
        _, stored = await read(connection, name, 0)
        replacement = await asyncio.to_thread(Replacement.of, name, stored, compactor)
        if replacement is None:
            return None
        numbers, snapshot = replacement.numbers, replacement.snapshot
        changed = await connection.execute(
            "UPDATE weft_rooms SET absorbed = absorbed + $2 WHERE id = $1 AND deleted_at IS NULL",
            *(room_id, len(numbers) - 1),
        )
        deleted = await connection.execute(
            "DELETE FROM weft_updates WHERE room = $1 AND seq = ANY($2::bigint[])", room_id, numbers
        )
        if changed != "UPDATE 1" or deleted != f"DELETE {len(numbers)}":
            raise StorageError(f"room {name!r} was compacted or deleted by somebody else")
        await connection.execute(
            "INSERT INTO weft_updates (room, seq, crc, data) VALUES ($1, $2, $3, $4)",
            *(room_id, numbers[-1], zlib.crc32(snapshot, checksum_seed(room_id)), snapshot),
        )
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
