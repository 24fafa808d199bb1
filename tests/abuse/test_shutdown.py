"""A server that is told to end while clients flood it: in time, in good order, with what was acknowledged."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from support.abused import abused
from support.logclient import LogClient, read_room
from support.serving import WeftServe
from support.yclient import update_frame
from support.ywriter import key_item, section, update

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.timeout(240)

CRASH_SERVER = str(Path(__file__).parents[1] / "support" / "crash_server.py")


def flood(url: str, client: int) -> bool:
    """Write as fast as can be, until the server ends the connection."""
    with connect(f"{url}/flood{client % 2}", max_size=None) as socket, suppress(ConnectionClosed):
        for clock in range(10_000_000):
            socket.send(update_frame(update(section(client, clock, key_item("k")))))
        return False
    return True


async def test_a_flood_does_not_keep_it_and_acknowledged_writes_are_stored(tmp_path: Path) -> None:
    path = tmp_path / "weft.sqlite3"
    with abused(path) as server:
        async with LogClient(server.url, "room", client_id=2**31) as honest:
            await honest.synced()
            floods = [asyncio.to_thread(flood, server.url, 1000 + number) for number in range(4)]
            flooding = asyncio.gather(*floods)
            for number in range(10):
                await honest.write(f"k{number}")
                await honest.flush()
            await asyncio.to_thread(server.stop)  # with code 0, in less than 20 s
        assert await flooding == [True] * 4
    with abused(path) as server:
        assert (await read_room(server.url, "room")).state() == {2**31: 10}


@pytest.mark.parametrize(
    ("state", "code"),
    [("hanging hook", 0), ("hanging storage", 1), ("hanging compaction", 0)],
)
async def test_whatever_hangs_it_ends_in_time_and_acknowledged_writes_are_stored(
    tmp_path: Path, state: str, code: int
) -> None:
    path = tmp_path / "weft.sqlite3"
    with WeftServe(path, program=(CRASH_SERVER, state)) as server:
        async with LogClient(server.url, "room", client_id=2**31) as honest:
            await honest.synced()
            for number in range(10):
                await honest.write(f"k{number}")
                await honest.flush()
            hanging = asyncio.create_task(hang(server.url))
            await asyncio.to_thread(wait_for, lambda: "hanging" in server.log)
            assert await asyncio.to_thread(server.end) == code, server.log
        hanging.cancel()
        await asyncio.wait([hanging])
        assert ("it did not end within 4 s" in server.log) == bool(code)
    with WeftServe(path) as server:
        assert (await read_room(server.url, "room")).state() == {2**31: 10}


async def hang(url: str) -> None:
    """Be who the server hangs for."""
    with suppress(WebSocketException, OSError):
        async with LogClient(url, "hang") as client:
            for number in range(10):
                await client.write(f"k{number}")
            await asyncio.Event().wait()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
