"""Server processes on one PostgreSQL and one broker, and clients that write whatever happens to them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit, urlunsplit

from pycrdt import Map

from support.bridged import ROOM, Tables
from support.proxy import Proxy
from support.repoclient import numbered_id, read
from support.serving import WeftServe
from support.writers import join
from weft.documents.mergeable import MergeableDocument
from weft.documents.yjs.document import create_doc
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo import document_url
from weft.providers import AutomergeWebsocketProvider, TinyBaseProvider, YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["KINDS", "Cluster", "Load", "Process", "Watchers", "eventually"]

KINDS = ["yjs", "automerge", "mergeable", "bridged yjs", "bridged automerge", "bridged tinybase"]
PATIENCE = 30.0  # seconds
_ROOM = "a"


async def eventually(condition: Callable[[], bool], describe: Callable[[], object] = str) -> None:
    """Wait for what other processes do."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - of several processes, which set no event
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it does not come: {describe()}") from None


class Process:
    """One server process, with ways of its own to the database and to the broker.

    Attributes:
        database: The way to the database.
        hints: The way to the broker.
        gone: Set when it was killed.
    """

    def __init__(self, dsn: str, broker: str) -> None:
        self._stack = ExitStack()
        self.database, db = self._way(dsn)
        self.hints, url = self._way(broker)
        self._server = self._stack.enter_context(WeftServe(db, "--broker", url, "--bridge", ROOM))
        self.url = self._server.url
        self.gone = asyncio.Event()

    def _way(self, address: str) -> tuple[Proxy, str]:
        parts = urlsplit(address)
        assert parts.port is not None
        proxy = self._stack.enter_context(Proxy(parts.port))
        netloc = parts.netloc.replace(f":{parts.port}", f":{proxy.port}")
        return proxy, urlunsplit(parts._replace(netloc=netloc))

    @property
    def log(self) -> str:
        return self._server.log

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._server.kill()
        self.gone.set()

    def close(self) -> None:
        """Expect it to end in good order, unless it was killed."""
        self._stack.close()


class Cluster:
    """Use as ``async with``. Processes that were not killed are expected to end in good order."""

    def __init__(self, dsn: str, broker: str, count: int) -> None:
        self._addresses = (dsn, broker)
        self._count = count
        self._all: list[Process] = []

    @property
    def processes(self) -> list[Process]:
        """Those that were not killed."""
        return [process for process in self._all if not process.gone.is_set()]

    async def start(self) -> Process:
        """Start one more."""
        process = await asyncio.to_thread(Process, *self._addresses)
        self._all.append(process)
        return process

    async def __aenter__(self) -> Self:
        for _ in range(self._count):
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._all:
            if error is not None:
                process.kill()
            await asyncio.to_thread(process.close)


class Load:
    """Writers of every kind, who write for ever, now in this process and then in that. Use as ``async with``.

    Attributes:
        acknowledged: What each kind of them was promised; those of a bridged room are one.
    """

    def __init__(self, cluster: Cluster, seed: int, writers: int = 2) -> None:
        self._cluster = cluster
        self._seed = seed
        self._writers = writers
        self._tasks: list[asyncio.Task[None]] = []
        self.acknowledged: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        for kind in ("bridged automerge", "bridged tinybase"):
            self.acknowledged[kind] = self.acknowledged["bridged yjs"]

    @property
    def count(self) -> int:
        """How many cells were acknowledged."""
        return sum(map(len, self.acknowledged.values()))

    async def goes_on(self, cells: int = 60) -> None:
        """Wait until so many more cells have been acknowledged."""
        wanted = self.count + cells
        await eventually(lambda: self.count >= wanted, lambda: f"{self.count} of {wanted} cells")

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._write(kind, f"{kind}{at}", random.Random(f"{self._seed}.{kind}.{at}")))
            for kind in KINDS
            for at in range(self._writers)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Have nobody write any more."""
        for task in self._tasks:
            task.cancel()
        for end in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert end is None or isinstance(end, asyncio.CancelledError), end
        self._tasks = []

    async def _write(self, kind: str, name: str, rng: random.Random) -> None:
        for visit in range(1_000_000):
            process = rng.choice(self._cluster.processes)
            visiting = asyncio.create_task(self._visit(kind, process.url, f"{name}.{visit}", rng))
            gone = asyncio.create_task(process.gone.wait())
            try:
                await asyncio.wait([visiting, gone], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (visiting, gone):
                    task.cancel()
                with contextlib.suppress(ConnectionError, OSError, TimeoutError, asyncio.CancelledError):
                    await visiting
            await asyncio.sleep(0.05)  # a client's pause before it tries again

    async def _visit(self, kind: str, url: str, name: str, rng: random.Random) -> None:
        async with join(kind, url, _ROOM) as client:
            await client.begin()
            unanswered: dict[str, int] = {}
            for number in range(rng.randint(5, 40)):
                cells = {f"{name}.{number}.{at}": number for at in range(rng.randint(1, 3))}
                await client.put(**cells, shared=number)
                unanswered |= cells
                if rng.random() < 0.3:
                    await client.settle()
                    self.acknowledged[kind] |= unanswered
                    unanswered = {}


class Watcher:
    """A client of one kind that stays, and comes back by itself. Use as ``async with``."""

    def __init__(self, kind: str, process: Process) -> None:
        self.kind = kind
        self.process = process
        self._tables: Tables | None = None
        self._doc = create_doc()
        self._document = AutomergeDocument()
        self._mergeable = MergeableDocument()
        self.provider: Any
        if kind.startswith("bridged "):
            self.provider = self._tables = Tables(process.url, kind.removeprefix("bridged "))
        elif kind == "mergeable":
            self.provider = TinyBaseProvider(self._mergeable, f"{process.url}/{_ROOM}")
        elif kind == "yjs":
            self.provider = YWebsocketProvider(self._doc, process.url, _ROOM)
            self._map: Map[Any] = self._doc.get("m", type=Map)
        else:
            url = document_url(numbered_id(ord(_ROOM)))
            self.provider = AutomergeWebsocketProvider(self._document, process.url, url)

    @property
    def content(self) -> dict[str, Any]:
        if self._tables is not None:
            return dict(self._tables.content[0].get("t", {}).get("r", {}))
        if self.kind == "mergeable":
            return dict(self._mergeable.get_living()[0].get("t", {}).get("r", {}))
        return dict(self._map.to_py() or {}) if self.kind == "yjs" else read(self._document)

    async def __aenter__(self) -> Self:
        await self.provider.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.provider.__aexit__(*error)


class Watchers(AsyncExitStack):
    """One of every kind at each process."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load
        self.all: list[Watcher] = []

    async def watch(self, *processes: Process) -> None:
        """Have some at these processes."""
        for process in processes:
            self.all += [await self.enter_async_context(Watcher(kind, process)) for kind in KINDS]

    async def agree(self) -> None:
        """Wait until all of a kind at living processes have the same, and all that was acknowledged."""

        def lacking() -> dict[str, Any]:
            found: dict[str, Any] = {}
            for kind in KINDS:
                there = [
                    it.content for it in self.all if it.kind[:7] == kind[:7] and not it.process.gone.is_set()
                ]
                missing = [self._load.acknowledged[kind].items() - content.items() for content in there]
                if any(missing) or any(content != there[0] for content in there):
                    found[kind] = [(len(lost), sorted(lost)[:3]) for lost in missing]
            return found

        await eventually(lambda: not lacking(), lacking)
