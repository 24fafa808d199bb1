"""Where a server keeps its rooms: the contract every storage fulfils, and one that keeps them in memory.

A room's storage is a log of updates: Yjs v1 updates, or Automerge changes. What goes in is what peers sent,
byte for byte: the Yjs binding's own update event can lack structs that were waiting for a gap to close, so a
log of events loses writes. What comes out, applied in any order, is the room. A storage knows nothing of
documents: what makes one update out of many is told it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from weft.documents import Compactor

__all__ = ["MemoryRoomStorage", "RoomStorage"]


class RoomStorage(ABC):
    """The contract between a server and the place that keeps its rooms.

    The server opens the storage once, before it accepts anybody, and closes it once, after the last room. All
    methods are called on one event loop.

    Guarantees an implementation gives:

    * **Order.** Updates of one room come back in the order in which they were appended.
    * **Durability is told, not assumed.** :meth:`append` only takes the update in. When :meth:`stored`
      returns, everything appended up to that ticket survives the end of the process and, unless the
      implementation says otherwise, a loss of power.
    * **Nothing is given up.** An update that could not be written stays in memory and is tried again with the
      next :meth:`append` or :meth:`stored`; :meth:`stored` raises each time the attempt fails.
    * **All or nothing.** After a crash a row is there whole or absent. What cannot be read is an error, never
      an empty room and never overwritten.
    """

    async def open(self) -> None:
        """Make ready. Called once, before anything else.

        Raises:
            StorageError: The place cannot be used. It is as it was.
        """
        return

    @abstractmethod
    async def load(self, room: str) -> list[bytes]:
        """Every update of a room, everything appended before this call included; empty for a new room.

        Raises:
            StorageError: The room cannot be read whole. Nothing was changed.
        """

    @abstractmethod
    def append(self, room: str, update: bytes) -> int:
        """Take in one update of a room. Never blocks, and never fails for the place's reasons.

        Args:
            room: Room name.
            update: As received.

        Returns:
            A ticket for :meth:`stored`, greater than all before it.

        Raises:
            ValueError: UTF-8 cannot carry the name. Nothing was taken in.
        """

    @abstractmethod
    async def stored(self, ticket: int) -> None:
        """Wait until everything appended up to this ticket is durable.

        Args:
            ticket: What :meth:`append` returned. 0 stands for nothing and returns at once.

        Raises:
            StorageError: It could not be written. It is kept in memory and tried again at the next call.
        """

    async def compact(self, room: str, compactor: Compactor) -> int | None:
        """Replace what is stored of a room by less that means the same. May do nothing.

        Safe beside appends to the same room: only what was stored when it began is replaced.

        Args:
            room: Room name.
            compactor: Makes one update out of many of this room's kind.

        Returns:
            Bytes of updates that were stored of the room afterwards; ``None`` if nothing was replaced.

        Raises:
            StorageError: The room cannot be read or written. What was stored is still there.
        """
        return None

    @abstractmethod
    async def close(self) -> None:
        """Write what is still in memory and let go of the place. Nothing may be called afterwards.

        Raises:
            StorageError: Something could not be written; the place is let go of all the same.
        """

    async def __aenter__(self) -> Self:
        """:meth:`open` it, where no server does."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class MemoryRoomStorage(RoomStorage):
    """Keeps rooms for as long as the process lives: for tests, and for rooms nobody needs tomorrow."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, list[bytes]] = defaultdict(list)
        self._ticket = 0

    async def load(self, room: str) -> list[bytes]:
        """Every update of a room."""
        return list(self._rooms.get(room, ()))

    def append(self, room: str, update: bytes) -> int:
        """Keep the update."""
        room.encode()
        self._rooms[room].append(bytes(update))
        self._ticket += 1
        return self._ticket

    async def stored(self, ticket: int) -> None:
        """Return at once: memory is all the durability there is."""

    async def close(self) -> None:
        """Keep everything: a storage of this kind may be opened by the next server of the process."""
