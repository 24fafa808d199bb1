"""PostgreSQL through ``asyncpg``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]

from weft.errors import StorageError
from weft.persisters.postgres.driver import CONNECT_SECONDS, PING_SECONDS, UNREADABLE_DSN, PostgresDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["AsyncpgDriver"]


class AsyncpgDriver(PostgresDriver):
    """Connections of ``asyncpg``; see :class:`PostgresDriver`. Persisters that are given a DSN use it."""

    # The internal one is what comes of a statement after the server's last word, before the end is noticed.
    errors = (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        TimeoutError,
        ValueError,
    )

    async def open(self) -> bool:
        """Connect."""
        if self._connection is not None and not self._connection.is_closed():
            return False
        self._connection = await self._connect()
        return True

    async def _connect(self) -> asyncpg.Connection[Any]:
        # In a session that is not ours alone, names of prepared statements are others' too.
        options = {} if self.listens else {"statement_cache_size": 0}
        try:
            return await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS, **options)
        except ValueError:
            raise StorageError(UNREADABLE_DSN) from None  # which shows a part of it

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement; those of a transaction's begin and end as one message."""
        if not params and sql.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            await self._connection.execute(sql)
            return []
        return [tuple(row) for row in await self._connection.fetch(sql, *params)]

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement many times."""
        await self._connection.executemany(sql, rows)

    @property
    def pid(self) -> int:
        """The server's process."""
        closed = self._connection is None or self._connection.is_closed()
        return 0 if closed else int(self._connection.get_server_pid())

    async def listen(
        self, channel: str, began: Callable[[], None], heard: Callable[[int, str], None]
    ) -> None:
        """Listen; asyncpg does not notice by itself when the other side is silent for ever."""
        connection = await self._connect()
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(channel, lambda _c, pid, _n, payload: heard(pid, str(payload)))
            began()
            while not lost.is_set():
                try:
                    async with asyncio.timeout(PING_SECONDS):
                        await lost.wait()
                except TimeoutError:
                    await connection.fetchval("SELECT 1", timeout=PING_SECONDS)
            raise ConnectionResetError("the connection that listens was lost")
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        if not self.listens:
            connection.terminate()  # PGlite's socket server answers no goodbye
            return
        try:
            await connection.close(timeout=PING_SECONDS)
        except self.errors:
            connection.terminate()
