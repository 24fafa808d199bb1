from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from support.postgres_suite import JsonMode, TablesMode, run
from weft.errors import StorageError
from weft.persisters import (
    PostgresJsonPersister,
    PostgresTablesPersister,
    TableLoad,
    TableSave,
    TablesConfig,
)
from weft.store import Store
from weft.testing.persisters import MORE, PETS, RICH, KillSuite, PersisterSuite, at_rest, until

if TYPE_CHECKING:
    from support.postgres import PostgresServer
    from weft.changes import Content
    from weft.values import Cell


class OnPostgres(PersisterSuite):
    server_kills = 25  # in each of the suites here

    @pytest.fixture(autouse=True)
    def place(self, postgres: PostgresServer) -> None:
        self.dsn = postgres.dsn

    async def test_a_server_that_is_killed_in_the_middle_of_saves_loses_nothing(
        self, postgres: PostgresServer
    ) -> None:
        draw = random.Random(self.server_kills)
        store, generation, in_flight = Store(), 1, 0
        async with self.make(store, on_ignored_error=lambda _: None) as persister:
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
                        await until(lambda: at_rest(persister) or killing.done())  # noqa: B023
                        saved = generation if at_rest(persister) else saved
                    may_write.clear()
                    await killing
                    in_flight += not at_rest(persister)
                finally:
                    await asyncio.to_thread(postgres.start)
                # What the crash left, which the persister has had no chance to mend.
                there = await self.read_raw()
                assert there in [_generation(number) for number in range(saved, generation + 1)]
                may_write.set()
                await until(lambda: at_rest(persister))
                assert await self.read_raw() == _generation(generation)
        assert in_flight > self.server_kills // 2


def _generation(number: int) -> Content:
    """Content all of which says which it is."""
    row: dict[str, Cell] = {"species": f"dog {number}", "price": number}
    return {"pets": {f"pet{row_id}": row for row_id in range(20)}}, {"open": str(number)}


class TestJson(OnPostgres, JsonMode, KillSuite):
    pass


class TestTables(OnPostgres, TablesMode, KillSuite):
    pass


class TestPsycopgJson(OnPostgres, JsonMode, KillSuite):
    driver = "PsycopgDriver"
    kills = 20


class TestPsycopgTables(OnPostgres, TablesMode, KillSuite):
    driver = "PsycopgDriver"
    kills = 20


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
