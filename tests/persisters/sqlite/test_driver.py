"""The SQLite persisters on other libraries than Python's own: apsw, libSQL (file and server), Turso."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import TYPE_CHECKING, Any, ClassVar

import apsw
import pytest

from support.node import INTEROP
from support.sqld import Sqld
from support.tables_suite import expect_refusal_without_row_ids
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
    ValuesTable,
)
from weft.persisters._core.turn_queue import TurnQueue
from weft.persisters.sql.dialect import Statement
from weft.persisters.sqlite.database import SqliteDatabase
from weft.persisters.sqlite.driver import StdlibDriver
from weft.store import Store
from weft.testing.persisters import MORE, PETS, PersisterSuite, until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from weft.changes import Content
    from weft.persisters import Persister

_numbers = itertools.count()


def _config(number: int) -> TablesConfig:
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
        self.number = next(_numbers)  # names of tables, as some tests' databases are one server's
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
        return SqliteTablesPersister(store, self._driver(), _config(self.number), **options)

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

    async def read_raw(self) -> Content | None:
        if self.mode == "json":
            name = f"json{self.number}"
            if not await self.run(("SELECT 1 FROM sqlite_schema WHERE name=?", (name,))):
                return None
            ((text,),) = await self.run((f"SELECT store FROM {name} WHERE _id='_'", ()))
            return Store().set_json(text).get_content()
        store = Store()
        async with SqliteTablesPersister(store, self._driver(), _config(self.number)) as persister:
            await persister.load()
        return store.get_content() if store.has_tables() else None

    async def write_raw(self, content: Content) -> None:
        tables, values = content
        if self.mode == "json":
            await self._write_text(Store().set_content(content).get_json())
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
            await self._write_text("[{")
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

    async def _write_text(self, text: str) -> None:
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


class TestApswJson(OnAFile):
    mode = "json"
    kind = ApswDriver


class TestApswTables(OnAFile):
    mode = "tables"
    contents = (PETS, MORE)
    kind = ApswDriver


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


class OnTurso(OnADriver):
    """One driver for all, as the engine sees nobody else's writes."""

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Iterator[None]:
        self.shared = TursoDriver(tmp_path / "store.db")
        yield
        self.shared.close()


class TestTursoJson(OnTurso):
    mode = "json"


class TestTursoTables(OnTurso):
    mode = "tables"
    contents = (PETS, MORE)


@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize("mode", ["json", "tables"])
async def test_a_libsql_server_that_was_away_gets_what_was_edited_meanwhile(mode: str) -> None:
    store, errors = Store(), list[Exception]()

    def make(store: Store, driver: SqliteDriver) -> Persister:
        if mode == "json":
            return SqliteJsonPersister(store, driver, auto_load_interval_seconds=0.02, on_error=errors.append)
        return SqliteTablesPersister(store, driver, _config(0), on_error=errors.append)

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
    path, number = tmp_path / "store.db", next(_numbers)
    pets = Store().set_content(PETS)
    for row in range(200):
        pets.set_row("pets", str(row), {"species": "x" * 100, "price": row})
    async with SqliteTablesPersister(pets, path, _config(number)) as persister:
        await persister.save()
    data = bytearray(path.read_bytes())
    assert len(data) > 4 * 4096
    data[4096 : 3 * 4096] = random.Random(0).randbytes(2 * 4096)
    path.write_bytes(data)
    driver = connect(path)
    store = Store().set_content(MORE)
    async with SqliteTablesPersister(store, driver, _config(number)) as persister:
        for verb in (persister.load, persister.save, persister.start_auto_save):
            with pytest.raises(StorageError, match="malformed"):
                await verb()
    driver.close()
    assert store.get_content() == MORE
    assert path.read_bytes() == data


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


POWERSYNC = INTEROP / "node_modules" / "@powersync" / "node" / "lib" / "libpowersync_x64.linux.so"


