from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from weft.errors import StorageError
from weft.persisters import (
    PostgresJsonPersister,
    PostgresTablesPersister,
    TableLoad,
    TableSave,
    TablesConfig,
    ValuesTable,
)
from weft.store import Store
from weft.testing.persisters import MORE, PETS, RICH, KillSuite, at_rest, until

if TYPE_CHECKING:
    from support.postgres import PostgresServer
    from weft.changes import Content
    from weft.persisters import Persister

NUMBERS = itertools.count()


async def run(dsn: str, *statements: str) -> list[Any]:
    """Run statements round the persister, in one transaction; the rows of the last."""
    connection = await asyncpg.connect(dsn)
    rows: list[Any] = []
    try:
        async with connection.transaction():
            for statement in statements:
                rows = [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()
    return rows


class TestJson(KillSuite):
    @pytest.fixture(autouse=True)
    def place(self, postgres: PostgresServer) -> None:
        self.dsn = postgres.dsn
        self.table = f"json{next(NUMBERS)}"

    def make(self, store: Store, **options: Any) -> Persister:
        return PostgresJsonPersister(store, self.dsn, self.table, **options)

    async def read_raw(self) -> Content | None:
        ((text,),) = await run(self.dsn, f"SELECT store FROM {self.table} WHERE _id='_'")
        return Store().set_json(text).get_content()

    async def _write(self, text: str) -> None:
        escaped = text.replace("'", "''")
        await run(
            self.dsn,
            f'CREATE TABLE IF NOT EXISTS {self.table}("_id" text PRIMARY KEY,"store" text)',
            f"ALTER TABLE {self.table} ADD COLUMN IF NOT EXISTS store text",
            f"INSERT INTO {self.table} VALUES('_','{escaped}')"
            " ON CONFLICT(_id) DO UPDATE SET store=excluded.store",
        )

    async def write_raw(self, content: Content) -> None:
        await self._write(Store().set_content(content).get_json())

    async def write_bad(self) -> None:
        await self._write("[{")

    def child_source(self) -> str:
        return (
            "from weft.persisters import PostgresJsonPersister\n"
            f"def make(store):\n    return PostgresJsonPersister(store, {self.dsn!r}, {self.table!r})\n"
        )


class TestTables(KillSuite):
    contents = (PETS, MORE)

    @pytest.fixture(autouse=True)
    def place(self, postgres: PostgresServer) -> None:
        self.dsn = postgres.dsn
        number = next(NUMBERS)
        self.table, self.values = f"pets{number}", f"values{number}"
        self.config = TablesConfig(
            load={self.table: "pets"},
            save={"pets": self.table},
            values=ValuesTable(load=True, save=True, table_name=self.values),
            nulls="absent",
        )

    def make(self, store: Store, **options: Any) -> Persister:
        return PostgresTablesPersister(store, self.dsn, self.config, **options)

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
        statements = [
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
        return (
            "from weft.persisters import PostgresTablesPersister, TablesConfig, ValuesTable\n"
            f"config = TablesConfig(load={{{self.table!r}: 'pets'}}, save={{'pets': {self.table!r}}},"
            f" values=ValuesTable(load=True, save=True, table_name={self.values!r}))\n"
            f"def make(store):\n    return PostgresTablesPersister(store, {self.dsn!r}, config)\n"
        )

    async def test_bad_stored_data_is_an_error_and_a_save_repairs_it(self) -> None:
        """A table without row ids is somebody else's: it is refused, and not repaired."""
        store = Store().set_content(PETS)
        async with self.make(store) as persister:
            await self.write_bad()
            for verb in (persister.load, persister.save):
                with pytest.raises(StorageError, match="no column '_id'"):
                    await verb()
        assert store.get_content() == PETS

    async def test_bad_stored_data_stops_no_auto_load(self) -> None:
        errors: list[Exception] = []
        store = Store()
        await self.write_raw(PETS)
        async with self.make(store, on_ignored_error=errors.append) as persister:
            persister.first_retry_seconds = 0.01
            await persister.start_auto_load()
            await self.write_bad()
            await until(lambda: bool(errors))
            assert store.get_content() == PETS
            await run(self.dsn, f"ALTER TABLE {self.table} RENAME COLUMN no_row_ids TO _id")
            await self.write_raw(MORE)
            await until(lambda: store.get_content() == MORE)


async def test_the_cells_of_the_tables_are_json_text_as_tinybase_writes_it(postgres: PostgresServer) -> None:
    store = Store()
    store.set_row("rich", "fido", {"s": "dog", "b": True, "n": 1.5, "z": None, "l": [1, {"a": 2}]})
    config = TablesConfig(load={"rich": "rich"}, save={"rich": "rich"}, nulls="absent")
    async with PostgresTablesPersister(store, postgres.dsn, config) as persister:
        await persister.save()
        assert await run(postgres.dsn, "SELECT _id, s, b, n, z, l FROM rich") == [
            ("fido", '"dog"', "true", "1.5", None, '"\ufffd[1,{\\"a\\":2}]"')
        ]
        other = Store()
        async with PostgresTablesPersister(other, postgres.dsn, config) as reader:
            await reader.load()
        store.del_cell("rich", "fido", "z")
        assert other.get_tables() == store.get_tables()


async def test_typed_columns_are_respected(postgres: PostgresServer) -> None:
    dsn = postgres.dsn
    await run(
        dsn,
        "CREATE TABLE typed(id integer PRIMARY KEY, sold boolean, tags jsonb, name varchar(20),"
        " price numeric(10,2), weight double precision, born date, note text)",
        """INSERT INTO typed VALUES(7, true, '["big",{"a":1}]', 'Fido', 12.50, 1.5, '2020-01-02', 'plain')""",
    )
    config = TablesConfig(
        load={"typed": TableLoad("t", "id")}, save={"t": TableSave("typed", "id")}, nulls="absent"
    )
    store = Store()
    async with PostgresTablesPersister(store, dsn, config, text="plain") as persister:
        await persister.start_auto_persisting()
        fido = {
            "sold": True, "tags": ["big", {"a": 1}], "name": "Fido", "price": 12.5, "weight": 1.5,
            "born": "2020-01-02", "note": "plain",
        }  # fmt: skip
        assert store.get_tables() == {"t": {"7": fido}}
        store.set_row("t", "8", {**fido, "sold": False, "tags": {"deep": [None]}, "born": "2021-03-04"})
        store.set_cell("t", "7", "price", 13)
    assert await run(
        dsn, "SELECT id, sold, tags::text, price::text, born::text, note FROM typed ORDER BY id"
    ) == [
        (7, True, '["big", {"a": 1}]', "13.00", "2020-01-02", "plain"),
        (8, False, '{"deep": [null]}', "12.50", "2021-03-04", "plain"),
    ]


async def test_hostile_and_overlong_names_are_only_names_or_left_out(postgres: PostgresServer) -> None:
    tables: Any = Store().set_content(RICH).get_tables()
    config = TablesConfig(
        load={f"hostile {name}": name for name in tables},
        save={name: f"hostile {name}" for name in tables},
        nulls="absent",
    )
    tables["pets"]["fido"]["x" * 64] = 1
    tables["pets"]["fido"]["é" * 32] = 1
    tables["pets"]["fido"]["y" * 63] = 1
    errors: list[str] = []
    async with PostgresTablesPersister(
        Store().set_tables(tables), postgres.dsn, config, on_ignored_error=lambda e: errors.append(str(e))
    ) as persister:
        await persister.save()
    assert len([error for error in errors if "63 bytes long, not 64" in error]) == 2
    assert len(errors) == 3  # and the empty id
    store = Store()
    async with PostgresTablesPersister(store, postgres.dsn, config) as persister:
        await persister.load()
    del tables["pets"]["fido"]["x" * 64], tables["pets"]["fido"]["é" * 32]
    del tables["pets"]["9"][""], tables["pets"]["fido"]["owner"]
    assert store.get_tables() == tables


async def test_a_condition_bounds_what_is_loaded_saved_and_deleted(postgres: PostgresServer) -> None:
    dsn = postgres.dsn
    await run(
        dsn,
        "CREATE TABLE part(_id text PRIMARY KEY, price integer, shop varchar)",
        "INSERT INTO part VALUES('mine', 1, 'here'),('mine too', 2, 'here'),('theirs', 3, 'there')",
    )
    config = TablesConfig(
        load={"part": TableLoad("pets", condition="$tableName.shop='here'")}, save={"pets": "part"}
    )
    store = Store()
    async with PostgresTablesPersister(store, dsn, config) as persister:
        await persister.start_auto_persisting()
        assert store.get_row_ids("pets") == ["mine", "mine too"]
        store.del_row("pets", "mine too")
        store.set_row("pets", "theirs", {"price": 0, "shop": "here"})
        store.set_row("pets", "new", {"price": 4, "shop": "here"})
    expected = [("mine", 1, "here"), ("new", 4, "here"), ("theirs", 3, "there")]
    assert await run(dsn, "SELECT * FROM part ORDER BY _id") == expected


async def test_a_lost_connection_comes_back_loads_what_was_missed_and_saves_what_waits(
    postgres: PostgresServer,
) -> None:
    dsn, errors, store = postgres.dsn, list[Exception](), Store()
    config = TablesConfig(load={"lost": "lost"}, save={"lost": "lost"})
    async with PostgresTablesPersister(store, dsn, config, on_ignored_error=errors.append) as persister:
        persister.first_retry_seconds = 0.01
        await persister.start_auto_persisting(({"lost": {"a": {"x": 1}}}, {}))
        postgres.stop()
        store.set_cell("lost", "b", "x", 2)
        await until(lambda: len(errors) > 1)
        with pytest.raises(StorageError):
            await persister.save()
        assert store.get_table("lost") == {"a": {"x": 1}, "b": {"x": 2}}
        postgres.start()
        await run(dsn, """INSERT INTO lost VALUES('c', '3')""")
        await until(lambda: store.has_row("lost", "c") and at_rest(persister))
        await run(dsn, """INSERT INTO lost VALUES('d', '4')""")  # and it listens again
        await until(lambda: store.has_row("lost", "d"))
    assert await run(dsn, "SELECT * FROM lost ORDER BY _id") == [
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
        ("d", "4"),
    ]


async def test_a_killed_backend_is_got_over(postgres: PostgresServer) -> None:
    dsn, errors, store = postgres.dsn, list[Exception](), Store()
    async with PostgresJsonPersister(store, dsn, "killed", on_ignored_error=errors.append) as persister:
        await persister.start_auto_persisting(PETS)
        await run(dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        text = Store().set_content(MORE).get_json()
        await run(dsn, f"UPDATE killed SET store='{text}'")
        await until(lambda: store.get_content() == MORE)


async def test_a_server_that_is_not_there_is_an_error() -> None:
    async with PostgresJsonPersister(Store(), "postgresql://weft@127.0.0.1:1/postgres") as persister:
        with pytest.raises(StorageError, match="PostgreSQL"):
            await persister.load()


async def test_a_row_id_with_nul_is_left_out_told_once_and_stops_no_other_row(
    postgres: PostgresServer,
) -> None:
    errors: list[str] = []
    config = TablesConfig(load={"nul": "nul"}, save={"nul": "nul"})
    store = Store().set_tables({"nul": {"a": {"x": "b\0"}, "c\0": {"x": 1}}})
    async with PostgresTablesPersister(
        store, postgres.dsn, config, on_ignored_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.save()
        await persister.start_auto_save()
        store.set_cell("nul", "c\0", "x", 2)
        store.set_cell("nul", "d", "x", 3)
    assert errors == ["row 'c\\x00' of table 'nul' is not saved: NUL in its id"]
    expected = [("a", '"b\\u0000"'), ("d", "3")]
    assert await run(postgres.dsn, "SELECT _id, x FROM nul ORDER BY _id") == expected
