"""Cutting a large update into several, each of which follows on from those before it.

A message has a limit, and a document that was made of many messages outgrows it. Its structs are slices of
bytes that can be moved as they are, so a part is sections of another update with fewer structs in them. Two
things make more of it:

* A struct may only come after those it refers to (its origins and its parent), also where these are another
  client's. So structs are taken in an order in which they can be integrated, as Yjs looks for one itself, and
  each part is a stretch of that order.
* Neighbours are joined into one struct that can be larger than every message they came in. A text and a list
  of values are cut where they need be, as Yjs cuts them when it sends the end of one: the rest has the last
  clock before it as its origin.

The deletions come last, as a type may be deleted only after what is in it. Those of values come with the
values as well: without them thousands that one client wrote to one cell would look like those of a list.

Format: Yjs update v1 (yjs ``encoding.js``, ``Item.js`` with its ``offset``, ``Content*.js``).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

from weft._codecs.yjs.items import ANY, JSON, STRING, StoredItem
from weft._codecs.yjs.lib0 import Reader, Writer
from weft._codecs.yjs.ranges import Ranges, encode_deletes
from weft._codecs.yjs.skip import uint, uint_bytes, utf16_length
from weft._codecs.yjs.state import EMPTY_UPDATE, read_delete_set
from weft._codecs.yjs.stored import references, skip_entries, struct_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft._codecs.yjs.update import ItemId

__all__ = ["cut_update"]

_GC, _SKIP = 0, 10
_HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x40, 0x80

# Bytes at most of what stands around the structs: of an update, of each section, and of the head of the rest
# of a struct that was cut.
_FRAME, _SECTION, _HEAD = 16, 24, 48
_NONE = Ranges()  # never changed


def cut_update(data: bytes, max_bytes: int) -> list[bytes]:
    """Cut an update into parts that, applied one after the other, do what it does.

    Args:
        data: Yjs v1 update that :func:`check_update` or :func:`read_update` has passed, or that a document of
            ours has made.
        max_bytes: Bytes of a part, at least 256. A part that is one value, which cannot be cut, may have
            more.

    Returns:
        The parts in order; all deletions come last. The update itself where it is small enough.
    """
    if len(data) <= max_bytes:
        return [data]
    sections, deletes_at = _read_sections(data)
    deletes = data[deletes_at:]
    cutter = _Cutter(data, sections, _ranges(deletes), max_bytes)
    for section in sections.values():
        for stretch in _in_order(sections, section):
            cutter.add(*stretch)
    return _add_deletes(cutter.finish(), deletes, max_bytes)


def _ranges(deletes: bytes) -> dict[int, Ranges]:
    return {
        client: Ranges.of(
            array("I", [clock for clock, _ in found]), array("I", [length for _, length in found])
        )
        for client, found in read_delete_set(Reader(deletes)).items()
    }


class _Section:
    """One client's structs in an update; ``ends[i]`` and ``clocks[i + 1]`` are behind struct ``i``.

    Attributes:
        foreign: For structs that refer to other clients', in order: the index and what they refer to.
        taken: How many structs have been given a place.
        looked: How many of ``foreign`` have been satisfied.
    """

    __slots__ = ("begin", "client", "clocks", "ends", "foreign", "looked", "taken")

    def __init__(self, client: int, clock: int, begin: int) -> None:
        self.client = client
        self.begin = begin
        self.clocks = array("Q", [clock])
        self.ends = array("Q")
        self.foreign: list[tuple[int, tuple[ItemId, ...]]] = []
        self.taken = 0
        self.looked = 0

    def begin_of(self, index: int) -> int:
        """Where a struct begins in the update."""
        return self.ends[index - 1] if index else self.begin

    def reaches(self, clock: int) -> int:
        """How many structs must have been taken for a clock to be among them; 0 if it is not in here."""
        if not self.clocks[0] <= clock < self.clocks[-1]:
            return 0
        return bisect_right(self.clocks, clock)


def _in_order(sections: dict[int, _Section], section: _Section) -> Iterator[tuple[_Section, int, int]]:
    """Take all structs of a section, and before each what it refers to: stretches of sections, in order."""
    stack = [(section, len(section.ends))]
    waiting = {section.client}
    while stack:
        current, target = stack[-1]
        stop = target
        needs: tuple[ItemId, ...] = ()
        if current.looked < len(current.foreign):
            index, ids = current.foreign[current.looked]
            if index < target:
                stop, needs = index, ids
        if stop > current.taken:
            yield current, current.taken, stop
            current.taken = stop
        if current.taken >= target:
            stack.pop()
            waiting.discard(current.client)
            continue
        for client, clock in needs:
            other = sections.get(client)
            # Who waits for somebody that waits for it is in no update of an honest peer.
            if other is not None and client not in waiting and other.taken < (count := other.reaches(clock)):
                stack.append((other, count))
                waiting.add(client)
                break
        else:
            current.looked += 1


class _Cutter:
    """Gathers stretches of sections into parts."""

    def __init__(
        self, data: bytes, sections: dict[int, _Section], deletes: dict[int, Ranges], max_bytes: int
    ) -> None:
        self._data = data
        self._sections = sections
        self._deletes = deletes
        self._room = max(max_bytes // 16, 32) if deletes else 0  # for deletions
        self._max_bytes = max_bytes - self._room
        self._parts: list[tuple[bytes, bytes]] = []  # structs and deletions
        self._size = _FRAME
        # For each client in the part under way, from which struct to which: a client's stretches in one part
        # always follow on from each other.
        self._stretches: dict[int, tuple[int, int]] = {}

    def add(self, section: _Section, start: int, end: int) -> None:
        """Put structs behind what is there."""
        while start < end:
            begin = section.begin_of(start)
            room = self._max_bytes - self._size
            if section.client not in self._stretches:
                room -= _SECTION
            fits = min(bisect_right(section.ends, begin + max(room, 0)), end)
            if fits > start:
                self._stretches[section.client] = (
                    self._stretches.get(section.client, (start, 0))[0],
                    fits,
                )
                self._size = self._max_bytes - room + section.ends[fits - 1] - begin
                start = fits
            elif self._stretches:
                self._finish_part()
            else:
                for clock, stop, part in _cut_struct(self._data, section, start, self._max_bytes):
                    found = self._deleted(section, start, clock, stop)
                    self._parts.append((part, encode_deletes({section.client: found} if found else {})))
                start += 1

    def _deleted(self, section: _Section, index: int, start: int, end: int) -> Ranges:
        """Which values between two clocks are deleted; the struct with that index has the first."""
        found, clocks = Ranges(), section.clocks
        for first, stop, is_deleted in self._deletes.get(section.client, _NONE).pieces(start, end):
            if is_deleted:
                index = bisect_right(clocks, first, index) - 1
                while index < len(section.ends) and clocks[index] < stop:
                    low, high = max(first, clocks[index]), min(stop, clocks[index + 1])
                    if low < high and self._data[section.begin_of(index)] & 0x1F == ANY:
                        found.add(low, high)
                    index += 1
                index -= 1
        return found

    def finish(self) -> list[tuple[bytes, bytes]]:
        """The structs of each part, and deletions."""
        if self._stretches:
            self._finish_part()
        return self._parts

    def _finish_part(self) -> None:
        out = Writer().uint(len(self._stretches))
        deletes: dict[int, Ranges] = {}
        for client in sorted(self._stretches, reverse=True):  # as Yjs has them
            start, end = self._stretches[client]
            section = self._sections[client]
            stop = section.clocks[end]
            if stop == section.clocks[end - 1] + 1:
                stop -= 1  # so that a key has a value until the next part brings another
            if found := self._deleted(section, start, section.clocks[start], stop):
                deletes[client] = found
            out.uint(end - start).uint(client).uint(section.clocks[start])
            out.raw(self._data[section.begin_of(start) : section.ends[end - 1]])
        encoded = encode_deletes(deletes)
        fits = len(encoded) <= self._room
        self._parts.append((out.finish(), encoded if fits else EMPTY_UPDATE[1:]))
        self._stretches = {}
        self._size = _FRAME


def _cut_struct(
    data: bytes, section: _Section, index: int, max_bytes: int
) -> Iterator[tuple[int, int, bytes]]:
    """Make one struct that is larger than a part into several, or into one part that is too large.

    Gives the first clock, the clock behind it and the structs of each part.
    """
    begin, end = section.begin_of(index), section.ends[index]
    clock = section.clocks[index]
    item = StoredItem(data, begin, end, section.client, clock, section.clocks[index + 1])
    if item.ref not in {STRING, ANY, JSON}:
        yield clock, section.clocks[index + 1], _one_struct(section.client, clock, data[begin:end])
        return
    head = item.head(clock, item.ref)
    content = begin + len(head)
    room = max_bytes - _HEAD
    if item.ref == STRING:
        pieces = _cut_text(data, content, room - len(head), room)
    else:
        pieces = _cut_values(data, content, item.ref, room - len(head), room)
    for length, piece in pieces:
        part = _one_struct(section.client, clock, item.head(clock, item.ref) + piece)
        yield clock, clock + length, part
        clock += length


def _one_struct(client: int, clock: int, struct: bytes) -> bytes:
    return Writer().uint(1).uint(1).uint(client).uint(clock).raw(struct).finish()


def _cut_text(data: bytes, at: int, room: int, later: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of a text's content, each with its length; never within a character.

    The first one has less room than the later ones, as it stands behind the struct's own head.
    """
    size, at = uint(data, at)
    end = at + size
    while at < end:
        stop = min(at + max(room, 4), end)
        while stop < end and data[stop] & 0xC0 == 0x80:  # within a character of UTF-8
            stop -= 1
        yield utf16_length(data, at, stop - at), uint_bytes(stop - at) + data[at:stop]
        at, room = stop, later