def powersync_driver(path: Path) -> ApswDriver:
    """A database with PowerSync's extension and, made once, its schema."""
    driver = ApswDriver(path, extensions=[(str(POWERSYNC), "sqlite3_powersync_init")])
    columns = [{"name": "species", "type": "TEXT"}, {"name": "price", "type": "REAL"}]
    schema = {"tables": [{"name": "pets", "columns": columns, "indexes": []}]}
    driver.open()
    if not driver.execute("SELECT 1 FROM sqlite_schema WHERE name='pets'"):
        driver.execute("BEGIN IMMEDIATE")
        driver.execute("SELECT powersync_init()")
        driver.execute("SELECT powersync_replace_schema(?)", [json.dumps(schema)])
        driver.execute("COMMIT")
    return driver


POWERSYNC_CONFIG = TablesConfig(
    load={"pets": TableLoad("pets", row_id_column_name="id")},
    save={"pets": TableSave("pets", row_id_column_name="id", columns=["species", "price"])},
    values=ValuesTable(load=True, save=True, table_name="values0"),
    nulls="absent",
    auto_load_interval_seconds=0.01,
)


@pytest.mark.usefixtures("_node")
class TestPowerSync(OnAFile):
    """Rows in its views, which take no upsert; values beside them in a table of SQLite's own."""

    mode = "tables"
    contents = (PETS, MORE)

    @pytest.fixture(autouse=True)
    def number_of_the_values(self, ground: None) -> None:
        self.number = 0

    def connect(self) -> SqliteDriver:
        return powersync_driver(self.path)

    def make(self, store: Store, **options: Any) -> Persister:
        return SqliteTablesPersister(store, self._driver(), POWERSYNC_CONFIG, **options)

    async def read_raw(self) -> Content | None:
        rows = await self.run(("SELECT id, species, price FROM pets", ()))
        pets = {str(row_id): {"species": species, "price": price} for row_id, species, price in rows}
        ((open_,),) = await self.run(("SELECT open FROM values0", ()))
        return {"pets": pets}, {"open": open_}

    async def write_raw(self, content: Content) -> None:
        await self.run(
            ("DELETE FROM pets", ()),
            *(
                ("INSERT INTO pets(id, species, price) VALUES(?,?,?)", (row_id, row["species"], row["price"]))
                for row_id, row in content[0]["pets"].items()
            ),
            ("DROP TABLE IF EXISTS values0", ()),
            ("CREATE TABLE values0(_id PRIMARY KEY, open)", ()),
            ("INSERT INTO values0 VALUES('_',?)", (content[1]["open"],)),
        )

    async def write_bad(self) -> None:
        await self.run(("DROP TABLE IF EXISTS values0", ()), ("CREATE TABLE values0(no_row_ids)", ()))


@pytest.mark.usefixtures("_node")
async def test_powersync_queues_what_is_saved_and_what_it_brings_is_loaded(tmp_path: Path) -> None:
    driver = powersync_driver(tmp_path / "sync.db")
    store = Store().set_row("pets", "fido", {"species": "dog", "price": 5})
    async with SqliteTablesPersister(store, driver, POWERSYNC_CONFIG) as persister:
        await persister.start_auto_persisting()
        store.set_cell("pets", "fido", "price", 6)
        await until(persister.is_at_rest)
        store.del_row("pets", "fido")
        await until(persister.is_at_rest)
        queue = [json.loads(str(row[0])) for row in driver.execute("SELECT data FROM ps_crud ORDER BY id")]
        assert [(item["op"], item["id"], item.get("data")) for item in queue] == [
            ("PUT", "fido", {"species": "dog", "price": 5}),
            ("PATCH", "fido", {"price": 6}),
            ("DELETE", "fido", None),
        ]
        driver.execute("INSERT INTO pets(id, species) VALUES('rex', 'dog')")
        await until(lambda: store.get_row("pets", "rex") == {"species": "dog"})
    driver.close()
