"""A PostgreSQL connection that runs plans, comes back when it is lost, and hears of changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg  # type: ignore[import-untyped]

from weft.errors import StorageError
from weft.persisters._document import ConflictError
from weft.persisters._sqlnames import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from weft.persisters._sqldialect import Statement

__all__ = ["PostgresDatabase"]

R = TypeVar("R")

_TRIES = 20  # transactions that others' made impossible, in a row, before it is called a failure
_CHANNEL = "weft_changed"
_LOOK_SECONDS = 5.0
_RETRY_SECONDS = (0.05, 5.0)

# Another transaction came between: nothing was done, and the next try sees what the other did.
_AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateColumnError,
    asyncpg.DuplicateFunctionError,
    asyncpg.InternalServerError,  # "tuple concurrently updated", of definitions changed at the same time
)
_FOREIGN = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError)

_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION {_CHANNEL}() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_notify(''{_CHANNEL}'', TG_TABLE_SCHEMA || ''.'' || TG_TABLE_NAME); RETURN NULL; END'
"""


class PostgresDatabase:
    """One database.

    Args:
        dsn: Where; as ``asyncpg.connect`` takes it.
        on_sql_command: Called with each statement and its parameters when it has run.
        report: Takes errors of the watch.
    """

    def __init__(
        self,
        dsn: str,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None,
        report: Callable[[Exception], object],
    ) -> None:
        self._dsn = dsn
        self._on_sql_command = on_sql_command
        self._report = report
        self._connection: asyncpg.Connection[Any] | None = None
        self._connecting = asyncio.Lock()
        self._busy = asyncio.Lock()
        self._listener: Callable[[], None] | None = None
        self._tables: frozenset[str] = frozenset()
        self._lost = asyncio.Event()
        self._schema = ""

    async def run(self, plan: Callable[[], Generator[Statement, list[Sequence[Any]], R]]) -> R:
        """Run a plan in one serializable transaction, again where others came between.

        Raises:
            StorageError: Nothing was written.
        """
        try:
            async with self._busy:
                for attempt in range(_TRIES):
                    try:
                        return await self._run_once(plan())
                    except _AGAIN:
                        if attempt == _TRIES - 1:
                            raise
                raise AssertionError("unreachable")
        except ConflictError:
            raise
        except _FOREIGN as error:
            raise StorageError(f"PostgreSQL: {error!r}") from error

    async def _run_once(self, plan: Generator[Statement, list[Sequence[Any]], R]) -> R:
        connection = await self._connected()
        async with connection.transaction(isolation="serializable"):
            rows: list[Sequence[Any]] | None = None
            while True:
                try:
                    statement = plan.send(rows) if rows is not None else next(plan)
                except StopIteration as end:
                    result: R = end.value
                    return result
                if self._on_sql_command is not None:
                    self._on_sql_command(statement.sql, statement.params)
                if statement.many:
                    await connection.executemany(statement.sql, statement.params)
                    rows = []
                else:
                    rows = [tuple(row) for row in await connection.fetch(statement.sql, *statement.params)]

    async def _connected(self) -> asyncpg.Connection[Any]:
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            connection = await asyncpg.connect(self._dsn)
            self._connection = connection
            if self._listener is not None:
                await self._listen(connection)
                self._listener()  # what was missed meanwhile nobody can tell
            return connection

    # -- hearing of changes ------------------------------------------------------------------------------

    async def watch(self, tables: dict[str, str], listener: Callable[[], None]) -> asyncio.Task[None]:
        """Call ``listener`` when others change one of the tables, or may have.

        Statement triggers of our own notify; they are replaced where they are, so any number of programs may
        make them, and stay, as others may need them. They do nothing but notify.

        Args:
            tables: Tables to the names of their row id columns; those that are missing are made, as TinyBase
                does.
            listener: What to call.
        """
        try:
            async with self._busy:
                connection = await self._connected()
                for attempt in range(_TRIES):
                    try:
                        await self._make_triggers(connection, tables)
                        break
                    except _AGAIN:
                        if attempt == _TRIES - 1:
                            raise
                self._tables = frozenset(tables)
                await self._listen(connection)
        except _FOREIGN as error:
            raise StorageError(f"PostgreSQL: {error!r}") from error
        self._listener = listener
        return asyncio.get_running_loop().create_task(self._stay_connected())

    async def unwatch(self, task: asyncio.Task[None]) -> None:
        """End that."""
        self._listener = None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        connection = self._connection
        if connection is not None and not connection.is_closed():
            async with self._busy:
                with suppress(*_FOREIGN):  # a connection that breaks now listens no more either
                    await connection.remove_listener(_CHANNEL, self._notified)

    async def _make_triggers(self, connection: asyncpg.Connection[Any], tables: dict[str, str]) -> None:
        async with connection.transaction():
            await connection.execute(_FUNCTION)
            for table, row_id in tables.items():
                name = quote(table)
                await connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {name}({quote(row_id)} text PRIMARY KEY)"
                )
                there = await connection.fetchval(
                    "SELECT 1 FROM pg_trigger WHERE tgname = $1 AND tgrelid = $2::text::regclass",
                    _CHANNEL,
                    name,
                )
                kind = await connection.fetchval(
                    "SELECT relkind FROM pg_class WHERE oid = $1::text::regclass", name
                )
                if there is None and kind in {b"r", b"p", "r", "p"}:
                    await connection.execute(
                        f"CREATE TRIGGER {_CHANNEL} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name}"
                        f" FOR EACH STATEMENT EXECUTE FUNCTION {_CHANNEL}()"
                    )

    async def _listen(self, connection: asyncpg.Connection[Any]) -> None:
        self._schema = await connection.fetchval("SELECT current_schema()")
        await connection.add_listener(_CHANNEL, self._notified)
        self._lost.clear()
        connection.add_termination_listener(lambda _: self._lost.set())

    def _notified(self, connection: object, pid: int, channel: str, payload: object) -> None:
        mine = self._connection is not None and pid == self._connection.get_server_pid()
        schema, _, table = str(payload).partition(".")
        if not mine and schema == self._schema and table in self._tables and self._listener is not None:
            self._listener()

    async def _stay_connected(self) -> None:
        """Notice a lost connection, also one that is silent, and connect again."""
        pause, longest = _RETRY_SECONDS
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), _LOOK_SECONDS)
            try:
                async with self._busy:
                    connection = await self._connected()
                    await connection.fetchval("SELECT 1", timeout=_LOOK_SECONDS)
                pause = _RETRY_SECONDS[0]
                self._lost.clear()
            except _FOREIGN as error:
                if pause == _RETRY_SECONDS[0]:
                    self._report(StorageError(f"PostgreSQL: {error!r}"))
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)
                self._lost.set()

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            try:
                await connection.close(timeout=_LOOK_SECONDS)
            except _FOREIGN:
                connection.terminate()
