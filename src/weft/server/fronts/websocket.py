"""The websocket front: a server of y-websocket, automerge-repo and TinyBase clients.

Wire formats: y-protocols 1.0.7 in binary frames, the room in the URL's path, as y-websocket clients speak it;
TinyBase's synchronizers in text frames; automerge-repo's network protocol where the path is ``/``, which
names no room. What tells them apart is in :mod:`weft.server.fronts.admission`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Self

from websockets.extensions.permessage_deflate import enable_server_permessage_deflate

from weft._codecs.yjs.patterns import log_patterns, patterns
from weft._support.arguments import wrong_kind
from weft._support.owner import Owner
from weft.documents.yjs.log_document import unreadable_updates
from weft.limits import DEFAULT_LIMITS, DEFAULT_SERVER_LIMITS, Limits, ServerLimits
from weft.server._core.registry import RoomRegistry
from weft.server._core.room import RoomContext
from weft.server._core.settings import RoomSettings
from weft.server.editing import EditableRooms
from weft.server.fanout.broadcast import NoBroadcast
from weft.server.fanout.hub import Hub
from weft.server.fronts.admission import Admission
from weft.server.fronts.connections import Connections
from weft.server.fronts.repo_documents import open_documents
from weft.server.fronts.shutdown import close_each
from weft.server.origins import origin_check
from weft.server.statistics import ServerStats, collect_stats
from weft.server.storage import RoomStorage
from weft.server.tinybase.rooms import MergeableRooms
from weft.server.versions import StoredVersions
from weft.server.ysync.room import Room

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from weft.server.auth import Auth
    from weft.server.bridge import BridgedRooms
    from weft.server.fanout import Broadcast
    from weft.server.fronts.operations import Operations
    from weft.server.versions import VersionPlace

__all__ = ["Server"]

_log = logging.getLogger("weft.server")

# Seconds for what is left to do of a connection that was cut off.
_CUT_OFF_TIMEOUT = 1.0


class Server(EditableRooms):
    """A server for y-websocket clients, for TinyBase's, and for automerge-repo clients.

    The former two find their rooms by path: ``ws://host:port/<room>``; the latter all their documents at
    ``ws://host:port``, where the extra ``weft[automerge]`` is installed.

    Use it as ``async with``, or :meth:`start` and :meth:`close` it.

    Args:
        auth: Decides on each connection, on each document of an automerge-repo client, and on each room of a
            TinyBase client, before anything of it is opened or sent; ``allow_all`` for a server that
            everybody who can reach it may use.
        storage: Where rooms are kept. The server opens and closes it. Without it, they see in a storage that
            several may share what the others have stored a second later, and nothing of awareness.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        origins: Values of the ``Origin`` header to accept, compared as they are; with ``None`` among them,
            also connections without the header (anything that is not a browser). Others get 403 before the
            upgrade. ``origins=None`` checks nothing, which is right only where no cookie authenticates. A
            function of the header decides likewise.
        limits: Bounds of a connection that ``auth`` gives none of its own.
        server_limits: Bounds of the server and of every connection.
        settings: How rooms live.
        ssl: TLS context.
        compression: Whether to offer permessage-deflate. Off by default: it costs memory and time on every
            connection, and most messages are too small to gain.
        auth_timeout: Seconds the hook has. Where they are more than ``ServerLimits.join_timeout``, so has a
            connection until it is let in.
        shutdown_timeout: Seconds :meth:`close` gives the clients, and then storage.
        broadcast: The way to other processes that serve the same storage, such as ``RedisBroadcast(url)``.
            The server opens and closes it.
        versions: Where versions of rooms are kept; without it, in the storage.
        bridge: Names of rooms that clients of all protocols edit together: a Yjs room, the room of TinyBase's
            clients at the same path and an Automerge document with the id that
            :func:`weft.server.bridge_document_id` gives have the same tables, in TinyBase's layout under its
            default name. The hook is asked about a room by its name on each side. All processes of a storage
            are given the same.
        operations: Health, readiness and metrics on a port of their own. The server opens and closes it.
        proxies: Addresses or networks of proxies in front of it, whose ``X-Forwarded-For`` is believed: the
            bounds of an address are those of the last one in it that is no proxy's. Of who comes through one
            that is not named here the proxy's own address counts, for all together.
        clock: Seconds, monotonic, for the sessions' timers.

    Raises:
        ImportError: Rooms are to be bridged, and the extra ``weft[automerge]`` is not installed.
        ValueError: One of the origins is none that a browser sends, or a proxy is neither an address nor a
            network.
    """

    def __init__(
        self,
        *,
        auth: Auth,
        storage: RoomStorage,
        host: str = "127.0.0.1",
        port: int = 1234,
        origins: Sequence[str | None] | Callable[[str | None], bool] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        server_limits: ServerLimits = DEFAULT_SERVER_LIMITS,
        settings: RoomSettings = RoomSettings(),  # noqa: B008 - frozen
        ssl: ssl.SSLContext | None = None,
        compression: bool = False,
        auth_timeout: float = 5.0,
        shutdown_timeout: float = 10.0,
        broadcast: Broadcast | None = None,
        versions: VersionPlace | None = None,
        bridge: Sequence[str] = (),
        operations: Operations | None = None,
        proxies: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(origins, str) or isinstance(bridge, str):
            raise TypeError("origins and bridge are lists of strings, not one string")
        if not callable(auth):
            raise wrong_kind("a function for auth, such as allow_all,", auth)
        if not isinstance(storage, RoomStorage):
            raise wrong_kind("a storage, such as SqliteRoomStorage(path),", storage)
        self.host = host
        self.version_place = StoredVersions(storage) if versions is None else versions
        if broadcast is None and storage.is_shared:
            broadcast = NoBroadcast()
        self._hub = None if broadcast is None else Hub(broadcast, storage)
        context = RoomContext(
            storage=storage,
            limits=limits,
            settings=settings,
            clock=clock,
            tell=None if self._hub is None else self._hub.tell,
            server_limits=server_limits,
        )
        self.rooms: RoomRegistry[Room] = RoomRegistry(
            context,
            make=partial(Room, context=context),
            unreadable=unreadable_updates,
            followers=self._hub,
        )
        self.documents = open_documents(context, self._hub, auth=auth, auth_timeout=auth_timeout)
        self.mergeable = MergeableRooms(context, auth=auth, auth_timeout=auth_timeout, followers=self._hub)
        self._bridged: BridgedRooms | None = None
        if bridge:
            from weft.server.bridge import BridgedRooms  # noqa: PLC0415 - an extra

            if self.documents is not None:
                self._bridged = BridgedRooms(
                    bridge,
                    rooms=self.rooms,
                    documents=self.documents.rooms,
                    mergeable=self.mergeable.rooms,
                    catch_up=None if self._hub is None else self._hub.catch_up,
                )
                self.documents.bridge(self._bridged.room_of, self._bridged.use_document)
                self.mergeable.bridge(self._bridged.room_at, self._bridged.use_mergeable)
        self._counters = context.counters
        self._operations = operations
        self._port = port
        self._storage = storage
        self._admission = Admission(
            self, auth=auth, auth_timeout=auth_timeout, is_origin_allowed=origin_check(origins)
        )
        self._limits = limits
        self._ssl = ssl
        self._shutdown_timeout = shutdown_timeout
        self._owner = Owner("the server")
        self._connections = Connections(
            self._admission.answer,
            extensions=enable_server_permessage_deflate(None) if compression else None,
            max_message=limits.max_message,
            open_timeout=max(server_limits.join_timeout, auth_timeout),
            limits=server_limits,
            refused=context.refused,
            proxies=proxies,
        )
        self._admission.connections = self._connections
        self._is_started = False
        self._closed = asyncio.Event()  # nobody is connected, and nobody can connect
        self._closing: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port listened on; before the start the one asked for."""
        self._port = self._connections.port or self._port
        return self._port

    @property
    def url(self) -> str:
        """Where clients connect: automerge-repo's as it is, y-websocket's with the room after a slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ws' if self._ssl is None else 'wss'}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections.served)

    async def start(self) -> None:
        """Open the storage and listen.

        Raises:
            StorageError: The storage cannot be opened.
            OSError: The address cannot be listened on. The storage is closed again.
            RuntimeError: The server was started before.
            WrongProcessError: The process was forked since the server was made.
        """
        self._owner.check()
        if self._is_started:
            raise RuntimeError("a server starts once")
        patterns()  # compiled now, and not while the first client waits
        log_patterns()
        hold = self._owner.hold()
        try:
            await self._storage.open()
        except BaseException:
            hold.drop()
            raise
        # Of the package's chatter about handshakes nothing matters: their errors are the peers'.
        logger = logging.getLogger("weft.server.websockets")
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL)
        try:
            if self._hub is not None:
                await self._hub.open()
            await self._connections.listen(self.host, self._port, tls=self._ssl)
            if self._operations is not None:
                await self._operations.open(self)
        except BaseException:
            hold.drop()
            self._connections.stop_listening()
            await self._connections.cut_off(_CUT_OFF_TIMEOUT)
            if self._hub is not None:
                await self._hub.close()
            await self._storage.close()
            raise
        self._connections.watchdog.start()
        self._is_started = True
        _log.info("listening on %s", self.url)

    async def close(self) -> None:
        """Stop, losing nothing that was received. A second call waits for the first.

        No new connection is accepted; every client is told to go (1012), which ends with the last message it
        sent before it heard; all rooms are stored; storage is closed. Clients that do not answer are cut off
        after a while, so this takes at most twice ``shutdown_timeout`` and some seconds. What cannot be
        closed keeps nothing else from being closed.

        Raises:
            StorageError: Storage could not be brought to keep everything.
            WrongThreadError: It runs in another thread, or in the process that this one was forked from.
        """
        self._owner.check()
        if not self._is_started:
            return
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(self._closing)

    @property
    def is_closing(self) -> bool:
        """Whether it takes nobody any more."""
        return self._closing is not None

    async def probe(self) -> None:
        """Make sure that storage can be written, by a small write of no consequence.

        Raises:
            StorageError: It cannot.
        """
        await self._storage.probe()

    def stats(self) -> ServerStats:
        """What the server is doing, and has done since its start."""
        return collect_stats(
            self._connections,
            *(self.rooms, self.documents, self.mergeable),
            *(self._storage, self._hub, self._counters),
        )

    async def serve_forever(self) -> None:
        """Wait until the server is closed by someone."""
        self._owner.check()
        if self._is_started:
            await self._closed.wait()

    def use(self, name: str) -> AbstractAsyncContextManager[Room]:
        """Hold a room open, with the document that it is bridged with, if it is.

        Raises:
            StorageError: It could not be loaded. The next request tries again.
        """
        if self._bridged is not None and name in self._bridged:
            return self._bridged.use_room(name)
        return self.rooms.use(name)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _close(self) -> None:
        self._port = self.port
        self._connections.stop_listening()
        try:
            async with asyncio.timeout(self._shutdown_timeout):
                await self._connections.say_restart()
                await self._connections.all_gone()
        except TimeoutError:
            _log.warning("%d clients did not leave in time and are cut off", self.connections)
            await self._connections.cut_off(_CUT_OFF_TIMEOUT)
        self._closed.set()
        parts = [("rooms", self.rooms.close), ("rooms of TinyBase's clients", self.mergeable.close)]
        if self.documents is not None:
            parts.append(("documents", self.documents.close))
        if self._hub is not None:
            parts.append(("the broker", self._hub.close))
        parts.append(("storage", self._storage.close))
        if self._operations is not None:
            parts.append(("operations", self._operations.close))
        try:
            await close_each(self._shutdown_timeout, parts)
        finally:
            self._connections.watchdog.stop()
        _log.info("closed")
