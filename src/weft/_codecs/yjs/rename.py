"""Giving structs that nobody else has seen another author.

Format: Yjs update v1 (yjs ``Item.js``: an item names its neighbours, or its parent).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from weft._codecs.yjs.items import GC, StoredItem, encode, read_items
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.ranges import Ranges, encode_deletes
from weft._codecs.yjs.skip import uint_bytes
from weft._codecs.yjs.stored import read_ids
from weft._codecs.yjs.structs import STORED, read_update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weft._codecs.yjs.update import ItemId

__all__ = ["rename_author"]

_NEIGHBOURS = 0xC0  # of an info byte: a left or a right neighbour is named, and no parent


def rename_author(update: bytes, client: int, clock: int, to: int) -> bytes:
    """Give the structs of a client from a clock on to another client, whose first they become.

    Args:
        update: Yjs v1 update with all structs of a document.
        client: Whose.
        clock: The first that is given away.
        to: Another client, of which there is nothing in the update.

    Raises:
        RemoteProtocolError: The bytes are not an update.
    """

    def renamed(found: ItemId) -> bytes:
        author, at = found
        if author == client and at >= clock:
            author, at = to, at - clock
        return uint_bytes(author) + uint_bytes(at)

    runs, deletes = read_update(update, STORED)
    sections: dict[int, tuple[int, int, Writer]] = {}  # first clock, number of structs, and these
    for run in runs:
        for item in read_items(run.data, run.begin, run.count, run.client, run.clock):
            for author, first, piece in _pieces(item, client, clock, to):
                start, count, out = sections.get(author, (first, 0, Writer()))
                head = piece[0]
                out.raw(encode(item.ref, _head(head, item.ref, renamed), piece[1], piece[2]))
                sections[author] = (start, count + 1, out)
    out = Writer().uint(len(sections))
    for author in sorted(sections, reverse=True):
        start, count, section = sections[author]
        out.uint(count).uint(author).uint(start).raw(section.finish())
    return out.raw(encode_deletes(_moved(deletes, client, clock, to))).finish()


def _pieces(
    item: StoredItem, client: int, clock: int, to: int
) -> Iterator[tuple[int, int, tuple[bytes, int, bytes]]]:
    """An item, cut where the others begin: of each piece its author and clock; head, length and content."""
    edges = [item.clock, item.end]
    if item.client == client and item.clock < clock < item.end:
        edges.insert(1, clock)
    for start, end in pairwise(edges):
        is_moved = item.client == client and start >= clock
        piece = (item.head(start, item.ref), end - start, item.content(start, end))
        yield (to, start - clock, piece) if is_moved else (item.client, start, piece)


def _head(head: bytes, ref: int, renamed: Callable[[ItemId], bytes]) -> bytes:
    """What stands before the content of a struct, with other names in it."""
    if ref == GC:
        return head
    info = head[0]
    begin = 1 if info & _NEIGHBOURS else 2
    if begin == 2 and head[1]:
        return head  # its parent is a root
    ids, rest = read_ids(head, begin, info)
    return head[:begin] + b"".join(map(renamed, ids)) + head[rest:]


def _moved(deletes: dict[int, Ranges], client: int, clock: int, to: int) -> dict[int, Ranges]:
    found = {other: ranges for other, ranges in deletes.items() if other != client}
    for start, end in deletes.get(client, ()):
        if start < clock:
            found.setdefault(client, Ranges()).add(start, min(end, clock))
        if end > clock:
            found.setdefault(to, Ranges()).add(max(start, clock) - clock, end - clock)
    return found
