"""A y-websocket client that keeps what it hears as a log: whatever it is, the binding is not given it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from support.socketclient import SocketClient
from support.yclient import read_varuint, step1_frame, step2_frame, update_frame
from support.ywriter import key_item, section, update
from weft.documents import UpdateLog

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LogClient", "read_room"]

_EMPTY = b"\0\0"


class LogClient(SocketClient):
    """One client in one room. Use as ``async with``.

    Args:
        url: The server's address.
        room: The room.
        client_id: Under which :meth:`write` writes: each time one key of a map.

    Attributes:
        log: What it was sent and what it wrote.
        step2: How many answers came.
    """

    patience = 60.0  # who sends what costs a server most is answered when all of it has been taken in

    def __init__(self, url: str, room: str, *, client_id: int = 1, **options: Any) -> None:
        super().__init__(f"{url}/{quote(room)}", options)
        self.client_id = client_id
        self.log = UpdateLog()
        self.step2 = 0
        self._asked = 0

    async def _greet(self) -> None:
        self._asked += 1
        await self.send(step1_frame(self.log.state_vector()))

    async def synced(self) -> Self:
        await self.wait(lambda: self.step2 > 0)
        return self

    async def flush(self) -> None:
        """The server has everything that was sent before."""
        self._asked += 1
        wanted = self._asked
        await self.send(step1_frame(self.log.state_vector()))
        await self.wait(lambda: self.step2 >= wanted)

    async def send_all(self, updates: Iterable[bytes]) -> None:
        """Send updates as they are, without a look at them."""
        for each in updates:
            await self.send(update_frame(each))

    async def write(self, key: str) -> None:
        """Set a key."""
        clock = self.log.state().get(self.client_id, 0)
        written = update(section(self.client_id, clock, key_item(key)))
        self.log.add(written)
        await self.send(update_frame(written))

    async def _take(self, frame: bytes) -> None:
        if frame[0]:
            return  # awareness
        size, at = read_varuint(frame, 2)
        assert at + size == len(frame)
        if frame[1] == 0:
            await self.send(step2_frame(_EMPTY))
        else:
            self.log.add(frame[at:])
            self.step2 += frame[1] == 1


async def read_room(url: str, room: str) -> UpdateLog:
    """What a newcomer is sent."""
    async with LogClient(url, room) as client:
        await client.synced()
        return client.log
