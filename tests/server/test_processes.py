"""Several real server processes on one PostgreSQL, with a broker and without: whatever happens to either.

Clients of both protocols and of a bridged room write all the time, now in this process and then in that. No
cell that was acknowledged may be missing anywhere, and everybody ends with the same.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from support.brokers import NatsServer, RedisServer, broker_missing
from support.cluster import Cluster, Load, Watchers, eventually
from support.postgres_suite import run
from support.repoclient import RepoClient, numbered_id
from support.yclient import YClient, awareness_frame
from weft.server.storage import PostgresRoomStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.brokers import BrokerServer
    from support.postgres import PostgresServer

SEED = 20262  # of the writers; what happens meanwhile is the machine's to choose
BROKERS = {"redis": RedisServer, "nats": NatsServer}


@pytest.fixture
async def dsn(postgres: PostgresServer) -> str:
    """A database with weft's tables, and nothing in them."""
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    await PostgresRoomStorage(postgres.dsn).init()
    return postgres.dsn


@asynccontextmanager
async def broker_of(kind: str) -> AsyncIterator[BrokerServer]:
    """A broker; one that nobody has started for ``down``."""
    broker = BROKERS.get(kind, RedisServer)()
    if kind == "down":
        yield broker
        return
    if (reason := broker_missing(broker.program)) is not None:
        pytest.skip(reason)
    with broker:
        yield broker


@pytest.mark.parametrize("kind", ["redis", "nats", "down"])
async def test_a_process_is_killed_and_another_started(dsn: str, kind: str) -> None:
    async with (
        broker_of(kind) as broker,
        Cluster(dsn, broker.url, 3) as cluster,
        Load(cluster, SEED) as load,
        Watchers(load) as watchers,
    ):
        await watchers.watch(*cluster.processes)
        await load.goes_on()
        cluster.processes[0].kill()
        await load.goes_on()
        await watchers.watch(await cluster.start())
        await load.goes_on()
        await load.stop()
        await watchers.agree()


@pytest.mark.parametrize("kind", BROKERS)
async def test_the_broker_is_killed_and_started_again(dsn: str, kind: str) -> None:
    async with (
        broker_of(kind) as broker,
        Cluster(dsn, broker.url, 2) as cluster,
        Load(cluster, SEED) as load,
        Watchers(load) as watchers,
    ):
        await watchers.watch(*cluster.processes)
        await load.goes_on()
        broker.kill()
        await load.goes_on()
        await asyncio.to_thread(broker.start)
        await load.goes_on()
        one, two = cluster.processes
        async with YClient(one.url, "talk") as here, YClient(two.url, "talk") as there:
            # What is not kept goes by the broker alone: it is back.
            clock = 0
            while 7 not in there.awareness:
                clock += 1
                await here.send(awareness_frame({7: (clock, {"name": "Ada"})}))
                await there.flush()
        await load.stop()
        await watchers.agree()


@pytest.mark.parametrize("how", ["kill", pytest.param("stop", marks=pytest.mark.long)])
async def test_postgresql_ends_and_is_started_again(postgres: PostgresServer, dsn: str, how: str) -> None:
    async with (
        broker_of("redis") as broker,
        Cluster(dsn, broker.url, 2) as cluster,
        Load(cluster, SEED) as load,
        Watchers(load) as watchers,
    ):
        await watchers.watch(*cluster.processes)
        await load.goes_on()
        await asyncio.to_thread(postgres.kill if how == "kill" else postgres.stop)
        await asyncio.to_thread(postgres.start)
        await load.goes_on()
        await load.stop()
        await watchers.agree()


@pytest.mark.parametrize("how", [pytest.param("cut", marks=pytest.mark.long), "freeze"])
@pytest.mark.parametrize("what", ["database", "hints"])
async def test_a_process_is_cut_off_and_found_again(dsn: str, what: str, how: str) -> None:
    async with (
        broker_of("redis") as broker,
        Cluster(dsn, broker.url, 2) as cluster,
        Load(cluster, SEED) as load,
        Watchers(load) as watchers,
    ):
        await watchers.watch(*cluster.processes)
        await load.goes_on()
        way = getattr(cluster.processes[0], what)
        getattr(way, how)()
        await load.goes_on(30)
        way.heal()
        await load.goes_on()
        await load.stop()
        await watchers.agree()


@pytest.mark.long
async def test_a_broker_that_says_nothing_is_noticed_and_costs_nothing(dsn: str) -> None:
    """Its connections stand, and nothing comes."""
    async with (
        broker_of("redis") as broker,
        Cluster(dsn, broker.url, 2) as cluster,
        Load(cluster, SEED) as load,
        Watchers(load) as watchers,
    ):
        await watchers.watch(*cluster.processes)
        broker.freeze()
        for process in cluster.processes:
            await eventually(lambda process=process: "no connection to Redis" in process.log)  # type: ignore[misc]
        await load.goes_on()
        broker.thaw()
        await load.goes_on()
        await load.stop()
        await watchers.agree()


async def test_clients_of_a_killed_process_vanish_and_who_joins_sees_everybody(dsn: str) -> None:
    async with broker_of("redis") as broker, Cluster(dsn, broker.url, 3) as cluster:
        one, two, three = cluster.processes
        document = numbered_id(1)
        async with (
            YClient(one.url, "a") as a,
            YClient(two.url, "a") as b,
            RepoClient(one.url, document) as c,
            RepoClient(two.url, document) as d,
        ):
            await a.send(awareness_frame({1: (1, {"name": "a"})}))
            await b.send(awareness_frame({2: (1, {"name": "b"})}))
            await a.wait(lambda: a.awareness.get(2) == {"name": "b"})
            await b.wait(lambda: b.awareness.get(1) == {"name": "a"})
            await c.put(document, x=1)
            await d.wait_cells(document, x=1)
            await c.say(document, "hello")
            await d.wait(lambda: len(d.heard) == 1)
            async with YClient(three.url, "a") as late:
                await late.wait(lambda: late.awareness.keys() >= {1, 2})
                one.kill()
                await late.wait(lambda: late.awareness[1] is None)
                assert late.awareness[2] == {"name": "b"}
                await b.wait(lambda: b.awareness[1] is None)
