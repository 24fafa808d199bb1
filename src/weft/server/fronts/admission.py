"""Who is let in, and what is served to whom: from the request to the client's first message.

Three protocols share a port. automerge-repo's clients ask for ``/``, which names no room. TinyBase's say so
by the subprotocol ``tinybase`` where they have many channels; otherwise they, like y-websocket's, only ask
for a room. Those two are told apart by the first message, which either sends as soon as it is connected:
TinyBase's are texts, y-websocket's are not. So the server says nothing before the client has. A rule by path
was the alternative; clients of TinyBase's own server would have had to be pointed elsewhere for it.
"""

from __future__ import annotations

import http
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from weft.errors import StorageError
from weft.server._core.peer import close_code_for
from weft.server._core.wrong_protocol import WrongProtocolError
from weft.server.auth import Allow, Deny, Request, decide
from weft.server.fronts.connections import RESTART, report_too_large
from weft.server.names import read_path, read_query, read_room
from weft.server.ysync.peer import YPeer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from websockets.http11 import Request as HttpRequest

    from weft.server.auth import Auth
    from weft.server.automerge_repo.documents import Documents
    from weft.server.fronts.connections import Connections
    from weft.server.fronts.handshake import Handshake
    from weft.server.fronts.websocket_link import WebsocketLink
    from weft.server.tinybase.rooms import MergeableRooms
    from weft.server.ysync.room import Room

__all__ = ["Admission", "Admitting"]

_log = logging.getLogger("weft.server")

_TRY_AGAIN_LATER = 1013  # RFC 6455, section 7.4.1, and its registry
_CHANNELS = "tinybase"  # the subprotocol


class Admitting(Protocol):
    """A server, as far as it is asked who may enter.

    Attributes:
        documents: The Automerge documents, if those are served.
        mergeable: The rooms of TinyBase's clients.
    """

    documents: Documents | None
    mergeable: MergeableRooms

    @property
    def is_closing(self) -> bool:
        """Whether it takes nobody any more."""

    def use(self, name: str) -> AbstractAsyncContextManager[Room]:
        """Hold a Yjs room open."""


