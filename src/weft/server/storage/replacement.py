"""What a compaction replaces, worked out of what was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.errors import RemoteProtocolError, StorageError

if TYPE_CHECKING:
    from weft.documents import Compactor
    from weft.server.storage.contract import StoredRoom

__all__ = ["Replacement"]


@dataclass(frozen=True, slots=True)
class Replacement:
    """Rows of a room, and the snapshot that takes the place of the last of them.

    At the last and not at the first, because a follower that has a part of them is to get it: the snapshot
    has what it lacks.

    Attributes:
        numbers: Of the rows that go; at least one.
        rows: Those rows.
        snapshot: What stands for them.
        left: Bytes that are stored of the room afterwards.
    """

    numbers: list[int]
    rows: list[bytes]
    snapshot: bytes
    left: int

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
