"""Who wrote what, and what has been promised about it: the simulation's memory, which no node can touch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Ledger", "Path", "Write"]

Path = tuple[str, ...]
"""``(table_id, row_id, cell_id)``, or ``(value_id,)``."""


@dataclass(slots=True)
class Write:
    """One committed write.

    Attributes:
        path: Where.
        number: Its number, unique in the run, also part of the written value; 0 for a deletion.
        life: The life of the peer that has it: a peer that starts again begins a new one, and takes along
            what it had saved.
        unique: Whether nobody else ever writes or deletes there.
        acknowledged: Whether the peer has seen ``Flushed`` for it.
    """

    path: Path
    number: int
    life: tuple[str, int]
    unique: bool
    acknowledged: bool = False
    order: int = field(default=0, compare=False)


class Ledger:
    """All committed writes of a run."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self._numbers: dict[int, set[Path]] = {}
        self._lives: dict[tuple[str, int], list[Write]] = {}
        self._over: set[tuple[str, int]] = set()

    def wrote(self, life: tuple[str, int], path: Path, number: int, *, unique: bool) -> None:
        """Note a write that a transaction has committed."""
        write = Write(path, number, life, unique, order=len(self.writes))
        self.writes.append(write)
        if number:
            self._numbers.setdefault(number, set()).add(path)
        self._lives.setdefault(life, []).append(write)

    def of(self, life: tuple[str, int]) -> tuple[Write, ...]:
        """What this life of a peer has written, or has found saved."""
        return tuple(self._lives.get(life, ()))

    def acknowledge(self, writes: Iterable[Write]) -> None:
        """Note that somebody has promised to keep these."""
        for write in writes:
            write.acknowledged = True

    def ended(self, life: tuple[str, int]) -> None:
        """Note that a peer has died."""
        self._over.add(life)

    def inherit(self, life: tuple[str, int], writes: Iterable[Write]) -> None:
        """Note that a new life begins with what an earlier one had saved."""
        for write in writes:
            self._lives[write.life].remove(write)
            write.life = life
            self._lives.setdefault(life, []).append(write)

    def must_be_there(self) -> list[Write]:
        """Unique writes that nothing excuses the loss of: the writer lives, or has an acknowledgement."""
        return [write for write in self.writes if write.unique and self._is_kept(write)]

    def goes_on(self, life: tuple[str, int]) -> bool:
        """Whether this life of a peer goes on."""
        return life not in self._over

    def _is_kept(self, write: Write) -> bool:
        return write.acknowledged or write.life not in self._over

    def was_written(self, path: Path, number: int) -> bool:
        """Whether somebody has written that there."""
        return path in self._numbers.get(number, ())

    def superseded_by(self, path: Path, number: int) -> Write | None:
        """A later write of the same life at the same path, if there is one.

        The later one knew the earlier one, so where nothing is ever copied (the flat layout, and values) no
        final state may hold the earlier one.
        """
        for write in self.writes:
            if write.number == number and write.path == path:
                for later in self._lives.get(write.life, ()):
                    if later.path == path and later.order > write.order and self._is_kept(later):
                        return later
        return None
