"""A connection before it is a websocket: one HTTP request, and what is answered."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast

from websockets.http11 import Request as HttpRequest, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from weft.server.fronts.websocket_link import WebsocketLink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.extensions import ServerExtensionFactory

    from weft.limits import ServerLimits
    from weft.server._core.accounts import Account
    from weft.server.fronts.link_owner import LinkOwner
    from weft.server.fronts.timer_wheel import TimerWheel

__all__ = ["Handshake", "HandshakeOwner"]

_END_OF_HEAD = b"\r\n\r\n"
_CHANNELS = Subprotocol("tinybase")

# Errors of handshakes are the peers'; of the package's chatter nothing matters.
_log = logging.getLogger("weft.server.websockets")


class HandshakeOwner(Protocol):
    """What the handshakes of a server share.

    Attributes:
        wheel: Their deadlines.
        open_timeout: Seconds that one may take.
        limits: Bounds of each connection.
        extensions: What may be agreed on.
    """

    wheel: TimerWheel
    open_timeout: float
    limits: ServerLimits
    extensions: Sequence[ServerExtensionFactory] | None

    @property
    def links(self) -> LinkOwner[WebsocketLink]:
        """What the websockets will share."""

    def opened(self, handshake: Handshake) -> None:
        """Somebody has connected."""

    def requested(self, handshake: Handshake, request: HttpRequest) -> None:
        """A request has come; nothing more is read until it is answered."""

    def upgraded(self, handshake: Handshake, link: WebsocketLink) -> None:
        """The connection has become a websocket."""

    def lost(self, handshake: Handshake) -> None:
        """The connection is over."""


class Handshake(asyncio.Protocol):
    """One connection until its request is answered.

    Args:
        owner: Who answers.

    Attributes:
        transport: The connection.
        has_asked: Whether its request has come.
        account: Of its address, which has counted the connection; ``None`` while that is not known.
    """

    __slots__ = (
        "_connected_at", "_early", "_is_answered", "_is_lost", "_owner", "_protocol", "_tail", "account",
        "has_asked", "slot", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, owner: HandshakeOwner) -> None:
        self.slot = 0
        self.has_asked = False
        self.account: Account | None = None
        self._owner = owner
        self._protocol = ServerProtocol(
            extensions=owner.extensions, select_subprotocol=_select, max_size=None, logger=_log
        )
        self._tail = b""  # the last bytes of the head so far, in which its end may have begun
        self._early = b""  # what came behind the head
        self._is_answered = False
        self._is_lost = False

    @property
    def address(self) -> str:
        """Address of the client, or of a proxy; empty for a socket that has none."""
        name = self.transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    @property
    def remote(self) -> str:
        """Address and port of the client, or of a proxy."""
        name = self.transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) and len(name) >= 2 else str(name)

    def abort(self) -> None:
        """Cut the connection off."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self.transport = cast("asyncio.Transport", transport)  # of whatever loop
        self._connected_at = asyncio.get_running_loop().time()
        self._owner.wheel.set(self, self._owner.open_timeout)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Take in a part of the request."""
        if self._is_answered:
            return
        if self.has_asked:  # it was under way when reading was paused
            self._early += data
            return
        seen = self._tail + data
        end = seen.find(_END_OF_HEAD)
        if end < 0:
            self._tail = seen[-len(_END_OF_HEAD) + 1 :]
        else:
            cut = end + len(_END_OF_HEAD) - len(self._tail)
            data, self._early = data[:cut], data[cut:]
            # Until the decision stands nothing more is read: who is not let in costs one buffer.
            self.transport.pause_reading()
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, HttpRequest):
                self.has_asked = True
                self._owner.requested(self, event)
                return
        self._send()  # what was wrong with it

    def eof_received(self) -> None:
        """The client says no more."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._is_lost = True
        self._owner.wheel.discard(self)
        self._owner.lost(self)

    def deadline(self) -> None:
        """It takes too long, or the client does not take the answer."""
        if not self._is_lost:
            if not self._is_answered:
                self._owner.links.refused.count("join_timeout")
            self.transport.abort()

    def respond(self, status: int, text: str, **headers: str) -> None:
        """Answer the request, and be done with it."""
        response = self._protocol.reject(status, text)
        for name, value in headers.items():
            with suppress(KeyError):
                del response.headers[name.replace("_", "-")]
            response.headers[name.replace("_", "-")] = value
        self._answer(response)

    def accept(self, request: HttpRequest, *, is_admitted: bool = True) -> WebsocketLink | None:
        """Make it a websocket; if it is no request for one, say so.

        What came behind the request is read when somebody is attached to the link.

        Args:
            request: What was asked.
            is_admitted: Whether it is known who the client is; otherwise it has to say so in time.
        """
        response = self._protocol.accept(request)
        self._answer(response)
        if response.status_code != 101 or self._is_lost:
            return None
        self._owner.wheel.discard(self)
        link = WebsocketLink(
            self.transport,
            self._owner.links,
            extensions=self._protocol.extensions,
            name=self.remote,
            account=self.account,
            admit_by=None if is_admitted else self._connected_at + self._owner.limits.join_timeout,
        )
        self.account = None  # it is the link's now
        link.feed(self._early)
        self._owner.upgraded(self, link)
        return link

    def _answer(self, response: Response) -> None:
        if not self._is_answered and not self._is_lost:
            self._protocol.send_response(response)
            self._send()

    def _send(self) -> None:
        for data in self._protocol.data_to_send():
            self._is_answered = True
            if data:
                self.transport.write(data)
            else:  # the end; what still comes is not looked at
                self._owner.wheel.set(self, self._owner.limits.close_timeout)
                self.transport.resume_reading()
                if self.transport.can_write_eof():
                    self.transport.write_eof()
                else:
                    self.transport.close()


def _select(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The one subprotocol there is, that of TinyBase's clients with many channels; others are not for us."""
    return _CHANNELS if _CHANNELS in offered else None
