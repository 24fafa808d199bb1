"""A PartyKit room over HTTP and websockets, both by ``aiohttp``.

A room tells a change to everyone but its sender, and answers nothing. So there are two sockets: what one
sends comes back on the other, in the order in which the room took it, between the changes of others. That is
how it is known what the room has, what it refused, and who wrote last.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from random import random
from typing import TYPE_CHECKING, TypeAlias

import aiohttp

from weft._aio.tasks import end_tasks
from weft._support.urls import shown_url
from weft.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Given", "PartyKitRoom"]

Given: TypeAlias = "Mapping[str, str] | Callable[[], Mapping[str, str]] | None"

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 15.0  # before another try to connect, as providers pause
_HEARTBEAT_S = 20.0
_CLOSE_S = 1.0  # for the other half of a closing handshake, which PartyKit's runtime may never send


class PartyKitRoom:
    """One room.

    Args:
        url: Of the room, ``http://`` or ``https://``.
        store_path: Of its content, below that.
        params: Query of all requests, or a function that gives it.
        headers: Of all requests, likewise.
        session: The caller's, which stays open; ``None`` to make one.
        timeout: Seconds for a request, and for opening a socket.
        max_bytes: The largest answer and message that is read.
        heard: Called with each message.
        opened: Called when the listening socket is open again, after one that was lost.
        lost: Called with the reason when a socket is lost.
    """

    def __init__(
        self,
        url: str,
        store_path: str,
        *,
        params: Given,
        headers: Given,
        session: aiohttp.ClientSession | None,
        timeout: float,
        max_bytes: int,
        heard: Callable[[str], None],
        opened: Callable[[], None],
        lost: Callable[[StorageError], None],
    ) -> None:
        self.url = url
        self.store_url = url + store_path
        self._params = params
        self._headers = headers
        self._given = session
        self._session = session
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._heard = heard
        self._opened = opened
        self._lost = lost
        self._error: StorageError | None = None
        self._listening: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._sender: aiohttp.ClientWebSocketResponse | None = None
        self._draining: asyncio.Task[None] | None = None

    # -- over HTTP ---------------------------------------------------------------------------------------

    async def get(self) -> bytes | None:
        """GET the content; ``None`` where the room has none yet.

        Raises:
            StorageError: It could not be had.
        """
        return (await self._request("GET"))[1] or None

    async def put(self, text: str) -> bool:
        """PUT the first content. Tells whether it is the first; otherwise the room keeps what it has.

        Raises:
            StorageError: It could not be sent, or was refused.
        """
        return (await self._request("PUT", text.encode()))[0] == 201

    async def _request(self, method: str, data: bytes | None = None) -> tuple[int, bytes]:
        body = bytearray()
        try:
            async with self._client.request(
                method,
                self.store_url,
                params=_resolve(self._params),
                headers=_resolve(self._headers),
                data=data,
                timeout=aiohttp.ClientTimeout(total=self._timeout),
            ) as response:
                async for chunk in response.content.iter_chunked(2**16):
                    body += chunk
                    if len(body) > self._max_bytes:
                        raise self._failed(f"the answer is longer than {self._max_bytes} bytes")
                if response.status not in {200, 201, 205} or response.method != method:
                    raise self._failed(f"{method} was answered with status {response.status}")
                return response.status, bytes(body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._failed(error) from error

    # -- sockets -----------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Begin to listen, and go on with it until :meth:`close`, connecting anew where that is needed.

        Raises:
            StorageError: There is no connection at present.
        """
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name=f"weft partykit {shown_url(self.url)}")
        await self._tried.wait()
        if self._error is not None:
            raise StorageError(*self._error.args) from self._error

    async def send(self, text: str) -> None:
        """Send a message. It comes back on the listening socket if the room takes it.

        Raises:
            StorageError: It was not sent, or it is not known whether it was.
        """
        try:
            if self._sender is None or self._sender.closed:
                await self.hang_up()
                self._sender = await self._connect()
                self._draining = asyncio.create_task(self._drain(self._sender))
            await self._sender.send_str(text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failed(error) from error

    async def hang_up(self) -> None:
        """Close the socket that sends; the next message opens another."""
        sender, self._sender = self._sender, None
        draining, self._draining = self._draining, None
        if draining is not None:
            await end_tasks([draining])
        if sender is not None:
            await _close(sender)

    async def close(self) -> None:
        """Close both sockets, and the session if it was made here."""
        if self._listening is not None:
            await end_tasks([self._listening])
        await self.hang_up()
        if self._session is not None and self._given is None:
            await self._session.close()

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                socket = await self._connect()
            except Exception as error:  # noqa: BLE001 - raised by listen(); it may be of the caller's function
                self._error = self._failed(error)
            else:
                self._error = None
                failures = 0
                if self._tried.is_set():
                    self._opened()
                self._tried.set()
                try:
                    async for message in socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            self._heard(message.data)
                finally:
                    await _close(socket)
                self._error = self._ended(socket)
                self._lost(self._error)
            self._tried.set()
            # Full jitter: when a server comes back, its clients do not all come in the same instant.
            pause = min(_LAST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 16))
            await asyncio.sleep(random() * pause)  # noqa: S311 - no secret
            failures += 1

    async def _drain(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Read what the other socket is told as well, and notice the end."""
        async for _ in socket:
            pass
        self._lost(self._ended(socket))

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        async with asyncio.timeout(self._timeout):
            return await self._client.ws_connect(
                self.url,
                params={**_resolve(self._params), "_pk": str(uuid.uuid4())},
                headers=_resolve(self._headers),
                heartbeat=_HEARTBEAT_S,
                max_msg_size=self._max_bytes,
            )

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session

    def _failed(self, error: object) -> StorageError:
        said = error if isinstance(error, str) else str(error) or type(error).__name__
        return StorageError(f"{shown_url(self.url)}: {shown_url(str(said))}")

    def _ended(self, socket: aiohttp.ClientWebSocketResponse) -> StorageError:
        code, failure = socket.close_code, socket.exception()
        return self._failed(f"the connection was lost ({f'code {code}' if failure is None else failure})")


def _resolve(given: Given) -> Mapping[str, str]:
    """The parameters or headers themselves, or what the function gives now."""
    return given() if callable(given) else given or {}


async def _close(socket: aiohttp.ClientWebSocketResponse) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_S):
            await socket.close()
