"""Which deletions somebody made, and which Yjs makes by itself.

Of two concurrent writes to a key each reader deletes one, with all that is in it, and names it beside what
people deleted whenever it is asked what it has. A log is told of neither, so it looks whether what is named
has lost its key to another, or is within what has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.yjs.items import DELETED, GC, StoredItem, read_items
from weft._codecs.yjs.ranges import Ranges
from weft._codecs.yjs.skip import uint_bytes
from weft.documents.yjs.places import is_at_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft._codecs.yjs.update import ItemId
    from weft.documents.yjs.client_structs import ClientStructs

__all__ = ["OwnDeletions"]

_FLAGS, _KEYED_ROOT, _KEYED_NEXT = 0xE0, 0x20, 0xA0
_MOST = 1_000  # structs that are looked at of one update
_STEPS = 16  # values of a key before one, or neighbours on the way to a parent, that are looked at


class OwnDeletions:
    """What Yjs deletes by itself, as far as anybody has named it.

    Args:
        clients: A log's structs.
        deletes: What it knows as deleted.
    """

    __slots__ = ("_clients", "_deletes", "_found")

    def __init__(self, clients: Mapping[int, ClientStructs], deletes: Mapping[int, Ranges]) -> None:
        self._clients = clients
        self._deletes = deletes
        self._found: dict[int, Ranges] = {}

    def are_more(self, named: Mapping[int, Ranges]) -> bool:
        """Whether anything is named as deleted that somebody must have deleted, and the log does not know of.

        Takes time linear in the log for each that Yjs has deleted, and only the first time.
        """
        left = _MOST
        for client, ranges in named.items():
            for first, last in ranges:
                own = self._clients.get(client)
                if own is None or own.clock < last:
                    return True
                clock = first
                while clock < last and left:
                    end = self._known_up_to(client, clock, last)
                    if end == clock:
                        item = self._item((client, clock))
                        if not self._is_lost(item, clock):
                            return True
                        end = min(item.end, last)
                        self._found.setdefault(client, Ranges()).add(clock, end)
                        left -= 1
                    clock = end
        return False

    def _known_up_to(self, client: int, clock: int, last: int) -> int:
        """Up to which clock it is known that all is deleted."""
        for known in (self._deletes, self._found):
            if client in known:
                _, end, is_in = known[client].pieces(clock, last)[0]
                if is_in:
                    return end
        return clock

    def _is_deleted(self, client: int, clock: int) -> bool:
        return client in self._deletes and clock in self._deletes[client]

    def _item(self, wanted: ItemId) -> StoredItem:
        own = self._clients[wanted[0]]
        before, at, first = own.find(wanted[1])
        return next(read_items(own.data, at, own.structs - before, wanted[0], first))  # type: ignore[arg-type]

    def _is_lost(self, item: StoredItem, clock: int) -> bool:
        """Whether an item is deleted although nobody has deleted it."""
        for _ in range(_STEPS):
            if item.ref in {GC, DELETED} or self._has_lost_key(item, clock):
                return True
            parent = self._parent(item)
            if parent is None:
                return False
            item, clock = self._item(parent), parent[1]
            if self._is_deleted(*parent):
                return True
        return False

    def _parent(self, item: StoredItem) -> ItemId | None:
        """The type that an item is in, if that is no root."""
        for _ in range(_STEPS):
            neighbour = item.origin or item.right_origin
            if neighbour is None:
                break
            item = self._item(neighbour)
        return item.parent

    def _has_lost_key(self, item: StoredItem, clock: int) -> bool:
        """Whether another value stands behind this one of a key.

        That is what follows on from it, or what a higher client wrote behind the same or an earlier one.
        """
        if not is_at_key(self._clients, (item.client, clock)):
            return False
        if self._is_followed((item.client, clock), above=-1):
            return True
        for _ in range(_STEPS):
            if item.origin is None:
                place = item.place()
                return any(
                    client > item.client and _holds(own.data, place, _KEYED_ROOT)
                    for client, own in self._clients.items()
                )
            if self._is_followed(item.origin, above=item.client):
                return True
            item = self._item(item.origin)
        return False

    def _is_followed(self, wanted: ItemId, *, above: int) -> bool:
        origin = uint_bytes(wanted[0]) + uint_bytes(wanted[1])
        return any(
            client > above and _holds(own.data, origin, _KEYED_NEXT) for client, own in self._clients.items()
        )


def _holds(data: bytearray, head: bytes, flags: int) -> bool:
    """Whether structs hold one with this head, by its bytes: a text that reads like one passes for it."""
    at = data.find(head, 1)
    while at > 0:
        if data[at - 1] & _FLAGS == flags:
            return True
        at = data.find(head, at + 1)
    return False
