"""A server process in which rooms are edited as a test says: ``python editing_server.py DB PORT``.

In (stdin): one JSON line for each block of ``server.open``: the room, cells to write, cells to wait for. Out:
the server's address, then for each block that has ended the tables it had at its end.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from weft.server import RoomSettings, Server, SqliteRoomStorage, allow_all

__all__ = ["EditingServer"]


class EditingServer:
    """The process. Use as a context manager; it is killed at the end."""

    def __init__(self, db: Path, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(db), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the server ended"
        return line

    async def edit(self, room: str, cells: list[list[Any]], until: list[list[Any]]) -> dict[str, Any]:
        """Have a block write cells and end when it has seen others; the tables at its end."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([room, cells, until]) + "\n")
        self._process.stdin.flush()
        tables: dict[str, Any] = json.loads(await asyncio.to_thread(self._read))
        return tables

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


async def _edit(server: Server, room: str, cells: list[list[Any]], until: list[list[Any]]) -> dict[str, Any]:
    async with server.open(room) as store:
        changed = asyncio.Event()
        store.add_did_finish_transaction_listener(lambda *_: changed.set())
        for cell in cells:
            store.set_cell(*cell)
        async with asyncio.timeout(20):
            while any(store.get_cell(*ids) != value for *ids, value in until):
                changed.clear()
                await changed.wait()
        tables: dict[str, Any] = store.get_tables()
    return tables


async def _main(db: str, port: str) -> None:
    storage = SqliteRoomStorage(Path(db))
    settings = RoomSettings(unload_delay=0.0)
    async with Server(auth=allow_all, storage=storage, port=int(port), settings=settings) as server:
        print(server.url, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await _edit(server, *json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
