from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import pytest

from support.operating import get, ready
from support.servers import eventually, serving
from weft.errors import StorageError
from weft.server import MemoryRoomStorage, Operations, SqliteRoomStorage

if TYPE_CHECKING:
    from pathlib import Path


class ProbedStorage(MemoryRoomStorage):
    """Answers a probe when it is told, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.probes = 0
        self.error: Exception | None = None
        self.answer = asyncio.Event()
        self.answer.set()

    async def probe(self) -> None:
        self.probes += 1
        await self.answer.wait()
        if self.error is not None:
            raise self.error


async def test_it_answers_on_a_port_of_its_own() -> None:
    operations = Operations(port=0)
    async with serving(operations=operations) as server:
        assert operations.url != server.url.replace("ws", "http")
        assert await get(f"{operations.url}/health") == (200, "okay\n", "text/plain; charset=utf-8")
        assert await ready(operations.url) == (
            200,
            {"ready": True, "server": "serving", "storage": "writable", "broker": None},
        )
        status, text, _ = await get(f"{operations.url}/secrets")
        assert (status, text) == (404, "there are /health, /ready and /metrics\n")
        status, _, _ = await get(f"{server.url.replace('ws', 'http')}/metrics")
        assert status != 200  # a room's name there
    with pytest.raises(OSError, match="refused"):
        await get(f"{operations.url}/health")


async def test_it_is_not_ready_while_storage_cannot_be_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    storage, operations = ProbedStorage(), Operations(port=0)
    storage.error = StorageError("disk full")
    async with serving(storage=storage, operations=operations):
        status, told = await ready(operations.url)
        assert (status, told["ready"], told["storage"]) == (503, False, "not writable")
        assert (await get(f"{operations.url}/health"))[0] == 200
        storage.error = None
        while (await ready(operations.url))[0] != 200:  # what was found holds for a second
            pass
    assert [r.message for r in caplog.records if "ready" in r.message] == [
        "not ready, storage cannot be written: disk full",
        "ready",
    ]


async def test_however_many_ask_storage_is_asked_once() -> None:
    storage, operations = ProbedStorage(), Operations(port=0)
    storage.answer.clear()
    async with serving(storage=storage, operations=operations):
        asking = [asyncio.create_task(ready(operations.url)) for _ in range(10)]
        await eventually(lambda: storage.probes)
        storage.answer.set()
        assert {status for status, _ in await asyncio.gather(*asking)} == {200}
        assert storage.probes == 1


async def test_a_storage_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.server.fronts.operations._PROBE_TIMEOUT", 0.01)
    storage, operations = ProbedStorage(), Operations(port=0)
    storage.answer.clear()
    async with serving(storage=storage, operations=operations):
        assert (await ready(operations.url))[0] == 503


async def test_a_database_that_was_replaced_makes_it_unready(tmp_path: Path) -> None:
    path, other = tmp_path / "rooms.sqlite3", tmp_path / "other.sqlite3"
    async with SqliteRoomStorage(other):
        pass
    operations = Operations(port=0)
    server = serving(storage=SqliteRoomStorage(path), operations=operations)
    await server.start()
    other.replace(path)
    status, told = await ready(operations.url)
    assert (status, told["storage"]) == (503, "not writable")
    with pytest.raises(StorageError):
        await server.close()


async def test_a_server_that_drains_is_not_ready() -> None:
    operations = Operations(port=0)
    async with serving(operations=operations) as server:
        # A client that says nothing keeps the server from closing, for a while.
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        closing = asyncio.create_task(server.close())
        await asyncio.sleep(0)
        status, told = await ready(operations.url)
        assert (status, told["server"]) == (503, "stopping")
        writer.close()
        await closing


async def test_a_taken_port_is_an_error_and_everything_is_let_go() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        storage = MemoryRoomStorage()
        server = serving(storage=storage, operations=Operations(port=port))
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: "):
            await server.start()


async def test_they_are_one_server_s() -> None:
    operations = Operations(port=0)
    async with serving(operations=operations):
        with pytest.raises(RuntimeError, match="one server's"):
            await serving(operations=operations).start()
        assert (await get(f"{operations.url}/health"))[0] == 200
