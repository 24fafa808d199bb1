"""PostgreSQL through ``psycopg`` 3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg

from weft.errors import StorageError
from weft.persisters.postgres.driver import CONNECT_SECONDS, PING_SECONDS, UNREADABLE_DSN, PostgresDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PsycopgDriver"]


class PsycopgDriver(PostgresDriver):
    """Connections of ``psycopg``; see :class:`PostgresDriver`.

    ::

        driver = PsycopgDriver("host=db.example dbname=shop user=me")
        persister = PostgresTablesPersister(store, driver, config)
    """

    errors = (psycopg.Error, OSError, TimeoutError, ValueError)

    async def open(self) -> bool:
        """Connect."""
        if self._connection is not None and not self._connection.closed:
            return False
        self._connection = await self._connect()
        return True

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        try:
            connection = await psycopg.AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=round(CONNECT_SECONDS),
                cursor_factory=psycopg.AsyncRawCursor,
            )
        except psycopg.ProgrammingError:
            raise StorageError(UNREADABLE_DSN) from None  # which shows a part of it
        if not self.listens:
            connection.prepare_threshold = None
        return connection

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement."""
        cursor = await self._connection.execute(sql, params or None)
        return [] if cursor.description is None else await cursor.fetchall()

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement many times."""
        async with self._connection.cursor() as cursor:
            await cursor.executemany(sql, rows)

    @property
    def pid(self) -> int:
        """The server's process."""
        closed = self._connection is None or self._connection.closed
        return 0 if closed else int(self._connection.info.backend_pid)

    async def listen(
        self, channel: str, began: Callable[[], None], heard: Callable[[int, str], None]
    ) -> None:
        """Listen; ``notifies()`` gives way now and then to ask whether the other side still lives."""
        connection = await self._connect()
        try:
            await connection.execute(f"LISTEN {channel}")
            began()
            while True:
                async for notification in connection.notifies(timeout=PING_SECONDS):
                    heard(notification.pid, notification.payload)
                async with asyncio.timeout(PING_SECONDS):
                    await connection.execute("SELECT 1")
        finally:
            await connection.close()

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
