"""Clients of TinyBase's protocol in two languages, each on a way of its own that can be cut and frozen."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from support.live import until
from support.node import JsError, NodeServer
from support.proxy import Proxy
from support.serving import WeftServe
from weft.documents.mergeable import MergeableDocument, from_json, to_json
from weft.mergeable import MergeableStore
from weft.providers import Backoff, TinyBaseProvider
from weft.server import SqliteRoomStorage
from weft.server.tinybase.room import storage_name

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

    from support.node import JsPeer
    from weft.documents.mergeable import MergeableEvent

__all__ = ["Host", "NodeHost", "WeftHost", "World"]

_BASE, _CHANNEL = "base", "one"
_ROOM = f"{_BASE}/{_CHANNEL}"
_SOON = Backoff(initial=0.02, maximum=0.1)
# Versions before 9 do not know parts, and TinyBase's server passes parts on to them as they are.
_KINDS: tuple[dict[str, Any], ...] = (
    {"version": 6},
    {"version": 8},
    {"version": 10, "fragmentSize": 50},
    {"version": 10, "channel": _CHANNEL},
    {"version": 10, "channel": _CHANNEL, "fragmentSize": 50},
)

_WAS_CUT = re.compile("(Error: tinybase:([34]:|5$)|No response from )")  # what a cut comes to

Latest = dict[tuple[str, ...], tuple[str, str]]  # the stamp of the clock, and the JSON text of what it stamps


class Ledger:
    """All writes that were made: of each cell and value the one with the latest stamp.

    Attributes:
        document: The same, merged.
        latest: By path.
    """

    def __init__(self) -> None:
        self.document = MergeableDocument("the ledger")
        self.latest: Latest = {}

    def note(self, changes: Any) -> None:
        self.document.apply(changes)
        for path, stamp in _stamps(changes).items():
            self.latest[path] = max(stamp, self.latest.get(path, stamp))


def _stamps(changes: Any) -> Latest:
    tables, values = changes[0][0], changes[1][0]
    found: Latest = {(value_id,): _stamp(stamp) for value_id, stamp in values.items()}
    for table_id, table in tables.items():
        for row_id, row in table[0].items():
            found.update({(table_id, row_id, cell_id): _stamp(stamp) for cell_id, stamp in row[0].items()})
    return found


def _stamp(stamp: Any) -> tuple[str, str]:
    value = stamp[0]  # a Store shows lists and objects as such
    return stamp[1], to_json(f"\ufffd{to_json(value)}" if isinstance(value, list | dict) else value)


class Host(Protocol):
    """A server with storage.

    Attributes:
        patience: How often the JavaScript clients may have to be connected again until all is everywhere.
        port: Where it listens, also after a restart.
    """

    patience: int
    port: int

    def kill(self) -> None:
        """End it as ``kill -9`` does."""

    def start(self) -> None:
        """Start it again, on what it has stored."""

    async def stored(self) -> Latest | None:
        """What is in storage; ``None`` where nothing is promised."""

    def close(self) -> None:
        """End it."""


class WeftHost:
    """``weft serve``."""

    patience = 0

    def __init__(self, folder: Path) -> None:
        self._db = folder / "rooms.db"
        self._process = WeftServe(self._db)
        self.port = self._process.port

    def kill(self) -> None:
        self._process.kill()
        self._process.__exit__(None, None, None)

    def start(self) -> None:
        self._process = WeftServe(self._db, port=self.port)

    async def stored(self) -> Latest | None:
        async with SqliteRoomStorage(self._db) as storage:
            rows = (await storage.load(storage_name(_ROOM))).rows
        ledger = Ledger()
        for row in rows:
            ledger.note(from_json(row))
        return ledger.latest

    def close(self) -> None:
        self._process.__exit__(None, None, None)


class NodeHost:
    """TinyBase's ``createWsServer``, with files."""

    # TinyBase drops the changes that come while it begins, at both ends, and never speaks of them again.
    patience = 10

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = NodeServer(None, "tinybase_server.mjs", "store", str(folder))
        self.port = self._process.port

    def kill(self) -> None:
        self._process.kill()
        self._process.close()

    def start(self) -> None:
        self._process = NodeServer(self.port, "tinybase_server.mjs", "store", str(self._folder))

    async def stored(self) -> Latest | None:
        return None

    def close(self) -> None:
        self._process.close()


