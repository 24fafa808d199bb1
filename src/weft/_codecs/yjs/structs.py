"""Finding the structs of an update: where each client's are, and what they refer to.

Update v1 has no state from one struct to the next: a struct is a slice of bytes that can be moved as it is.
One walk refuses what Yjs itself would refuse or misread and what breaks a limit, and gives the slices.
Content that only the binding misreads passes: ``guard.py`` is the stricter look for that.

Format: Yjs update v1 (yjs ``encoding.js``, ``UpdateDecoderV1``, ``Item.js``, ``Content*.js``).
"""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING, NoReturn

from weft._codecs.yjs.guard import MAX_CLOCK
from weft._codecs.yjs.patterns import BATCH, log_patterns
from weft._codecs.yjs.ranges import Ranges, is_covered, is_ordered
from weft._codecs.yjs.run import Run
from weft._codecs.yjs.skip import (
    check_json_depth,
    refuse,
    skip_text,
    skip_values,
    uint,
    utf16_length,
)
from weft._codecs.yjs.stored import read_ids
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from weft._codecs.yjs.update import ItemId

__all__ = ["STORED", "deletes_more", "read_update"]

STORED = Limits(max_string=2**53, max_clients=2**53, max_crowd=2**53)
"""For what a log or a document has: it was within the limits when it came, and may have been joined since."""

_HAS_KEY, _HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x20, 0x40, 0x80
_GC, _DELETED, _JSON, _BINARY, _STRING, _EMBED, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = range(11)
_XML_NAMED, _LAST_TYPE = frozenset({3, 5}), 6
_LONG = frozenset({_JSON, _STRING, _ANY})


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


# Any number of digits passes, as in JavaScript.
_decode_json = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=float).decode


_SORTED = 2**18  # ranges of one client that are put in order; more would take much memory
_REMEMBERED = 10_000  # references that are known to have been noted; one that is noted again does no harm


