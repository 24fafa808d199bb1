"""TinyBase in JavaScript, on y-websocket, on automerge-repo and alone, at different server processes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from support.bridged import KINDS, Tables
from support.bridged_js import join
from support.brokers import RedisServer, broker_missing
from support.cluster import Cluster
from support.postgres_suite import run
from weft.server.storage import PostgresRoomStorage

if TYPE_CHECKING:
    from support.node import JsPeer
    from support.postgres import PostgresServer

pytestmark = pytest.mark.interop


async def test_javascript_clients_of_two_processes_while_broker_and_database_are_killed(
    postgres: PostgresServer, js_peer: JsPeer
) -> None:
    if (reason := broker_missing(RedisServer.program)) is not None:
        pytest.skip(reason)
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    await PostgresRoomStorage(postgres.dsn).init()
    with RedisServer() as broker:
        async with Cluster(postgres.dsn, broker.url, 2) as cluster, AsyncExitStack() as stack:
            one, two = cluster.processes
            python = [await stack.enter_async_context(Tables(two.url, kind)) for kind in KINDS]
            for kind, process in zip(KINDS, (one, two, one), strict=True):
                await join(js_peer, kind, process.url)
            expected: dict[str, Any] = {}

            async def everybody_writes(number: int) -> None:
                for at, tables in enumerate(python):
                    tables.store.set_cell(f"t{number}", f"python {at}", "c", number)
                    expected.setdefault(f"t{number}", {})[f"python {at}"] = {"c": number}
                for kind in KINDS:
                    calls = [["setCell", f"t{number}", kind, "c", "é😀"]]
                    await js_peer("store.transaction", name=kind, calls=calls)
                    expected[f"t{number}"][kind] = {"c": "é😀"}
                for kind in KINDS:
                    await js_peer("store.wait", name=kind, method="getTables", equals=expected)
                for tables in python:
                    await tables.until((expected, {}))

            await everybody_writes(1)
            broker.kill()
            await everybody_writes(2)
            broker.start()
            await everybody_writes(3)
            postgres.kill()
            postgres.start()
            await everybody_writes(4)