class Client:
    """One of the room, behind its way."""

    def __init__(self, world: World, way: Proxy) -> None:
        self.world, self.way = world, way
        self.own = Ledger()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.way.port}"

    def noted(self, changes: Any) -> None:
        self.own.note(changes)
        self.world.ledger.note(changes)


class PythonClient(Client):
    """A MergeableStore and its provider, which comes again by itself."""

    def __init__(self, world: World, way: Proxy, channel: str | None = None) -> None:
        super().__init__(world, way)
        self.store = MergeableStore()
        self.errors: list[Exception] = []
        self.store.document.subscribe(self._changed)
        url = f"{self.url}/{_ROOM if channel is None else _BASE}"
        self.provider = TinyBaseProvider(self.store, url, channel, backoff=_SOON, on_error=self.errors.append)

    def _changed(self, event: MergeableEvent) -> None:
        if event.is_local:
            self.noted(event.changes)

    async def write(self, calls: list[list[Any]]) -> None:
        with self.store.transaction():
            for method, *args in calls:
                getattr(self.store, re.sub("([A-Z])", r"_\1", method).lower())(*args)

    async def rejoin(self) -> None:
        """It does."""

    async def until_hashes(self, hashes: list[int]) -> None:
        document = self.store.document
        await until(
            lambda: document.get_content_hashes() == hashes, document.subscribe, f"{hashes}; {self.errors}"
        )

    async def content(self) -> Any:
        return self.store.get_mergeable_content()


class JsClient(Client):
    """A MergeableStore of TinyBase, which an application connects again."""

    def __init__(self, world: World, way: Proxy, name: str, kind: dict[str, Any]) -> None:
        super().__init__(world, way)
        self.name = name
        self._options = dict(kind)
        self._version = self._options.pop("version")

    async def join(self) -> None:
        await self.world.js("sync.create", name=self.name, version=self._version)
        await self._connect()

    async def _connect(self) -> None:
        url = f"{self.url}/{_BASE if 'channel' in self._options else _ROOM}"
        await self.world.js("sync.connect", name=self.name, url=url, timeout=10, **self._options)

    async def rejoin(self) -> None:
        await self.world.js("sync.disconnect", name=self.name)
        await self._connect()

    async def leave(self) -> None:
        await self.world.js("doc.drop", name=self.name)

    async def write(self, calls: list[list[Any]]) -> None:
        self.noted(from_json(await self.world.js("sync.write", name=self.name, calls=calls)))

    async def until_hashes(self, hashes: list[int], seconds: float = 20) -> None:
        method = "getMergeableContentHashes"
        await self.world.js("store.wait", name=self.name, method=method, equals=hashes, timeout=seconds)

    async def content(self) -> Any:
        return from_json(await self.world.js("sync.content", name=self.name))


