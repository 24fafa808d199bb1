"""Many clients that each stay within their own bounds, on a server with 512 MiB, beside honest ones."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.abused import abused, honest_pair
from support.rawclient import masked, raw_client
from support.yclient import YClient, awareness_frame, step1_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.serving import WeftServe

pytestmark = pytest.mark.timeout(240)

_MIB = 1024 * 1024


def data_of(server: WeftServe) -> int:
    """Bytes of memory that a server has."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a condition of another process
            await asyncio.sleep(0.05)


async def test_halves_of_messages_by_many_clients_are_within_one_budget(tmp_path: Path) -> None:
    """80 halves of 16 MiB once took 898 MB."""
    half = masked(b"x" * 12 * _MIB, length=16 * _MIB)
    with abused(tmp_path / "weft.sqlite3", "--max-waiting", "64M") as server:
        async with honest_pair(server.url):
            before = data_of(server)
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(raw_client(server.port)) for _ in range(20)]
                for client in clients:
                    with suppress(OSError):
                        await client.send(half)
                assert data_of(server) < before + 160 * _MIB
            await eventually(lambda: data_of(server) < before + 40 * _MIB)
        assert "more than max_waiting" in server.log


async def test_questions_for_states_by_who_does_not_read_are_within_bounds(tmp_path: Path) -> None:
    """C6: 64 states of 4 kB, and 20,000 questions for them, 943 MB."""
    states = awareness_frame(dict.fromkeys(range(60), (1, "x" * 4000)))
    with abused(tmp_path / "weft.sqlite3", "--max-waiting", "64M", "--stall-timeout", "2") as server:
        async with honest_pair(server.url), AsyncExitStack() as stack:
            before = data_of(server)
            speaker = await stack.enter_async_context(raw_client(server.port))
            await speaker.send(masked(step1_frame(b"\0")) + masked(states))
            clients = [
                await stack.enter_async_context(raw_client(server.port, buffer=4096)) for _ in range(5)
            ]
            asking = [asyncio.create_task(client.send(masked(b"\x03") * 20_000)) for client in clients]
            async with YClient(server.url, "room") as beside:
                await beside.set(x=1)
                await beside.flush()
                assert data_of(server) < before + 160 * _MIB
                await eventually(lambda: all(task.done() for task in asking))  # let go, or read
            await asyncio.gather(*asking, return_exceptions=True)
            await eventually(lambda: data_of(server) < before + 40 * _MIB)


async def test_awareness_for_many_who_do_not_read_is_within_one_budget(tmp_path: Path) -> None:
    """100 joins that do not read, with 4 MB of awareness, took 575 MB."""
    with abused(tmp_path / "weft.sqlite3", "--max-waiting", "64M", "--stall-timeout", "2") as server:
        async with honest_pair(server.url), AsyncExitStack() as stack:
            before = data_of(server)
            for speaker in range(16):
                client = await stack.enter_async_context(raw_client(server.port))
                states = {64 * speaker + number: (1, "x" * 4_000) for number in range(60)}
                await client.send(masked(step1_frame(b"\0")) + masked(awareness_frame(states)))
            readers = [
                await stack.enter_async_context(raw_client(server.port, buffer=4096)) for _ in range(100)
            ]
            for reader in readers:
                with suppress(OSError):
                    await reader.send(masked(step1_frame(b"\0")))
            async with YClient(server.url, "room") as beside:
                await beside.set(x=1)
                await beside.flush()
            assert data_of(server) < before + 200 * _MIB
