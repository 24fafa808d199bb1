"""A PostgreSQL database that runs plans in transactions, and hears, or finds out, that others changed it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from weft.errors import StorageError
from weft.persisters._core.polling import Polling
from weft.persisters.postgres.driver import PostgresDriver
from weft.persisters.postgres.notifications import Watcher
from weft.persisters.postgres.transactions import SerializableTransactions
from weft.persisters.postgres.triggers import trigger_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from weft.persisters.sql.dialect import Statement

__all__ = ["PostgresDatabase"]

R = TypeVar("R")

_LOOK_SECONDS = 5.0


class PostgresDatabase:
    """One database.

    Args:
        database: A DSN, or a driver, which others may use too.
        on_sql_command: Called with each statement and its parameters when it has run.
        report: Takes errors of the watch.
    """

    def __init__(
        self,
        database: str | PostgresDriver,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None,
        report: Callable[[Exception], object],
    ) -> None:
        self._driver = database if isinstance(database, PostgresDriver) else _driver_for(database)
        self._driver._users += 1
        self._transactions = SerializableTransactions(self._driver, on_sql_command)
        self._report = report
        self._watcher: Watcher | None = None
        self._seen = ""

    @property
    def queue(self) -> object:
        """What persisters that must take turns have in common."""
        return self._driver

    @property
    def listens(self) -> bool:
        """Whether changes of others are heard of; otherwise :meth:`changed` is to be asked."""
        return self._driver.listens

    async def read(self, plan: Callable[[], Generator[Statement, list[Sequence[Any]], R]]) -> R:
        """Run a plan that reads, all of it on one state of the database.

        Raises:
            StorageError: It could not be read.
        """
        result, self._seen, _ = await self._transactions.run(plan)
        return result

    async def write(
        self, plan: Callable[[], Generator[Statement, list[Sequence[Any]], R]], tables: Sequence[str]
    ) -> R:
        """Run a plan that writes to these tables, in one serializable transaction.

        It runs again where others came between.

        Raises:
            StorageError: Nothing was written, or it is not known as the connection broke off.
        """
        result, before, after = await self._transactions.run(
            plan, lambda: self._driver._listening.wrote(tables, by=self._watcher)
        )
        if before == self._seen:
            self._seen = after  # otherwise others wrote, and that is still news
        return result

    async def changed(self) -> bool:
        """Look whether others wrote, to whatever in the whole server, since the last read.

        Raises:
            StorageError: It could not be seen.
        """
        _, now, _ = await self._transactions.run(_nothing)
        return now != self._seen

    # -- hearing of changes ------------------------------------------------------------------------------

    async def watch(self, tables: Mapping[str, str], listener: Callable[[], None]) -> Polling:
        """Call ``listener`` when others change one of the tables, or may have.

        Statement triggers of our own notify. Any number of programs may use them, and they stay, as others
        may need them; they do nothing but notify. Whoever drops a table drops its trigger: they are looked
        after.

        Args:
            tables: Tables to the names of their row id columns; those that are missing are made, as TinyBase
                does.
            listener: What to call.

        Raises:
            StorageError: Nothing was begun.
        """

        async def look() -> None:
            if (await self._transactions.run(lambda: trigger_plan(tables)))[0][1]:
                listener()

        (schema, _), _, _ = await self._transactions.run(lambda: trigger_plan(tables))
        watcher = Watcher(schema, frozenset(tables), listener, self._report, self._transactions.give_up)
        try:
            await self._driver._listening.add(watcher)
        except self._driver.errors as error:
            raise StorageError(f"PostgreSQL: {error!r}") from error
        self._watcher = watcher
        return Polling(_LOOK_SECONDS, look, self._report)

    async def unwatch(self, looking: Polling) -> None:
        """End that."""
        await looking.stop()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            await self._driver._listening.remove(watcher)

    async def close(self) -> None:
        """Use the driver no more; the last user disconnects it."""
        try:
            await self._transactions.rest()
        finally:
            self._driver._users -= 1
            if not self._driver._users:
                await self._driver.close()
                self._driver._busy = asyncio.Lock()  # the next user may have another event loop


def _driver_for(dsn: str) -> PostgresDriver:
    from weft.persisters import AsyncpgDriver  # noqa: PLC0415 - only who gives no driver needs asyncpg

    return AsyncpgDriver(dsn)


def _nothing() -> Generator[Statement, list[Sequence[Any]], None]:
    yield from ()
