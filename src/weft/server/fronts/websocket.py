"""The websocket front: a server of y-websocket and automerge-repo clients on ``websockets``.

Wire formats: y-protocols 1.0.7 in binary frames, the room in the URL's path, as y-websocket clients speak it;
automerge-repo's network protocol where the path is ``/``, which names no room.
"""

from __future__ import annotations

import asyncio
import http
import logging
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

from websockets.asyncio.server import ServerConnection, serve as serve_websockets

from weft._support.arguments import wrong_kind
from weft._support.owner import Owner
from weft.errors import StorageError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.server._core.registry import RoomRegistry
from weft.server._core.room import RoomContext
from weft.server._core.settings import RoomSettings
from weft.server.auth import Allow, Auth, Decision, Deny, Request, decide
from weft.server.fronts.websocket_link import WebsocketLink, cut_reason
from weft.server.names import read_query, read_room
from weft.server.origins import check_origin
from weft.server.storage import RoomStorage
from weft.server.ysync.peer import YPeer
from weft.server.ysync.room import Room

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    from websockets.asyncio.server import Server as WebsocketsServer
    from websockets.http11 import Request as HttpRequest, Response

    from weft.server._core.broadcast import Broadcast
    from weft.server.automerge_repo.documents import Documents
    from weft.server.bridge import BridgedRooms

__all__ = ["Server"]

_log = logging.getLogger("weft.server")

# Connections the kernel holds until they are accepted. asyncio's 100 makes a storm of 200 joins wait a second
# for the clients' retries; the system's own bound (net.core.somaxconn) applies on top.
_BACKLOG = 2048
# Seconds: for the handshake beside the auth hook, for the closing handshake, and for what is left to do of a
# connection that was cut off.
_OPEN_TIMEOUT = 10.0
_CLOSE_TIMEOUT = 5.0
_CUT_OFF_TIMEOUT = 1.0
# Websocket pings find peers that are gone without a word, in seconds.
_PING_INTERVAL = 20.0
_PING_TIMEOUT = 20.0
_TOO_LARGE = 1009  # RFC 6455, section 7.4.1
_SERVICE_RESTART = 1012  # its registry: clients should come back


class _Connection(ServerConnection):
    """A connection that remembers what was asked and decided before its upgrade."""

    asked: Request
    decision: Decision | None  # None where each document is decided on