class Admission:
    """Answers requests, and begins to serve whom the hook lets in.

    Args:
        server: Whose rooms are served.
        auth: The hook.
        auth_timeout: Seconds it has.
        is_origin_allowed: Whether a page of an origin may connect.

    Attributes:
        connections: Of the server; set before the first request.
    """

    connections: Connections

    def __init__(
        self,
        server: Admitting,
        *,
        auth: Auth,
        auth_timeout: float,
        is_origin_allowed: Callable[[str | None], bool],
    ) -> None:
        self._server = server
        self._auth = auth
        self._auth_timeout = auth_timeout
        self._is_origin_allowed = is_origin_allowed

    def answer(self, handshake: Handshake, request: HttpRequest) -> None:
        """Before the upgrade: answer health checks, refuse what cannot be served, ask the auth hook."""
        headers = {name.lower(): ", ".join(request.headers.get_all(name)) for name in request.headers}
        path = request.path.partition("?")[0]
        if "upgrade" not in headers and path in {"/", "/health"}:
            handshake.respond(http.HTTPStatus.OK, "okay", Cache_Control="no-store")
            return
        origin = headers.get("origin")
        if not self._is_origin_allowed(origin):
            _log.info("refused a connection of origin %.200r", origin)
            handshake.respond(http.HTTPStatus.FORBIDDEN, "origin not allowed\n")
            return
        if self._server.is_closing:
            handshake.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "Server is shutting down.\n")
            return
        offered = [each.strip() for each in headers.get("sec-websocket-protocol", "").split(",")]
        protocol: Literal["yjs", "automerge", "tinybase"] = "automerge" if path == "/" else "yjs"
        if _CHANNELS in offered:
            protocol = "tinybase"
        try:
            room = "" if path == "/" else read_room(request.path)
            asked = Request(
                room=read_path(request.path) if protocol == "tinybase" else room,
                query=read_query(request.path),
                headers=headers,
                origin=origin,
                remote=handshake.remote,
                protocol=protocol,
            )
        except ValueError as error:
            handshake.respond(http.HTTPStatus.BAD_REQUEST, f"{error}\n")
            return
        self.connections.spawn(self._admit(handshake, request, asked))

    async def _admit(self, handshake: Handshake, request: HttpRequest, asked: Request) -> None:
        """Ask the hook, and wait for the first message of whom it lets in; about others it is asked later."""
        decision = None
        if asked.protocol == "yjs":
            decision = await decide(self._auth, asked, seconds=self._auth_timeout)
        link = handshake.accept(request, is_admitted=decision is not None)
        if link is None:
            return
        if isinstance(decision, Deny):
            # After the upgrade: a browser shows a page neither status nor text of a refused handshake, and
            # y-websocket clients would go on trying; the close code is final to them.
            _log.info("%s may not enter room %.200r: %.200r", asked.remote, asked.room, decision.reason)
            link.close(decision.code, decision.reason)
            return
        self.connections.served.add(link)
        if self._server.is_closing:  # the handshake was over a moment before
            link.close(*RESTART)
        elif decision is not None and not link.identify(decision.user):
            link.close(_TRY_AGAIN_LATER, "too many connections of this user")
        elif asked.protocol == "tinybase":
            self._serve_tables(link, asked, has_channels=True)
        else:
            link.on_first(partial(self._spoken, link, request.path, asked, decision))

    def _spoken(
        self, link: WebsocketLink, target: str, asked: Request, allow: Allow | None, is_text: bool
    ) -> None:
        """The client's first message tells what it speaks."""
        if is_text:
            asked = replace(asked, room=read_path(target), protocol="tinybase")
            self._serve_tables(link, asked, has_channels=False)
        elif allow is not None:
            self.connections.spawn(self._serve_room(link, asked, allow))
        elif self._server.documents is None:
            text = "automerge-repo is not served (weft[automerge] is missing), and this URL names no room"
            link.close(*close_code_for(WrongProtocolError(text)))
        else:
            self._serve_documents(link, asked, self._server.documents)

    async def _serve_room(self, link: WebsocketLink, asked: Request, allow: Allow) -> None:
        name, remote = asked.room, asked.remote
        if not link.enter_room():
            link.close(_TRY_AGAIN_LATER, "too many rooms")
            return
        try:
            held = self._server.use(name)
            room = await held.__aenter__()
            released = partial(self._release, link, remote, name, held)
            try:
                peer = YPeer(room, link, allow, remote=remote, released=released)
            except BaseException:
                released()
                raise
            peer.start()
        except StorageError as error:
            _log.error("room %.200r cannot be opened: %s", name, error)
            code, reason = close_code_for(error)
            link.close(code, "the room cannot be opened" if code == _TRY_AGAIN_LATER else reason)
        except Exception:  # noqa: BLE001 - one connection's fault ends that connection
            _log.exception("serving %s failed", remote)
            link.close(1011, "internal error")

    def _serve_documents(self, link: WebsocketLink, asked: Request, documents: Documents) -> None:
        from weft.server.automerge_repo.peer import RepoPeer  # noqa: PLC0415 - an extra

        released = partial(report_too_large, link, asked.remote, asked.room)
        RepoPeer(link, documents, asked, released=released).start()

    def _serve_tables(self, link: WebsocketLink, asked: Request, *, has_channels: bool) -> None:
        from weft.server.tinybase.peer import TinyBasePeer  # noqa: PLC0415 - for whom nobody came yet

        link.speak_text()
        released = partial(report_too_large, link, asked.remote, asked.room)
        TinyBasePeer(
            link, self._server.mergeable, asked, has_channels=has_channels, released=released
        ).start()

    def _release(
        self, link: WebsocketLink, remote: str, room: str, held: AbstractAsyncContextManager[Room]
    ) -> None:
        report_too_large(link, remote, room)
        self.connections.spawn(_leave(held))


async def _leave(held: AbstractAsyncContextManager[Room]) -> None:
    await held.__aexit__(None, None, None)
