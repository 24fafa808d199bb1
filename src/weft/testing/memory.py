"""An in-process network for providers and servers: the public fake of the transport seam, with faults.

Nothing here opens a socket. Messages keep their order, wait in bounded buffers as they do in a socket, and
arrive when the test lets them::

    async with MemoryNetwork(handler) as network:
        provider = YWebsocketProvider(doc, "ws://memory", "room", transport=network)
        ...
        network.refuse(status=503)      # new connections fail from now on
        network.links[0].hold("up")     # what the client sends stays under way
        network.drop_all()              # every connection breaks without a goodbye

``handler(connection, request)`` is a server: a coroutine called once for each connection. Without one, a test
takes connections itself with :meth:`MemoryNetwork.accept` and plays the server step by step.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from weft._aio.clock import Clock, SystemClock
from weft._aio.tasks import first_of
from weft._support.urls import shown_url
from weft.errors import ConnectError, ConnectionClosedError
from weft.providers.transport import TOO_LARGE, closed_error, received_too_large, refused_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["Direction", "MemoryConnection", "MemoryLink", "MemoryNetwork", "MemoryRequest"]

Direction = Literal["up", "down"]
"""``"up"`` is from client to server, ``"down"`` from server to client."""

_BUFFER = 64 * 1024  # bytes under way before a sender has to wait, about what a socket takes


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """What a client asked for in its handshake.

    Attributes:
        url: With path and query.
        headers: Additional headers, in order.
        subprotocols: Offered subprotocols, best first; the first is chosen.
    """

    url: str
    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]


class _ChangeSignal:
    """Wakes everybody who waits for something to have changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def changed(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        await self._event.wait()


class _Pipe:
    """One direction of a link."""

    def __init__(self, clock: Clock, buffer: int) -> None:
        self.held = False
        self.delay = 0.0
        self._clock = clock
        self._buffer = buffer
        self._queue: deque[tuple[float, bytes | str]] = deque()
        self._bytes = 0
        self._end: ConnectionClosedError | None = None
        self._changes = _ChangeSignal()

    @property
    def waiting(self) -> int:
        return self._bytes

    def changed(self) -> None:
        self._changes.changed()

    def end(self, error: ConnectionClosedError, *, lose: bool) -> None:
        arrived = (
            self._end is not None and not self.held
        )  # what a goodbye has followed cannot be lost any more
        if self._end is None:
            self._end = error
        if lose and not arrived:
            self._queue.clear()
            self._bytes = 0
            self.held = False
        self.changed()

    async def put(self, data: bytes | str) -> None:
        self._check_open()
        self._queue.append((self._clock.now() + self.delay, data))
        self._bytes += len(data)
        self.changed()
        while self._bytes > self._buffer and self._end is None:
            await self._changes.wait()
        self._check_open()

    async def get(self) -> bytes | str:
        while True:
            if not self.held and self._queue:
                wait = self._queue[0][0] - self._clock.now()
                if wait <= 0:
                    _, data = self._queue.popleft()
                    self._bytes -= len(data)
                    self.changed()
                    return data
                await first_of(self._clock.sleep(wait), self._changes.wait())
            elif not self.held and self._end is not None:
                raise self._fresh(self._end)
            else:
                await self._changes.wait()

    async def drained(self) -> None:
        while self._queue:
            await self._changes.wait()

    def _check_open(self) -> None:
        if self._end is not None:
            raise self._fresh(self._end)

    @staticmethod
    def _fresh(error: ConnectionClosedError) -> ConnectionClosedError:
        # One exception object raised twice would gather the tracebacks of both.
        return ConnectionClosedError(error.code, error.reason, permanent=error.permanent)


class MemoryConnection:
    """One end of a :class:`MemoryLink`: an implementation of the ``Connection`` seam."""

    def __init__(
        self, incoming: _Pipe, outgoing: _Pipe, subprotocol: str | None, max_size: int | None
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._subprotocol = subprotocol
        self._max_size = max_size

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol in use."""
        return self._subprotocol

    async def send(self, data: bytes | str) -> None:
        """Send one message; waits while the other end takes nothing."""
        await self._outgoing.put(data)

    async def recv(self) -> bytes | str:
        """Wait for the next message."""
        data = await self._incoming.get()
        if self._max_size is not None and len(data) > self._max_size:
            reason = f"message of {len(data)} bytes exceeds {self._max_size}"
            await self.close(TOO_LARGE, reason)
            raise received_too_large(reason)
        return data

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the link; what was sent before still arrives. Waits while that direction is held."""
        error = closed_error(code, reason)
        self._outgoing.end(error, lose=False)
        # What the peer sent and we have not read is of no interest any more.
        self._incoming.end(error, lose=True)
        if self._outgoing.held:
            await self._outgoing.drained()

    async def abort(self) -> None:
        """End the link at once; what is under way is lost in both directions."""
        for pipe in (self._incoming, self._outgoing):
            pipe.end(closed_error(None), lose=True)


class MemoryLink:
    """One connection, seen from above, where its faults are made.

    Attributes:
        request: The client's handshake.
        client: The client's end.
        server: The server's end.
    """

    def __init__(self, request: MemoryRequest, clock: Clock, buffer: int, max_size: int) -> None:
        self.request = request
        self._pipes: dict[Direction, _Pipe] = {"up": _Pipe(clock, buffer), "down": _Pipe(clock, buffer)}
        up, down = self._pipes["up"], self._pipes["down"]
        subprotocol = next(iter(request.subprotocols), None)
        self.client = MemoryConnection(down, up, subprotocol, max_size)
        self.server = MemoryConnection(up, down, subprotocol, None)

    def waiting(self, direction: Direction) -> int:
        """Bytes sent in that direction and not yet received."""
        return self._pipes[direction].waiting

    def hold(self, *directions: Direction) -> None:
        """Keep messages under way until :meth:`release`, in both directions unless told."""
        for direction in directions or self._pipes:
            self._pipes[direction].held = True

    def release(self, *directions: Direction) -> None:
        """Let messages arrive again."""
        for direction in directions or self._pipes:
            self._pipes[direction].held = False
            self._pipes[direction].changed()

    def delay(self, seconds: float, *directions: Direction) -> None:
        """Have each message sent from now on take that long."""
        for direction in directions or self._pipes:
            self._pipes[direction].delay = seconds

    def drop(self, code: int | None = None, reason: str = "") -> None:
        """Break the link.

        Args:
            code: ``None`` breaks it without a goodbye and loses what is under way. A code is the server's
                close frame: what the server sent before still arrives at the client.
            reason: The close reason that goes with the code.
        """
        error = closed_error(code, reason)
        self._pipes["down"].end(error, lose=code is None)
        self._pipes["up"].end(error, lose=True)


class MemoryNetwork:
    """A server's address and the links to it; a ``Transport`` for any number of clients.

    Use as an asynchronous context manager: on leaving, links break and handlers are cancelled.

    Attributes:
        links: The links made so far, oldest first, broken ones among them.
        requests: Every handshake asked for, refused ones among them.
    """

    def __init__(
        self,
        handler: Callable[[MemoryConnection, MemoryRequest], Awaitable[None]] | None = None,
        *,
        clock: Clock | None = None,
        buffer: int = _BUFFER,
    ) -> None:
        """Lay the network.

        Args:
            handler: The server; ``None`` to take connections with :meth:`accept`. A handler that raises
                anything but ``ConnectionClosedError`` fails the network's exit.
            clock: Measures delays.
            buffer: Bytes under way in one direction before the sender has to wait.
        """
        self.links: list[MemoryLink] = []
        self.requests: list[MemoryRequest] = []
        self._handler = handler
        self._clock = SystemClock() if clock is None else clock
        self._buffer = buffer
        self._refusal: tuple[str, int | None, float | None] | None = None
        self._held = False
        self._changes = _ChangeSignal()
        self._accepted = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []

    def refuse(
        self,
        reason: str = "connection refused",
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Refuse new connections, as an absent server does or, with a status, one that answers with HTTP.

        Args:
            reason: Why, without a status.
            status: HTTP status of the answer.
            retry_after: Seconds after which to come again, as the answer says.
        """
        self._refusal = (reason, status, retry_after)

    def admit(self) -> None:
        """Let new connections in again, those that :meth:`hold_handshakes` kept among them."""
        self._refusal = None
        self._held = False
        self._changes.changed()

    def hold_handshakes(self) -> None:
        """Leave new handshakes without an answer until :meth:`admit`, or until their time is up."""
        self._held = True

    def drop_all(self, code: int | None = None, reason: str = "") -> None:
        """Break every link: see :meth:`MemoryLink.drop`."""
        for link in self.links:
            link.drop(code, reason)

    async def accept(self) -> MemoryLink:
        """Wait for the next connection that has not been taken yet, in order."""
        while self._accepted >= len(self.links):
            await self._changes.wait()
        self._accepted += 1
        return self.links[self._accepted - 1]

    async def wait_for_requests(self, count: int) -> None:
        """Wait until so many handshakes have been asked for in all."""
        while len(self.requests) < count:
            await self._changes.wait()

    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        max_size: int,
        open_timeout: float,
    ) -> MemoryConnection:
        """Open a connection: the ``Transport`` seam."""
        request = MemoryRequest(url, tuple(headers), tuple(subprotocols))
        self.requests.append(request)
        self._changes.changed()
        try:
            async with asyncio.timeout(open_timeout):
                while self._held:
                    await self._changes.wait()
        except TimeoutError as error:
            raise ConnectError(shown_url(url), f"no answer within {open_timeout:g} s") from error
        await asyncio.sleep(0)  # a connection takes time: let cancellation and others in
        if self._refusal is not None:
            reason, status, retry_after = self._refusal
            if status is None:
                raise ConnectError(shown_url(url), reason)
            raise refused_error(url, status, retry_after=retry_after)
        link = MemoryLink(request, self._clock, self._buffer, max_size)
        self.links.append(link)
        self._changes.changed()
        if self._handler is not None:
            task = asyncio.create_task(self._serve(self._handler, link))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return link.client

    async def _serve(
        self, handler: Callable[[MemoryConnection, MemoryRequest], Awaitable[None]], link: MemoryLink
    ) -> None:
        try:
            await handler(link.server, link.request)
        except ConnectionClosedError:
            pass  # the ordinary end of a connection
        except Exception as error:  # noqa: BLE001 - kept, and raised when the network is left
            self._failures.append(error)
            link.drop(1011, "internal error")
        else:
            link.drop(1000)

    async def close(self) -> None:
        """Break every link and end the handlers; the end of an ``async with`` block does so too.

        Raises:
            ExceptionGroup: What handlers raised.
        """
        self.drop_all()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._failures:
            raise ExceptionGroup("handlers of the memory network failed", self._failures)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