class World:
    """Three clients in Python and two in JavaScript, in a room of a server.

    Args:
        seed: Of all that is drawn.
        js: Where the JavaScript is.
        host: The server.
        stack: Ends everything.
    """

    def __init__(self, seed: str, js: JsPeer, host: Host, stack: AsyncExitStack) -> None:
        self.random = Random(seed)
        self.js, self.host, self.stack = js, host, stack
        stack.callback(host.close)
        self.ledger = Ledger()
        ways = [stack.enter_context(Proxy(host.port)) for _ in range(4)]
        channels = (None, None, _CHANNEL)
        self.pythons = [
            PythonClient(self, way, channel) for way, channel in zip(ways, channels, strict=False)
        ]
        self.steady = JsClient(self, ways[-1], "steady", {"version": 10})
        self.written = self.kills = self.turn = self.rejoined = 0

    async def begin(self) -> None:
        for client in self.pythons:
            await self.stack.enter_async_context(client.provider)
        await self.steady.join()

    async def round(self) -> None:
        """All write while connections are cut or stand still, or the server is killed; then they meet."""
        self.turn += 1
        with Proxy(self.host.port) as way:
            guest = JsClient(self, way, f"guest {self.turn}", self.random.choice(_KINDS))
            await guest.join()
            await self._round(guest)
            await guest.leave()

    async def _round(self, guest: JsClient) -> None:
        random = self.random
        clients: list[PythonClient | JsClient] = [*self.pythons, self.steady, guest]
        await self._edit(clients)
        faults = [random.choice(("", "", "cut", "freeze")) for _ in clients]
        for client, fault in zip(clients, faults, strict=True):
            if fault:
                getattr(client.way, fault)()
        await self._edit(clients)
        is_killed = random.random() < 0.15
        if is_killed:
            await self._kill(clients, faults)
        await self._edit(clients)
        order = list(zip(clients, faults, strict=True))
        random.shuffle(order)
        for client, fault in order:
            if fault:
                client.way.heal()
            if fault or is_killed:
                await client.rejoin()
            await self._edit(clients, 2)
        await self._check(clients)

    async def _kill(self, clients: list[PythonClient | JsClient], faults: list[str]) -> None:
        self.kills += 1
        reachable = [
            client
            for client, fault in zip(clients, faults, strict=True)
            if isinstance(client, PythonClient) and not fault
        ]
        for client in reachable:
            await client.provider.flush(20)
        flushed = [dict(client.own.latest) for client in reachable]
        self.host.kill()
        await self._edit(clients)
        stored = await self.host.stored()
        if stored is not None:
            for latest in flushed:
                lost = {path: stamp for path, stamp in latest.items() if stored.get(path, ("", "")) < stamp}
                assert not lost, f"confirmed and not stored: {lost}"
        await asyncio.to_thread(self.host.start)

    async def _edit(self, clients: list[PythonClient | JsClient], most: int = 8) -> None:
        for _ in range(self.random.randrange(most + 1)):
            client = self.random.choice(clients)
            await client.write([self._call() for _ in range(self.random.choice((1, 1, 1, 2, 4)))])

    def _call(self) -> list[Any]:
        random = self.random
        self.written += 1
        number = self.written
        table, row, cell = (f"{kind}{random.randrange(3)}" for kind in "trc")
        value = random.choice([number, f"é{number}", number + 0.5, True, None, [number, {"a": None}]])
        match random.randrange(16):
            case 0 | 1:
                return ["delCell", table, row, cell]
            case 2:
                return ["delRow", table, row]
            case 3:
                return ["delTable", table] if random.random() < 0.5 else ["delRow", table, row]
            case 4:
                return ["setRow", table, row, {cell: value, "also": number}]
            case 5:
                return ["setPartialRow", table, row, {cell: value, f"u{number}": number}]
            case 6 | 7:
                return ["setValue", f"v{random.randrange(4)}", value]
            case 8:
                return ["delValue", f"v{random.randrange(4)}"] if random.random() < 0.9 else ["delValues"]
            case 9:
                return ["setCell", f"new{number % 7}", row, cell, value]
            case _:
                return ["setCell", table, row, cell, value]

    async def _check(self, clients: list[PythonClient | JsClient]) -> None:
        hashes = self.ledger.document.get_content_hashes()
        for python in self.pythons:
            await python.until_hashes(hashes)
            await python.provider.flush(20)
        scripts = [client for client in clients if isinstance(client, JsClient)]
        for _ in range(self.host.patience):
            with suppress(JsError):
                for client in scripts:
                    await client.until_hashes(hashes, 2)
                break
            self.rejoined += 1
            for client in scripts:
                await client.rejoin()
        for client in scripts:
            await client.until_hashes(hashes)
        for each in clients:
            content = await each.content()
            assert _stamps(content) == self.ledger.latest
            assert [each[2] for each in content] == hashes
        for client in scripts:
            errors = await self.js("store.ignoredErrors", name=client.name)
            assert all(_WAS_CUT.match(error) for error in errors), errors
