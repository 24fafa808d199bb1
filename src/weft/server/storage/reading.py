"""Reading what a storage has, from outside and as of one moment: for checks, copies and lists.

A reader changes nothing, makes nothing and waits for nobody; a server may be writing meanwhile. It gives what
is there also where a server would refuse it, with what is wrong about it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from weft.server.storage.contract import QuarantinedRow, RoomInfo

__all__ = ["ReadRoom", "ReadRow", "RoomReader", "is_complete", "problems_of"]

_PAGE = 1000  # rooms
_NAMED = 10  # missing rows that are named one by one


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row of a room.

    Attributes:
        number: Its number.
        data: The update.
        is_intact: Whether the data matches its checksum.
    """

    number: int
    data: bytes
    is_intact: bool


@dataclass(frozen=True, slots=True)
class ReadRoom:
    """What there is of a room.

    Attributes:
        name: Its name.
        head: The number of its last update.
        absorbed: How many numbers have no row any more since they were compacted.
        settings: JSON.
        is_deleted: Whether it was deleted, or renamed: only the name is kept.
        rows: In the order of their numbers.
        set_aside: What was in the room and is in quarantine.
    """

    name: str
    head: int
    absorbed: int
    settings: str
    is_deleted: bool
    rows: list[ReadRow]
    set_aside: Sequence[QuarantinedRow] = ()


class RoomReader(ABC):
    """All rooms of a storage, as of one moment."""

    @abstractmethod
    async def rooms(self, prefix: str = "", *, after: str = "", limit: int = _PAGE) -> list[RoomInfo]:
        """A page of the rooms there are, as :meth:`RoomStorage.rooms` gives it."""

    @abstractmethod
    async def deleted(self) -> list[str]:
        """The names that deleted rooms keep."""

    @abstractmethod
    async def read(self, name: str) -> ReadRoom | None:
        """A room, deleted ones too; ``None`` where there is none of this name."""

    @abstractmethod
    async def quarantined(self, name: str | None = None) -> list[QuarantinedRow]:
        """The rows that were set aside, as :meth:`RoomStorage.quarantined` gives them."""

    @abstractmethod
    async def damage(self) -> list[str]:
        """What is wrong with the place beside its rooms, each in a sentence."""

    async def all_rooms(self, prefix: str = "") -> AsyncIterator[RoomInfo]:
        """The rooms there are, page after page."""
        page = await self.rooms(prefix)
        while page:
            for info in page:
                yield info
            page = await self.rooms(prefix, after=page[-1].name)


def is_complete(room: ReadRoom) -> bool:
    """Whether it has as many rows as it should."""
    return bool(room.head - room.absorbed == len(room.rows)) if _has_counts(room) else False


def _has_counts(room: ReadRoom) -> bool:
    return all(isinstance(count, int) for count in (room.head, room.absorbed))


def problems_of(room: ReadRoom) -> list[str]:
    """What is wrong with the rows of a room, whatever they mean; each in a sentence.

    In a damaged file a value can have any type.
    """
    if not _has_counts(room):
        return [f"how many rows it should have cannot be read: {room.head!r:.50}, {room.absorbed!r:.50}"]
    if room.is_deleted:
        return [f"it was deleted, and has {len(room.rows)} rows"] if room.rows else []
    found = [
        f"row {row.number}: the data does not match its checksum" for row in room.rows if not row.is_intact
    ]
    given: set[Any] = {row.number for row in room.rows}
    numbers = {at for at in given if isinstance(at, int)}
    found += [f"a row has no number, but {at!r:.50}" for at in given - numbers]
    found += [f"row {at}: the last has the number {room.head}" for at in numbers if not 0 < at <= room.head]
    if len(numbers) < len(room.rows):
        found.append("several rows have one number")
    if len(room.rows) != room.head - room.absorbed:
        found.append(f"it has {len(room.rows)} rows, and should have {room.head - room.absorbed}")
        if not room.absorbed:
            missing = [at for at in range(1, room.head + 1) if at not in numbers]
            found += [f"row {at}: it is missing" for at in missing[:_NAMED]]
    try:
        settings: Any = json.loads(room.settings)
    except (TypeError, ValueError):
        settings = None
    if not isinstance(settings, dict):
        found.append(f"the settings cannot be read: {room.settings!r:.200}")
    return found
