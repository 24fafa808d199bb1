"""A database in WAL mode whose write-ahead log is removed or replaced while a persister has it open."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from weft.errors import StorageError
from weft.persisters import (
    ApswDriver,
    LibsqlDriver,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TablesConfig,
    TursoDriver,
)
from weft.persisters.sqlite.driver import SqliteDriver, StdlibDriver
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from weft.persisters import Persister

CONFIG = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"}, auto_load_interval_seconds=0.01)
DRIVERS: list[Callable[[Any], SqliteDriver]] = [StdlibDriver, ApswDriver, LibsqlDriver, TursoDriver]
FORMS = ["json", "tables"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
    return path


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest, path: Path) -> Iterator[SqliteDriver]:
    driver: SqliteDriver = request.param(path)
    yield driver
    driver.close()


def make(store: Store, driver: Any, form: str = "tables", **options: Any) -> Persister:
    if form == "json":
        return SqliteJsonPersister(store, driver, auto_load_interval_seconds=0.01, **options)
    return SqliteTablesPersister(store, driver, CONFIG, **options)


def remove(path: Path, *endings: str) -> None:
    for ending in endings or ("-wal",):
        path.with_name(path.name + ending).unlink()


async def after_a_kill(path: Path, form: str = "tables") -> dict[str, Any]:
    """What a program finds that comes once this one is no more: what is under these names now."""
    copy = path.with_name("copy.db")
    for ending in ("", "-wal"):
        of_copy, of_path = (place.with_name(place.name + ending) for place in (copy, path))
        of_copy.unlink(missing_ok=True)
        if of_path.exists():
            shutil.copy(of_path, of_copy)
    store = Store()
    async with make(store, copy, form) as persister:
        await persister.load()
    return dict(store.get_table("pets"))


@pytest.mark.parametrize("form", FORMS)
async def test_a_log_that_was_removed_costs_nothing_that_was_saved(
    driver: SqliteDriver, path: Path, form: str
) -> None:
    store, errors = Store().set_row("pets", "a", {"n": 1}), list[str]()
    async with make(store, driver, form, on_error=lambda error: errors.append(str(error))) as persister:
        await persister.save()
        remove(path)
        for row_id, price in (("b", 2), ("c", 3)):
            store.set_row("pets", row_id, {"n": price})
            await persister.save()
            assert await after_a_kill(path, form) == store.get_table("pets")
    (error,) = errors
    assert error.startswith(f"{path}-wal was removed while it was open; all that it held is in the database")
    assert driver.execute("PRAGMA journal_mode") == [("wal",)]


async def test_polling_notices_a_log_that_was_removed_without_a_further_edit(
    driver: SqliteDriver, path: Path
) -> None:
    store, errors = Store().set_row("pets", "a", {"n": 1}), list[Exception]()
    async with make(store, driver, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        store.set_row("pets", "b", {"n": 2})
        await until(persister.is_at_rest)
        remove(path)
        await until(lambda: errors != [])
        assert await after_a_kill(path) == {"a": {"n": 1}, "b": {"n": 2}}


async def test_what_is_saved_into_a_log_that_is_removed_meanwhile_is_there(path: Path) -> None:
    store = Store().set_row("pets", "a", {"n": 1})

    class Driver(StdlibDriver):
        def execute(self, sql: str, params: Any = ()) -> Any:
            if sql == "COMMIT" and store.get_row("pets", "b"):
                remove(path)
            return super().execute(sql, params)

    driver = Driver(path)
    async with make(store, driver, on_error=lambda error: None) as persister:
        await persister.save()
        store.set_row("pets", "b", {"n": 2})
        await persister.save()
        assert await after_a_kill(path) == {"a": {"n": 1}, "b": {"n": 2}}
    driver.close()


@pytest.mark.parametrize("connect", [StdlibDriver, ApswDriver])
async def test_a_log_stands_beside_the_file_that_a_link_leads_to(
    connect: Callable[[Any], SqliteDriver], path: Path
) -> None:
    (path.parent / "links").mkdir()
    link = path.parent / "links" / "link.db"
    link.symlink_to(path)
    store, errors = Store().set_row("pets", "a", {"n": 1}), list[Exception]()
    driver = connect(link)
    async with make(store, driver, on_error=errors.append) as persister:
        await persister.save()
        remove(path)
        store.set_row("pets", "b", {"n": 2})
        await persister.save()
        assert await after_a_kill(path) == {"a": {"n": 1}, "b": {"n": 2}}
    driver.close()
    assert len(errors) == 1


async def test_persisters_with_connections_of_their_own_each_lose_nothing(path: Path) -> None:
    errors: dict[str, list[str]] = {"first": [], "second": []}
    stores = {name: Store().set_row("pets", name, {"n": 1}) for name in errors}

    def open_one(name: str) -> Persister:
        return make(stores[name], path, "tables", on_error=lambda error: errors[name].append(str(error)))

    first, second = open_one("first"), open_one("second")
    await first.start_auto_save()
    await second.start_auto_save()
    for persister in (first, second):
        await until(persister.is_at_rest)
    remove(path)
    for number in (2, 3):
        for name, persister in (("first", first), ("second", second)):
            stores[name].set_cell("pets", name, "n", number)
            await until(persister.is_at_rest)
            assert (await after_a_kill(path))[name] == {"n": number}
    assert not path.with_name("shop.db-wal").exists()
    for told in errors.values():
        (error,) = told
        assert error.endswith("each save goes there until all connections to it were closed")
    await first.close()
    stores["second"].set_cell("pets", "second", "n", 4)
    await until(second.is_at_rest)
    assert path.with_name("shop.db-wal").exists()
    assert await after_a_kill(path) == {"first": {"n": 3}, "second": {"n": 4}}
    await second.close()


async def test_without_the_index_of_the_log_nothing_is_confirmed_beside_other_connections(path: Path) -> None:
    store = Store().set_row("pets", "a", {"n": 1})
    async with make(store, path, on_error=lambda error: None) as persister:
        await persister.save()
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT * FROM pets").fetchall() == [("a", 1)]
            remove(path, "-wal", "-shm")
            store.set_row("pets", "b", {"n": 2})
            with pytest.raises(
                StorageError, match=r"shop\.db-wal was removed while it was open, with its -shm"
            ):
                await persister.save()
        await persister.save()
        assert await after_a_kill(path) == {"a": {"n": 1}, "b": {"n": 2}}


async def test_while_another_connection_reads_nothing_is_confirmed(path: Path) -> None:
    given = sqlite3.connect(path, check_same_thread=False, timeout=0, isolation_level=None)
    store = Store().set_row("pets", "a", {"n": 1})
    async with make(store, given, on_error=lambda error: None) as persister:
        await persister.save()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM pets").fetchall()
            store.set_row("pets", "b", {"n": 2})
            await persister.save()
            remove(path)
            with pytest.raises(StorageError, match="another connection is using the database"):
                await persister.save()
            other.execute("COMMIT")
            await persister.save()
            assert await after_a_kill(path) == {"a": {"n": 1}, "b": {"n": 2}}
    given.close()


@pytest.mark.parametrize("library", ["sqlite3", "apsw"])
async def test_the_log_of_a_connection_given_is_renewed_as_well(library: str, path: Path) -> None:
    given: Any = (
        sqlite3.connect(path, check_same_thread=False) if library == "sqlite3" else apsw.Connection(str(path))
    )
    given.execute("CREATE TABLE mine(a)")
    store, errors = Store().set_row("pets", "a", {"n": 1}), list[Exception]()
    remove(path)  # before the persister has looked
    async with make(
        store, given if library == "sqlite3" else ApswDriver(given), on_error=errors.append
    ) as persister:
        await persister.save()
        assert await after_a_kill(path) == {"a": {"n": 1}}
        await persister.save()  # which begins another
        remove(path)
        store.set_row("pets", "b", {"n": 2})
        await persister.save()
        assert await after_a_kill(path) == {"a": {"n": 1}, "b": {"n": 2}}
    assert len(errors) == 2
    given.execute("INSERT INTO mine VALUES(1)")
    given.close()


async def test_a_connection_given_may_be_switched_to_another_journal(path: Path) -> None:
    given = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    store, errors = Store().set_row("pets", "a", {"n": 1}), list[Exception]()
    async with make(store, given, on_error=errors.append) as persister:
        await persister.save()
        for mode in ("DELETE", "WAL"):
            given.execute(f"PRAGMA journal_mode={mode}")
            await persister.save()
            assert given.execute("PRAGMA journal_mode").fetchone() == (mode.lower(),)
    assert errors == []
    given.close()


ANOTHER = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("INSERT INTO pets VALUES('rex', 9)")
os._exit(0)
"""


