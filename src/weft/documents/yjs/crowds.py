"""How many structs of a log were written at one place without knowing of each other.

yrs compares each of them with all others: 20,000 clients that write one key, an update each, take it 23 s.
One update may hold such a crowd (``crowding.py``), or many add up to it. Nobody writes at one place twice who
knows what is there: the neighbour is another then.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from weft._codecs.yjs.patterns import BATCH, log_patterns
from weft._codecs.yjs.stored import skip_head, struct_ends

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    class Structs(Protocol):
        """One client's structs, as far as they are read here."""

        data: bytearray
        structs: int


__all__ = ["Crowds"]

# Places are told apart by 14 bits of their hashes, which nobody can foresee: of 32 kB of counts one is too
# high by 600 in a log of ten million structs.
_COUNTS = 1 << 14
_FULL = 2**16 - 1
_UNBOUNDED = 2**53


class Crowds:
    """Counts the structs of a log at each place, from when there are enough for a crowd.

    Args:
        clients: The log.
        most: Structs that may be at one place; ``None`` for any number, which costs nothing.
    """

    __slots__ = ("_clients", "_counts", "_journal", "_most", "_taken")

    def __init__(self, clients: Mapping[int, Structs], most: int | None) -> None:
        self._clients = clients
        self._most = _UNBOUNDED if most is None else most
        self._taken = 0
        self._counts: array[int] | None = None
        self._journal = array("H")  # what was counted since the last update was done with

    def has_room(self, data: bytes, at: int) -> bool:
        """Whether a struct may be taken in."""
        counts = self._counts
        if counts is None:
            if self._taken < self._most:
                return True
            counts, _ = self._begin()
        return counts[hash(data[at + 1 : skip_head(data, at)]) % _COUNTS] < self._most

    def _begin(self) -> tuple[array[int], bool]:
        """Count what is in the log; whether all of it may be there."""
        counts = self._counts = array("H", bytes(2 * _COUNTS))
        fits = [self._count(counts, own.data, 0, own.structs) for own in self._clients.values()]
        del self._journal[:]
        return counts, all(fits)

    def take(self, data: bytes | bytearray, at: int, count: int) -> bool:
        """Count structs that are in the log by now; whether all of them may be there."""
        self._taken += count
        counts = self._counts
        if counts is None:
            if self._taken <= self._most:
                return True
            return self._begin()[1]
        return self._count(counts, data, at, count)

    def _count(self, counts: array[int], data: bytes | bytearray, at: int, count: int) -> bool:
        most, fits = self._most, True
        journal = self._journal
        for head in _heads(data, at, count):
            place = hash(head) % _COUNTS
            number = counts[place]
            if number < _FULL:
                counts[place] = number + 1
                journal.append(place)
                if number >= most:
                    fits = False
        return fits

    def settle(self, *, undo: bool = False) -> None:
        """An update is done with; if it was not taken in, it does not count."""
        if undo and self._counts is not None:
            for place in self._journal:
                self._counts[place] -= 1
        del self._journal[:]


def _heads(data: bytes | bytearray, at: int, count: int) -> Iterator[bytes]:
    """Of each item the neighbours, or the parent and the key."""
    units, placed = log_patterns().units, log_patterns().placed
    while count:
        batch = units.match(data, at) if count >= BATCH else None
        if batch is not None:
            stop = batch.end()
            del batch  # it would keep a bytearray from growing
            for head in placed.findall(data, at, stop):
                yield head[1:]
            at = stop
            count -= BATCH
            continue
        some = min(count, BATCH)
        for _, stop in struct_ends(data, at, some):
            if data[at] & 0x1F:
                yield bytes(data[at + 1 : skip_head(data, at)])
            at = stop
        count -= some
