"""One struct taken apart far enough to be cut, joined and compared.

Format: Yjs update v1 (yjs ``Item.js``, ``Content*.js``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.yjs.skip import skip_string, skip_values, uint, uint_bytes
from weft._codecs.yjs.stored import UNBOUNDED, read_ids, skip_head, struct_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft._codecs.yjs.update import ItemId

__all__ = ["ANY", "DELETED", "GC", "JSON", "STRING", "StoredItem", "cut_front", "encode", "read_items"]

GC, DELETED, JSON, STRING, ANY = 0, 1, 2, 4, 8
_HAS_KEY, _HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x20, 0x40, 0x80


class StoredItem:
    """A struct of a log, which has been looked at when it came.

    Attributes:
        client: Who wrote it.
        clock: Its first clock.
        end: Clock after it.
        ref: Content ref, 0 for a collected struct.
        is_keyed: Whether it says that it stands at a key.
        origin: Its left neighbour when it was written.
        right_origin: Its right neighbour when it was written.
        parent: The struct that is its parent, where that is spelled out and no root.
    """

    __slots__ = (
        "_data", "_edges", "_head", "_start", "_stop", "_text", "client", "clock", "end", "is_keyed",
        "origin", "parent", "ref", "right_origin",
    )  # fmt: skip

    def __init__(self, data: bytes, at: int, stop: int, client: int, clock: int, end: int) -> None:
        info = data[at]
        self._data = data
        self._head = at
        self._start = 0  # of the content, once somebody has asked
        self._stop = stop
        self._text: bytes | None = None  # as ASCII or UTF-16
        self._edges: list[int] | None = None  # of values
        self.client = client
        self.clock = clock
        self.end = end
        self.ref = info & 0x1F
        self.is_keyed = bool(info & _HAS_KEY)
        self.origin: ItemId | None = None
        self.right_origin: ItemId | None = None
        self.parent: ItemId | None = None
        if not self.ref:
            return
        if info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN):
            ids, self._start = read_ids(data, at + 1, info)
            if info & _HAS_ORIGIN:
                self.origin = ids[0]
            if info & _HAS_RIGHT_ORIGIN:
                self.right_origin = ids[-1]
        elif not data[at + 1]:
            ((self.parent,), _) = read_ids(data, at + 2, 0)

    def _content_at(self) -> int:
        if not self._start:
            self._start = skip_head(self._data, self._head)
        return self._start

    def origin_at(self, clock: int) -> ItemId | None:
        """The left neighbour of what begins at a clock within it."""
        return self.origin if clock == self.clock else (self.client, clock - 1)

    def head(self, clock: int, ref: int) -> bytes:
        """What stands before the content of a struct that begins at a clock within it."""
        if ref == GC:
            return b"\0"
        info = self._data[self._head] & 0xE0 | ref
        if clock == self.clock:
            return bytes([info]) + self._data[self._head + 1 : self._content_at()]
        head = bytes([info | _HAS_ORIGIN]) + uint_bytes(self.client) + uint_bytes(clock - 1)
        if self.right_origin is not None:
            head += uint_bytes(self.right_origin[0]) + uint_bytes(self.right_origin[1])
        return head

    def place(self) -> bytes:
        """Its parent and key as they are spelled out."""
        if self.origin is None and self.right_origin is None:
            return self._data[self._head + 1 : self._content_at()]
        return b""

    def whole(self) -> bytes:
        """The struct as it is."""
        return self._data[self._head : self._stop]

    def content(self, start: int, end: int) -> bytes:
        """What is between two of its clocks, without a count before it.

        A pair of surrogates that is cut becomes U+FFFD, as in Yjs.
        """
        data, low, high = self._data, start - self.clock, end - self.clock
        if self.ref == STRING:
            if start == self.clock and end == self.end:
                return data[uint(data, self._content_at())[1] : self._stop]
            text = self._text
            if text is None:
                text = data[uint(data, self._content_at())[1] : self._stop]
                self._text = text = text if text.isascii() else text.decode().encode("utf-16-le")
            if len(text) == self.end - self.clock:  # ASCII
                return text[low:high]
            return text[2 * low : 2 * high].decode("utf-16-le", "replace").encode()
        if self.ref in {ANY, JSON}:
            if start == self.clock and end == self.end:
                return data[uint(data, self._content_at())[1] : self._stop]
            if self._edges is None:
                self._edges = list(self._read_edges())
            return data[self._edges[low] : self._edges[high]]
        return b"" if self.ref in {GC, DELETED} else data[self._content_at() : self._stop]

    def _read_edges(self) -> Iterator[int]:
        data = self._data
        _, at = uint(data, self._content_at())
        yield at
        for _ in range(self.clock, self.end):
            if self.ref == ANY:
                at = skip_values(data, at, 1, UNBOUNDED)
            else:
                at = skip_string(data, at, UNBOUNDED.max_string)
            yield at


def read_items(data: bytes, at: int, count: int, client: int, clock: int) -> Iterator[StoredItem]:
    """Take structs of one client apart, one after the other; without those that take no clock."""
    for length, stop in struct_ends(data, at, count):
        if length:
            yield StoredItem(data, at, stop, client, clock, clock + length)
        at = stop
        clock += length


def encode(ref: int, head: bytes, length: int, content: bytes) -> bytes:
    """Put a struct together again: its head, the clocks it takes and its content without a count."""
    if ref == STRING:
        return head + uint_bytes(len(content)) + content
    return head + uint_bytes(length) + content if ref in {GC, DELETED, JSON, ANY} else head + content


def cut_front(
    data: bytes | bytearray, at: int, client: int, clock: int, offset: int
) -> tuple[bytes, int, int]:
    """The rest of a struct of which the first clocks are known, as Yjs writes it.

    Returns:
        The rest, the clock after it, and where the whole struct ends.
    """
    ((length, stop),) = struct_ends(data, at, 1)
    start, end = clock + offset, clock + length
    item = StoredItem(bytes(data[at:stop]), 0, stop - at, client, clock, end)
    return encode(item.ref, item.head(start, item.ref), end - start, item.content(start, end)), end, stop
