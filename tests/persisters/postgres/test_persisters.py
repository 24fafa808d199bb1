from __future__ import annotations

import asyncio
import os
import random
import signal
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from support.postgres_suite import DRIVERS, JsonMode, TablesMode, run
from support.servers import eventually
from weft.errors import StorageError
from weft.persisters import (
    JsonCell,
    PostgresJsonPersister,
    PostgresTablesPersister,
    TableLoad,
    TableSave,
    TablesConfig,
    ValuesTable,
    blocking,
)
from weft.persisters.postgres.shared_driver import SharedDriver
from weft.store import Store
from weft.testing.persisters import MORE, PETS, RICH, KillSuite, PersisterSuite, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from support.postgres import PostgresServer
    from weft.changes import Content
    from weft.persisters import PostgresDriver
    from weft.values import Cell


class OnPostgres(PersisterSuite):
    server_kills = 20

    @pytest.fixture(autouse=True)
    def place(self, postgres: PostgresServer) -> None:
        self.dsn = postgres.dsn

    async def test_a_server_that_is_killed_in_the_middle_of_saves_loses_nothing(
        self, postgres: PostgresServer
    ) -> None:
        draw = random.Random(self.server_kills)
        store, generation, in_flight = Store(), 1, 0
        async with self.make(store, on_error=lambda _: None) as persister:
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
                        await until(lambda: persister.is_at_rest() or killing.done())  # noqa: B023
                        saved = generation if persister.is_at_rest() else saved
                    may_write.clear()
                    await killing
                    in_flight += not persister.is_at_rest()
                finally:
                    await asyncio.to_thread(postgres.start)
                # What the crash left, which the persister has had no chance to mend.
                there = await self.read_raw()
                assert there in [_generation(number) for number in range(saved, generation + 1)]
                may_write.set()
                await until(persister.is_at_rest)
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
    kills, server_kills = 20, 10


class TestPsycopgTables(OnPostgres, TablesMode, KillSuite):
    driver = "PsycopgDriver"
    kills, server_kills = 20, 10


@pytest.fixture
async def dsn(postgres: PostgresServer) -> str:
    """An empty schema."""
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return postgres.dsn


@pytest.fixture(params=DRIVERS)
def database(request: pytest.FixtureRequest, dsn: str) -> PostgresDriver:
    return DRIVERS[request.param](dsn)


async def test_the_cells_of_the_tables_are_json_text_as_tinybase_writes_it(
    database: PostgresDriver, dsn: str
) -> None:
    store = Store()
    store.set_row("rich", "fido", {"s": "dog", "b": True, "n": 1.5, "z": None, "l": [1, {"a": 2}]})
    config = TablesConfig(load={"rich": "rich"}, save={"rich": "rich"}, nulls="absent")
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.save()
        assert await run(dsn, "SELECT _id, s, b, n, z, l FROM rich") == [
            ("fido", '"dog"', "true", "1.5", None, '"\ufffd[1,{\\"a\\":2}]"')
        ]
        other = Store()
        async with PostgresTablesPersister(other, database, config) as reader:
            await reader.load()
        store.del_cell("rich", "fido", "z")
        assert other.get_tables() == store.get_tables()


async def test_typed_columns_are_respected(database: PostgresDriver, dsn: str) -> None:
    await run(
        dsn,
        "CREATE TABLE typed(id integer PRIMARY KEY, sold boolean, tags jsonb, name varchar(20),"
        " price numeric(10,2), weight double precision, length real, born date, note text)",
        """INSERT INTO typed VALUES(7, true, '["big",{"a":1}]', 'Fido', 12.50, 1.5, 1.1, '2020-01-02',"""
        " 'plain')",
    )
    config = TablesConfig(
        load={"typed": TableLoad("t", "id")}, save={"t": TableSave("typed", "id")}, nulls="absent"
    )
    store = Store()
    async with PostgresTablesPersister(store, database, config, text="plain") as persister:
        await persister.start_auto_persisting()
        fido = {
            "sold": True, "tags": ["big", {"a": 1}], "name": "Fido", "price": 12.5, "weight": 1.5,
            "length": 1.1, "born": "2020-01-02", "note": "plain",
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


async def test_hostile_and_overlong_names_are_only_names_or_left_out(
    database: PostgresDriver, dsn: str
) -> None:
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
        Store().set_tables(tables), database, config, on_error=lambda e: errors.append(str(e))
    ) as persister:
        await persister.save()
    assert len([error for error in errors if "63 bytes long, not 64" in error]) == 2
    assert len(errors) == 3  # and the empty id
    store = Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.load()
    del tables["pets"]["fido"]["x" * 64], tables["pets"]["fido"]["é" * 32]
    del tables["pets"]["9"][""], tables["pets"]["fido"]["owner"]
    assert store.get_tables() == tables


