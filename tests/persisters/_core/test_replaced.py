"""The file of a place is removed, or replaced by another, while a persister has it open."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw
import lmdb
import pytest

from weft.errors import StorageError
from weft.persisters import (
    ApswDriver,
    FilePersister,
    LibsqlDriver,
    LmdbPersister,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TablesConfig,
    TursoDriver,
)
from weft.persisters.sqlite import SqliteDriver
from weft.persisters.sqlite.driver import StdlibDriver
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from weft.persisters import Persister

CONFIG = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"}, auto_load_interval_seconds=0.01)
FIDO = {"fido": {"species": "dog"}}
OTHER = {"rex": {"species": "cat"}}


DRIVERS: dict[str, Callable[[Path], Any]] = {
    "sqlite3": lambda path: path,
    "apsw": ApswDriver,
    "libsql": LibsqlDriver,
    "turso": TursoDriver,
}
KINDS = [
    "file",
    "lmdb",
    *(f"{driver} {form}" for driver in DRIVERS for form in ("json", "tables")),
    *(f"{driver} {form} wal" for driver in DRIVERS if driver != "turso" for form in ("json", "tables")),
]


class Place:
    """A file, or the directory of an environment, and what makes persisters on it."""

    def __init__(self, kind: str, path: Path) -> None:
        self.library, self.form, self.wal = (*kind.split(), "", "")[:3]
        self.path = path
        self.drivers: list[SqliteDriver] = []
        self.set_up()

    def set_up(self) -> None:
        if self.wal:
            with closing(sqlite3.connect(self.path)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")

    def make(self, store: Store, **options: Any) -> Persister:
        if self.library == "file":
            return FilePersister(store, self.path, poll_seconds=0.01, **options)
        if self.library == "lmdb":
            return LmdbPersister(store, self.path, poll_seconds=0.01, **options)
        driver = DRIVERS[self.library](self.path)
        if isinstance(driver, SqliteDriver):
            self.drivers.append(driver)
        if self.form == "json":
            return SqliteJsonPersister(store, driver, auto_load_interval_seconds=0.01, **options)
        return SqliteTablesPersister(store, driver, CONFIG, **options)

    def remove(self) -> None:
        if self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            self.path.unlink()

    def tidy(self) -> None:
        while self.drivers:
            self.drivers.pop().close()

    async def replace(self) -> None:
        """Put another there, of the same kind and with other content."""
        other = Place(f"{self.library} {self.form} {self.wal}", self.path.with_name("other"))
        async with other.make(Store().set_tables({"pets": OTHER})) as persister:
            await persister.save()
        other.tidy()
        self.path.rename(self.path.with_name("away"))
        other.path.rename(self.path)
        for ending in ("-wal", "-shm"):
            self.path.with_name(f"place{ending}").unlink(missing_ok=True)

    async def holds(self) -> Any:
        """What a program that comes afterwards finds."""
        self.tidy()
        store = Store()
        async with self.make(store) as persister:
            await persister.load()
        self.tidy()
        return store.get_tables().get("pets")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place = Place(request.param, tmp_path / "place")
    yield place
    place.tidy()


async def test_save_after_the_file_was_removed_writes_everything(place: Place) -> None:
    store, errors = Store().set_tables({"pets": FIDO}), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.save()
        place.remove()
        await persister.save()
        assert place.path.exists()
    assert await place.holds() == FIDO
    if place.library != "file":  # which is not kept open
        (error,) = errors
        assert str(error).startswith(str(place.path))
        assert str(error).endswith("was removed while it was open; all that the Store holds is written anew")


@pytest.mark.parametrize("load_first", [True, False])
async def test_auto_save_after_the_file_was_removed_writes_everything(place: Place, load_first: bool) -> None:
    store = Store().set_tables({"pets": FIDO})
    async with place.make(store, on_error=lambda error: None) as persister:
        if load_first:
            await persister.save()
            await persister.load()
        await persister.start_auto_save()
        place.remove()
        store.set_cell("pets", "felix", "species", "cat")
        await until(persister.is_at_rest)
        assert place.path.exists()
    assert await place.holds() == {**FIDO, "felix": {"species": "cat"}}


async def test_auto_persisting_notices_by_itself_that_the_file_was_removed(place: Place) -> None:
    store = Store().set_tables({"pets": FIDO})
    async with place.make(store, on_error=lambda error: None) as persister:
        await persister.save()
        await persister.start_auto_persisting()
        place.remove()
        await until(lambda: place.path.exists() and persister.is_at_rest())
        assert store.get_tables() == {"pets": FIDO}
    assert await place.holds() == FIDO


async def test_a_load_after_the_file_was_replaced_takes_what_is_there_now(place: Place) -> None:
    store = Store().set_tables({"pets": FIDO})
    async with place.make(store) as persister:
        await persister.save()
        await place.replace()
        await persister.load()
        assert store.get_tables() == {"pets": OTHER}
        store.set_cell("pets", "rex", "price", 5)
        await persister.save()
    assert await place.holds() == {"rex": {"species": "cat", "price": 5}}


async def test_auto_persisting_loads_what_replaced_the_file_and_adds_what_was_edited(place: Place) -> None:
    store, errors = Store().set_tables({"pets": FIDO}), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.save()
        await persister.start_auto_persisting()
        await place.replace()
        store.set_cell("pets", "felix", "species", "cat")
        expected = {**OTHER, "felix": {"species": "cat"}}
        await until(lambda: store.get_tables() == {"pets": expected} and persister.is_at_rest())
    assert await place.holds() == expected


# Not a file of text: replacing it is how others save it, so what was edited is merged into that.
@pytest.mark.parametrize("place", KINDS[1:], indirect=True)
async def test_auto_save_alone_writes_nothing_into_what_replaced_the_file(place: Place) -> None:
    store, errors = Store().set_tables({"pets": FIDO}), list[Exception]()
    persister = place.make(store, on_error=errors.append)
    persister.first_retry_seconds = 0.001
    async with persister:
        await persister.save()
        await persister.start_auto_save()
        await place.replace()
        store.set_cell("pets", "felix", "species", "cat")
        await until(lambda: len(errors) > 2)
        sentence = (
            f"^{place.path}.* was replaced by another file while it was open; nothing was written to what"
        )
        assert all(re.match(sentence, str(error)) for error in errors)
        with pytest.raises(StorageError, match=sentence):
            await persister.stop_auto_save()
        assert await place.holds() == OTHER
        await persister.save()  # now that it was said
    assert await place.holds() == {**FIDO, "felix": {"species": "cat"}}


@pytest.mark.parametrize("place", KINDS[1:], indirect=True)
async def test_the_first_save_after_the_file_was_replaced_is_refused(place: Place) -> None:
    store = Store().set_tables({"pets": FIDO})
    async with place.make(store) as persister:
        await persister.save()
        await place.replace()
        with pytest.raises(StorageError, match=r"another save\(\) makes it what the Store holds$"):
            await persister.save()
        assert await place.holds() == OTHER
        await persister.save()
    assert await place.holds() == FIDO


async def test_removed_within_the_transaction_is_noticed_before_the_save_returns(tmp_path: Path) -> None:
    place, removed = Place("sqlite3 tables wal", tmp_path / "place"), list[str]()

    def remove(sql: str, params: object) -> None:
        if not removed and sql.startswith("INSERT"):
            removed.append(sql)
            place.remove()

    class Driver(StdlibDriver):
        def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
            super().executemany(sql, rows)
            remove(sql, rows)

    driver = Driver(place.path)
    async with SqliteTablesPersister(
        Store().set_tables({"pets": FIDO}), driver, CONFIG, on_error=lambda error: None
    ) as persister:
        await persister.save()
    driver.close()
    assert removed
    assert await place.holds() == FIDO


@pytest.mark.parametrize("library", ["sqlite3", "apsw", "lmdb"])
async def test_a_connection_given_is_not_ours_to_open_anew(library: str, tmp_path: Path) -> None:
    path = tmp_path / "place"
    given: Any
    if library == "lmdb":
        given = lmdb.open(str(path))
        persister: Persister = LmdbPersister(Store(), given)
    else:
        given = (
            sqlite3.connect(path, check_same_thread=False)
            if library == "sqlite3"
            else apsw.Connection(str(path))
        )
        persister = SqliteJsonPersister(Store(), given if library == "sqlite3" else ApswDriver(given))
    async with persister:
        await persister.save()
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        sentence = f"{path}.* was removed while it was open, and is not ours to open anew: nothing was saved"
        for act in (persister.save, persister.load):
            with pytest.raises(StorageError, match=sentence):
                await act()
    given.close()
    assert not path.exists()


@pytest.mark.parametrize("library", ["apsw", "lmdb"])
async def test_persisters_that_share_what_is_open_each_write_everything(library: str, tmp_path: Path) -> None:
    path = tmp_path / "place"
    stores = {name: Store().set_tables({name: {"r": {"c": name}}}) for name in ("one", "two")}
    driver = ApswDriver(path)

    def make(name: str, store: Store) -> Persister:
        if library == "lmdb":
            return LmdbPersister(store, path, key=name, on_error=lambda error: None)
        return SqliteJsonPersister(store, driver, name, on_error=lambda error: None)

    async with make("one", stores["one"]) as one, make("two", stores["two"]) as two:
        for persister in (one, two):
            await persister.start_auto_save()
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        for name, store in stores.items():
            store.set_cell(name, "r", "more", 1)
        await until(lambda: one.is_at_rest() and two.is_at_rest())
    driver.close()
    for name in stores:
        read = Store()
        async with make(name, read) as persister:
            await persister.load()
        assert read.get_tables() == {name: {"r": {"c": name, "more": 1}}}
    driver.close()


async def test_the_log_of_a_database_that_replaced_ours_stays(tmp_path: Path) -> None:
    """It has the name that our own log had, by which SQLite would delete it when our connection is closed."""
    place = Place("apsw json wal", tmp_path / "place")
    async with place.make(Store().set_tables({"pets": FIDO})) as persister:
        await persister.save()
        await place.replace()
        with closing(sqlite3.connect(place.path)) as other:
            other.execute("CREATE TABLE of_another (a)")
            other.execute("INSERT INTO of_another VALUES (1)")
            other.commit()
            with pytest.raises(StorageError, match="was replaced"):
                await persister.save()
            log = place.path.with_name("place-wal")
            assert log.exists()
            with closing(sqlite3.connect(place.path)) as third:
                assert third.execute("SELECT a FROM of_another").fetchall() == [(1,)]
    place.tidy()
