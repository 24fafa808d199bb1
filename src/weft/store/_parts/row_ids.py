"""The ids that ``add_row`` gives: numbers as text, given back ones first."""

from __future__ import annotations

from typing import Final

__all__ = ["RowIdPool"]


class RowIdPool:
    """Ids for ``add_row`` and for listeners: numbers as text, given back ones first.

    TinyBase's pool: first in, first out, at most 1,000 ids kept.
    """

    __slots__ = ("free", "next")

    MAX: Final = 1000

    def __init__(self) -> None:
        self.free: list[str] = []
        self.next = 0

    def take(self, *, reuse: bool) -> str:
        """Take an id."""
        if reuse and self.free:
            return self.free.pop(0)
        self.next += 1
        return str(self.next - 1)

    def give_back(self, id_: str) -> bool:
        """Keep an id for reuse, if it is one the pool can have made; tell whether it was kept."""
        if len(self.free) < self.MAX and id_.isdigit() and id_.isascii():
            self.free.append(id_)
            return True
        return False

    def copy(self) -> RowIdPool:
        """Make a pool of its own that will give the same ids."""
        other = RowIdPool()
        other.free = self.free.copy()
        other.next = self.next
        return other

    # The ways back, logged by a transaction that may have to undo them.

    def undo_next(self, _id: str) -> None:
        """Take back that the next number was taken."""
        self.next -= 1

    def undo_reuse(self, id_: str) -> None:
        """Take back that an id was reused."""
        self.free.insert(0, id_)

    def undo_give_back(self, _id: str) -> None:
        """Take back that an id was given back."""
        self.free.pop()
