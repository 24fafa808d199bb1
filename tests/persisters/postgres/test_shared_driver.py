"""One driver and its users."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]

from support.foreign import in_child, in_own_loop
from support.postgres_suite import run
from weft.persisters import PostgresDriver, PostgresJsonPersister, blocking
from weft.persisters.postgres.shared_driver import SharedDriver
from weft.store import Store
from weft.testing.persisters import PETS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def test_scripts_may_share_a_driver_one_after_the_other(database: PostgresDriver) -> None:
    for number in range(2):
        with blocking(PostgresJsonPersister(Store(), database, "scripts")) as persister:
            persister.load()
            assert persister.get_store().get_values() == ({"n": 0} if number else {})
            persister.get_store().set_value("n", number)
            persister.save()


async def test_a_forked_process_uses_neither_the_persister_nor_the_driver(database: PostgresDriver) -> None:
    async with PostgresJsonPersister(Store().set_content(PETS), database) as persister:
        await persister.start_auto_persisting()
        for call in (persister.save, persister.load, persister.close):
            assert "WrongProcessError: the PostgresJsonPersister" in in_child(in_own_loop(call))

        async def make_another() -> None:
            await PostgresJsonPersister(Store(), database).load()

        assert "WrongProcessError: the PostgreSQL driver" in in_child(in_own_loop(make_another))
        await persister.save()  # on the parent's connection, which nobody has touched


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
    await until(lambda: persister._released)
    destroy.cancel()
    await asyncio.wait([destroy])
    assert destroy.cancelled()
    assert database._connection is None
    await holder.close()


class Unconnected(PostgresDriver):
    """Connects to nothing, and counts how often it is disconnected."""

    errors = (OSError,)
    pid = 0
    closed = 0

    async def open(self) -> bool:
        return True

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        return []

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None: ...

    async def listen(
        self, channel: str, began: Callable[[], None], heard: Callable[[int, str], None]
    ) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1


async def test_users_of_one_driver_share_and_the_last_of_them_disconnects_it() -> None:
    driver, other = Unconnected(""), Unconnected("")
    first, second = SharedDriver.join(driver), SharedDriver.join(driver)
    assert first is second
    assert SharedDriver.join(other) is not first
    await first.leave()
    assert driver.closed == 0
    await second.leave()
    assert (driver.closed, other.closed) == (1, 0)
    again = SharedDriver.join(driver)
    assert again is not first
    await again.leave()
    assert driver.closed == 2


async def test_a_user_that_was_forgotten_keeps_nothing() -> None:
    driver = Unconnected("")
    kept = weakref.ref(SharedDriver.join(driver))
    gc.collect()
    assert kept() is None
    alive, driver = weakref.ref(driver), Unconnected("")
    gc.collect()
    assert alive() is None
