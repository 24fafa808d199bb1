"""The connection of a process that writes to PostgreSQL, and what of it is in doubt.

When it is lost before an answer has come, the batch may have been committed or not, and its statement may
even still be under way. So the row of this writer in ``weft_writers`` is asked on the next connection: it
waits for that statement, says which batch it was, and begins an epoch in which it would come too late.
"""

from __future__ import annotations

import uuid
import zlib
from typing import TYPE_CHECKING, Any

from weft.server.storage import postgres_statements as sql

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from weft.server.storage.group_commit import Batch

__all__ = ["PostgresWriter", "checksum_seed"]


class PostgresWriter:
    """Writes batches, each once.

    Args:
        connect: Makes a connection of asyncpg.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self.ids: dict[str, int] = {}
        """Of the rooms that were loaded or written: the name may be that of another room by now."""
        self._connect = connect
        self._connection: Any = None
        self._id = uuid.uuid4()
        self._epoch = 0
        self._batch = 0
        self._in_doubt: list[str] = []  # the rooms of the last batch, if it may have been committed

    async def write(self, batch: Batch) -> Mapping[str, int]:
        """Write a batch; the numbers of each room's first update, without rooms that are deleted.

        Raises:
            Exception: Whatever asyncpg raises. Called again, it is to be given the same batch.
        """
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
                written = await self._begin_epoch()
                if written is not None:
                    return written
            unknown = [name for name in batch if name not in self.ids]
            if unknown:
                await self._connection.execute(sql.NEW_ROOMS, unknown)
                self.ids.update(await self._connection.fetch(sql.IDS, unknown))
            names = [name for name in batch if name in self.ids]
            return await self._append(batch, names) if names else {}
        except BaseException:
            self.terminate()  # whatever it was, the next connection knows how far this one has come
            raise

    def terminate(self) -> None:
        """Cut the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Disconnect, and remove what the server knows of this writer. Batches must be over."""
        if self._connection is not None:
            await self._connection.execute(sql.END_WRITER, self._id)
            await self._connection.close()
            self._connection = None

    async def _begin_epoch(self) -> Mapping[str, int] | None:
        """Have earlier statements come too late; what the batch in doubt has got, if it was committed."""
        row = await self._connection.fetchrow(sql.NEXT_EPOCH, self._id)
        if row is None:
            await self._connection.execute(sql.NEW_WRITER, self._id)
            row = (1, 0, [])
        self._epoch, batch, bases = row
        names, self._in_doubt = self._in_doubt, []
        return _numbers(names, bases) if names and batch == self._batch else None

    async def _append(self, batch: Batch, names: list[str]) -> Mapping[str, int]:
        places: list[int] = []
        places_within: list[int] = []
        crcs: list[int] = []
        data: list[bytes] = []
        for place, name in enumerate(names, 1):
            updates = batch[name]
            seed = checksum_seed(self.ids[name])
            places += [place] * len(updates)
            places_within += range(1, len(updates) + 1)
            crcs += [zlib.crc32(update, seed) for update in updates]
            data += updates
        ids = [self.ids[name] for name in names]
        counts = [len(batch[name]) for name in names]
        self._batch += 1
        self._in_doubt = names
        bases = await self._connection.fetchval(
            sql.APPEND,
            *(self._id, self._epoch, self._batch, ids, names, counts, places, places_within, crcs, data),
        )
        if bases is None:
            raise ConnectionResetError("the epoch of this writer is over")
        self._in_doubt = []
        return _numbers(names, bases)


def checksum_seed(room_id: int) -> int:
    """What the checksums of a room's rows begin with."""
    return zlib.crc32(room_id.to_bytes(8, "big"))


def _numbers(names: list[str], bases: list[int | None]) -> dict[str, int]:
    """The numbers of the first updates; no base stands for a room that was deleted."""
    return {name: base + 1 for name, base in zip(names, bases, strict=True) if base is not None}