async def test_what_others_committed_into_a_log_of_their_own_is_neither_mixed_nor_lost(path: Path) -> None:
    """Where the library can leave a log alone: Python's own ``sqlite3`` from 3.12 on."""
    driver = ApswDriver(path)
    store, errors = Store().set_row("pets", "a", {"n": 1}), list[Exception]()
    async with make(store, driver, on_error=errors.append) as persister:
        await persister.save()
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.set_row("pets", "b", {"n": 2})
        await persister.save()
        remove(path, "-wal", "-shm")
        subprocess.run([sys.executable, "-c", ANOTHER, str(path)], check=True)
        store.set_row("pets", "c", {"n": 3})
        with pytest.raises(
            StorageError, match=r"-wal was replaced by another with content .*another save\(\)"
        ):
            await persister.save()
        assert await after_a_kill(path) == {"a": {"n": 1}, "rex": {"n": 9}}
        await persister.save()
        assert await after_a_kill(path) == store.get_table("pets")
    driver.close()


KILLED = """
import asyncio, os, signal, sys
from weft import Store
from weft.persisters import SqliteTablesPersister, TablesConfig

async def main(path):
    store = Store().set_row("pets", "a", {"n": 1})
    persister = SqliteTablesPersister(store, path, TablesConfig(save={"pets": "pets"}))
    await persister.save()
    os.unlink(path + "-wal")
    store.set_row("pets", "b", {"n": 2})
    await persister.save()
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_process_that_is_killed_after_its_log_was_removed_leaves_all_that_it_saved(path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert b"shop.db-wal was removed" in ended.stderr
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT * FROM pets ORDER BY 1").fetchall() == [("a", 1), ("b", 2)]
