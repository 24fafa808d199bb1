"""A small client of TinyBase's protocol, in Python: one connection, with one channel or without channels."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from weft.documents.mergeable import MergeableDocument
from weft.protocols.tinybase import (
    STORE,
    FrameReader,
    Message,
    MessageType,
    SendMessage,
    Synced,
    TinyBaseSession,
    channel_frame,
    frames_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.documents.mergeable import MergeableEvent
    from weft.protocols.tinybase import Effect

__all__ = ["TableClient", "new_id"]

_TIMEOUT = 20.0


def new_id(length: int) -> str:
    """A random id."""
    return secrets.token_urlsafe(length)[:length]


class TableClient:
    """One mergeable document kept in sync with a room.

    Args:
        url: The server's.
        room: What stands behind it.
        channel: A channel below; the empty text for none.
        document: The document; a new one by default.
        fragment_size: Bytes of the parts in which messages are sent.

    Attributes:
        received: The frames that came, without the channel.
        frames: The same, channels included.
        is_synced: Whether what the server had is here.
    """

    def __init__(
        self,
        url: str,
        room: str,
        *,
        channel: str = "",
        document: MergeableDocument | None = None,
        fragment_size: int | None = None,
        **options: Any,
    ) -> None:
        self.document = MergeableDocument() if document is None else document
        self.received: list[Message] = []
        self.frames: list[str] = []
        self.is_synced = False
        self.session = TinyBaseSession(self.document, role="client", new_id=new_id)
        self.channel = channel
        self._target = f"{url}/{room}"
        self._options = options
        self._fragment_size = fragment_size
        self._reader = FrameReader(1 << 28, channel=channel)
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self.channel:
            self._options["subprotocols"] = ["tinybase"]
        self.socket = await connect(self._target, max_size=None, **self._options)
        if self.channel:
            for control in ([0, 1], [1, self.channel]):
                await self.socket.send(f"S\n{json.dumps([new_id(16), -1, control])}")
                await self.socket.recv()
        self._end = self.document.subscribe(self._changed)
        self._reading = asyncio.create_task(self._read())
        with suppress(ConnectionError):  # who is not let in reads so
            await self.perform(self.session.connected(time.monotonic()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end()
        self._reading.cancel()
        await asyncio.wait([self._reading])
        await self.socket.close()

    def cut(self) -> None:
        """End the connection without a word."""
        self.socket.transport.abort()

    async def set(self, row: str = "r", table: str = "t", **cells: Any) -> None:
        """Write cells, as one change."""
        with self.document.transaction():
            for cell, stored in cells.items():
                self.document.set_cell(table, row, cell, stored)
        await self.perform(self.session.send_changes())

    async def ask(self, kind: MessageType, body: Any = "") -> Any:
        """Ask the server's store something; the body of its answer."""
        number = new_id(16)
        await self.send_message(Message(number, kind, body), STORE)
        answer = await self.wait(
            lambda: next((each for each in self.received if each.request_id == number), None)
        )
        return answer.body

    async def flush(self) -> None:
        """Wait until the server has confirmed what was sent before."""
        await self.ask(MessageType.GET_CONTENT_HASHES)

    async def send_message(self, message: Message, to: str | None = None) -> None:
        """Send a message."""
        for frame in frames_of(to, message, new_id, self._fragment_size):
            await self.send(frame)

    async def send(self, frame: str) -> None:
        """Send a frame, in the client's channel if it has one.

        Raises:
            ConnectionError: The connection has ended.
        """
        try:
            await self.socket.send(channel_frame(self.channel, frame) if self.channel else frame)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error

    async def wait_for(self, row: str = "r", table: str = "t", **cells: Any) -> None:
        """Wait until cells have come."""
        await self.wait(
            lambda: all(self.document.get_cell(table, row, cell) == stored for cell, stored in cells.items())
        )

    async def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait for something that what comes brings about.

        Raises:
            ConnectionError: The connection ended first.
        """
        async with asyncio.timeout(_TIMEOUT):
            while not (found := condition()):
                if self._reading.done():
                    raise ConnectionError(f"{self.socket.close_code} {self.socket.close_reason}")
                self._news.clear()
                await self._news.wait()
        return found

    async def wait_closed(self) -> tuple[int | None, str | None]:
        """Wait for the end: the code and reason."""
        async with asyncio.timeout(_TIMEOUT):
            await asyncio.wait([self._reading])
        return self.socket.close_code, self.socket.close_reason

    def _changed(self, event: MergeableEvent) -> None:
        if event.origin is not self.session:
            self.session.local_change(event.changes)

    async def _read(self) -> None:
        with suppress(ConnectionClosed, ConnectionError):
            async for data in self.socket:
                assert isinstance(data, str)
                self.frames.append(data)
                prefix = channel_frame(self.channel, "") if self.channel else ""
                assert data.startswith(prefix)
                frame = self._reader.receive(data.removeprefix(prefix), time.monotonic())
                if frame is not None:
                    self.received.append(frame.message)
                    await self.perform(self.session.receive(frame.address, frame.message, time.monotonic()))
                self._news.set()
        self._news.set()

    async def perform(self, effects: Sequence[Effect]) -> None:
        """Send what the session wants to say."""
        for effect in effects:
            if isinstance(effect, Synced):
                self.is_synced = True
            elif isinstance(effect, SendMessage):
                await self.send_message(effect.message, effect.to)
