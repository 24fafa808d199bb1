"""The SQLite persisters on apsw: writes through its own connection are seen at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
import pytest

from support.sqlite_suite import OnAFile
from weft.errors import StorageError
from weft.persisters import ApswDriver, SqliteJsonPersister, SqliteTablesPersister, TableLoad, TablesConfig
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


NEVER = 3600.0


CONFIG = TablesConfig(
    load={
        "pets": TableLoad("pets", row_id_column_name="id"),
        "shops": TableLoad("shops", row_id_column_name="id"),
    },
    auto_load_interval_seconds=NEVER,
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(tmp_path / "store.db"))
    yield connection
    connection.close()


@pytest.mark.parametrize("kind", ["", "WITHOUT ROWID"])
async def test_what_the_program_writes_through_the_connection_is_loaded_at_once(
    connection: apsw.Connection, kind: str
) -> None:
    connection.execute(f"CREATE TABLE pets(id PRIMARY KEY, species) {kind}")
    connection.execute("CREATE TABLE shops(id PRIMARY KEY, open); INSERT INTO shops VALUES('here', 1)")
    store = Store()
    async with SqliteTablesPersister(store, ApswDriver(connection), CONFIG) as persister:
        await persister.start_auto_load()
        connection.execute("INSERT INTO pets VALUES('fido', 'dog')")
        await until(lambda: store.has_row("pets", "fido"))
        connection.execute("DELETE FROM pets")
        await until(lambda: store.get_tables() == {"shops": {"here": {"open": 1}}})


async def test_a_transaction_of_the_program_is_waited_for(connection: apsw.Connection) -> None:
    connection.execute("CREATE TABLE pets(id PRIMARY KEY, species)")
    errors = list[Exception]()
    store = Store()
    config = TablesConfig(load=CONFIG.load, auto_load_interval_seconds=0.001)
    async with SqliteTablesPersister(
        store, ApswDriver(connection), config, on_error=errors.append
    ) as persister:
        looks = list[object]()
        changed = persister._db.changed

        async def look() -> bool:
            looks.append(None)
            return await changed()

        persister._db.changed = look  # type: ignore[method-assign]
        await persister.start_auto_load()
        with connection:
            connection.execute("INSERT INTO pets VALUES('fido', 'dog')")
            looks.clear()
            await until(lambda: len(looks) > 2)
            assert not store.has_tables()
        await until(lambda: store.has_row("pets", "fido"))
    assert errors == []


async def test_persisters_of_one_driver_hear_each_other_and_not_themselves(tmp_path: Path) -> None:
    driver = ApswDriver(tmp_path / "store.db")
    one, two = Store(), Store()
    async with (
        SqliteJsonPersister(one, driver, auto_load_interval_seconds=NEVER) as first,
        SqliteJsonPersister(two, driver, auto_load_interval_seconds=NEVER) as second,
    ):
        await first.start_auto_persisting(PETS)
        await second.start_auto_persisting()
        two.set_content(MORE)
        await until(lambda: one.get_content() == MORE)
        loads = second.get_stats().loads
        two.set_value("open", "again")
        await until(lambda: one.get_value("open") == "again")
        await until(lambda: first.is_at_rest() and second.is_at_rest())
        assert second.get_stats().loads == loads
    driver.close()


async def test_hooks_of_the_program_stay_and_ours_go(connection: apsw.Connection) -> None:
    commits = list[None]()

    def committing() -> bool:
        commits.append(None)
        return False

    connection.set_commit_hook(committing)
    driver = ApswDriver(connection)
    async with SqliteJsonPersister(Store().set_content(PETS), driver) as persister:
        await persister.start_auto_persisting()
        told = len(commits)
        assert told > 0
    driver.close()
    assert driver._listeners == []
    connection.execute("CREATE TABLE other(a)")
    assert len(commits) == told + 1


class TestApswJson(OnAFile):
    mode = "json"
    kind = ApswDriver


class TestApswTables(OnAFile):
    mode = "tables"
    contents = (PETS, MORE)
    kind = ApswDriver


async def test_a_connection_of_apsw_stays_the_programs_own(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "store.db"))
    async with SqliteJsonPersister(Store().set_content(PETS), ApswDriver(connection)) as persister:
        await persister.save()
    assert connection.execute("SELECT count(*) FROM tinybase").fetchall() == [(1,)]
    connection.close()


async def test_an_extension_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    driver = ApswDriver(tmp_path / "store.db", extensions=[str(tmp_path / "none.so")])
    async with SqliteJsonPersister(Store(), driver) as persister:
        with pytest.raises(StorageError, match=r"none\.so"):
            await persister.load()
