"""The peers of ``weft demo``, each as an application would be."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Protocol

from weft.errors import WeftError
from weft.mirrors.yjs import YjsMirror, create_doc
from weft.providers import YWebsocketProvider
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["PATIENCE", "SCRIPT", "CellPath", "DemoPeer", "Tables", "javascript_peer", "python_peer"]

PATIENCE = 10.0  # seconds for one edit to cross; it takes milliseconds
SCRIPT = "demo_peer.mjs"
_ROOM = "demo"

CellPath = tuple[str, str, str]
Tables = dict[str, dict[str, dict[str, Any]]]


class DemoPeer(Protocol):
    """One of the two who edit."""

    name: str

    def set_cell(self, path: CellPath, value: Any) -> None:
        """Write one cell."""

    async def wait_for(self, path: CellPath, value: Any) -> None:
        """Wait until this peer's listeners have been told of that value."""

    async def tables(self) -> Tables:
        """What this peer's Store holds."""


class _Heard:
    """What a peer was told of each cell last."""

    def __init__(self) -> None:
        self._cells: dict[CellPath, Any] = {}
        self._news = asyncio.Event()

    def note(self, path: CellPath, value: Any) -> None:
        self._cells[path] = value
        self._news.set()

    async def wait_for(self, path: CellPath, value: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while path not in self._cells or self._cells[path] != value:
                self._news.clear()
                await self._news.wait()


class _PythonPeer:
    """A Store in a Yjs document, joined to the room."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self._store = store
        self._heard = _Heard()
        store.add_cell_listener(None, None, None, self._note)

    def _note(self, store: Store, table_id: str, row_id: str, cell_id: str, value: Any, *_: Any) -> None:
        self._heard.note((table_id, row_id, cell_id), value)

    def set_cell(self, path: CellPath, value: Any) -> None:
        self._store.set_cell(*path, value)

    async def wait_for(self, path: CellPath, value: Any) -> None:
        await self._heard.wait_for(path, value)

    async def tables(self) -> Tables:
        return self._store.get_tables()


class _JavaScriptPeer:
    """A TinyBase Store in a Yjs document, in a Node process joined to the room by y-websocket."""

    name = "JavaScript"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._heard = _Heard()
        self.ready = asyncio.Event()
        self._tables: asyncio.Queue[Tables] = asyncio.Queue()

    async def listen(self) -> None:
        """Take in what the process says until it ends."""
        async for line in self._reader:
            message = json.loads(line)
            match message["event"]:
                case "ready":
                    self.ready.set()
                case "cell":
                    table_id, row_id, cell_id = message["cell"]
                    self._heard.note((table_id, row_id, cell_id), message["value"])
                case "tables":
                    self._tables.put_nowait(message["tables"])

    def set_cell(self, path: CellPath, value: Any) -> None:
        self._ask({"do": "set", "cell": path, "value": value})

    async def wait_for(self, path: CellPath, value: Any) -> None:
        await self._heard.wait_for(path, value)

    async def tables(self) -> Tables:
        self._ask({"do": "report"})
        async with asyncio.timeout(PATIENCE):
            return await self._tables.get()

    def _ask(self, request: dict[str, Any]) -> None:
        self._writer.write(json.dumps(request).encode() + b"\n")


@contextlib.asynccontextmanager
async def python_peer(name: str, url: str) -> AsyncIterator[_PythonPeer]:
    """A Store in a Yjs document, joined to the demo's room."""
    store, doc = Store(), create_doc()
    with YjsMirror(store, doc):
        async with YWebsocketProvider(doc, url, _ROOM) as provider:
            await provider.wait_synced(PATIENCE)
            yield _PythonPeer(name, store)


@contextlib.asynccontextmanager
async def javascript_peer(interop: Path, url: str) -> AsyncIterator[_JavaScriptPeer]:
    """The script of that folder, run by Node, joined to the demo's room."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(interop / SCRIPT),
        url,
        _ROOM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise WeftError("the Node process has no pipes")
    peer = _JavaScriptPeer(process.stdout, process.stdin)
    listening = asyncio.create_task(peer.listen())
    ready = asyncio.create_task(peer.ready.wait())
    try:
        await asyncio.wait({listening, ready}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            raise WeftError(f"the JavaScript peer ended with exit code {await process.wait()}")
        if not ready.done():
            raise WeftError(f"the JavaScript peer did not connect within {PATIENCE:g} s")
        yield peer
    finally:
        ready.cancel()
        process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await listening
