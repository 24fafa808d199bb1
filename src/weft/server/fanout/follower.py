"""How far one process has followed one room: which of storage's numbers it has taken in; no I/O, no clock.

Storage numbers a room's updates without holes in the order of commits. A hint names numbers and brings the
updates, and may come late, twice or never; what this process has committed itself it need not be told. What
is taken in leaves here in the order of the numbers: an update depends on lower ones at most, so whoever
applies them so never has to hold one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["HOLE_S", "Follower"]

HOLE_S = 0.05
"""Seconds that a hole is given to close by itself: hints of two processes overtake each other."""

# Bytes and updates that may wait behind a hole. Beyond it they are let go, and fetched with what is missing.
_MAX_EARLY_BYTES = 8 * 1024 * 1024
_MAX_EARLY = 10_000


class Follower:
    """How far one process has followed one room.

    Args:
        number: What storage had when the room was loaded: everything up to it has been taken in.

    Attributes:
        number: Up to where everything has been taken in.
        taken: The numbers of the updates that the last call returned.
    """

    __slots__ = ("_early", "_early_bytes", "_head", "_hole_since", "number", "taken")

    def __init__(self, number: int) -> None:
        self.number = number
        self.taken: Sequence[int] = ()
        self._head = number  # the highest number heard of
        self._early: dict[int, bytes | None] = {}  # beyond a hole; None for this process's own
        self._early_bytes = 0
        self._hole_since: float | None = None

    @property
    def has_hole(self) -> bool:
        """Whether something is known to be in storage that has not been taken in."""
        return self._head > self.number

    def hole_since(self) -> float | None:
        """When the present hole was found, on the clock of ``now``; ``None`` if there is none."""
        return self._hole_since

    def committed(self, first: int, count: int, now: float) -> list[bytes]:
        """This process has committed updates, which it had taken in before.

        Args:
            first: Number of the first of them.
            count: How many.
            now: The time, in seconds.

        Returns:
            Updates of others that follow on now.
        """
        early = self._early
        for number in range(max(first, self.number + 1), first + count):
            before = early.get(number)
            if before is not None:
                self._early_bytes -= len(before)
            early[number] = None
        return self._advance(first + count - 1, now)

    def hinted(self, first: int, updates: Sequence[bytes], count: int, now: float) -> list[bytes]:
        """Another process tells of what it has committed.

        Args:
            first: Number of the first update.
            updates: The updates; empty where they were too large for a hint.
            count: How many they are.
            now: The time, in seconds.

        Returns:
            Updates that follow on now, in order.
        """
        if first == self.number + 1 and not self._early and len(updates) == count:
            self.number = first + count - 1  # nearly always
            self.taken = range(first, first + count)
            if self.number >= self._head:
                self._head = self.number
                self._hole_since = None
            return list(updates)
        for number, update in enumerate(updates, first):
            self._note(number, update)
        return self._advance(first + count - 1, now)

    def heard(self, head: int, now: float) -> None:
        """Learn how many updates storage has; a hole is known by it where no hint came."""
        self._head = max(self._head, head)
        if self._head > self.number and self._hole_since is None:
            self._hole_since = now

    def fetched(self, rows: Iterable[tuple[int, bytes]], head: int, now: float) -> list[bytes]:
        """What storage has beyond :attr:`number` was read.

        Args:
            rows: Number and update, in order. A number that is missing was compacted: what it stood for is
                in the row of a higher one.
            head: The number up to which they were read.
            now: The time, in seconds.

        Returns:
            Updates that were not taken in before, in order.
        """
        early = self._early
        found = []
        numbers = []
        before = self.number
        is_compacted = False
        for number, update in rows:
            if number <= before:
                continue
            # One's own may be left out, unless it may be a snapshot by now. That need not follow the numbers
            # it stands for: a row that waits for what is missing is kept when those around it are compacted.
            is_compacted |= number > before + 1
            if is_compacted or early.get(number, b"") is not None:
                found.append(update)
                numbers.append(number)
            before = number
        if head > self.number:
            self.number = head
            for number in [number for number in early if number <= head]:
                self._early_bytes -= len(early.pop(number) or b"")
        self._hole_since = None
        found += self._advance(head, now)
        self.taken = [*numbers, *self.taken]
        return found

    def _note(self, number: int, update: bytes) -> None:
        early = self._early
        if number <= self.number or number in early:
            return
        if len(early) >= _MAX_EARLY or self._early_bytes + len(update) > _MAX_EARLY_BYTES:
            return
        early[number] = update
        self._early_bytes += len(update)

    def _advance(self, head: int, now: float) -> list[bytes]:
        early = self._early
        ready = []
        taken = []
        while (number := self.number + 1) in early:
            update = early.pop(number)
            if update is not None:
                self._early_bytes -= len(update)
                ready.append(update)
                taken.append(number)
            self.number = number
        self.taken = taken
        self._head = max(self._head, head, self.number)
        if self._head == self.number:
            self._hole_since = None
        elif ready or self._hole_since is None:
            self._hole_since = now
        return ready
