"""The triggers that tell of changes: made where they are missing, and used where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.postgres_suite import run
from weft.errors import StorageError
from weft.persisters import PostgresTablesPersister, TablesConfig
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from weft.persisters import PostgresDriver


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


async def test_what_is_written_into_a_partition_is_heard_and_what_is_detached_is_found(
    database: PostgresDriver, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.persisters.postgres.database._LOOK_SECONDS", 0.01)
    await run(
        dsn,
        "CREATE SCHEMA old",
        "CREATE TABLE parted(_id text PRIMARY KEY, x text) PARTITION BY RANGE(_id)",
        "CREATE TABLE low PARTITION OF parted FOR VALUES FROM ('a') TO ('m')",
        "CREATE TABLE old.high PARTITION OF parted FOR VALUES FROM ('m') TO ('z') PARTITION BY RANGE(_id)",
        "CREATE TABLE old.highest PARTITION OF old.high FOR VALUES FROM ('t') TO ('z')",
    )
    try:
        config, store = TablesConfig(load={"parted": "t"}), Store()
        async with PostgresTablesPersister(store, database, config) as persister:
            await persister.start_auto_load()
            await run(dsn, "INSERT INTO low VALUES('b', '1')")
            await until(lambda: store.has_row("t", "b"))
            await run(dsn, "INSERT INTO old.highest VALUES('u', '2')")
            await until(lambda: store.has_row("t", "u"))
            await run(dsn, "ALTER TABLE parted DETACH PARTITION low")
            await until(lambda: store.get_row_ids("t") == ["u"])
            await run(dsn, "ALTER TABLE parted ATTACH PARTITION low FOR VALUES FROM ('a') TO ('m')")
            await until(lambda: store.has_row("t", "b"))
            await run(dsn, "CREATE TABLE mid PARTITION OF old.high FOR VALUES FROM ('m') TO ('t')")
            await until(
                lambda: _has_trigger(dsn, "mid"),
            )
            await run(dsn, "INSERT INTO mid VALUES('n', '3')")
            await until(lambda: store.has_row("t", "n"))
    finally:
        await run(dsn, "DROP SCHEMA old CASCADE")


async def _has_trigger(dsn: str, table: str) -> bool:
    return bool(await run(dsn, f"SELECT 1 FROM pg_trigger WHERE tgrelid='{table}'::regclass"))


async def test_sessions_that_triggers_do_not_see_are_heard_where_the_owner_says_so(
    database: PostgresDriver, dsn: str
) -> None:
    """What docs/persisters/postgresql.md tells the table's owner to do."""
    config, store = TablesConfig(load={"copied": "t"}), Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.start_auto_load()
        await run(
            dsn, "ALTER TABLE copied ENABLE ALWAYS TRIGGER weft_changed", "ALTER TABLE copied ADD x text"
        )
        await run(dsn, "SET session_replication_role=replica", "INSERT INTO copied VALUES('a', '1')")
        await until(lambda: store.has_row("t", "a"))


async def test_a_partition_that_a_role_may_make_no_trigger_on_is_told_and_stops_nothing(
    database: PostgresDriver, dsn: str
) -> None:
    await run(
        dsn, "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN", "GRANT ALL ON SCHEMA public TO guest"
    )
    await run(
        dsn,
        "CREATE TABLE parted(_id text PRIMARY KEY, x text) PARTITION BY RANGE(_id)",
        "CREATE TABLE low PARTITION OF parted FOR VALUES FROM ('a') TO ('m')",
        "GRANT ALL ON parted TO guest",
    )
    config, store, errors = TablesConfig(load={"parted": "t"}), Store(), list[Exception]()
    as_guest = type(database)(dsn.replace("weft@", "guest@"))
    async with PostgresTablesPersister(store, as_guest, config, on_error=errors.append) as persister:
        await persister.start_auto_load()
        await run(dsn, "INSERT INTO parted VALUES('b', '1')")
        await until(lambda: store.has_row("t", "b"))
    assert [str(error) for error in errors] == [
        "PostgreSQL: what is written to public.low itself is not heard: permission denied for table low"
    ]
