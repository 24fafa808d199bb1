"""The persister suites of both modes on a PostgreSQL, whichever, through a driver, whichever."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg  # type: ignore[import-untyped]
import pytest

from support.tables_suite import expect_refusal_without_row_ids
from weft.persisters import (
    AsyncpgDriver,
    PostgresDriver,
    PostgresJsonPersister,
    PostgresTablesPersister,
    PsycopgDriver,
    TablesConfig,
    ValuesTable,
)
from weft.store import Store
from weft.testing.persisters import MORE, PETS, PersisterSuite, until

if TYPE_CHECKING:
    from support.postgres import PostgresServer
    from weft.changes import Content
    from weft.persisters import Persister
    from weft.values import Cell

__all__ = ["DRIVERS", "JsonMode", "OnPostgres", "TablesMode", "run"]

DRIVERS: dict[str, type[PostgresDriver]] = {"AsyncpgDriver": AsyncpgDriver, "PsycopgDriver": PsycopgDriver}
NUMBERS = itertools.count()


async def run(dsn: str, *statements: str) -> list[Any]:
    """Run statements round the persister, in one transaction; the rows of the last."""
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    rows: list[Any] = []
    try:
        async with connection.transaction():
            for statement in statements:
                rows = [tuple(row) for row in await connection.fetch(statement)]
    finally:
        connection.terminate()  # PGlite's socket server answers no goodbye
    return rows


class _Mode(PersisterSuite):
    """A subclass says with which driver, and sets ``dsn``."""

    driver: ClassVar[str] = "AsyncpgDriver"
    listens: ClassVar[bool] = True
    dsn: str

    def connect(self) -> PostgresDriver:
        return DRIVERS[self.driver](self.dsn, listens=self.listens)

    def _source(self, make: str) -> str:
        """What a process needs to make persisters of its own."""
        return (
            "from weft.persisters import *\nfrom weft.persisters import TablesConfig, ValuesTable\n"
            f"def make(store):\n    driver = {self.driver}({self.dsn!r}, listens={self.listens})\n"
            f"    return {make}\n"
        )


class JsonMode(_Mode):
    """A Store as text in one cell."""

    @pytest.fixture(autouse=True)
    def cell(self) -> None:
        self.table = f"json{next(NUMBERS)}"

    def make(self, store: Store, **options: Any) -> Persister:
        return PostgresJsonPersister(
            store, self.connect(), self.table, auto_load_interval_seconds=0.01, **options
        )

    async def read_text(self) -> str | None:
        ((there,),) = await run(self.dsn, f"SELECT to_regclass('{self.table}') IS NOT NULL")
        rows = there and await run(self.dsn, f"SELECT store FROM {self.table} WHERE _id='_'")
        return rows[0][0] if rows else None

    async def read_raw(self) -> Content | None:
        text = await self.read_text()
        return None if text is None else Store().set_json(text).get_content()

    async def write_text(self, text: str) -> None:
        escaped = text.replace("'", "''")
        await run(
            self.dsn,
            f'CREATE TABLE IF NOT EXISTS {self.table}("_id" text PRIMARY KEY,"store" text)',
            f"ALTER TABLE {self.table} ADD COLUMN IF NOT EXISTS store text",
            f"INSERT INTO {self.table} VALUES('_','{escaped}')"
            " ON CONFLICT(_id) DO UPDATE SET store=excluded.store",
        )

    async def write_raw(self, content: Content) -> None:
        await self.write_text(Store().set_content(content).get_json())

    async def write_bad(self) -> None:
        await self.write_text("[{")

    def child_source(self) -> str:
        return self._source(f"PostgresJsonPersister(store, driver, {self.table!r})")


class TablesMode(_Mode):
    """Tables of a Store in tables."""

    contents = (PETS, MORE)

    @pytest.fixture(autouse=True)
    def tables(self) -> None:
        number = next(NUMBERS)
        self.table, self.values = f"pets{number}", f"values{number}"
        self.config = TablesConfig(
            load={self.table: "pets"},
            save={"pets": self.table},
            values=ValuesTable(load=True, save=True, table_name=self.values),
            nulls="absent",
            auto_load_interval_seconds=0.01,
        )

    def make(self, store: Store, **options: Any) -> Persister:
        return PostgresTablesPersister(store, self.connect(), self.config, **options)

    async def read_raw(self) -> Content | None:
        rows = await run(self.dsn, f"SELECT * FROM {self.table}")
        names = await run(
            self.dsn,
            f"SELECT attname FROM pg_attribute WHERE attrelid='{self.table}'::regclass AND attnum>0"
            " ORDER BY attnum",
        )
        ((open_,),) = await run(self.dsn, f"SELECT open FROM {self.values}")
        store = Store()
        for _id, *cells in rows:
            for (name,), cell in zip(names[1:], cells, strict=True):
                store.set_cell("pets", _id, name, json.loads(cell))
        return store.get_tables(), {"open": json.loads(open_)}

    async def write_raw(self, content: Content) -> None:
        tables, values = content
        mend = f"ALTER TABLE {self.table} RENAME COLUMN no_row_ids TO _id"  # what write_bad did
        statements = [
            f"DO 'BEGIN {mend}; EXCEPTION WHEN undefined_column OR undefined_table THEN NULL; END'",
            f"CREATE TABLE IF NOT EXISTS {self.table}(_id text PRIMARY KEY)",
            f"ALTER TABLE {self.table} ADD COLUMN IF NOT EXISTS species text",
            f"ALTER TABLE {self.table} ADD COLUMN IF NOT EXISTS price text",
            f"CREATE TABLE IF NOT EXISTS {self.values}(_id text PRIMARY KEY)",
            f"ALTER TABLE {self.values} ADD COLUMN IF NOT EXISTS open text",
            f"DELETE FROM {self.table}",
            f"DELETE FROM {self.values}",
            f"""INSERT INTO {self.values}(_id, open) VALUES('_','"{values["open"]}"')""",
        ]
        for row_id, row in tables["pets"].items():
            statements.append(
                f"INSERT INTO {self.table}(_id, species, price)"
                f""" VALUES('{row_id}','"{row["species"]}"','{row["price"]}')"""
            )
        await run(self.dsn, *statements)

    async def write_bad(self) -> None:
        await run(
            self.dsn,
            f"CREATE TABLE IF NOT EXISTS {self.table}(_id text PRIMARY KEY)",
            f"ALTER TABLE {self.table} RENAME COLUMN _id TO no_row_ids",
            f"UPDATE {self.table} SET no_row_ids = no_row_ids",
        )

    def child_source(self) -> str:
        return self._source(
            f"PostgresTablesPersister(store, driver, TablesConfig(load={{{self.table!r}: 'pets'}},"
            f" save={{'pets': {self.table!r}}},"
            f" values=ValuesTable(load=True, save=True, table_name={self.values!r})))"
        )

    async def test_bad_stored_data_is_an_error_and_a_save_repairs_it(self) -> None:
        """A table without row ids is somebody else's: it is refused, and not repaired."""
        await expect_refusal_without_row_ids(self)