async def test_a_condition_bounds_what_is_loaded_saved_and_deleted(
    database: PostgresDriver, dsn: str
) -> None:
    await run(
        dsn,
        "CREATE TABLE part(_id text PRIMARY KEY, price integer, shop varchar)",
        "INSERT INTO part VALUES('mine', 1, 'here'),('mine too', 2, 'here'),('theirs', 3, 'there')",
    )
    config = TablesConfig(
        load={"part": TableLoad("pets", condition="$tableName.shop='here'")}, save={"pets": "part"}
    )
    store = Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.start_auto_persisting()
        assert store.get_row_ids("pets") == ["mine", "mine too"]
        store.del_row("pets", "mine too")
        store.set_row("pets", "theirs", {"price": 0, "shop": "here"})
        store.set_row("pets", "new", {"price": 4, "shop": "here"})
    expected = [("mine", 1, "here"), ("new", 4, "here"), ("theirs", 3, "there")]
    assert await run(dsn, "SELECT * FROM part ORDER BY _id") == expected


async def test_a_lost_connection_comes_back_loads_what_was_missed_and_saves_what_waits(
    database: PostgresDriver, dsn: str, postgres: PostgresServer
) -> None:
    errors, store = list[Exception](), Store()
    config = TablesConfig(load={"lost": "lost"}, save={"lost": "lost"})
    async with PostgresTablesPersister(store, database, config, on_error=errors.append) as persister:
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
        await until(lambda: store.has_row("lost", "c") and persister.is_at_rest())
        await run(dsn, """INSERT INTO lost VALUES('d', '4')""")  # and it listens again
        await until(lambda: store.has_row("lost", "d"))
    assert await run(dsn, "SELECT * FROM lost ORDER BY _id") == [
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
        ("d", "4"),
    ]