def _cut_values(data: bytes, at: int, ref: int, room: int, later: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of a list of values, likewise; a value stays whole."""
    count, at = uint(data, at)
    starts = [at]
    for _ in range(count):
        starts.append(skip_entries(data, starts[-1], 1, ref))
    first = 0
    while first < count:
        last = max(bisect_right(starts, starts[first] + room) - 1, first + 1)
        yield last - first, uint_bytes(last - first) + data[starts[first] : starts[last]]
        first, room = last, later


def _add_deletes(pieces: list[tuple[bytes, bytes]], deletes: bytes, max_bytes: int) -> list[bytes]:
    """Put a delete set behind the structs, with the last of them if it is small enough."""
    parts = [structs + some for structs, some in pieces]
    if deletes == EMPTY_UPDATE[1:]:
        return parts
    if pieces and len(pieces[-1][0]) + len(deletes) <= max_bytes:
        return [*parts[:-1], pieces[-1][0] + deletes]
    if len(deletes) < max_bytes:
        return [*parts, b"\0" + deletes]
    step = max((max_bytes - _FRAME - _SECTION) // 16, 1)  # a range has 10 bytes at most
    sections: list[bytes] = []
    size, last = 0, -1
    for client, ranges in read_delete_set(Reader(deletes)).items():
        for at in range(0, len(ranges), step):
            some = ranges[at : at + step]
            section = Writer().uint(client).uint(len(some))
            for clock, length in some:
                section.uint(clock).uint(length)
            found = section.finish()
            if sections and (client == last or size + len(found) > max_bytes - _FRAME):
                parts.append(_only_deletes(sections))
                sections, size = [], 0
            sections.append(found)
            size += len(found)
            last = client
    parts.append(_only_deletes(sections))
    return parts


def _only_deletes(sections: list[bytes]) -> bytes:
    return b"\0" + uint_bytes(len(sections)) + b"".join(sections)


def _read_sections(data: bytes) -> tuple[dict[int, _Section], int]:
    """Find all structs of an update; give the sections by client, and where the delete set begins."""
    sections: dict[int, _Section] = {}
    number, at = uint(data, 0)
    for _ in range(number):
        count, at = uint(data, at)
        client, at = uint(data, at)
        clock, at = uint(data, at)
        own = uint_bytes(client)
        section = sections[client] = _Section(client, clock, at)
        add_end, add_clock, foreign = section.ends.append, section.clocks.append, section.foreign
        for index, (length, stop) in enumerate(struct_ends(data, at, count)):
            info = data[at]
            if info & 0x1F not in {_GC, _SKIP} and not _is_alone(data, at, info, own):
                ids = tuple(found for found in references(data, at) if found[0] != client)
                if ids:
                    foreign.append((index, ids))
            clock += length
            at = stop
            add_end(at)
            add_clock(clock)
    return sections, at


def _is_alone(data: bytes, at: int, info: int, own: bytes) -> bool:
    """Whether a struct refers to nothing of another client, as far as its first bytes tell."""
    if info & _HAS_RIGHT_ORIGIN:
        return False
    if info & _HAS_ORIGIN:
        return data.startswith(own, at + 1)
    return data[at + 1] == 1 or data.startswith(own, at + 2)