class Server:
    """A server for y-websocket clients and for automerge-repo clients.

    The former find their rooms by path: ``ws://host:port/<room>``; the latter all their documents at
    ``ws://host:port``, where the extra ``weft[automerge]`` is installed.

    Use it as ``async with``, or :meth:`start` and :meth:`close` it.

    Args:
        auth: Decides on each connection, and on each document of an automerge-repo client, before anything of
            it is opened or sent; ``allow_all`` for a server that everybody who can reach it may use.
        storage: Where rooms are kept. The server opens and closes it.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        origins: Values of the ``Origin`` header to accept, compared as they are; with ``None`` among them,
            also connections without the header (anything that is not a browser). Others get 403 before the
            upgrade. ``origins=None`` checks nothing, which is right only where no cookie authenticates.
        limits: Bounds of a connection that ``auth`` gives none of its own.
        settings: How rooms live.
        ssl: TLS context.
        compression: Whether to offer permessage-deflate. Off by default: it costs memory and time on every
            connection, and most messages are too small to gain.
        auth_timeout: Seconds the hook has.
        shutdown_timeout: Seconds :meth:`close` gives the clients, and then storage.
        broadcast: The way to other server processes, if there are any.
        bridge: Names of rooms that are Automerge documents at the same time, with the ids that
            :func:`weft.server.bridge_document_id` gives: their tables, in TinyBase's layout under its default
            name, are the same on both sides. The hook is asked about a room by its name on either side.
        clock: Seconds, monotonic, for the sessions' timers.

    Raises:
        ImportError: Rooms are to be bridged, and the extra ``weft[automerge]`` is not installed.
        ValueError: One of the origins is none that a browser sends.
    """

    def __init__(
        self,
        *,
        auth: Auth,
        storage: RoomStorage,
        host: str = "127.0.0.1",
        port: int = 1234,
        origins: Sequence[str | None] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        settings: RoomSettings = RoomSettings(),  # noqa: B008 - frozen
        ssl: ssl.SSLContext | None = None,
        compression: bool = False,
        auth_timeout: float = 5.0,
        shutdown_timeout: float = 10.0,
        broadcast: Broadcast[Room] | None = None,
        bridge: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(origins, str) or isinstance(bridge, str):
            raise TypeError("origins and bridge are lists of strings, not one string")
        if not callable(auth):
            raise wrong_kind("a function for auth, such as allow_all,", auth)
        if not isinstance(storage, RoomStorage):
            raise wrong_kind("a storage, such as SqliteRoomStorage(path),", storage)
        for origin in origins or ():
            if origin is not None:
                check_origin(origin)
        self.host = host
        context = RoomContext(storage=storage, limits=limits, settings=settings, clock=clock)
        self.rooms: RoomRegistry[Room] = RoomRegistry(
            storage, make=partial(Room, context=context), settings=settings, clock=clock, broadcast=broadcast
        )
        self.documents = _open_documents(context, auth=auth, auth_timeout=auth_timeout)
        self._bridged: BridgedRooms | None = None
        if bridge:
            from weft.server.bridge import BridgedRooms  # noqa: PLC0415 - an extra

            if self.documents is not None:
                self._bridged = BridgedRooms(bridge, rooms=self.rooms, documents=self.documents.rooms)
                self.documents.bridge(self._bridged.room_of, self._bridged.use_document)
        self._port = port
        self._auth = auth
        self._auth_timeout = auth_timeout
        self._storage = storage
        self._origins = None if origins is None else frozenset(origins)
        self._limits = limits
        self._ssl = ssl
        self._compression = compression
        self._shutdown_timeout = shutdown_timeout
        self._owner = Owner("the server")
        self._websockets: WebsocketsServer | None = None
        self._closing: asyncio.Task[None] | None = None
        self._connections: dict[_Connection, asyncio.Task[None]] = {}

    @property
    def port(self) -> int:
        """The port listened on; before the start the one asked for."""
        if self._websockets is not None and self._websockets.sockets:
            self._port = self._websockets.sockets[0].getsockname()[1]
        return self._port

    @property
    def url(self) -> str:
        """Where clients connect: automerge-repo's as it is, y-websocket's with the room after a slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ws' if self._ssl is None else 'wss'}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def start(self) -> None:
        """Open the storage and listen.

        Raises:
            StorageError: The storage cannot be opened.
            OSError: The address cannot be listened on. The storage is closed again.
            RuntimeError: The server was started before.
            WrongProcessError: The process was forked since the server was made.
        """
        self._owner.check()
        if self._websockets is not None:
            raise RuntimeError("a server starts once")
        hold = self._owner.hold()
        try:
            await self._storage.open()
        except BaseException:
            hold.drop()
            raise
        # Of its chatter only what matters; errors of handshakes are the peers'.
        logger = logging.getLogger("weft.server.websockets")
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL)
        try:
            self._websockets = await serve_websockets(
                self._serve_connection,  # type: ignore[arg-type]  # create_connection makes them ours
                self.host,
                self._port,
                create_connection=_Connection,
                process_request=self._check_request,  # type: ignore[arg-type]
                server_header=None,
                compression="deflate" if self._compression else None,
                max_size=self._limits.max_message,
                open_timeout=_OPEN_TIMEOUT + self._auth_timeout,
                close_timeout=_CLOSE_TIMEOUT,
                ping_interval=_PING_INTERVAL,
                ping_timeout=_PING_TIMEOUT,
                logger=logger,
                backlog=_BACKLOG,
                ssl=self._ssl,
            )
        except BaseException:
            hold.drop()
            await self._storage.close()
            raise
        _log.info("listening on %s", self.url)

    async def close(self) -> None:
        """Stop, losing nothing that was received. A second call waits for the first.

        No new connection is accepted; every client is told to go (1012), which ends with the last message it
        sent before it heard; all rooms are stored; storage is closed. Clients that do not answer are cut off
        after a while, so this takes at most twice ``shutdown_timeout``.

        Raises:
            StorageError: Storage could not be brought to keep everything.
            WrongThreadError: It runs in another thread, or in the process that this one was forked from.
        """
        self._owner.check()
        if self._websockets is None:
            return
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(self._websockets))
        await asyncio.shield(self._closing)

    async def serve_forever(self) -> None:
        """Wait until the server is closed by someone."""
        self._owner.check()
        if self._websockets is not None:
            await self._websockets.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _close(self, websockets: WebsocketsServer) -> None:
        self._port = self.port
        websockets.close(close_connections=False)  # no new ones; the code to the others is ours to say
        farewells = [asyncio.create_task(_say_restart(connection)) for connection in self._connections]
        try:
            async with asyncio.timeout(self._shutdown_timeout):
                await websockets.wait_closed()
        except TimeoutError:
            _log.warning("%d clients did not leave in time and are cut off", len(self._connections))
            for connection in self._connections:
                connection.transport.abort()
            # What they had sent is processed still; who waits for storage would do so for ever.
            if self._connections:
                await asyncio.wait(self._connections.values(), timeout=_CUT_OFF_TIMEOUT)
            for handler in self._connections.values():
                handler.cancel()
            await websockets.wait_closed()
        await asyncio.gather(*farewells)
        try:
            async with asyncio.timeout(self._shutdown_timeout):
                await self.rooms.close()
                if self.documents is not None:
                    await self.documents.close()
                await self._storage.close()
        except TimeoutError:
            raise StorageError(f"storage did not finish within {self._shutdown_timeout:g} s") from None
        _log.info("closed")

    async def _check_request(self, connection: _Connection, request: HttpRequest) -> Response | None:
        """Before the upgrade: answer health checks, refuse what cannot be served, ask the auth hook."""
        headers = {name.lower(): ", ".join(request.headers.get_all(name)) for name in request.headers}
        path = request.path.partition("?")[0]
        if "upgrade" not in headers and path in {"/", "/health"}:
            response = connection.respond(http.HTTPStatus.OK, "okay")
            response.headers["Cache-Control"] = "no-store"
            return response
        origin = headers.get("origin")
        if self._origins is not None and origin not in self._origins:
            _log.info("refused a connection of origin %.200r", origin)
            return connection.respond(http.HTTPStatus.FORBIDDEN, "origin not allowed\n")
        is_repo = path == "/"
        if is_repo and self.documents is None:
            text = "the path names no room, and automerge-repo is not served: weft[automerge] is missing\n"
            return connection.respond(http.HTTPStatus.BAD_REQUEST, text)
        try:
            room, query = "" if is_repo else read_room(request.path), read_query(request.path)
        except ValueError as error:
            return connection.respond(http.HTTPStatus.BAD_REQUEST, f"{error}\n")
        connection.asked = Request(
            room=room,
            query=query,
            headers=headers,
            origin=origin,
            remote=_address(connection.remote_address),
            protocol="automerge" if is_repo else "yjs",
        )
        connection.decision = None
        if not is_repo:
            # Until the decision stands nothing more is read: who is not let in costs one buffer.
            connection.transport.pause_reading()
            connection.decision = await decide(self._auth, connection.asked, seconds=self._auth_timeout)
            if not connection.recv_messages.paused:
                connection.transport.resume_reading()
        return None

    async def _serve_connection(self, connection: _Connection) -> None:
        asked, decision = connection.asked, connection.decision
        if isinstance(decision, Deny):
            # After the upgrade: a browser shows a page neither status nor text of a refused handshake, and
            # y-websocket clients would go on trying; the close code is final to them.
            _log.info("%s may not enter room %.200r: %.200r", asked.remote, asked.room, decision.reason)
            await connection.close(decision.code, cut_reason(decision.reason))
            return
        if self._closing is not None:  # the handshake was over a moment before
            await _say_restart(connection)
            return
        handler = asyncio.current_task()
        if handler is None:  # a connection is served in a task
            raise RuntimeError("not in a task")
        self._connections[connection] = handler
        try:
            await self._serve_peer(connection, asked, decision)
            _report_too_large(connection, asked)
        except StorageError as error:
            _log.error("room %.200r cannot be opened: %s", asked.room, error)
            await connection.close(1013, "the room cannot be opened")
        except Exception:  # noqa: BLE001 - one connection's fault ends that connection
            _log.exception("serving %s failed", asked.remote)
            await connection.close(1011, "internal error")
        finally:
            del self._connections[connection]

    async def _serve_peer(self, connection: _Connection, asked: Request, allow: Allow | None) -> None:
        link = WebsocketLink(connection)
        if allow is not None:
            async with self._use(asked.room) as room:
                await YPeer(room, link, allow, name=f"{asked.remote} in room {asked.room!r:.200}").run()
        elif self.documents is not None:
            from weft.server.automerge_repo.peer import RepoPeer  # noqa: PLC0415 - an extra

            await RepoPeer(link, self.documents, asked, name=f"{asked.remote} with automerge-repo").run()

    @asynccontextmanager
    async def _use(self, name: str) -> AsyncIterator[Room]:
        if self._bridged is not None and name in self._bridged:
            async with self._bridged.use(name) as bridge:
                yield bridge.room
        else:
            async with self.rooms.use(name) as room:
                yield room


def _open_documents(context: RoomContext, *, auth: Auth, auth_timeout: float) -> Documents | None:
    try:
        from weft.server.automerge_repo.documents import Documents  # noqa: PLC0415 - an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"automerge", "cbor2"}:
            raise
        _log.info("automerge-repo clients are not served: %s is not installed", error.name)
        return None
    return Documents(context, auth=auth, auth_timeout=auth_timeout)


async def _say_restart(connection: _Connection) -> None:
    await connection.close(_SERVICE_RESTART, "server is shutting down")


def _report_too_large(connection: _Connection, asked: Request) -> None:
    """Say loudly that a client's writes do not arrive; it may try again for ever."""
    sent = connection.protocol.close_sent
    if connection.protocol.parser_exc is not None and sent is not None and sent.code == _TOO_LARGE:
        text = "%s, room %.200r: let go, as what it sent is larger than max_message (1009 %s)"
        _log.error(text, asked.remote, asked.room, sent.reason)


def _address(remote: object) -> str:
    return f"{remote[0]}:{remote[1]}" if isinstance(remote, tuple) and len(remote) >= 2 else str(remote)
