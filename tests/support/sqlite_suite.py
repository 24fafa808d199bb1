"""The persister suites of both modes on a SQLite, through a driver, whichever."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from support.tables_suite import expect_refusal_without_row_ids
from weft.persisters import (
    ApswDriver,
    LibsqlDriver,
    SqliteDriver,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TableLoad,
    TableSave,
    TablesConfig,
    ValuesTable,
)
from weft.persisters._core.turn_queue import TurnQueue
from weft.persisters.sql.dialect import Statement
from weft.persisters.sqlite.database import SqliteDatabase
from weft.store import Store
from weft.testing.persisters import PersisterSuite

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from weft.changes import Content
    from weft.persisters import Persister


__all__ = ["NUMBERS", "OnADriver", "OnAFile", "config_of"]

NUMBERS = itertools.count()


def config_of(number: int) -> TablesConfig:
    return TablesConfig(
        load={f"pets{number}": TableLoad("pets")},
        save={"pets": TableSave(f"pets{number}")},
        values=ValuesTable(load=True, save=True, table_name=f"values{number}"),
        nulls="absent",
        auto_load_interval_seconds=0.01,
    )


class OnADriver(PersisterSuite):
    """The ground: each persister of a test has a driver of its own, unless all share one."""

    mode: ClassVar[str]
    shared: SqliteDriver | None = None

    @pytest.fixture(autouse=True)
    def ground(self) -> Iterator[None]:
        self.number = next(NUMBERS)  # names of tables, as some tests' databases are one server's
        self.drivers: list[SqliteDriver] = []
        yield
        for driver in self.drivers:
            driver.close()

    def connect(self) -> SqliteDriver:
        raise NotImplementedError

    def _driver(self) -> SqliteDriver:
        if self.shared is not None:
            return self.shared
        self.drivers.append(self.connect())
        return self.drivers[-1]

    def make(self, store: Store, **options: Any) -> Persister:
        if self.mode == "json":
            table = f"json{self.number}"
            return SqliteJsonPersister(
                store, self._driver(), table, auto_load_interval_seconds=0.01, **options
            )
        return SqliteTablesPersister(store, self._driver(), config_of(self.number), **options)

    async def run(self, *statements: tuple[str, Sequence[Any]]) -> list[Sequence[Any]]:
        """Run statements round the persister; the rows of the last one."""

        def plan() -> Generator[Statement, list[Sequence[Any]], list[Sequence[Any]]]:
            rows: list[Sequence[Any]] = []
            for sql, params in statements:
                rows = yield Statement(sql, params)
            return rows

        database = SqliteDatabase(self._driver(), None)
        async with TurnQueue.of(database.queue).turn():
            rows = await database.write(plan)
        await database.close()
        return rows

    async def read_text(self) -> str | None:
        name = f"json{self.number}"
        if not await self.run(("SELECT 1 FROM sqlite_schema WHERE name=?", (name,))):
            return None
        ((text,),) = await self.run((f"SELECT store FROM {name} WHERE _id='_'", ()))
        assert isinstance(text, str)
        return text

    async def read_raw(self) -> Content | None:
        if self.mode == "json":
            text = await self.read_text()
            return None if text is None else Store().set_json(text).get_content()
        store = Store()
        async with SqliteTablesPersister(store, self._driver(), config_of(self.number)) as persister:
            await persister.load()
        return store.get_content() if store.has_tables() else None

    async def write_raw(self, content: Content) -> None:
        tables, values = content
        if self.mode == "json":
            await self.write_text(Store().set_content(content).get_json())
            return
        pets, open_ = f"pets{self.number}", f"values{self.number}"
        await self.run(
            (f"DROP TABLE IF EXISTS {pets}", ()),
            (f"CREATE TABLE {pets}(_id PRIMARY KEY, species, price)", ()),
            (f"DROP TABLE IF EXISTS {open_}", ()),
            (f"CREATE TABLE {open_}(_id PRIMARY KEY, open)", ()),
            (f"INSERT INTO {open_} VALUES('_',?)", (values["open"],)),
            *(
                (f"INSERT INTO {pets} VALUES(?,?,?)", (row_id, row["species"], row["price"]))
                for row_id, row in tables["pets"].items()
            ),
        )

    async def write_bad(self) -> None:
        if self.mode == "json":
            await self.write_text("[{")
            return
        pets = f"pets{self.number}"
        await self.run(
            (f"DROP TABLE IF EXISTS {pets}", ()),
            (f"CREATE TABLE {pets}(no_row_ids)", ()),
            (f"INSERT INTO {pets} VALUES(1)", ()),
        )

    async def test_bad_stored_data_is_an_error_and_a_save_repairs_it(self) -> None:
        """A table without row ids is somebody else's: it is refused, and not repaired."""
        if self.mode == "json":
            await super().test_bad_stored_data_is_an_error_and_a_save_repairs_it()
            return
        await expect_refusal_without_row_ids(self)

    async def write_text(self, text: str) -> None:
        name = f"json{self.number}"
        await self.run(
            (f"CREATE TABLE IF NOT EXISTS {name}(_id PRIMARY KEY, store)", ()),
            (
                f"INSERT INTO {name} VALUES('_',?) ON CONFLICT(_id) DO UPDATE SET store=excluded.store",
                (text,),
            ),
        )


class OnAFile(OnADriver):
    """Each driver has a connection of its own to the test's file."""

    kind: ClassVar[type[ApswDriver | LibsqlDriver]]

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    def connect(self) -> SqliteDriver:
        return self.kind(self.path)
