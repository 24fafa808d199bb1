"""What Prometheus reads of real server processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.brokers import RedisServer, broker_missing
from support.commands import weft
from support.operating import get, metrics, ready
from support.postgres_suite import run
from support.serving import WeftServe
from support.yclient import YClient

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import PostgresServer

OPERATED = ("--metrics-port", "0")


async def test_a_server_s_numbers_follow_what_happens(tmp_path: Path) -> None:
    with WeftServe(tmp_path / "rooms.sqlite3", *OPERATED) as server:
        url = server.read_operations()
        before = await metrics(url)
        assert before["weft_connections"] == before["weft_updates_total"] == 0
        async with YClient(server.url, "farm") as ada, YClient(server.url, "farm") as ben:
            await ben.synced()
            for number in range(5):
                await ada.set(x=number)
                await ada.flush()
            await ben.wait_for(x=4)
            found = await metrics(url)
        assert found["weft_connections"] == 2
        assert found["weft_connections_accepted_total"] == 2
        assert found["weft_rooms,kind=yjs"] == 1
        assert found["weft_rooms,kind=automerge"] == 0
        assert found["weft_updates_total"] == found["weft_relayed_total"] == 5
        assert found["weft_storage_updates_total"] == 5
        assert found["weft_storage_commit_seconds_count"] == 5
        assert found["weft_storage_commit_seconds_bucket,le=+Inf"] == 5
        assert found["weft_storage_commit_seconds_sum"] > 0
        assert found["weft_unsaved_bytes"] == found["weft_queued_bytes"] == 0
        assert found["weft_update_bytes_total"] == found["weft_storage_update_bytes_total"] > 0
        assert found["weft_received_bytes_total"] > found["weft_update_bytes_total"]
        assert "weft_hints_total" not in found
        while (await metrics(url)).get("weft_connections_closed_total,code=1000") != 2:
            pass
        while not (await metrics(url))["weft_event_loop_lag_seconds_count"]:  # it is looked at now and then
            pass


async def test_no_room_is_named(tmp_path: Path) -> None:
    with WeftServe(tmp_path / "rooms.sqlite3", *OPERATED) as server:
        url = server.read_operations()
        async with YClient(server.url, "secret-room") as client:
            await client.set(secret_cell="secret")
            await client.flush()
            for path in ("metrics", "ready", "health"):
                assert "secret" not in (await get(f"{url}/{path}"))[1]


async def test_what_goes_on_between_processes(postgres: PostgresServer) -> None:
    if missing := broker_missing("redis-server"):
        pytest.skip(missing)
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    assert (await asyncio.to_thread(weft, "db", "init", postgres.dsn)).returncode == 0
    with RedisServer() as redis:
        options = ("--broker", redis.url, *OPERATED)
        with WeftServe(postgres.dsn, *options) as one, WeftServe(postgres.dsn, *options) as two:
            url = two.read_operations()
            async with YClient(one.url, "farm") as ada, YClient(two.url, "farm") as ben:
                await ben.synced()
                await ada.set(x=1)
                await ben.wait_for(x=1)
                found = await metrics(url)
                assert found["weft_hints_total"] == found["weft_hint_lag_seconds_count"] == 1
                assert found["weft_broker_connected"] == 1
                assert (await ready(url))[1]["broker"] == "connected"
                redis.kill()
                await ada.set(y=2)
                await ben.wait_for(y=2)
                status, told = await ready(url)
                assert (status, told["broker"]) == (200, "away")
                found = await metrics(url)
                assert found["weft_rows_fetched_total"] == 1
                assert found["weft_broker_connected"] == 0
                postgres.stop()
                try:
                    while (await ready(url))[0] == 200:  # what was found before holds for a second
                        pass
                    assert (await ready(url))[1]["storage"] == "not writable"
                    assert (await get(f"{url}/health"))[0] == 200
                finally:
                    postgres.start()
                while (await ready(url))[0] != 200:
                    pass


def test_without_the_extra_the_rest_is_there_and_it_says_what_to_install(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from weft.cli import main; sys.exit(main(sys.argv[1:]))\n"
    )
    with WeftServe(tmp_path / "rooms.sqlite3", *OPERATED, program=(str(program),)) as server:
        url = server.read_operations()
        assert asyncio.run(ready(url))[0] == 200
        status, text, _ = asyncio.run(get(f"{url}/metrics"))
        assert status == 501
        assert "pip install 'weft[metrics]'" in text


def test_serving_loads_no_prometheus_before_it_is_asked() -> None:
    program = "import sys, weft.server; weft.server.Operations(); print('prometheus_client' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50
    )
    assert done.stdout == "False\n"