class OnPostgres(PersisterSuite):
    """On the session's server, which is killed now and then."""

    server_kills = 20

    @pytest.fixture(autouse=True)
    def place(self, postgres: PostgresServer) -> None:
        self.dsn = postgres.dsn

    async def test_a_server_that_is_killed_in_the_middle_of_saves_loses_nothing(
        self, postgres: PostgresServer
    ) -> None:
        draw = random.Random(self.server_kills)
        store, generation, in_flight = Store(), 1, 0
        async with self.make(store, on_error=lambda _: None) as persister:
            persister.first_retry_seconds = persister.last_retry_seconds = 0.01
            await persister.start_auto_persisting(_generation(1))
            write, may_write = persister.write, asyncio.Event()

            async def write_if_allowed(*args: Any) -> None:
                await may_write.wait()
                await write(*args)

            setattr(persister, "write", write_if_allowed)  # noqa: B010 - not a method of the class

            async def kill() -> None:
                await asyncio.sleep(draw.random() * 0.02)
                await asyncio.to_thread(postgres.kill)

            for _ in range(self.server_kills):
                saved = generation
                may_write.set()
                killing = asyncio.create_task(kill())
                try:
                    while not killing.done():
                        generation += 1
                        store.set_content(_generation(generation))
                        await until(lambda: persister.is_at_rest() or killing.done())  # noqa: B023
                        saved = generation if persister.is_at_rest() else saved
                    may_write.clear()
                    await killing
                    in_flight += not persister.is_at_rest()
                finally:
                    await asyncio.to_thread(postgres.start)
                # What the crash left, which the persister has had no chance to mend.
                there = await self.read_raw()
                assert there in [_generation(number) for number in range(saved, generation + 1)]
                may_write.set()
                await until(persister.is_at_rest)
                assert await self.read_raw() == _generation(generation)
        assert in_flight > self.server_kills // 2


def _generation(number: int) -> Content:
    """Content all of which says which it is."""
    row: dict[str, Cell] = {"species": f"dog {number}", "price": number}
    return {"pets": {f"pet{row_id}": row for row_id in range(20)}}, {"open": str(number)}
