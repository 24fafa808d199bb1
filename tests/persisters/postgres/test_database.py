"""Looking for changes where nothing tells of them, and the driver that a DSN needs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from support.postgres_suite import run
from weft.persisters import PostgresJsonPersister, PostgresTablesPersister, TablesConfig
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from weft.persisters import PostgresDriver


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


def test_a_dsn_without_asyncpg_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    monkeypatch.delitem(sys.modules, "weft.persisters.postgres.asyncpg", raising=False)
    with pytest.raises(ImportError, match=r"package 'asyncpg': pip install 'weft\[postgres\]'") as caught:
        PostgresJsonPersister(Store(), "postgresql://weft@127.0.0.1/postgres")
    assert caught.value.name == "asyncpg"
