"""Reading rooms in PostgreSQL as of one moment, on a connection of asyncpg in a transaction of its own."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from weft.server.storage import postgres_statements as sql
from weft.server.storage.contract import QuarantinedRow, RoomInfo
from weft.server.storage.listing import end_of_prefix
from weft.server.storage.postgres_writer import checksum_seed
from weft.server.storage.reading import ReadRoom, ReadRow, RoomReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["PostgresReader"]


class PostgresReader(RoomReader):
    """The rooms that a transaction sees.

    Args:
        connection: Of asyncpg, in a transaction that sees one moment.
        mapped: Awaits something, and makes storage errors of asyncpg's.
    """

    def __init__(self, connection: Any, mapped: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
        self._connection = connection
        self._mapped = mapped

    async def _fetch(self, statement: str, *arguments: object) -> list[Any]:
        rows: list[Any] = await self._mapped(self._connection.fetch(statement, *arguments))
        return rows

    async def rooms(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[RoomInfo]:
        """A page of the rooms there are."""
        return [
            RoomInfo(*row)
            for row in await self._fetch(sql.ROOMS, after, prefix, end_of_prefix(prefix), limit)
        ]

    async def deleted(self) -> list[str]:
        """The names that deleted rooms keep."""
        rows = await self._fetch("SELECT name FROM weft_rooms WHERE deleted_at IS NOT NULL ORDER BY name")
        return [name for (name,) in rows]

    async def read(self, name: str) -> ReadRoom | None:
        """A room."""
        found = await self._fetch(
            "SELECT id, head, absorbed, settings, deleted_at IS NOT NULL FROM weft_rooms WHERE name = $1",
            name,
        )
        if not found:
            return None
        room, head, absorbed, settings, is_deleted = found[0]
        rows = await self._fetch("SELECT seq, crc, data FROM weft_updates WHERE room = $1 ORDER BY seq", room)
        seed = checksum_seed(room)
        read = [ReadRow(number, data, zlib.crc32(data, seed) == crc) for number, crc, data in rows]
        return ReadRoom(name, head, absorbed, settings, is_deleted, read, await self.quarantined(name))

    async def quarantined(self, name: str | None = None) -> list[QuarantinedRow]:
        """What was set aside."""
        return [QuarantinedRow(*row) for row in await self._fetch(sql.QUARANTINED, name)]

    async def damage(self) -> list[str]:
        """Rows of no room."""
        rows = await self._fetch(
            "SELECT room, count(*) FROM weft_updates AS stored"
            " WHERE NOT EXISTS (SELECT FROM weft_rooms WHERE id = stored.room) GROUP BY room ORDER BY room"
        )
        return [f"{count} rows are of room number {room}, which is not there" for room, count in rows]
