"""A y-websocket client written from the protocol's description, without weft's own protocol code.

The tests of the server talk to it with this, so that a mistake shared by both sides of weft shows.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from pycrdt import Doc, Map, get_update
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from websockets.asyncio.client import ClientConnection

__all__ = [
    "YClient",
    "awareness_frame",
    "read_varuint",
    "step1_frame",
    "step2_frame",
    "update_frame",
    "varbytes",
    "varuint",
]

_PATIENCE = 20.0


def varuint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def varbytes(data: bytes) -> bytes:
    return varuint(len(data)) + data


def read_varuint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _read_varbytes(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = read_varuint(data, at)
    assert at + length <= len(data), "a length beyond the message"
    return data[at : at + length], at + length


def step1_frame(state_vector: bytes) -> bytes:
    return b"\0\0" + varbytes(state_vector)


def step2_frame(update: bytes) -> bytes:
    return b"\0\1" + varbytes(update)


def update_frame(update: bytes) -> bytes:
    return b"\0\2" + varbytes(update)


def awareness_frame(states: dict[int, tuple[int, Any]]) -> bytes:
    """``{client id: (clock, state)}``."""
    payload = varuint(len(states))
    for client, (clock, state) in states.items():
        payload += varuint(client) + varuint(clock) + varbytes(json.dumps(state).encode())
    return b"\1" + varbytes(payload)


class YClient:
    """One client in one room. Use as ``async with``; everything it receives it also keeps.

    Attributes:
        doc: Its document; the tests use the root map ``m``.
        frames: Every frame received, oldest first.
        awareness: Client id to the last state heard; ``None`` for those who have left.
        step2: How many SyncStep2 messages came.
        denied: Reasons of "permission denied" messages.
    """

    def __init__(
        self,
        url: str,
        room: str,
        *,
        doc: Doc[Any] | None = None,
        greet: bool = True,
        **options: Any,
    ) -> None:
        self.doc = doc or Doc()
        self.map: Map[Any] = self.doc.get("m", type=Map)
        self.frames: list[bytes] = []
        self.awareness: dict[int, Any] = {}
        self.step1 = 0
        self.step2 = 0
        self.denied: list[str] = []
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._greet = greet
        self._asked = int(greet)
        self._target = f"{url}/{quote(room)}"
        self._options = {"max_size": None, "compression": None, "ping_interval": None, **options}
        self._news = asyncio.Event()
        self.socket: ClientConnection

    async def __aenter__(self) -> Self:
        self.socket = await connect(self._target, **self._options)
        self._reader = asyncio.create_task(self._read())
        if self._greet:
            with suppress(ConnectionError):  # the reader tells
                await self.send(step1_frame(self.doc.get_state()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()
        await self._reader

    async def send(self, frame: bytes) -> None:
        """Send one frame.

        Raises:
            ConnectionError: The connection has ended.
        """
        try:
            await self.socket.send(frame)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error

    async def set(self, **cells: Any) -> bytes:
        """Write keys in one transaction and send the update, which is returned."""
        update = self.write(**cells)
        await self.send(update_frame(update))
        return update

    def write(self, **cells: Any) -> bytes:
        """Write keys in one transaction without sending the update."""
        before = self.doc.get_state()
        with self.doc.transaction():
            for key, value in cells.items():
                self.map[key] = value
        return get_update(self.doc.get_update(before), before)

    async def flush(self) -> None:
        """Ask for what is missing; the answer says that the server has everything sent before."""
        self._asked += 1
        wanted = self._asked
        await self.send(step1_frame(self.doc.get_state()))
        await self.wait(lambda: self.step2 >= wanted)

    async def synced(self) -> Self:
        await self.wait(lambda: self.step2 > 0)
        return self

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, asked after each frame.

        Raises:
            ConnectionError: The connection ended first.
        """
        async with asyncio.timeout(_PATIENCE):
            while not condition():
                if self.close_code is not None:
                    raise ConnectionError(f"closed with {self.close_code} {self.close_reason}")
                self._news.clear()
                await self._news.wait()

    async def wait_for(self, **cells: Any) -> None:
        """Wait until the keys have these values."""
        await self.wait(lambda: all(self.map.get(key) == value for key, value in cells.items()))

    async def wait_closed(self) -> int:
        """Wait for the end of the connection; its close code."""
        async with asyncio.timeout(_PATIENCE):
            await asyncio.shield(self._reader)
        assert self.close_code is not None
        return self.close_code

    def cut(self) -> None:
        """Break the connection without a word, as a network does."""
        self.socket.transport.abort()

    @property
    def content(self) -> dict[str, Any]:
        return dict(self.map.to_py() or {})

    async def _read(self) -> None:
        try:
            while True:
                frame = await self.socket.recv()
                assert isinstance(frame, bytes), "a text frame"
                self.frames.append(frame)
                await self._take(frame)
                self._news.set()
        except (ConnectionClosed, ConnectionError):
            await self.socket.wait_closed()
            self.close_code = self.socket.protocol.close_code or 1006
            self.close_reason = self.socket.protocol.close_reason
            self._news.set()

    async def _take(self, frame: bytes) -> None:
        # A y-websocket client reads one message of a frame, so a server must not put two into one.
        kind, at = read_varuint(frame, 0)
        if kind == 0:
            what, at = read_varuint(frame, at)
            data, at = _read_varbytes(frame, at)
            if what == 0:
                self.step1 += 1
                await self.send(step2_frame(self.doc.get_update(data)))
            else:
                self.doc.apply_update(data)
                self.step2 += what == 1
        elif kind == 1:
            payload, at = _read_varbytes(frame, at)
            count, place = read_varuint(payload, 0)
            for _ in range(count):
                client, place = read_varuint(payload, place)
                _, place = read_varuint(payload, place)
                state, place = _read_varbytes(payload, place)
                self.awareness[client] = json.loads(state)
            assert place == len(payload)
        elif kind == 2:
            _, at = read_varuint(frame, at)
            reason, at = _read_varbytes(frame, at)
            self.denied.append(reason.decode())
        else:
            raise AssertionError(f"a message of type {kind}")
        assert at == len(frame), "bytes after the message"
