"""The transport of a browser's page or worker: its ``WebSocket``, where Python runs under Pyodide.

The browser makes the handshake and answers pings. It sends no headers but its own, tells no reason why a
connection could not be made, and sends none itself to find out whether the other end is there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from weft._aio.javascript import javascript
from weft._support.urls import shown_url
from weft.errors import ConnectError
from weft.providers.transport import ABNORMAL_CLOSURE, TOO_LARGE, closed_error, received_too_large

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft._aio.javascript import Javascript
    from weft.errors import ConnectionClosedError

__all__ = ["BrowserConnection", "BrowserTransport"]

_BUFFERED = 1024 * 1024  # bytes that may wait in the browser before a sender waits as well
_LOOK_S = 0.01  # the browser does not say when it has sent them
_STALL_S = 40.0  # as for real sockets: a peer that takes nothing for that long is gone
_PRIVATE = 4000  # RFC 6455, section 7.4.2; of the codes below 3000, a browser sends 1000 alone
_REASON_BYTES = 123


class BrowserTransport:
    """Opens websockets with the browser's ``WebSocket``; where Python runs in a browser, the default one.

    ``headers`` cannot be sent there: a token goes into ``params``, or ``subprotocols``. A close code that a
    browser may not send, such as 1007, is sent as one of 4000 and more: 4007.

    Args:
        close_timeout: Seconds the peer has for its half of the closing handshake.

    Raises:
        RuntimeError: This Python runs in no browser.
    """

    def __init__(self, *, close_timeout: float = 5.0) -> None:
        self._js = javascript("BrowserTransport")
        self._close_timeout = close_timeout

    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        max_size: int,
        open_timeout: float,
    ) -> BrowserConnection:
        """Open a websocket: see :class:`weft.providers.transport.Transport`."""
        shown = shown_url(url)
        if headers:
            raise ConnectError(shown, "a browser sends no headers but its own: use params or subprotocols")
        try:
            socket = self._js.globals.WebSocket.new(url, self._js.array(subprotocols))
        except self._js.error as error:
            raise ConnectError(shown, str(error)) from error
        connection = BrowserConnection(self._js, socket, max_size=max_size, close_timeout=self._close_timeout)
        try:
            async with asyncio.timeout(open_timeout):
                opened = await connection.opened
        except TimeoutError as error:
            await connection.abort()
            raise ConnectError(shown, f"no answer within {open_timeout:g} s") from error
        except BaseException:
            await connection.abort()
            raise
        if not opened:  # what was, may have ended by now: its messages are there all the same
            raise ConnectError(shown, "it could not be opened; why, a browser tells on its console alone")
        return connection


class BrowserConnection:
    """A browser's ``WebSocket`` behind our seam.

    Attributes:
        opened: Whether it was ever open, once that is clear.
        ended: Done when it has ended: why.
    """

    def __init__(self, js: Javascript, socket: Any, *, max_size: int, close_timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[bool] = self._loop.create_future()
        self.ended: asyncio.Future[ConnectionClosedError] = self._loop.create_future()
        self._js = js
        self._socket = socket
        self._max_size = max_size
        self._close_timeout = close_timeout
        self._messages: deque[bytes | str] = deque()
        self._came = asyncio.Event()
        self._callback = js.callback(self._happened)
        socket.binaryType = "arraybuffer"
        socket.onopen = socket.onmessage = socket.onclose = self._callback

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol the server chose."""
        return self._socket.protocol or None

    async def send(self, data: bytes | str) -> None:
        """Send one message; waits while much is waiting to be sent."""
        if self.ended.done():
            raise self._ending()
        self._socket.send(data if isinstance(data, str) else self._js.byte_array(data))
        before, since = self._socket.bufferedAmount, self._loop.time()
        while (waiting := self._socket.bufferedAmount) > _BUFFERED:
            if self.ended.done():
                raise self._ending()
            if waiting != before:
                before, since = waiting, self._loop.time()
            elif self._loop.time() - since > _STALL_S:
                self._end(closed_error(None, f"the peer took no data for {_STALL_S:g} s"))
                self._socket.close()
            await asyncio.sleep(_LOOK_S)

    async def recv(self) -> bytes | str:
        """Wait for the next message."""
        while not self._messages:
            if self.ended.done():
                raise self._ending()
            self._came.clear()
            await self._came.wait()
        return self._messages.popleft()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and wait for the answer, no longer than the transport's ``close_timeout``."""
        if self.ended.done():
            return
        self._say_goodbye(code, reason)
        done, _ = await asyncio.wait([self.ended], timeout=self._close_timeout)
        if not done:
            await self.abort()

    async def abort(self) -> None:
        """End the connection, as far as this side goes; the browser closes it in its own time."""
        if not self.ended.done():
            self._end(closed_error(None))
            self._socket.close()

    def _say_goodbye(self, code: int, reason: str) -> None:
        if code != 1000 and code < 3000:
            code += _PRIVATE - 1000
        self._socket.close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))

    def _happened(self, event: Any) -> None:
        if event.type == "open":
            if not self.opened.done():
                self.opened.set_result(True)
        elif event.type == "close":
            code = event.code
            self._end(closed_error(None if code == ABNORMAL_CLOSURE else code, event.reason))
        elif not self.ended.done():
            data = event.data if isinstance(event.data, str) else event.data.to_bytes()
            size = len(data.encode("utf-8", "surrogatepass")) if isinstance(data, str) else len(data)
            if size > self._max_size:
                self._end(received_too_large(f"a message of {size} bytes"))
                self._say_goodbye(TOO_LARGE, "message too large")
                return
            self._messages.append(data)
            self._came.set()

    def _end(self, error: ConnectionClosedError) -> None:
        if self.ended.done():
            return
        self.ended.set_result(error)
        if not self.opened.done():
            self.opened.set_result(False)
        self._came.set()
        self._socket.onopen = self._socket.onmessage = self._socket.onclose = None
        self._loop.call_soon(self._callback.destroy)  # it may be what is running

    def _ending(self) -> ConnectionClosedError:
        error = self.ended.result()
        return type(error)(error.code, error.reason, permanent=error.permanent)
