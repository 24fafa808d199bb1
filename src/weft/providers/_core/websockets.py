"""The transport over real sockets, on ``websockets.asyncio``; the only file that imports it here."""

from __future__ import annotations

import asyncio
import os
import re
import socket as socket_module
import ssl as ssl_module
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.typing import Subprotocol

from weft._support.urls import is_loopback, shown_url
from weft.errors import ConnectError, ConnectionClosedError
from weft.providers._core.backoff import seconds_until
from weft.providers.transport import TOO_LARGE, closed_error, received_too_large, refused_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.asyncio.connection import Connection as Socket

__all__ = ["WebsocketsConnection", "WebsocketsTransport"]

_STALL_S = 20.0  # like the keep-alive: a peer that takes nothing for that long twice is gone


class WebsocketsTransport:
    """Opens websockets with the ``websockets`` package.

    Proxies are used as the environment says (``websockets`` reads ``https_proxy`` and its like), but never
    for the loopback interface. Redirects are followed; credentials are not taken to another host.
    """

    def __init__(
        self,
        *,
        ssl: ssl_module.SSLContext | None = None,
        compression: bool = False,
        ping_interval: float | None = 20.0,
        ping_timeout: float | None = 20.0,
        close_timeout: float = 5.0,
    ) -> None:
        """Choose how to connect.

        Args:
            ssl: TLS settings for ``wss://``; ``None`` for the system's certificate authorities.
            compression: Offer permessage-deflate. Off: small updates hardly shrink, and each connection
                would hold compression state in memory at both ends.
            ping_interval: Seconds between keep-alive pings; ``None`` sends none.
            ping_timeout: Seconds until an unanswered ping ends the connection; ``None`` for never.
            close_timeout: Seconds the peer has for its half of the closing handshake.
        """
        self._ssl = ssl
        self._compression = "deflate" if compression else None
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._close_timeout = close_timeout

    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        max_size: int,
        open_timeout: float,
    ) -> WebsocketsConnection:
        """Open a websocket: see :class:`weft.providers.transport.Transport`."""
        parts = urlsplit(url)
        options: dict[str, Any] = {}
        if parts.scheme == "wss" and self._ssl is not None:
            options["ssl"] = self._ssl
        if is_loopback(parts.hostname or ""):
            options["proxy"] = None
        shown = shown_url(url)
        try:
            socket = await connect(
                url,
                additional_headers=list(headers),
                subprotocols=[Subprotocol(name) for name in subprotocols] or None,
                compression=self._compression,
                max_size=max_size,
                open_timeout=open_timeout,
                ping_interval=self._ping_interval,
                ping_timeout=self._ping_timeout,
                close_timeout=self._close_timeout,
                **options,
            )
        except InvalidStatus as error:
            wanted = seconds_until(error.response.headers.get("Retry-After"), now=time.time())
            raise refused_error(url, error.response.status_code, retry_after=wanted) from error
        except InvalidProxyStatus as error:
            reason = f"the proxy refused (HTTP {error.response.status_code})"
            raise ConnectError(shown, reason) from error
        except InvalidURI as error:
            raise ConnectError(shown, "the address is not that of a websocket") from error
        except TimeoutError as error:
            raise ConnectError(shown, f"no answer within {open_timeout:g} s") from error
        except ssl_module.SSLError as error:
            raise ConnectError(shown, f"TLS failed: {_sentence(error)}") from error
        except OSError as error:
            raise ConnectError(shown, _sentence(error)) from error
        except (InvalidHandshake, ConnectionClosed, EOFError) as error:
            reason = f"the server does not answer as a websocket: {_sentence(error)}"
            raise ConnectError(shown, reason) from error
        except (WebSocketException, ValueError) as error:
            # What is left are addresses, proxies and headers that cannot be used.
            raise ConnectError(shown, _sentence(error)) from error
        return WebsocketsConnection(socket, close_timeout=self._close_timeout)


class WebsocketsConnection:
    """A websocket of the ``websockets`` package, client's or server's, behind our seam."""

    def __init__(self, socket: Socket, *, close_timeout: float = 5.0) -> None:
        self._socket = socket
        self._close_timeout = close_timeout
        self._watch: asyncio.TimerHandle | None = None
        self._stalled = False

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol the server chose."""
        return self._socket.subprotocol

    async def send(self, data: bytes | str) -> None:
        """Send one message; waits while the peer is slow."""
        # The keep-alive cannot notice a peer that is gone while our data fill the buffers: its ping waits
        # behind them. So a write that makes no progress ends the connection.
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(_STALL_S, self._check_progress, None)
        try:
            await self._socket.send(data)
        except ConnectionClosed as error:
            raise self._closed(error) from error
        finally:
            self._watch.cancel()

    async def recv(self) -> bytes | str:
        """Wait for the next message."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as error:
            raise self._closed(error) from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and wait for the answer, no longer than the transport's ``close_timeout``."""
        try:
            # websockets has a timeout of its own, but it starts when the close frame is in the socket.
            async with asyncio.timeout(self._close_timeout):
                await self._socket.close(code, reason)
        except TimeoutError:
            await self.abort()

    async def abort(self) -> None:
        """End the connection now."""
        self._socket.transport.abort()
        await self._socket.wait_closed()

    def _check_progress(self, before: int | None) -> None:
        waiting = self._socket.transport.get_write_buffer_size()
        if before is not None and waiting >= before:
            self._stalled = True
            self._socket.transport.abort()
        else:
            loop = asyncio.get_running_loop()
            self._watch = loop.call_later(_STALL_S, self._check_progress, waiting)

    def _closed(self, error: ConnectionClosed) -> ConnectionClosedError:
        if self._stalled:
            return closed_error(None, f"the peer took no data for {_STALL_S:g} s")
        if error.sent is not None and not error.rcvd_then_sent:
            # We ended it (a message too big, a ping unanswered): the peer has no other reason than ours.
            if error.sent.code == TOO_LARGE:
                return received_too_large(error.sent.reason)
            mapped = closed_error(error.sent.code, error.sent.reason)
            return ConnectionClosedError(mapped.code, mapped.reason)
        if error.rcvd is not None:
            return closed_error(error.rcvd.code, error.rcvd.reason)
        return closed_error(None, "" if error.__cause__ is None else _sentence(error.__cause__))


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl_module.SSLError | socket_module.gaierror):
        # asyncio says "Connect call failed" with addresses, or several of that; the numbers say why.
        numbers = dict.fromkeys(re.findall(r"\[Errno (\d+)\]", str(error)))
        if numbers:
            return "; ".join(os.strerror(int(number)).lower() for number in numbers)
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return text[0].lower() + text[1:] if isinstance(error, socket_module.gaierror) else text
