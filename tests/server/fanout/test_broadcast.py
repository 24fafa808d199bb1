"""Servers of one database without a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.servers import serving
from support.yclient import YClient
from weft.server import PostgresRoomStorage
from weft.server.fanout.broadcast import NoBroadcast

if TYPE_CHECKING:
    from support.postgres import PostgresServer


async def test_servers_of_one_database_see_what_the_others_store(postgres: PostgresServer) -> None:
    await PostgresRoomStorage(postgres.dsn).init()
    async with (
        serving(storage=PostgresRoomStorage(postgres.dsn)) as left,
        serving(storage=PostgresRoomStorage(postgres.dsn)) as right,
        YClient(left.url, "without-broker") as one,
        YClient(right.url, "without-broker") as two,
    ):
        await one.synced()
        await two.synced()
        await one.set(x=1)
        await two.wait_for(x=1)
        await two.set(y=2)
        await one.wait_for(x=1, y=2)
        stats = left.stats()
        assert stats.is_broker_connected is None
        assert stats.fanout is not None
        assert stats.fanout.fetched == 1


async def test_no_broker_is_never_connected() -> None:
    async with NoBroadcast() as broadcast:
        broadcast.publish("farm", b"x")
        await broadcast.subscribe("farm")
        broadcast.unsubscribe("farm")
        assert not broadcast.is_connected
