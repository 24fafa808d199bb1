"""A y-websocket client written from the protocol's description, without weft's own protocol code.

The tests of the server talk to it with this, so that a mistake shared by both sides of weft shows.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Self
from urllib.parse import quote

from pycrdt import Doc, Map, get_update

from support.socketclient import SocketClient

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


class YClient(SocketClient):
    """One client in one room. Use as ``async with``; everything it receives it also keeps.

    Attributes:
        doc: Its document; the tests use the root map ``m``.
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
        super().__init__(f"{url}/{quote(room)}", options)
        self.doc = doc or Doc()
        self.map: Map[Any] = self.doc.get("m", type=Map)
        self.awareness: dict[int, Any] = {}
        self.step1 = 0
        self.step2 = 0
        self.denied: list[str] = []
        self._greets = greet
        self._asked = int(greet)

    async def _greet(self) -> None:
        if self._greets:
            with suppress(ConnectionError):  # the reader tells
                await self.send(step1_frame(self.doc.get_state()))

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

    async def wait_for(self, **cells: Any) -> None:
        """Wait until the keys have these values."""
        await self.wait(lambda: all(self.map.get(key) == value for key, value in cells.items()))

    @property
    def content(self) -> dict[str, Any]:
        return dict(self.map.to_py() or {})

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
