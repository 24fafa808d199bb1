"""A small y-websocket server for the provider's tests, over the memory network and over real sockets.

It is a server session around a document for each room, with what a test wants to see or break beside it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import unquote, urlsplit

from pycrdt import Doc, Map
from websockets.asyncio.server import Server, ServerConnection, serve

from weft._lib0 import Writer
from weft.errors import ConnectionClosedError
from weft.mirrors.ydoc import YDocument, create_doc
from weft.protocols.awareness import Awareness
from weft.protocols.ysync import Send, YSyncSession
from weft.providers._clock import SystemClock
from weft.providers._websockets import WebsocketsConnection, WebsocketsTransport
from weft.testing.memory import MemoryConnection, MemoryNetwork, MemoryRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from websockets.http11 import Request, Response

    from weft.protocols.awareness import AwarenessChange
    from weft.protocols.ysync import Effect
    from weft.providers._clock import Clock
    from weft.providers._transport import Connection, Transport

__all__ = ["MemoryServing", "Room", "Serving", "SocketServing", "SyncServer", "kind"]

_NAMES = {(0, 0): "step1", (0, 1): "step2", (0, 2): "update"}


def kind(message: bytes | str) -> str:
    """What a message of y-protocols is."""
    if isinstance(message, str):
        return "text"
    if message[:1] == b"\x01":
        return "awareness"
    return _NAMES.get((message[0], message[1]), "other") if len(message) > 1 else "other"


class Room:
    """One document on the server.

    Attributes:
        echo: Whether a client is sent its own updates and awareness too, as the Node server does.
        received: Every message of every client, in order of arrival.
    """

    def __init__(self) -> None:
        self.doc: Doc[Any] = create_doc()
        self.map = self.doc.get("m", type=Map)
        self.hub = YDocument.of(self.doc)
        self.awareness = Awareness(self.doc.client_id)
        self.visits: list[Visit] = []
        self.received: list[bytes] = []
        self.echo = False
        self._watchers: set[asyncio.Event] = set()
        self.hub.subscribe(self._relay)
        self.awareness.observe(self._relay_awareness)

    def counts(self) -> Counter[str]:
        """How many messages of each kind have come."""
        return Counter(map(kind, self.received))

    def content(self) -> dict[str, Any]:
        return dict(self.map.items())

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
        """Wait until the document's map holds these."""
        await self.until(lambda: all(self.map.get(key) == value for key, value in cells.items()))

    def happened(self) -> None:
        for event in self._watchers:
            event.set()

    def _relay(self, update: bytes, origin: object | None) -> None:
        for visit in self.visits:
            if self.echo or visit.session is not origin:
                visit.perform(visit.session.local_update(update))
        self.happened()

    def _relay_awareness(self, change: AwarenessChange, origin: object | None) -> None:
        message = Writer().uint(1).bytes(self.awareness.encode(change.ids)).finish()
        for visit in self.visits:
            if self.echo or visit.session is not origin:
                visit.queue.put_nowait(message)
        self.happened()


class Visit:
    """One client in a room."""

    def __init__(self, room: Room, connection: Connection, path: str) -> None:
        self.room = room
        self.connection = connection
        self.path = path
        self.session = YSyncSession(room.hub, role="server", awareness=room.awareness)
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    def perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.queue.put_nowait(effect.data)


class SyncServer:
    """Rooms by path, made when first asked for.

    Attributes:
        resumed: While it is not set, nothing of what clients send is read.
    """

    def __init__(self, clock: Clock) -> None:
        self.rooms: dict[str, Room] = {}
        self.clock = clock
        self.resumed = asyncio.Event()
        self.resumed.set()

    def room(self, name: str = "room") -> Room:
        if name not in self.rooms:
            self.rooms[name] = Room()
        return self.rooms[name]

    async def handle(self, connection: Connection, path: str) -> None:
        """Serve one client until it leaves."""
        room = self.room(unquote(urlsplit(path).path.strip("/")))
        visit = Visit(room, connection, path)
        room.visits.append(visit)
        writer = asyncio.create_task(self._write(visit))
        try:
            visit.perform(visit.session.connected(self.clock.now()))
            while True:
                await self.resumed.wait()
                data = await connection.recv()
                await self.resumed.wait()
                assert isinstance(data, bytes)
                room.received.append(data)
                visit.perform(visit.session.receive(data, self.clock.now()))
                room.happened()
        except ConnectionClosedError:
            pass
        finally:
            room.visits.remove(visit)
            visit.session.disconnected(self.clock.now())
            room.happened()
            writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosedError):
                await writer

    async def _write(self, visit: Visit) -> None:
        while True:
            await visit.connection.send(await visit.queue.get())


class Serving(Protocol):
    """A server, where it is, and its faults: the same for both networks."""

    server: SyncServer
    url: str
    transport: Transport
    requests: list[tuple[str, dict[str, str]]]

    def refuse(self, status: int | None = None) -> None: ...
    def admit(self) -> None: ...
    async def drop_all(self, code: int | None = None, reason: str = "") -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class MemoryServing:
    """The server on the memory network."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.server = SyncServer(clock or SystemClock())
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


class SocketServing:
    """The server on a real socket of the loopback."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.server = SyncServer(clock or SystemClock())
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
            self._handle, "127.0.0.1", 0, process_request=self._process, max_size=None, close_timeout=1
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
