"""Structs of one client as a slice of an update, and what was noted of them when they were walked through.

Numbers in arrays: an update may have two million structs, and each may refer to another.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft._codecs.yjs.update import ItemId

__all__ = ["Long", "Need", "Run", "TypeParent"]

_NONE, _NO_TYPES = array("Q"), array("I")  # never changed
_ROOT, _PARENT, _NEIGHBOUR = range(3)


class Need(NamedTuple):
    """What a struct of a run refers to, unless the structs before it in the run need as much.

    Attributes:
        clock: First clock of the struct.
        client: Whose struct it refers to.
        needed: The clock that must be known.
        is_parent: Whether that struct must be a type.
    """

    clock: int
    client: int
    needed: int
    is_parent: bool


class TypeParent(NamedTuple):
    """Where a type of a run is.

    Attributes:
        clock: Its clock.
        neighbour: Client and clock of a struct with the same parent; ``None`` where that is spelled out.
        parent: Client and clock of the parent; ``None`` where that is a root or the neighbour's.
        is_keyed: Whether it is spelled out that it is the value of a key.
    """

    clock: int
    neighbour: ItemId | None
    parent: ItemId | None
    is_keyed: bool


class Long(NamedTuple):
    """A struct of several clocks, which the value of a key must not be.

    Attributes:
        clock: Its first clock.
        end: Clock after it.
        neighbour: Client and clock of a struct with the same parent and key; ``None`` where those are
            spelled out.
    """

    clock: int
    end: int
    neighbour: ItemId | None


class Run:
    """Structs of one client that follow on from each other: a section of an update, or part of one.

    Attributes:
        data: The update.
        client: Who wrote them.
        clock: First clock of the first struct.
        end: Clock after the last one.
        count: How many they are.
        begin: Where in the update they begin.
        stop: Where they end.
        types: Clocks of those that are types, in order.
        longs: How many have several clocks and may be the value of a key.
    """

    __slots__ = (
        "_longs", "_needs", "_parents", "begin", "client", "clock", "count", "data", "end", "longs", "stop",
        "types",
    )  # fmt: skip

    def __init__(self, data: bytes, client: int, clock: int, begin: int) -> None:
        self.data = data
        self.client = client
        self.clock = self.end = clock
        self.begin = self.stop = begin
        self.count = 0
        self._needs = self._parents = self._longs = _NONE
        self.types = _NO_TYPES
        self.longs = 0

    @property
    def needs(self) -> int:
        """How many structs refer to what is not the client's own, or must be a type."""
        return len(self._needs) // 3

    def need(self, index: int) -> Need:
        """What they refer to, in order."""
        clock, client, needed = self._needs[3 * index : 3 * index + 3]
        return Need(clock, client, needed >> 1, bool(needed & 1))

    def add_need(self, clock: int, client: int, needed: int, *, is_parent: bool) -> None:
        """Note what a struct refers to."""
        if not self._needs:
            self._needs = array("Q")
        self._needs.extend((clock, client, needed << 1 | is_parent))

    def add_type(self, clock: int, ids: Sequence[ItemId], *, is_parent: bool, is_keyed: bool) -> None:
        """Note that a struct is a type: beside what, or in what."""
        if not self.types:
            self.types, self._parents = array("I"), array("Q")
        self.types.append(clock)
        client, other = ids[0] if ids else (0, 0)
        kind = _ROOT if not ids else _PARENT if is_parent else _NEIGHBOUR
        self._parents.extend((client, other << 3 | is_keyed << 2 | kind))

    def type_parent(self, index: int) -> TypeParent:
        """Where one of the types is, in order."""
        client, packed = self._parents[2 * index : 2 * index + 2]
        id_, kind = (client, packed >> 3), packed & 3
        return TypeParent(
            self.types[index],
            id_ if kind == _NEIGHBOUR else None,
            id_ if kind == _PARENT else None,
            bool(packed & 4),
        )

    def add_long(self, clock: int, end: int, neighbour: ItemId | None) -> None:
        """Note that a struct has several clocks."""
        if not self.longs:
            self._longs = array("Q")
        self.longs += 1
        client, other = (0, 0) if neighbour is None else neighbour
        self._longs.extend((clock, end, client, other << 1 | (neighbour is None)))

    def long(self, index: int) -> Long:
        """One of those, in order."""
        clock, end, client, packed = self._longs[4 * index : 4 * index + 4]
        return Long(clock, end, None if packed & 1 else (client, packed >> 1))
