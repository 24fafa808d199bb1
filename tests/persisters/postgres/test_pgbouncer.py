"""Through pgbouncer with transaction pooling, which keeps notifications back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.pgbouncer import pgbouncer_missing, transaction_pool
from support.postgres_suite import DRIVERS, run
from weft.errors import StorageError
from weft.persisters import PostgresTablesPersister, TablesConfig
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgres import PostgresServer

pytestmark = pytest.mark.skipif(pgbouncer_missing() is not None, reason=str(pgbouncer_missing()))

CONFIG = TablesConfig(load={"pooled": "t"}, save={"t": "pooled"}, auto_load_interval_seconds=0.02)


@pytest.fixture
def pool(postgres: PostgresServer, dsn: str) -> Iterator[str]:
    with transaction_pool(postgres) as through:
        assert through != dsn
        yield through


@pytest.mark.parametrize("driver", DRIVERS)
async def test_silence_is_told_with_what_to_do(
    driver: str, pool: str, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.persisters.postgres.database.PING_SECONDS", 0.5)
    errors: list[Exception] = []
    async with PostgresTablesPersister(
        Store(), DRIVERS[driver](pool), CONFIG, on_error=errors.append
    ) as persister:
        await persister.start_auto_load()
    assert len(errors) == 1
    assert isinstance(errors[0], StorageError)
    assert "notifications do not arrive" in str(errors[0])
    assert "listens=False" in str(errors[0])


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_driver_that_looks_loads_and_saves_through_it(driver: str, pool: str, dsn: str) -> None:
    await run(dsn, "CREATE TABLE pooled(_id text PRIMARY KEY, x text)", "INSERT INTO pooled VALUES('a','1')")
    store, errors = Store(), list[Exception]()
    async with PostgresTablesPersister(
        store, DRIVERS[driver](pool, listens=False), CONFIG, on_error=errors.append
    ) as persister:
        await persister.start_auto_persisting()
        store.set_row("t", "b", {"x": 2})
        await until(persister.is_at_rest)
        await run(dsn, "INSERT INTO pooled VALUES('c','3')")
        await until(lambda: store.has_row("t", "c"))
    assert errors == []
    assert await run(dsn, "SELECT x FROM pooled ORDER BY _id") == [("1",), ("2",), ("3",)]