def read_update(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[list[Run], dict[int, Ranges]]:
    """Walk through an update.

    Takes time linear in the size of the update.

    Args:
        data: Received bytes.
        limits: ``max_depth`` bounds how deep values are nested, ``max_string`` the bytes of a string.

    Returns:
        Its runs in the order of the update, and for each client what it deletes.

    Raises:
        RemoteProtocolError: It is malformed, Yjs would refuse or misread it, or it breaks a limit.
    """
    try:
        runs, at = _read_runs(data, limits)
        deletes, at = _read_deletes(data, at, limits.max_clients)
    except IndexError:
        refuse("unexpected end", len(data))
    if at != len(data):
        refuse("unexpected bytes" if at < len(data) else "unexpected end", min(at, len(data)))
    return runs, deletes


def deletes_more(update: bytes, known: bytes) -> bool:
    """Whether an update deletes anything that another does not. Takes time linear in both."""
    return not is_covered(read_update(update)[1], read_update(known)[1])


def _read_runs(data: bytes, limits: Limits) -> tuple[list[Run], int]:
    end = len(data)
    runs: list[Run] = []
    clients = set()
    sections, at = uint(data, 0)
    if sections * 3 > end - at:  # a section is at least a count, a client and a clock
        refuse(f"{sections} clients announced", at)
    if sections > limits.max_clients:  # 900,000 took 11 seconds, before anything could be said of them
        refuse(f"{sections} clients, more than max_clients,", at, bound="max_clients")
    for _ in range(sections):
        count, at = uint(data, at)
        client, at = uint(data, at)
        clock, at = uint(data, at)
        if count * 2 > end - at:  # a struct is at least an info byte and a length
            refuse(f"{count} structs announced", at)
        if client in clients:  # Yjs keeps the last of two sections of one client
            refuse("second section of one client", at)
        clients.add(client)
        known = len(runs)
        while count:
            if data[at] == _SKIP:
                length, at = uint(data, at + 1)
                if not length:
                    refuse("empty range", at)
                clock += length
                count -= 1
                continue
            if clock > MAX_CLOCK:
                refuse("clock out of range", at)
            run = Run(data, client, clock, at)
            at = _read_run(run, count, limits)
            count -= run.count
            clock = run.end
            runs.append(run)
        if clock > MAX_CLOCK:
            refuse("clock out of range", at)
        if len(runs) == known:
            refuse("section without structs", at)  # yrs panics if it knows the client
    return runs, at


def _read_run(run: Run, count: int, limits: Limits) -> int:
    """Read up to the next hole (Skip), or the end of the section."""
    data, clock, at = run.data, run.clock, run.begin
    end = len(data)
    _, units, references, *_ = log_patterns()
    needs = _Needs(run)
    ordinal = one_by_one = 0
    while ordinal < count:
        if not one_by_one:
            if count - ordinal >= BATCH:
                batch = units.match(data, at)
                if batch is not None:
                    needs.read(references.findall(data, at, batch.end()), clock)
                    at = batch.end()
                    ordinal += BATCH
                    clock += BATCH
                    continue
            one_by_one = BATCH
        one_by_one -= 1
        info = data[at]
        if info == _SKIP:
            break
        if info == _GC:
            length, at = uint(data, at + 1)
            if not length:
                refuse("empty range", at)
        else:
            ids, is_parent, at = _read_head(data, at, limits.max_string)
            length, at = _skip_content(data, at, info & 0x1F, limits)
            if ids:
                needs.note(ids, is_parent, clock)
            if info & 0x1F == _TYPE:
                run.add_type(clock, ids, is_parent=is_parent, is_keyed=bool(info & _HAS_KEY))
            elif length > 1 and info & 0x1F in _LONG and (not is_parent or info & _HAS_KEY):
                run.add_long(clock, clock + length, None if is_parent else ids[0])
        clock += length
        ordinal += 1
        if clock > MAX_CLOCK or at > end:
            refuse("clock out of range" if clock > MAX_CLOCK else "unexpected end", min(at, end))
    run.count, run.end, run.stop = ordinal, clock, at
    return at


class _Needs:
    """Gathers what the structs of a run refer to."""

    __slots__ = ("_parents", "_reached", "_run", "_seen")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._reached: dict[int, int] = {}  # for each client the latest clock that was referred to
        self._parents: set[tuple[int, int]] = set()
        self._seen: set[bytes] = set()

    def note(self, ids: list[ItemId], is_parent: bool, clock: int) -> None:
        """Note what one struct refers to."""
        run, reached = self._run, self._reached
        for client, needed in ids:
            if client == run.client and needed >= clock:
                refuse(f"struct at clock {clock} that refers to one after it", run.begin)
            if is_parent:
                if (client, needed) in self._parents:
                    continue
                self._parents.add((client, needed))
            elif client == run.client or reached.get(client, -1) >= needed:
                continue
            if reached.get(client, -1) < needed:
                reached[client] = needed
            run.add_need(clock, client, needed, is_parent=is_parent)
        for remembered in (reached, self._parents, self._seen):
            if len(remembered) > _REMEMBERED:
                remembered.clear()

    def read(self, found: list[bytes], clock: int) -> None:
        """Note what a batch of units refers to, each as its info byte and ids."""
        distinct = set(found)
        new = distinct - self._seen
        self._seen |= new
        for reference in sorted(new, key=found.index):
            flags = reference[0] & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN)
            if flags or not reference[1]:
                ids, _ = read_ids(reference, 1 if flags else 2, flags)
                self.note(ids, not flags, clock + found.index(reference))
        if any(reference[0] & 0x1F == _TYPE for reference in distinct):
            for at, reference in enumerate(found, clock):
                info = reference[0]
                if info & 0x1F == _TYPE:
                    is_parent = not info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN)
                    named: list[ItemId] = []
                    if not is_parent or not reference[1]:
                        named, _ = read_ids(reference, 1 + is_parent, info)
                    self._run.add_type(at, named, is_parent=is_parent, is_keyed=bool(info & _HAS_KEY))


