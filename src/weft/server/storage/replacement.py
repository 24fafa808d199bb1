"""What a compaction replaces, worked out of what was read.

First the snapshot takes the place of one row, then the others go, a few at a time. Whoever reads in between,
or after a crash there, gets both: that is the same room, as an update that comes twice changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.errors import RemoteProtocolError, StorageError
from weft.server.storage.slices import SLICE_BYTES, SLICE_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.documents import Compactor
    from weft.server.storage.contract import StoredRoom

__all__ = ["Replacement"]


@dataclass(frozen=True, slots=True)
class Replacement:
    """Rows of a room, and the snapshot that takes the place of the last of them.

    At the last and not at the first, because a follower that has a part of them is to get it: the snapshot
    has what it lacks.

    Attributes:
        numbers: Of the rows that go; at least one. The snapshot gets the last.
        rows: Those rows.
        snapshot: What stands for them.
        left: Bytes that are stored of the room afterwards.
    """

    numbers: list[int]
    rows: list[bytes]
    snapshot: bytes
    left: int

    def slices(self) -> Iterator[list[tuple[int, bytes]]]:
        """The rows that go when the snapshot is there, with their numbers, so many at a time."""
        part: list[tuple[int, bytes]] = []
        size = 0
        for number, row in zip(self.numbers[:-1], self.rows, strict=False):
            part.append((number, row))
            size += len(row)
            if len(part) >= SLICE_ROWS or size >= SLICE_BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part

    @classmethod
    def of(cls, room: str, stored: StoredRoom, compactor: Compactor) -> Replacement | None:
        """Ask the compactor; ``None`` where there is nothing to gain.

        Raises:
            StorageError: A row is not an update.
        """
        if len(stored.rows) < 2:
            return None
        try:
            compacted = compactor(stored.rows)
        except RemoteProtocolError as error:
            raise StorageError(f"room {room!r} holds a row that is not an update: {error}") from error
        if compacted is None:
            return None
        kept = compacted.kept
        places = [at for at in range(len(stored.rows)) if at not in kept]
        left = len(compacted.snapshot) + sum(len(stored.rows[at]) for at in kept)
        numbers, rows = [stored.numbers[at] for at in places], [stored.rows[at] for at in places]
        return cls(numbers, rows, compacted.snapshot, left) if places else None
