"""A small server for the providers' tests, over the memory network and over real sockets.

What a protocol's server is made of stands in the modules beside this one; here is what they share: rooms to
look into, clients with a queue each, and the two networks with their faults.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve

from weft.errors import ConnectionClosedError
from weft.providers._core.websockets import WebsocketsConnection, WebsocketsTransport
from weft.testing.memory import MemoryConnection, MemoryNetwork, MemoryRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from websockets.http11 import Request, Response
    from websockets.typing import Subprotocol

    from weft.providers.transport import Connection, Transport

__all__ = ["MemoryServing", "RoomDouble", "ServerDouble", "Serving", "SocketServing", "VisitDouble"]


class RoomDouble(ABC):
    """One document on the server: cells by key."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Event] = set()

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """All cells."""

    @abstractmethod
    def write(self, key: str, value: str) -> None:
        """Set a cell."""

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, looking whenever something happens in the room."""
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            while not condition():
                event.clear()
                await event.wait()
        finally:
            self._watchers.discard(event)

    async def until_cells(self, **cells: object) -> None:
        """Wait until the document holds these."""
        await self.until(lambda: cells.items() <= self.content().items())

    def happened(self) -> None:
        for event in self._watchers:
            event.set()


class VisitDouble(ABC):
    """One client's connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.queue: asyncio.Queue[bytes | str] = asyncio.Queue()

    @abstractmethod
    def connected(self) -> None: ...
    @abstractmethod
    def receive(self, data: Any) -> None: ...
    @abstractmethod
    def disconnected(self) -> None: ...


V = TypeVar("V", bound=VisitDouble)


class ServerDouble(ABC, Generic[V]):
    """Rooms by name, made when first asked for.

    Attributes:
        kind: What messages are: ``bytes`` or ``str``.
        subprotocol: What it confirms, if a client offers it on a socket.
        resumed: While it is not set, nothing of what clients send is read.
        visits: Who is here.
    """

    kind: type = bytes
    subprotocol: str | None = None

    def __init__(self) -> None:
        self.visits: list[V] = []
        self.resumed = asyncio.Event()
        self.resumed.set()

    @abstractmethod
    def room(self, name: str = "room") -> RoomDouble:
        """The room of that name."""

    @abstractmethod
    def enter(self, connection: Connection, path: str) -> V:
        """A client has come."""

    async def handle(self, connection: Connection, path: str) -> None:
        """Serve one client until it leaves."""
        visit = self.enter(connection, path)
        self.visits.append(visit)
        writer = asyncio.create_task(self._write(visit))
        try:
            visit.connected()
            while True:
                await self.resumed.wait()
                data = await connection.recv()
                await self.resumed.wait()
                assert isinstance(data, self.kind)
                visit.receive(data)
        except ConnectionClosedError:
            pass
        finally:
            self.visits.remove(visit)
            visit.disconnected()
            writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosedError):
                await writer

    async def _write(self, visit: V) -> None:
        while True:
            await visit.connection.send(await visit.queue.get())


S = TypeVar("S", bound="ServerDouble[Any]")
S_co = TypeVar("S_co", bound="ServerDouble[Any]", covariant=True)


class Serving(Protocol[S_co]):
    """A server, where it is, and its faults: the same for both networks."""

    @property
    def server(self) -> S_co: ...
    @property
    def url(self) -> str: ...
    @property
    def transport(self) -> Transport: ...
    @property
    def requests(self) -> list[tuple[str, dict[str, str]]]: ...

    def refuse(self, status: int | None = None) -> None: ...
    def admit(self) -> None: ...
    async def drop_all(self, code: int | None = None, reason: str = "") -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class MemoryServing(Generic[S]):
    """The server on the memory network."""

    def __init__(self, server: S) -> None:
        self.server = server
        self.url = "ws://memory"
        self.network = self.transport = MemoryNetwork(self._handle)
        self.requests: list[tuple[str, dict[str, str]]] = []

    async def _handle(self, connection: MemoryConnection, request: MemoryRequest) -> None:
        path = request.url.removeprefix(self.url)
        self.requests.append((path, {name.lower(): value for name, value in request.headers}))
        await self.server.handle(connection, path)

    def refuse(self, status: int | None = None) -> None:
        self.network.refuse(status=status)

    def admit(self) -> None:
        self.network.admit()

    async def drop_all(self, code: int | None = None, reason: str = "") -> None:
        self.network.drop_all(code, reason)

    async def __aenter__(self) -> Self:
        await self.network.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.network.__aexit__(kind, error, trace)


class SocketServing(Generic[S]):
    """The server on a real socket of the loopback."""

    def __init__(self, server: S) -> None:
        self.server = server
        self.transport = WebsocketsTransport()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._open: set[ServerConnection] = set()
        self._refusal: int | None = None
        self._listening: Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    async def _handle(self, socket: ServerConnection) -> None:
        self._open.add(socket)
        try:
            assert socket.request is not None
            headers = {name.lower(): value for name, value in socket.request.headers.raw_items()}
            self.requests.append((socket.request.path, headers))
            await self.server.handle(WebsocketsConnection(socket), socket.request.path)
        finally:
            self._open.discard(socket)

    def _process(self, socket: ServerConnection, _: Request) -> Response | None:
        return None if self._refusal is None else socket.respond(HTTPStatus(self._refusal), "no\n")

    def _select(self, _: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in offered if name == self.server.subprotocol), None)

    def refuse(self, status: int | None = None) -> None:
        self._refusal = status or 503

    def admit(self) -> None:
        self._refusal = None

    async def drop_all(self, code: int | None = None, reason: str = "") -> None:
        for socket in tuple(self._open):
            if code is None:
                socket.transport.abort()
            else:
                await socket.close(code, reason)

    async def __aenter__(self) -> Self:
        self._listening = await serve(
            self._handle,
            "127.0.0.1",
            0,
            process_request=self._process,
            select_subprotocol=self._select,
            max_size=None,
            close_timeout=1,
        )
        self._port = next(iter(self._listening.sockets)).getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listening is not None
        await self.drop_all()
        self._listening.close()
        await self._listening.wait_closed()
