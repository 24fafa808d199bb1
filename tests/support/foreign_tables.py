"""Databases with tables of somebody else's, through each driver, and how to go round the persisters."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from weft.persisters import (
    ApswDriver,
    LibsqlDriver,
    PostgresTablesPersister,
    PsycopgDriver,
    SqliteDriver,
    SqliteTablesPersister,
    TursoDriver,
)
from weft.persisters.sqlite.driver import StdlibDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from weft.persisters import Persister, TablesConfig

__all__ = ["PLACES", "SQLITES", "Place", "open_place"]

SQLITES: list[Any] = [StdlibDriver, ApswDriver, LibsqlDriver, TursoDriver]
PLACES: list[Any] = [*SQLITES, "asyncpg", PsycopgDriver]


class Place:
    """A database: how to make a persister of it, and how to go round it.

    ``where`` is its DSN, or the driver.
    """

    def __init__(
        self, make: Callable[..., Persister], run: Callable[[str], list[Any]], kind: Any, where: Any
    ) -> None:
        self.make = make
        self.run = run
        self.kind = kind
        self.where = where

    async def run_between(self, persister: Persister, sql: str) -> list[Any]:
        """Run a statement while the persister does nothing: on SQLite they have one connection."""
        rows: list[Any] = []

        async def run() -> None:
            rows.extend(self.run(sql))

        await persister.schedule(run)
        return rows

    async def holds(self, persister: Persister, sql: str, rows: list[Any]) -> bool:
        """Whether a query gives these rows."""
        return await self.run_between(persister, sql) == rows

    @property
    def is_postgres(self) -> bool:
        return self.kind in {"asyncpg", PsycopgDriver}


@contextmanager
def open_place(request: pytest.FixtureRequest, tmp_path: Path, config: TablesConfig) -> Iterator[Place]:
    """A place of the kind that the fixture's parameter says, empty; with SQLite's foreign keys on."""
    kind = request.param
    if isinstance(kind, type) and issubclass(kind, SqliteDriver):
        driver = kind(tmp_path / "shop.db")  # type: ignore[call-arg]
        driver.open()
        driver.execute("PRAGMA foreign_keys=ON")
        yield Place(
            lambda store, **options: SqliteTablesPersister(store, driver, config, **options),
            driver.execute,
            kind,
            driver,
        )
        driver.close()
        return
    dsn = request.getfixturevalue("postgres").dsn
    with psycopg.connect(dsn, autocommit=True) as connection:

        def run(sql: str) -> list[Any]:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

        run("DROP SCHEMA public CASCADE")
        run("CREATE SCHEMA public")
        yield Place(
            lambda store, **options: PostgresTablesPersister(
                store,
                dsn if kind == "asyncpg" else PsycopgDriver(dsn),
                config,
                text="plain",
                **options,
            ),
            run,
            kind,
            dsn,
        )
