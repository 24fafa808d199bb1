"""What every driver of SQLite must do that the persisters' suite does not ask."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from support.sqlite_suite import NUMBERS, config_of
from weft.errors import StorageError
from weft.persisters import (
    ApswDriver,
    LibsqlDriver,
    SqliteDriver,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TableLoad,
    TableSave,
    TablesConfig,
    TursoDriver,
)
from weft.persisters.sqlite.driver import StdlibDriver
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from weft.persisters import Persister


async def test_several_persisters_share_a_driver_and_leave_it_open(tmp_path: Path) -> None:
    driver = ApswDriver(tmp_path / "store.db")
    one, two = Store().set_content(PETS), Store().set_content(MORE)
    async with (
        SqliteJsonPersister(one, driver, "one") as first,
        SqliteJsonPersister(two, driver, "two") as second,
    ):
        await asyncio.gather(first.save(), second.save(), first.load(), second.load())
    assert driver.execute("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name") == [
        ("one",),
        ("two",),
    ]
    driver.close()
    driver.close()
    async with SqliteJsonPersister(Store(), driver, "one") as persister:
        await persister.load()  # opened again with its next use
        assert persister.get_store().get_content() == PETS
    driver.close()


@pytest.mark.parametrize("connect", [ApswDriver, LibsqlDriver, TursoDriver])
async def test_a_file_that_is_no_database_is_an_error(
    connect: Callable[[Path], SqliteDriver], tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database, and it is long enough to have been one" * 100)
    driver = connect(path)
    store = Store().set_content(PETS)
    async with SqliteJsonPersister(store, driver) as persister:
        for verb in (persister.load, persister.save):
            with pytest.raises(StorageError, match=r"store\.db"):
                await verb()
    driver.close()
    assert store.get_content() == PETS
    assert path.read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize("connect", [ApswDriver, LibsqlDriver, StdlibDriver])
async def test_a_database_with_damaged_pages_is_an_error(
    connect: Callable[[Path], SqliteDriver], tmp_path: Path
) -> None:
    path, number = tmp_path / "store.db", next(NUMBERS)
    pets = Store().set_content(PETS)
    for row in range(200):
        pets.set_row("pets", str(row), {"species": "x" * 100, "price": row})
    async with SqliteTablesPersister(pets, path, config_of(number)) as persister:
        await persister.save()
    data = bytearray(path.read_bytes())
    assert len(data) > 4 * 4096
    data[4096 : 3 * 4096] = random.Random(0).randbytes(2 * 4096)
    path.write_bytes(data)
    driver = connect(path)
    store = Store().set_content(MORE)
    async with SqliteTablesPersister(store, driver, config_of(number)) as persister:
        for verb in (persister.load, persister.save, persister.start_auto_save):
            with pytest.raises(StorageError, match="malformed"):
                await verb()
    driver.close()
    assert store.get_content() == MORE
    assert path.read_bytes() == data


def _given(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False, detect_types=sqlite3.PARSE_DECLTYPES)
    db.row_factory = sqlite3.Row
    db.text_factory = bytes
    return db


def _given_with_dicts(path: Path) -> sqlite3.Connection:
    class Cursor(sqlite3.Cursor):
        pass

    class Connection(sqlite3.Connection):
        def cursor(self, *_: Any, **__: Any) -> Any:
            cursor = super().cursor(Cursor)
            cursor.row_factory = lambda cursor, row: {
                column[0]: cell for column, cell in zip(cursor.description, row, strict=True)
            }
            return cursor

    db = sqlite3.connect(path, check_same_thread=False, factory=Connection)
    db.text_factory = lambda data: data.decode().upper()
    return db


def _apsw(path: Path) -> ApswDriver:
    connection = apsw.Connection(str(path))
    connection.row_trace = lambda _cursor, row: ("traced", *row)
    connection.cursor_factory = lambda _connection: None
    return ApswDriver(connection)


@pytest.mark.parametrize("give", [_given, _given_with_dicts, _apsw])
@pytest.mark.parametrize("mode", ["tables", "json"])
async def test_what_a_given_connection_makes_of_rows_and_text_is_its_own_affair(
    give: Callable[[Path], sqlite3.Connection | ApswDriver], mode: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        db.execute("CREATE TABLE pets(id TEXT PRIMARY KEY, name TEXT, born DATE, seen TIMESTAMP, x)")
        db.execute("INSERT INTO pets VALUES('a', 'Fido', '2020-01-02', '2020-01-02 03:04:05', 'y')")
        db.commit()
    given, store = give(tmp_path / "shop.db"), Store()
    config = TablesConfig(load={"pets": TableLoad("pets", "id")}, save={"pets": TableSave("pets", "id")})
    pets = {"a": {"name": "Fido", "born": "2020-01-02", "seen": "2020-01-02 03:04:05", "x": "y"}}

    def make(store: Store) -> Persister:
        if mode == "tables":
            return SqliteTablesPersister(store, given, config)
        return SqliteJsonPersister(store, given)

    if mode == "json":
        async with make(Store().set_table("pets", pets)) as persister:
            await persister.save()
    async with make(store) as persister:
        await persister.start_auto_persisting()
        assert store.get_table("pets") == pets
        store.set_cell("pets", "a", "name", "Rex")
        await until(persister.is_at_rest)
        await persister.load()
        assert store.get_cell("pets", "a", "name") == "Rex"
    if isinstance(given, sqlite3.Connection):
        assert given.text_factory is not str  # as it was
    given.close()
