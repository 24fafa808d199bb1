"""What every driver of SQLite must do that the persisters' suite does not ask."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from support.sqlite_suite import NUMBERS, config_of
from weft.errors import StorageError
from weft.persisters import (
    ApswDriver,
    LibsqlDriver,
    SqliteDriver,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TursoDriver,
)
from weft.persisters.sqlite.driver import StdlibDriver
from weft.store import Store
from weft.testing.persisters import MORE, PETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
