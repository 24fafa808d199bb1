"""Hearing of others' changes, and of those of others on the same driver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from support.postgres_suite import run
from support.servers import eventually
from weft.persisters import PostgresTablesPersister, TablesConfig
from weft.persisters.postgres.shared_driver import SharedDriver
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from weft.persisters import PostgresDriver


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
