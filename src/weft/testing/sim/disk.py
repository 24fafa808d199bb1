"""What servers have stored: updates with numbers, all of them committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents.yjs import compact_updates
from weft.server.storage import StoredRoom
from weft.server.storage.replacement import Replacement

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SimDisk"]


class SimDisk:
    """A room's rows, as a storage that several servers may share has them.

    Attributes:
        rows: Updates by their numbers, ascending.
        head: The highest number there ever was.
    """

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}
        self.head = 0

    @property
    def updates(self) -> list[bytes]:
        """The updates, in the order of their numbers."""
        return list(self.rows.values())

    def commit(self, updates: Sequence[bytes]) -> int:
        """Store updates, all or none, and give the number of the first."""
        first = self.head + 1
        for update in updates:
            self.head += 1
            self.rows[self.head] = update
        return first

    def since(self, number: int) -> StoredRoom:
        """What there is beyond a number."""
        numbers = [at for at in self.rows if at > number]
        return StoredRoom([self.rows[at] for at in numbers], numbers, self.head, {})

    def compact(self) -> None:
        """Replace what is there by less that means the same."""
        replacement = Replacement.of("room", self.since(0), compact_updates)
        if replacement is not None:
            *others, last = replacement.numbers
            for number in others:
                del self.rows[number]
            self.rows[last] = replacement.snapshot
