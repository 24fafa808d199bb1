"""Transactions on connections that are lost, fall silent, or know the tables as they were."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped]
import pytest

from support.postgres_suite import run
from weft.errors import StorageError
from weft.persisters import PostgresJsonPersister, PostgresTablesPersister, TablesConfig
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgres import PostgresServer
    from weft.persisters import PostgresDriver


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
