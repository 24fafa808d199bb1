"""Clients of TinyBase's protocol that stay within their own bounds, on a server with 512 MiB."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from abuse.test_memory import data_of, eventually
from support.abused import abused, honest_pair
from support.rawclient import masked, raw_client
from support.tableclient import TableClient, new_id

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)

_MIB = 1024 * 1024


async def test_parts_that_never_become_whole_are_within_one_budget(tmp_path: Path) -> None:
    with abused(tmp_path / "weft.sqlite3", "--max-waiting", "64M") as server:
        async with honest_pair(server.url):
            before = data_of(server)
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(raw_client(server.port)) for _ in range(20)]
                for client in clients:
                    with suppress(OSError):
                        for _ in range(12):
                            part = f"\n{new_id(16)}\n0\n2\n".encode() + b"x" * _MIB
                            await client.send(masked(part, 1))
                assert data_of(server) < before + 160 * _MIB
            await eventually(lambda: data_of(server) < before + 60 * _MIB)
        assert "more than max_waiting" in server.log


async def test_questions_by_who_does_not_read_are_within_bounds(tmp_path: Path) -> None:
    question = masked(b'S\n["abc",4,{}]', 1)
    with abused(tmp_path / "weft.sqlite3", "--max-waiting", "64M", "--stall-timeout", "2") as server:
        async with honest_pair(server.url), AsyncExitStack() as stack:
            async with TableClient(server.url, "room") as writer:
                await writer.set(**{f"k{number}": "x" * 1000 for number in range(1000)})
                await writer.flush()
            before = data_of(server)
            clients = [
                await stack.enter_async_context(raw_client(server.port, buffer=4096)) for _ in range(5)
            ]
            asking = [asyncio.create_task(client.send(question * 5_000)) for client in clients]
            async with TableClient(server.url, "room") as beside:
                await beside.wait(lambda: beside.is_synced)
                await beside.set(x=1)
                await beside.flush()
                assert data_of(server) < before + 160 * _MIB
                await eventually(lambda: all(task.done() for task in asking))  # let go, or read
            await asyncio.gather(*asking, return_exceptions=True)
