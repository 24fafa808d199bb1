"""The SQLite persisters on libSQL, a file and a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.sqld import Sqld
from support.sqlite_suite import OnADriver, OnAFile, config_of
from weft.errors import StorageError
from weft.persisters import (
    LibsqlDriver,
    SqliteDriver,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TableSave,
    TablesConfig,
)
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from pathlib import Path

    from weft.persisters import Persister


class TestLibsqlJson(OnAFile):
    mode = "json"
    kind = LibsqlDriver


class TestLibsqlTables(OnAFile):
    mode = "tables"
    contents = (PETS, MORE)
    kind = LibsqlDriver


class OnSqld(OnADriver):
    @pytest.fixture(autouse=True)
    def place(self, sqld: Sqld) -> None:
        self.server = sqld

    def connect(self) -> SqliteDriver:
        return LibsqlDriver(self.server.url)


class TestSqldJson(OnSqld):
    mode = "json"


class TestSqldTables(OnSqld):
    mode = "tables"
    contents = (PETS, MORE)


@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize("mode", ["json", "tables"])
async def test_a_libsql_server_that_was_away_gets_what_was_edited_meanwhile(mode: str) -> None:
    store, errors = Store(), list[Exception]()

    def make(store: Store, driver: SqliteDriver) -> Persister:
        if mode == "json":
            return SqliteJsonPersister(store, driver, auto_load_interval_seconds=0.02, on_error=errors.append)
        return SqliteTablesPersister(store, driver, config_of(0), on_error=errors.append)

    with Sqld() as server:
        driver, other = LibsqlDriver(server.url), LibsqlDriver(server.url)
        async with make(store, driver) as persister:
            persister.first_retry_seconds = 0.01
            await persister.start_auto_persisting(PETS)
            server.stop()
            store.set_cell("pets", "fido", "price", 6)
            await until(lambda: len(errors) > 2)
            with pytest.raises(StorageError, match=server.url):
                await persister.load()
            assert store.get_cell("pets", "fido", "price") == 6
            server.start()
            await until(persister.is_at_rest)
            loaded = Store()
            async with make(loaded, other) as reader:
                await reader.load()
                assert loaded.get_content() == store.get_content()
                loaded.set_cell("pets", "fido", "price", 7)
                await reader.save()
            await until(lambda: store.get_cell("pets", "fido", "price") == 7)
        driver.close()
        other.close()


async def test_libsql_would_cut_text_off_at_a_nul_so_it_is_refused(tmp_path: Path) -> None:
    driver = LibsqlDriver(tmp_path / "store.db")
    config = TablesConfig(save={"pets": TableSave("pets")})
    store = Store().set_cell("pets", "fido", "name", "fi\0do")
    async with SqliteTablesPersister(store, driver, config) as persister:
        with pytest.raises(StorageError, match="NUL"):
            await persister.save()
    driver.close()


async def test_a_row_with_a_nul_does_not_keep_libsql_from_saving_others(tmp_path: Path) -> None:
    driver, errors, store = LibsqlDriver(tmp_path / "store.db"), list[str](), Store()
    config = TablesConfig(save={"pets": TableSave("pets")})
    async with SqliteTablesPersister(
        store, driver, config, on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.start_auto_save()
        store.set_cell("pets", "fido", "name", "fi\0do").set_cell("pets", "felix", "name", "felix")
        await until(persister.is_at_rest)
    assert driver.execute("SELECT * FROM pets") == [("felix", "felix")]
    driver.close()
    assert len(errors) == 1
    assert "NUL" in errors[0]


@pytest.mark.parametrize("way", ["ABORT", "FAIL", "ROLLBACK", "IGNORE"])
async def test_a_row_that_a_trigger_on_a_server_refuses_stops_no_other(sqld: Sqld, way: str) -> None:
    driver = LibsqlDriver(sqld.url)
    driver.open()
    driver.execute("DROP TABLE IF EXISTS refusing")
    driver.execute("CREATE TABLE refusing(_id TEXT PRIMARY KEY, name TEXT)")
    raising = "IGNORE" if way == "IGNORE" else f"{way}, 'no bad'"
    driver.execute(
        f"CREATE TRIGGER t BEFORE INSERT ON refusing WHEN NEW.name = 'bad' BEGIN SELECT RAISE({raising}); END"
    )
    store = Store().set_table("refusing", {id_: {"name": id_} for id_ in ("good", "bad", "fine")})
    config = TablesConfig(save={"refusing": TableSave("refusing")})
    async with SqliteTablesPersister(store, driver, config) as persister:
        with pytest.raises(StorageError, match=r"^row 'bad' of table 'refusing' is not saved"):
            await persister.save()
    assert driver.execute("SELECT name FROM refusing ORDER BY name") == [("fine",), ("good",)]
    driver.execute("DROP TABLE refusing")
    driver.close()
