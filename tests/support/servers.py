"""Servers of the tests' own, and storages that fail when told to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from weft.errors import StorageError
from weft.server._core.settings import RoomSettings
from weft.server.auth import allow_all
from weft.server.fronts.websocket import Server
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from weft.documents.compaction import Compactor
    from weft.server.storage import StoredRoom


from typing import TYPE_CHECKING

from weft.server.ysync.peer import YPeer

if TYPE_CHECKING:
    from weft.server import Room

__all__ = ["FaultyStorage", "eventually", "peers_in", "serving"]


def serving(**options: Any) -> Server:
    """A server on a free loopback port; rooms in memory and open to all unless said otherwise."""
    options.setdefault("auth", allow_all)
    options.setdefault("storage", MemoryRoomStorage())
    options.setdefault("settings", RoomSettings(unload_delay=0.0))
    return Server(port=0, **options)


async def eventually(condition: Any) -> None:
    """Let the loop run until a condition inside this process holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a condition of the code under test, which sets no event
            await asyncio.sleep(0)


class FaultyStorage(MemoryRoomStorage):
    """Memory with a disk's manners: durable when told, slow or broken on demand.

    Attributes:
        loads: How often each room was loaded.
        refuse_loads: What loading raises; ``None`` for nothing.
        refuse_writes: What waiting for durability raises; ``None`` for nothing.
        loading: Loading waits for it.
        writing: Durability waits for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loads: dict[str, int] = {}
        self.refuse_loads: Exception | None = None
        self.refuse_writes: Exception | None = None
        self.loading = asyncio.Event()
        self.loading.set()
        self.writing = asyncio.Event()
        self.writing.set()
        self.compactions = 0
        self.is_open = False

    async def open(self) -> None:
        self.is_open = True

    async def load(self, room: str) -> StoredRoom:
        self.loads[room] = self.loads.get(room, 0) + 1
        await self.loading.wait()
        if self.refuse_loads is not None:
            raise self.refuse_loads
        if self.refuse_writes is not None:
            raise StorageError(f"room {room!r} has updates that could not be written")
        return await super().load(room)

    async def stored(self, ticket: int) -> None:
        await self.writing.wait()
        if self.refuse_writes is not None:
            raise self.refuse_writes
        await super().stored(ticket)

    async def compact(self, room: str, compactor: Compactor) -> int | None:
        self.compactions += 1
        return None

    async def close(self) -> None:
        self.is_open = False


def peers_in(room: Room) -> list[YPeer]:
    """The clients in a room, as the server serves them."""
    return [peer for peer in room.clients if isinstance(peer, YPeer)]