async def test_a_killed_backend_is_got_over(database: PostgresDriver, dsn: str) -> None:
    errors, store = list[Exception](), Store()
    async with PostgresJsonPersister(store, database, "killed", on_error=errors.append) as persister:
        await persister.start_auto_persisting(PETS)
        await run(dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        text = Store().set_content(MORE).get_json()
        await run(dsn, f"UPDATE killed SET store='{text}'")
        await until(lambda: store.get_content() == MORE)


@pytest.fixture
def short_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("transactions", "asyncpg", "psycopg"):
        monkeypatch.setattr(f"weft.persisters.postgres.{module}.PING_SECONDS", 0.2)


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Have processes say nothing more, and end nothing, until the end of the block."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def backends(dsn: str) -> list[int]:
    rows = await run(
        dsn,
        "SELECT pid FROM pg_stat_activity WHERE backend_type='client backend' AND pid <> pg_backend_pid()",
    )
    return [pid for (pid,) in rows]


@pytest.mark.usefixtures("short_pings")
async def test_connections_that_fall_silent_are_given_up_and_made_anew(
    database: PostgresDriver, dsn: str
) -> None:
    store = Store()
    async with PostgresJsonPersister(store, database, "silent") as persister:
        await persister.start_auto_persisting(PETS)
        pids = await backends(dsn)
        assert len(pids) == 2
        with stopped(pids):
            text = Store().set_content(MORE).get_json()
            await run(dsn, f"UPDATE silent SET store='{text}'")
            await until(lambda: store.get_content() == MORE, seconds=40)
            store.set_value("open", "again")
            await until(persister.is_at_rest, seconds=40)
        assert "again" in (await run(dsn, "SELECT store FROM silent"))[0][0]


@pytest.mark.usefixtures("short_pings")
async def test_a_save_under_way_when_the_server_falls_silent_is_given_up_and_done_again(dsn: str) -> None:
    """Through asyncpg only: psycopg waits five seconds for each of two answers to its cancelling."""
    errors, store = list[str](), Store()
    config = TablesConfig(load={"held": "t"}, save={"t": "held"})
    async with PostgresTablesPersister(
        store, dsn, config, on_error=lambda error: errors.append(str(error))
    ) as persister:
        persister.first_retry_seconds = 0.01
        await persister.start_auto_persisting(({"t": {"a": {"x": 1}}}, {}))
        pids = await backends(dsn)
        locking = await asyncpg.connect(dsn)
        await locking.execute("BEGIN")
        await locking.execute("LOCK TABLE held IN SHARE MODE")
        store.set_cell("t", "a", "x", 2)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type='Lock'"

        async def save_waits() -> bool:
            return bool(await run(dsn, waiting))

        await until(save_waits)
        with stopped(pids):
            await until(lambda: "PostgreSQL: the server fell silent" in errors)
            await locking.close()
            await until(persister.is_at_rest)
            assert await run(dsn, "SELECT * FROM held") == [("a", "2")]


def test_scripts_may_share_a_driver_one_after_the_other(database: PostgresDriver) -> None:
    for number in range(2):
        with blocking(PostgresJsonPersister(Store(), database, "scripts")) as persister:
            persister.load()
            assert persister.get_store().get_values() == ({"n": 0} if number else {})
            persister.get_store().set_value("n", number)
            persister.save()


async def test_a_server_that_is_not_there_is_an_error() -> None:
    async with PostgresJsonPersister(Store(), "postgresql://weft@127.0.0.1:1/postgres") as persister:
        with pytest.raises(StorageError, match="PostgreSQL"):
            await persister.load()


async def test_a_row_id_with_nul_is_left_out_told_once_and_stops_no_other_row(
    database: PostgresDriver, dsn: str, postgres: PostgresServer
) -> None:
    errors: list[str] = []
    config = TablesConfig(load={"nul": "nul"}, save={"nul": "nul"})
    store = Store().set_tables({"nul": {"a": {"x": "b\0"}, "c\0": {"x": 1}}})
    async with PostgresTablesPersister(
        store, database, config, on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.save()
        await persister.start_auto_save()
        store.set_cell("nul", "c\0", "x", 2)
        store.set_cell("nul", "d", "x", 3)
    assert errors == ["row 'c\\x00' of table 'nul' is not saved: NUL in its id"]
    expected = [("a", '"b\\u0000"'), ("d", "3")]
    assert await run(dsn, "SELECT _id, x FROM nul ORDER BY _id") == expected


async def test_a_cell_with_nul_is_left_out_where_its_column_cannot_hold_it_and_stops_no_other(
    database: PostgresDriver, dsn: str
) -> None:
    await run(
        dsn,
        "CREATE TABLE nuls(_id text PRIMARY KEY, plain text, short varchar, any_ json, binary_ jsonb,"
        " n integer)",
        """INSERT INTO nuls VALUES('old', 'kept', 'kept', '1', '"kept"', 1)""",
    )
    errors: list[str] = []
    config = TablesConfig(load={"nuls": "t"}, save={"t": "nuls"}, nulls="absent")
    store = Store()
    async with PostgresTablesPersister(
        store, database, config, text="plain", on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.start_auto_persisting()
        store.set_row(
            "t",
            "old",
            {"plain": "a\0", "short": "\0", "any_": ["\0"], "binary_": {"a\0": 1}, "n": 2},
        )
        store.set_row("t", "backslash", {"binary_": ["\\u0000"], "short": "\\u0000"})
        store.set_row("t", "lost", {"plain": "\0"})
        await persister.stop_auto_save()
        select = "SELECT _id, plain, short, any_::text, binary_::text, n FROM nuls ORDER BY _id"
        backslash = ("backslash", None, "\\u0000", None, '["\\\\u0000"]', None)
        assert await run(dsn, select) == [backslash, ("old", "kept", "kept", '["\\u0000"]', '"kept"', 2)]
        assert sorted(errors) == [
            "cell 'binary_' of row 'old' of table 'nuls' is not saved: it contains NUL",
            "cell 'plain' of row 'lost' of table 'nuls' is not saved: it contains NUL",
            "cell 'plain' of row 'old' of table 'nuls' is not saved: it contains NUL",
            "cell 'short' of row 'old' of table 'nuls' is not saved: it contains NUL",
        ]
        await persister.save()
        assert len(errors) == 4
        whole = [backslash, ("lost", *[None] * 5), ("old", None, None, '["\\u0000"]', None, 2)]
        assert await run(dsn, select) == whole


@pytest.mark.parametrize("kind", ["text", "varchar", "json", "jsonb"])
async def test_the_one_cell_of_json_mode_may_be_of_any_type_of_text(
    database: PostgresDriver, dsn: str, kind: str
) -> None:
    await run(dsn, f"CREATE TABLE tinybase(_id text PRIMARY KEY, store {kind})")
    store = Store().set_content(MORE)
    async with PostgresJsonPersister(store, database) as persister:
        await persister.start_auto_persisting()
        store.set_value("open", "\\u0000")
    store.set_value("nul", "\0")
    async with PostgresJsonPersister(store, database) as persister:
        if kind == "jsonb":
            with pytest.raises(StorageError, match="Unicode escape"):
                await persister.save()
            store.del_value("nul")
        await persister.save()
    read = Store()
    async with PostgresJsonPersister(read, database) as persister:
        await persister.load()
    assert read.get_content() == store.get_content()


async def test_a_name_that_postgresql_would_cut_off_is_refused_at_once() -> None:
    long = "é" * 32
    for config in (
        TablesConfig(load={long: "t"}),
        TablesConfig(save={"t": long}),
        TablesConfig(load={"t": TableLoad("t", long)}),
        TablesConfig(save={"t": TableSave("t", long)}),
        TablesConfig(values=ValuesTable(load=True, table_name=long)),
        TablesConfig(values=ValuesTable(save=True, table_name=long)),
    ):
        with pytest.raises(ValueError, match="63 bytes long, not 64"):
            PostgresTablesPersister(Store(), "", config)
    for cell in (JsonCell(long), JsonCell("t", long), JsonCell("t", "_id", long)):
        with pytest.raises(ValueError, match="63 bytes long, not 64"):
            PostgresJsonPersister(Store(), "", cell)


async def test_persisters_that_share_a_driver_share_its_connections_and_hear_of_each_other(
    database: PostgresDriver, dsn: str
) -> None:
    one, two, three = Store(), Store(), Store()
    shared = TablesConfig(load={"shared": "t"}, save={"t": "shared"})
    other = TablesConfig(load={"other": "t"}, save={"t": "other"})
    async with (
        PostgresTablesPersister(one, database, shared) as first,
        PostgresTablesPersister(two, database, shared) as second,
        PostgresTablesPersister(three, database, other) as third,
    ):
        for persister in (first, second, third):
            await persister.start_auto_persisting()
        one.set_cell("t", "a", "x", 1)
        await until(lambda: two.get_cell("t", "a", "x") == 1)
        two.set_cell("t", "a", "x", 2)
        await until(lambda: one.get_cell("t", "a", "x") == 2)
        await run(dsn, """UPDATE shared SET x='3'""")
        await until(lambda: one.get_cell("t", "a", "x") == two.get_cell("t", "a", "x") == 3)
        assert third.get_stats().loads == 1
        backends = "SELECT 1 FROM pg_stat_activity WHERE backend_type='client backend'"
        assert len(await run(dsn, f"{backends} AND pid <> pg_backend_pid()")) == 2
        await second.destroy()
        one.set_cell("t", "a", "x", 4)
        await until(first.is_at_rest)
        await run(dsn, """UPDATE shared SET x='5'""")
        await until(lambda: one.get_cell("t", "a", "x") == 5)


async def test_a_save_whose_caller_gave_up_is_news_to_others_on_the_driver(
    database: PostgresDriver,
) -> None:
    one, two = Store().set_row("t", "a", {"x": 1}), Store()
    config = TablesConfig(load={"given_up": "t"}, save={"t": "given_up"})
    async with (
        PostgresTablesPersister(one, database, config) as first,
        PostgresTablesPersister(two, database, config) as second,
    ):
        await second.start_auto_load()
        shared = SharedDriver.join(database)
        save = asyncio.create_task(first.save())
        await eventually(shared.busy.locked)
        await shared.leave()
        save.cancel()
        await until(lambda: two.has_row("t", "a"))
        assert save.cancelled()


async def test_a_table_that_others_drop_and_make_anew_is_heard_of_again(
    database: PostgresDriver, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.persisters.postgres.database._LOOK_SECONDS", 0.01)
    config, store = TablesConfig(load={"anew": "t"}), Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.start_auto_load(({"t": {"a": {"x": 1}}}, {}))
        await run(
            dsn,
            "DROP TABLE anew",
            "CREATE TABLE anew(_id text PRIMARY KEY, x text)",
            "INSERT INTO anew VALUES('b', '2')",
        )
        await until(lambda: store.get_tables() == {"t": {"b": {"x": 2}}})
        await run(dsn, "INSERT INTO anew VALUES('c', '3')")
        await until(lambda: store.has_row("t", "c"))


async def test_a_role_that_may_make_nothing_uses_the_triggers_that_are_there(
    database: PostgresDriver, dsn: str
) -> None:
    await run(
        dsn, "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN", "GRANT USAGE ON SCHEMA public TO guest"
    )
    await run(
        dsn,
        "CREATE TABLE guests(_id text PRIMARY KEY, x text)",
        "GRANT ALL ON guests TO guest",
        "REVOKE TRIGGER ON guests FROM guest",
    )
    config, store = TablesConfig(load={"guests": "t"}, save={"t": "guests"}), Store()
    as_guest = dsn.replace("weft@", "guest@")
    kind = type(database)
    async with PostgresTablesPersister(store, kind(as_guest), config) as persister:
        with pytest.raises(StorageError, match="permission denied"):
            await persister.start_auto_load()
        assert not persister.is_auto_loading()
    async with PostgresTablesPersister(store, kind(as_guest, listens=False), config) as persister:
        await persister.start_auto_persisting(({"t": {"a": {"x": 1}}}, {}))
    async with PostgresTablesPersister(Store(), database, config) as persister:
        await persister.start_auto_load()
    async with PostgresTablesPersister(store, kind(as_guest), config) as persister:
        await persister.start_auto_persisting()
        await run(dsn, "INSERT INTO guests VALUES('b', '2')")
        await until(lambda: store.has_row("t", "b"))


async def test_who_looks_for_changes_takes_none_of_its_own_for_anothers(
    database: PostgresDriver, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, store = (
        TablesConfig(load={"looked": "t"}, save={"t": "looked"}, auto_load_interval_seconds=0.01),
        Store(),
    )
    looks: list[str] = []
    async with PostgresTablesPersister(store, type(database)(dsn, listens=False), config) as persister:
        looking = persister._db.changed

        async def changed() -> bool:
            looks.append("looked")
            return await looking()

        monkeypatch.setattr(persister._db, "changed", changed)
        await persister.start_auto_persisting(({"t": {"a": {"x": 1}}}, {}))
        await until(lambda: len(looks) > 1)
        loads = persister.get_stats().loads
        for number in range(5):
            store.set_cell("t", "a", "x", number)
            await until(persister.is_at_rest)
            looks.clear()
            await until(lambda: len(looks) > 1)
        assert persister.get_stats().loads == loads
        await run(dsn, "UPDATE looked SET x='9'")
        await until(lambda: store.get_cell("t", "a", "x") == 9)
    assert await run(dsn, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []


async def test_only_columns_of_the_allow_list_are_made(database: PostgresDriver, dsn: str) -> None:
    errors: list[str] = []
    config = TablesConfig(save={"t": TableSave("allowed", columns=["x"])})
    store = Store().set_row("t", "a", {"x": 1, "y": 2})
    async with PostgresTablesPersister(
        store, database, config, on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.save()
    assert await run(dsn, "SELECT * FROM allowed") == [("a", "1")]
    assert len(errors) == 1


async def test_columns_whose_type_others_change_are_read_by_statements_prepared_anew(
    database: PostgresDriver, dsn: str
) -> None:
    await run(
        dsn, "CREATE TABLE altered(_id text PRIMARY KEY, x integer)", "INSERT INTO altered VALUES('a', 1)"
    )
    config, store = TablesConfig(load={"altered": "t"}, save={"t": "altered"}), Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        for kind, verb in (("bigint", "load"), ("double precision", "save"), ("integer", "load")):
            for _ in range(7):  # psycopg prepares what it has run five times
                await persister.load()
                await persister.save()
            await run(dsn, f"ALTER TABLE altered ALTER x TYPE {kind}")
            await getattr(persister, verb)()
    assert store.get_tables() == {"t": {"a": {"x": 1}}}


async def test_text_that_is_too_long_for_its_column_is_an_error_and_not_cut_off(
    database: PostgresDriver, dsn: str
) -> None:
    await run(dsn, "CREATE TABLE short(_id varchar(3) PRIMARY KEY, x varchar(3), y char(3), z bit(3))")
    row = {"x": "abc", "y": "de", "z": "101"}
    config, store = TablesConfig(save={"t": "short"}), Store().set_row("t", "abc", row)
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.save()
        for row_id, cell_id in (("abc", "x"), ("abc", "y"), ("abc", "z"), ("1011", "z")):
            store.set_row("t", row_id, {cell_id: "1011"})
            with pytest.raises(StorageError, match=r"too long|does not match type bit"):
                await persister.save()
            store.set_table("t", {"abc": row})
        await persister.save()
    assert await run(dsn, "SELECT _id, x, y, z::text FROM short") == [("abc", "abc", "de ", "101")]


@pytest.mark.parametrize("driver", DRIVERS.values())
@pytest.mark.parametrize("dsn", ["postgres//u:secret@h/db", "postgresql://u:secret/%word@127.0.0.1:1/db"])
async def test_an_error_of_a_dsn_shows_no_password(driver: type[PostgresDriver], dsn: str) -> None:
    store = Store().set_content(PETS)
    async with PostgresJsonPersister(store, driver(dsn)) as persister:
        for verb in (persister.load, persister.start_auto_load):
            with pytest.raises(StorageError) as caught:
                await verb()
            assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert store.get_content() == PETS


async def test_tables_that_others_empty_are_empty_and_are_not_filled_again(
    database: PostgresDriver, dsn: str
) -> None:
    config, store = TablesConfig(load={"emptied": "t"}, save={"t": "emptied"}), Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.start_auto_persisting(({"t": {"a": {"x": 1}}}, {}))
        await until(persister.is_at_rest)
        await run(dsn, "TRUNCATE emptied")
        await until(lambda: not store.has_tables() and persister.is_at_rest())
        assert await run(dsn, "SELECT * FROM emptied") == []


async def test_a_destroy_that_is_cancelled_disconnects_all_the_same(
    database: PostgresDriver, dsn: str
) -> None:
    await run(dsn, "CREATE TABLE tinybase(_id text PRIMARY KEY, store text)")
    holder = await asyncpg.connect(dsn)
    await holder.execute("BEGIN; LOCK TABLE tinybase")
    persister = PostgresJsonPersister(Store().set_content(PETS), database)
    save = asyncio.create_task(persister.save())

    async def waits() -> bool:
        return bool(await run(dsn, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    await until(waits)
    save.cancel()
    await asyncio.wait([save])
    destroy = asyncio.create_task(persister.destroy())
    await until(lambda: persister._closed)
    destroy.cancel()
    await asyncio.wait([destroy])
    assert destroy.cancelled()
    assert database._connection is None
    await holder.close()


async def test_who_hears_of_each_statement_stops_no_save_by_failing(database: PostgresDriver) -> None:
    errors: list[Exception] = []
    heard: list[tuple[str, list[object]]] = []

    def hear(sql: str, params: Sequence[object]) -> None:
        heard.append((sql, list(params)))
        raise ZeroDivisionError

    async with PostgresJsonPersister(
        Store().set_content(PETS), database, on_sql_command=hear, on_error=errors.append
    ) as persister:
        await persister.save()
    text = Store().set_content(PETS).get_json()
    assert [params for sql, params in heard if sql.startswith("INSERT")] == [["_", text]]
    assert [type(error) for error in errors] == [ZeroDivisionError] * len(heard)


@pytest.mark.parametrize(
    ("kind", "row_id", "other"),
    [
        ("integer", "1", "01"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
    ],
)
async def test_a_row_id_that_the_database_takes_for_another_is_left_out(
    database: PostgresDriver, dsn: str, kind: str, row_id: str, other: str
) -> None:
    await run(dsn, f"CREATE TABLE forms(_id {kind} PRIMARY KEY, x integer)")
    config, errors = TablesConfig(load={"forms": "t"}, save={"t": "forms"}), list[str]()
    store = Store().set_table("t", {row_id: {"x": 1}, other: {"x": 2}})
    async with PostgresTablesPersister(
        store, database, config, on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.save()
    assert await run(dsn, "SELECT _id::text, x FROM forms") == [(row_id, 1)]
    assert len(errors) == 1
    assert "another form" in errors[0]
