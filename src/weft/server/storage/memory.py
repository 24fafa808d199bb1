"""Rooms in memory."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weft.errors import RoomDeletedError, StorageError
from weft.server.storage.commits import CommitListeners
from weft.server.storage.contract import DELETED, QuarantinedRow, RoomInfo, RoomStorage, StoredRoom
from weft.server.storage.replacement import Replacement

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from weft.documents import Compactor
    from weft.server.storage.contract import CommitListener

__all__ = ["MemoryRoomStorage"]


@dataclass(slots=True)
class _Room:
    rows: dict[int, bytes] = field(default_factory=dict)  # by their numbers, ascending
    head: int = 0
    settings: str = "{}"
    deleted: bool = False
    aside: dict[int, tuple[str, bytes]] = field(default_factory=dict)  # reasons and rows, by their numbers


class MemoryRoomStorage(RoomStorage):
    """Keeps rooms for as long as the process lives: for tests, and for rooms nobody needs tomorrow.

    Args:
        beside: Another one, whose rooms this one has too, as two processes have one database.
    """

    def __init__(self, beside: MemoryRoomStorage | None = None) -> None:
        self.kept: dict[str, _Room] = {} if beside is None else beside.kept
        self._held: dict[str, _Room] = {}  # as they were when this one loaded or wrote them
        self._ticket = 0
        self._listeners = CommitListeners()
        self._untold: list[tuple[str, int, list[bytes]]] = []

    async def load(self, room: str) -> StoredRoom:
        """All updates."""
        self._held.pop(room, None)
        stored = await self.since(room, 0)
        if room in self.kept:
            self._held[room] = self.kept[room]
        return stored

    def release(self, room: str) -> None:
        """Forget which room the name stood for."""
        self._held.pop(room, None)

    async def since(self, room: str, number: int) -> StoredRoom:
        """The updates beyond a number."""
        found = self.kept.get(room, _Room())
        if found.deleted or self._held.get(room, found) is not found:
            raise RoomDeletedError(room)
        numbers = [at for at in found.rows if at > number]
        return StoredRoom([found.rows[at] for at in numbers], numbers, found.head, json.loads(found.settings))

    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        """The numbers of the last updates."""
        found = {name: self.kept.get(name) for name in rooms if name in self.kept or name in self._held}
        return {
            name: DELETED
            if room is None or room.deleted or self._held.get(name, room) is not room
            else room.head
            for name, room in found.items()
        }

    def append(self, room: str, update: bytes) -> int:
        """Keep the update."""
        room.encode()
        kept = self.kept.get(room)
        # Another one than before: the room was deleted, and its name has been freed and used again.
        if self._held.get(room, kept) is not kept or (kept is not None and kept.deleted):
            raise RoomDeletedError(room)
        kept = self._held[room] = self.kept.setdefault(room, _Room())
        kept.head += 1
        kept.rows[kept.head] = bytes(update)
        if self._listeners:
            if not self._untold:
                asyncio.get_running_loop().call_soon(self._tell)
            self._untold.append((room, kept.head, [kept.rows[kept.head]]))
        self._ticket += 1
        return self._ticket

    async def stored(self, ticket: int) -> None:
        """Return at once: memory is all the durability there is."""

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        """Tell in the next turn of the event loop what was appended here in this one."""
        return self._listeners.add(listener)

    async def compact(self, room: str, compactor: Compactor) -> int | None:
        """Replace updates by a snapshot."""
        stored = await self.since(room, 0)
        found = self.kept.get(room)
        # On a thread: it may take seconds, in which nobody would be served.
        replacement = await asyncio.to_thread(Replacement.of, room, stored, compactor)
        if replacement is None or found is None:
            return None
        rows = found.rows
        if self.kept.get(room) is not found or any(
            rows.get(at) is not row for at, row in zip(replacement.numbers, replacement.rows, strict=True)
        ):
            return None  # it was deleted, or compacted by somebody else
        for number in replacement.numbers[:-1]:
            del rows[number]
        rows[replacement.numbers[-1]] = replacement.snapshot
        return replacement.left

    async def set_aside(self, room: str, faults: Mapping[int, str]) -> None:
        """Move the rows."""
        kept = self.kept.get(room, _Room())
        kept.aside |= {at: (fault, kept.rows.pop(at)) for at, fault in faults.items() if at in kept.rows}

    async def quarantined(self, room: str | None = None) -> list[QuarantinedRow]:
        """What was set aside."""
        return [
            QuarantinedRow(name, number, *kept.aside[number])
            for name, kept in sorted(self.kept.items())
            if room in {None, name}
            for number in sorted(kept.aside)
        ]

    async def restore(self, room: str, number: int) -> int:
        """Append the row."""
        kept = self.kept.get(room, _Room())
        if number not in kept.aside:
            raise StorageError(f"no row {number} of room {room!r} was set aside")
        self.append(room, kept.aside[number][1])
        del kept.aside[number]
        return kept.head

    async def discard(self, room: str, numbers: Collection[int]) -> int:
        """Forget the rows."""
        aside = self.kept.get(room, _Room()).aside
        return sum(aside.pop(number, None) is not None for number in set(numbers))

    async def delete(self, room: str) -> None:
        """Forget the updates, and keep the name."""
        self.kept[room] = _Room(deleted=True)

    async def free(self, room: str) -> None:
        """Forget the name as well."""
        if room in self.kept and self.kept[room].deleted:
            del self.kept[room]
            self._held.pop(room, None)

    async def rename(self, room: str, to: str) -> None:
        """Move the updates."""
        to.encode()
        found = self.kept.get(room)
        if found is None or found.deleted:
            raise StorageError(f"there is no room {room!r}")
        if to in self.kept and not self.kept[to].deleted:
            raise StorageError(f"there is a room {to!r}")
        self.kept[to] = found
        self.kept[room] = _Room(deleted=True)
        self._held.pop(to, None)

    async def configure(self, room: str, settings: Mapping[str, Any]) -> None:
        """Keep the settings."""
        kept = self.kept.setdefault(room, _Room())
        if kept.deleted:
            raise RoomDeletedError(room)
        kept.settings = json.dumps(dict(settings))

    async def rooms(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[RoomInfo]:
        """A page of the rooms there are."""
        names = sorted(name for name in self.kept if name.startswith(prefix) and name > after)
        found = ((name, self.kept[name]) for name in names if not self.kept[name].deleted)
        page = [
            RoomInfo(name, room.head, len(room.rows), sum(map(len, room.rows.values())))
            for name, room in found
        ]
        return page[:limit]

    async def close(self) -> None:
        """Keep everything: a storage of this kind may be opened by the next server of the process."""

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for room, number, updates in untold:
            self._listeners.tell(room, number, updates)
