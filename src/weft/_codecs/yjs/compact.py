"""Making the structs of a document fewer and smaller, as Yjs does in a document.

1. Content of what is deleted becomes a length (ContentDeleted).
2. Children of deleted types become collected structs (GC), and neighbouring ones one. A child is known by its
   parent, which is spelled out or inherited from its neighbour.
3. Neighbours in one client's structs that follow on from each other become one, where Yjs could join them.
   Whether somebody else's item lies between them is not looked at: that one names the first's last clock as
   its origin, so it comes after both anyway, and a reader cuts them again.

The rest are the bytes that their writers sent. All of it takes time linear in the document.

Format and rules: yjs ``Item.js`` (``gc``, ``mergeWith``), ``GC.js``, ``Content*.js``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

from weft._codecs.yjs.items import ANY, DELETED, GC, JSON, STRING, StoredItem, encode, read_items
from weft._codecs.yjs.lib0 import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weft._codecs.yjs.ranges import Ranges

__all__ = ["DEAD", "StoredClient", "StructWriter", "collected", "compact"]

_JOINED = frozenset({DELETED, JSON, STRING, ANY})
_ALIVE, DEAD = 1, 2


class StoredClient:
    """One client's structs from clock 0 on.

    Args:
        client: Who wrote them.
        data: Their bytes.
        count: How many they are.
        deleted: Which of their clocks are deleted.
    """

    __slots__ = ("_count", "_data", "client", "deleted")

    def __init__(self, client: int, data: bytes, count: int, deleted: Ranges) -> None:
        self.client = client
        self.deleted = deleted
        self._data = data
        self._count = count

    def __iter__(self) -> Iterator[StoredItem]:
        return read_items(self._data, 0, self._count, self.client, 0)


class _Links:
    """For each struct of a client the one that tells whether it is a child of a deleted type.

    Attributes:
        clocks: First clock of each.
        fates: ``_ALIVE`` or ``DEAD``; 0 where it is that of the one linked to.
        clients: Client of the struct that is linked to: the parent, or the neighbour whose parent is its own.
        targets: Clock of that struct.
        by_parent: Whether that is the parent.
        gone: Whether it can have no children that are alive.
    """

    __slots__ = ("by_parent", "clients", "clocks", "fates", "gone", "targets")

    def __init__(self, structs: StoredClient) -> None:
        self.clocks, self.clients, self.targets = array("Q"), array("Q"), array("Q")
        self.fates, self.by_parent, self.gone = bytearray(), bytearray(), bytearray()
        deleted = structs.deleted
        for item in structs:
            link = item.origin or item.right_origin or item.parent
            client, clock = link or (0, 0)
            self.clocks.append(item.clock)
            self.clients.append(client)
            self.targets.append(clock)
            self.by_parent.append(item.parent is not None)
            self.fates.append(DEAD if item.ref == GC else 0 if link else _ALIVE)
            self.gone.append(item.ref in {GC, DELETED} or item.clock in deleted)


def collected(clients: Mapping[int, StoredClient]) -> dict[int, bytearray]:
    """For each client and struct in order: ``DEAD`` where it is a child of a deleted type, at any depth."""
    links = {client: _Links(structs) for client, structs in clients.items()}
    for found in links.values():
        for at in range(len(found.fates)):
            if not found.fates[at]:
                _follow(links, found, at)
    return {client: found.fates for client, found in links.items()}


def _follow(links: Mapping[int, _Links], found: _Links, at: int) -> None:
    """Follow the links from a struct to one that tells, and note it for all on the way."""
    path = []
    fate = 0
    while not fate:
        path.append((found, at))
        other = links[found.clients[at]]
        index = bisect_right(other.clocks, found.targets[at]) - 1
        fate = DEAD if found.by_parent[at] and other.gone[index] else other.fates[index]
        found, at = other, index
    for found, at in path:
        found.fates[at] = fate


class StructWriter:
    """Writes structs of one client, joining neighbours where that may be."""

    __slots__ = ("_out", "_pieces", "_state", "count")

    def __init__(self) -> None:
        self.count = 0
        self._out = bytearray()
        self._pieces: list[tuple[StoredItem, int, int]] = []  # what becomes one struct: of items, from and to
        self._state = (GC, True)  # its content ref, and whether it is deleted

    def add(self, item: StoredItem, start: int, end: int, ref: int, *, is_deleted: bool) -> None:
        """Write what is between two clocks of an item, as another content or as its own."""
        state = ref, is_deleted
        if self._pieces and (state != self._state or not self._can_follow(item, start, ref, is_deleted)):
            self._flush()
        self._state = state
        self._pieces.append((item, start, end))

    def _can_follow(self, item: StoredItem, start: int, ref: int, is_deleted: bool) -> bool:
        if ref == GC:
            return True
        last = self._pieces[-1][0]
        return (
            ref in _JOINED
            and item.origin_at(start) == (item.client, start - 1)
            and item.right_origin == last.right_origin
            and item.is_keyed == last.is_keyed
            # Of two values of a key that were not told to be deleted only the last one counts.
            and (is_deleted or not item.is_keyed)
        )

    def _flush(self) -> None:
        item, start, end = self._pieces[0]
        ref = self._state[0]
        if len(self._pieces) == 1 and (start, end, ref) == (item.clock, item.end, item.ref):
            self._out += item.whole()
        else:
            content = b""
            if ref not in {GC, DELETED}:
                content = b"".join([each.content(first, last) for each, first, last in self._pieces])
            self._out += encode(ref, item.head(start, ref), self._pieces[-1][2] - start, content)
        self.count += 1
        self._pieces = []

    def finish(self) -> bytearray:
        """The structs."""
        if self._pieces:
            self._flush()
        return self._out


def compact(
    clients: Mapping[int, StoredClient], deletes: bytes, fates: Mapping[int, bytearray] | None
) -> bytes:
    """Write a document in fewer and smaller structs.

    Args:
        clients: Its structs, of which each refers to others among them only.
        deletes: Its delete set.
        fates: What :func:`collected` gave for them; without it nothing is given up, neighbours are joined.

    Returns:
        A Yjs v1 update.
    """
    out = Writer().uint(len(clients))
    for client in sorted(clients, reverse=True):
        structs = clients[client]
        writer = StructWriter()
        fate = None if fates is None else fates[client]
        for at, item in enumerate(structs):
            if item.ref == GC or (fate is not None and fate[at] == DEAD):
                writer.add(item, item.clock, item.end, GC, is_deleted=True)
                continue
            for start, end, is_deleted in structs.deleted.pieces(item.clock, item.end):
                ref = DELETED if is_deleted and fate is not None else item.ref
                writer.add(item, start, end, ref, is_deleted=is_deleted)
        data = writer.finish()
        out.uint(writer.count).uint(client).uint(0).raw(data)
    return out.raw(deletes).finish()