def _read_head(data: bytes, at: int, max_string: int) -> tuple[list[ItemId], bool, int]:
    """Read an item up to its content: what it refers to, whether that is its parent, and where that ends."""
    info = data[at]
    if info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN):
        ids, at = read_ids(data, at + 1, info)
        return ids, False, at  # the key is not spelled out: it is the neighbour's
    is_root = data[at + 1]
    at += 2
    ids = []
    if is_root == 1:
        at = skip_text(data, at, max_string)
    elif is_root == 0:
        ids, at = read_ids(data, at, 0)
    else:
        refuse("unknown parent", at)
    if info & _HAS_KEY:
        at = skip_text(data, at, max_string)
    return ids, True, at


def _skip_content(data: bytes, at: int, ref: int, limits: Limits) -> tuple[int, int]:
    """Skip the content of an item: how many clocks it takes, and where it ends."""
    max_string = limits.max_string
    length = 1
    if ref == _ANY:
        length, at = uint(data, at)
        at = skip_values(data, at, length, limits, texts=True)
    elif ref == _STRING:
        size, at = uint(data, at)
        if size > max_string:
            refuse(f"string of {size} bytes", at, bound="max_string")
        if size > len(data) - at:
            refuse("unexpected end", len(data))
        length = utf16_length(data, at, size)
        at += size
    elif ref == _DELETED:
        length, at = uint(data, at)
        if not length:
            refuse("empty range", at)
    elif ref == _TYPE:
        kind, at = data[at], at + 1
        if kind > _LAST_TYPE:
            refuse(f"unknown type {kind}", at)
        if kind in _XML_NAMED:
            at = skip_text(data, at, max_string)
    elif ref == _JSON:
        length, at = uint(data, at)
        for _ in range(length):
            at = _skip_json(data, at, limits, undefined=True)
    elif ref == _BINARY:
        size, at = uint(data, at)
        at += size
    elif ref == _DOC:
        at = skip_text(data, at, max_string)  # guid
        if data[at] in {126, 127}:
            refuse("document without options", at)  # of which Yjs reads an attribute
        at = skip_values(data, at, 1, limits, texts=True)
    elif ref in {_EMBED, _FORMAT}:
        if ref == _FORMAT:
            at = skip_text(data, at, max_string)
        at = _skip_json(data, at, limits)
    else:
        refuse(f"unknown content {ref}", at)
    return length, at  # an empty text takes no clock: yrs writes one where a character is cut


def _skip_json(data: bytes, at: int, limits: Limits, *, undefined: bool = False) -> int:
    start = at
    size, at = uint(data, at)
    if size > limits.max_string:
        refuse(f"string of {size} bytes", at, bound="max_string")
    text = data[at : at + size]
    if len(text) < size:
        refuse("unexpected end", len(data))
    check_json_depth(text, limits.max_depth, start)
    if not (undefined and text == b"undefined"):
        try:
            _decode_json(text.decode())
        except ValueError:
            refuse("JSON that is not JSON", start)
    return at + size


def _read_deletes(data: bytes, at: int, max_clients: int) -> tuple[dict[int, Ranges], int]:
    end = len(data)
    found: dict[int, tuple[array[int], array[int]]] = {}
    sections, at = uint(data, at)
    if sections * 2 > end - at:  # a client and a count
        refuse(f"{sections} clients announced", at)
    if sections > max_clients:
        refuse(f"deletions of {sections} clients, more than max_clients,", at, bound="max_clients")
    for _ in range(sections):
        client, at = uint(data, at)
        count, at = uint(data, at)
        if count * 2 > end - at:  # a clock and a length
            refuse(f"{count} ranges announced", at)
        if not count:
            continue
        clocks, lengths = found.setdefault(client, (array("I"), array("I")))
        for _ in range(count):
            clock, at = uint(data, at)
            length, at = uint(data, at)
            # A padded length could end in zero, by which an empty delete set is known.
            if not data[at - 1] or clock + length > MAX_CLOCK:
                refuse("range out of range", at)
            clocks.append(clock)
            lengths.append(length)
        if len(clocks) > _SORTED and not is_ordered(clocks):  # as every peer has them
            refuse(f"{len(clocks)} ranges that are not in order", at)
    return {client: Ranges.of(*ranges) for client, ranges in found.items()}, at
