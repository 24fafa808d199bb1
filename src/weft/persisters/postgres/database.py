"""A PostgreSQL database that runs plans in transactions, and hears, or finds out, that others changed it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from weft._support.arguments import wrong_kind
from weft.errors import StorageError
from weft.persisters.postgres.driver import PING_SECONDS, PostgresDriver
from weft.persisters.postgres.notifications import CHANNEL, Watcher
from weft.persisters.postgres.shared_driver import SharedDriver
from weft.persisters.postgres.transactions import SerializableTransactions
from weft.persisters.postgres.triggers import trigger_plan
from weft.persisters.sql.database import Database
from weft.persisters.sql.dialect import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from weft.persisters._core.polling import Polling
    from weft.persisters.sql.dialect import Plan

__all__ = ["PostgresDatabase"]

R = TypeVar("R")

_LOOK_SECONDS = 5.0
_SILENCE = (
    "PostgreSQL: notifications do not arrive, so changes of others will not be loaded: something between, as"
    " pgbouncer with transaction pooling does, keeps them back; connect round it, or give a driver made with"
    " listens=False, which looks for changes"
)


class PostgresDatabase(Database):
    """One database.

    Args:
        database: A DSN, or a driver, which others may use too.
        on_sql_command: Called with each statement and its parameters when it has run.
        watched: Tables to watch, with the names of their row id columns.
        written: Tables that are written.
    """

    def __init__(
        self,
        database: str | PostgresDriver,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None,
        watched: Mapping[str, str],
        written: Sequence[str],
    ) -> None:
        if not isinstance(database, str | PostgresDriver):
            raise wrong_kind("a DSN, or a driver such as AsyncpgDriver(dsn),", database)
        self._shared = SharedDriver.join(
            database if isinstance(database, PostgresDriver) else _driver_for(database)
        )
        self._transactions = SerializableTransactions(self._shared, on_sql_command)
        self._watched = watched
        self._triggers = partial(trigger_plan, watched)
        self._written = written
        self._watcher: Watcher | None = None

    @property
    def queue(self) -> object:
        """What persisters that must take turns have in common."""
        return self._shared.driver

    async def changed(self) -> bool:
        """Look whether others wrote; where the driver listens, whether a table or its trigger was gone."""
        if not self._shared.driver.listens:
            return await super().changed()
        triggers, _, _ = await self._transactions.run(self._triggers)
        watcher = self._watcher
        if watcher is None or watcher.heard == triggers.tables:
            return triggers.made
        watcher.heard = triggers.tables  # a partition came or went, with all that is in it
        return True

    async def watch(self, polling: Polling, listener: Callable[[], None]) -> Polling:
        """Call ``listener`` when others change one of the tables, or may have, if the driver listens.

        Statement triggers of our own notify. Any number of programs may use them, and they stay, as others
        may need them; they do nothing but notify. Whoever drops a table drops its trigger: they are looked
        after. Tables that are missing are made, as TinyBase does.

        Raises:
            StorageError: Nothing was begun.
        """
        if not self._shared.driver.listens:
            return polling
        polling.seconds = _LOOK_SECONDS
        try:
            triggers, _, _ = await self._transactions.run(self._triggers)
            tables, give_up = frozenset(self._watched), self._transactions.give_up
            watcher = Watcher(triggers.tables, tables, listener, polling.report, give_up)
            await self._shared.listener.add(watcher)
            self._watcher = watcher
            polling.when_stopped(self._unwatch)
            for table, reason in triggers.refused.items():
                polling.report(
                    StorageError(f"PostgreSQL: what is written to {table} itself is not heard: {reason}")
                )
            if not await self._shared.listener.hears(self._notify, PING_SECONDS):
                polling.report(StorageError(_SILENCE))
        except BaseException as error:
            await polling.stop()
            if isinstance(error, self._shared.driver.errors):
                raise StorageError(f"PostgreSQL: {error!r}") from error
            raise
        return polling

    async def _notify(self, payload: str) -> None:
        await self._transactions.run(lambda: _notification(payload))

    async def _unwatch(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            await self._shared.listener.remove(watcher)

    async def close(self) -> None:
        """Use the driver no more; the last user disconnects it."""
        try:
            await self._transactions.rest()
        finally:
            await self._shared.leave()

    async def _run(
        self, plan: Callable[[], Plan[R]], checked: Callable[[], Plan[R]] | None
    ) -> tuple[R, object, object]:
        def written() -> None:
            self._shared.listener.wrote(self._written, by=self._watcher)

        return await self._transactions.run(plan, written if checked is not None else None, checked)

    async def _look(self) -> object:
        return (await self._transactions.run(_nothing))[1]


def _driver_for(dsn: str) -> PostgresDriver:
    try:
        # Only who gives no driver needs asyncpg.
        from weft.persisters.postgres.asyncpg import AsyncpgDriver  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sentence = f"a DSN without a driver needs the package {error.name!r}: pip install 'weft[postgres]'"
        raise ImportError(sentence, name=error.name) from error
    return AsyncpgDriver(dsn)


def _notification(payload: str) -> Plan[None]:
    yield Statement("SELECT pg_notify($1, $2)", (CHANNEL, payload))


def _nothing() -> Plan[None]:
    yield from ()
