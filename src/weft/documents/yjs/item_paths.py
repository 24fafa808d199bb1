"""Where structs of a log stand: the name of the root, and the keys from there on.

Format: Yjs update v1 (yjs ``Item.js``). A struct spells out its parent and key, or has those of a neighbour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weft._codecs.yjs.skip import uint
from weft._codecs.yjs.stored import content_at, read_ids, struct_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft._codecs.yjs.update import ItemId
    from weft.documents.yjs.update_log import UpdateLog

__all__ = ["DocumentPath", "ItemPaths"]

DocumentPath: TypeAlias = tuple[str, ...]
"""Name of a root, and keys."""

_GC, _SKIP = 0, 10
_HAS_KEY, _HAS_NEIGHBOUR = 0x20, 0xC0


class ItemPaths:
    """Finds the paths of structs; used once, while the log stays as it is.

    A struct takes as long as there are writes to its place that its writer knew, up to one asked for before.
    """

    def __init__(self, log: UpdateLog) -> None:
        self._log = log
        self._known: dict[ItemId, DocumentPath | None] = {}

    def within(self, client: int, start: int, end: int) -> Iterator[DocumentPath]:
        """Paths of a client's structs from one clock up to another; those that stand at no key are left out.

        So is what stood in a container that is deleted, where the log was compacted since.
        """
        own = self._log.client(client)
        if own is None or start >= own.clock:
            return
        end = min(end, own.clock)
        _, at, first = own.find(start)
        for length, _ in struct_ends(own.data, at, end - first):
            path = self._path((client, first))
            if path is not None:
                yield path
            first += length
            if first >= end:
                return

    def _path(self, wanted: ItemId) -> DocumentPath | None:
        way: list[tuple[ItemId, str | None]] = []  # structs, each with the key that it adds to the path
        asked: ItemId | None = wanted
        path: DocumentPath | None = None
        while asked is not None:
            client, clock = asked
            own = self._log.client(client)
            if own is None or clock >= own.clock:
                break
            _, at, first = own.find(clock)
            item_id = (client, first)
            if item_id in self._known:
                path = self._known[item_id]
                break
            asked, key, root = _head(own.data, at)
            way.append((item_id, key))
            if root is not None:
                path = (root,)
        for item_id, key in reversed(way):
            if path is not None and key is not None:
                path = (*path, key) if key else None
            self._known[item_id] = path
        return path


def _head(data: bytes | bytearray, at: int) -> tuple[ItemId | None, str | None, str | None]:
    """What a struct says of its place.

    Returns:
        Its neighbour or its parent, if it names one; its key, where that is spelled out, and ``""`` for none;
        and the name of the root that is its parent.
    """
    if content_at(data, at) in {_GC, _SKIP}:
        return None, None, None
    info = data[at]
    if info & _HAS_NEIGHBOUR:
        return read_ids(data, at + 1, info)[0][0], None, None
    parent: ItemId | None = None
    root: str | None = None
    if data[at + 1]:
        root, at = _string(data, at + 2)
    else:
        (parent,), at = read_ids(data, at + 2, 0)
    return parent, _string(data, at)[0] if info & _HAS_KEY else "", root


def _string(data: bytes | bytearray, at: int) -> tuple[str, int]:
    size, at = uint(data, at)
    return data[at : at + size].decode(errors="surrogatepass"), at + size
