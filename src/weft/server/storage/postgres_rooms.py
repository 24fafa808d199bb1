"""What is read and changed of rooms in PostgreSQL, on some connection of asyncpg."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any

from weft.errors import RoomDeletedError, StorageError
from weft.server.storage import postgres_statements as sql
from weft.server.storage.contract import StoredRoom
from weft.server.storage.postgres_writer import checksum_seed
from weft.server.storage.replacement import Replacement

if TYPE_CHECKING:
    from weft.documents import Compactor

__all__ = ["compact", "delete", "read", "rename"]

_LOCK = 0x77656674 << 32  # of a room's compaction, with the room's id


async def read(connection: Any, name: str, number: int) -> tuple[int | None, StoredRoom]:
    """The id of a room, and what it has got beyond a number.

    Raises:
        StorageError: A row's checksum does not match, or rows are missing.
        RoomDeletedError: The room was deleted.
    """
    rows = await connection.fetch(sql.SINCE, name, number)
    if not rows:
        return None, StoredRoom([], [], 0, {})
    room_id, head, absorbed, settings, deleted, first = rows[0][:6]
    if deleted:
        raise RoomDeletedError(name)
    if first is None:
        rows = []
    seed = checksum_seed(room_id)
    for row in rows:
        if zlib.crc32(row[7], seed) != row[6]:
            raise StorageError(f"room {name!r}, row {row[5]}: the data does not match its checksum")
    if number == 0 and len(rows) != head - absorbed:
        raise StorageError(f"room {name!r} has {len(rows)} rows, and should have {head - absorbed}")
    return room_id, StoredRoom([row[7] for row in rows], [row[5] for row in rows], head, json.loads(settings))


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
