"""The options of `weft serve`, given to real servers."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from support.brokers import NatsServer, RedisServer, broker_missing
from support.commands import weft
from support.postgres_suite import run
from support.serving import WeftServe
from support.yclient import YClient
from weft.cli.serve_options import serve, serve_arguments
from weft.limits import DEFAULT_LIMITS, DEFAULT_SERVER_LIMITS, Limits, ServerLimits
from weft.server import RoomSettings

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import PostgresServer


def read(*arguments: str) -> dict[str, object]:
    return serve_arguments(serve.make_context("serve", list(arguments)).params)


def test_without_options_the_limits_are_the_library_s() -> None:
    assert read()["limits"] == DEFAULT_LIMITS
    assert read()["server_limits"] == DEFAULT_SERVER_LIMITS
    assert read()["settings"] == RoomSettings()


def test_every_limit_has_an_option() -> None:
    given = [word for each in fields(Limits) for word in (f"--{each.name.replace('_', '-')}", "7")]
    assert read(*given)["limits"] == Limits(**{each.name: 7 for each in fields(Limits)})
    given = [word for each in fields(ServerLimits) for word in (f"--{each.name.replace('_', '-')}", "7")]
    assert read(*given)["server_limits"] == ServerLimits(**{each.name: 7 for each in fields(ServerLimits)})
    assert read("--unload-delay", "2m", "--stall-timeout", "500ms")["settings"] == RoomSettings(
        unload_delay=120.0, stall_timeout=0.5
    )


async def test_a_limit_that_was_given_is_kept(tmp_path: Path) -> None:
    with WeftServe(tmp_path / "rooms.sqlite3", "--max-string", "100") as server:
        async with YClient(server.url, "room") as client:
            await client.set(x="x" * 90)
            await client.flush()
            await client.set(x="y" * 110)
            assert await client.wait_closed() == 1007


@pytest.mark.parametrize("db", ["rooms.sqlite3", "memory:"])
def test_a_broker_for_what_one_server_has_alone_is_misuse(db: str, tmp_path: Path) -> None:
    done = weft("serve", "--db", db, "--broker", "redis://127.0.0.1:1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"weft serve: --broker is for several servers of one database, and {db} is one server's alone: "
        "give --db postgresql://USER@HOST/DATABASE (see weft serve --help)\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broker", [RedisServer, NatsServer])
async def test_servers_of_one_database_tell_each_other(
    broker: type[RedisServer | NatsServer], postgres: PostgresServer
) -> None:
    if missing := broker_missing(broker.program):
        pytest.skip(missing)
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    assert weft("db", "init", postgres.dsn).returncode == 0
    with (
        broker() as running,
        WeftServe(postgres.dsn, "--broker", running.url) as one,
        WeftServe(postgres.dsn, "--broker", running.url) as two,
    ):
        async with YClient(one.url, "farm") as ada, YClient(two.url, "farm") as ben:
            await ben.synced()
            await ada.set(x=1)
            await ben.wait_for(x=1)
            running.kill()
            await ben.set(y=2)
            await ada.wait_for(x=1, y=2)
        assert re.search(r"no connection to (Redis|NATS) at .*Nothing is lost", one.log)
