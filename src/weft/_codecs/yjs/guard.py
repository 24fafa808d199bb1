"""The guard in front of the Yjs binding: is this an update that it can be given?

yrs, below pycrdt, decodes nested values by recursion without a bound: 26 kB of nested arrays overflow the
stack and end the process, with every room in it. It merges neighbours at the end of a transaction with one
more copy for each: 112 kB of array items that could be one take 6 GB. Its integers wrap at 32 bits where Yjs
reads 53. So each received update is walked through first, whole, and refused if it is malformed, if it is
nested too deeply, if it would take too much memory, or if yrs and Yjs would read it differently (peers would
part for good, and this walk would not see what yrs sees).

Format: Yjs update v1 (yjs ``encoding.js``, ``UpdateDecoderV1``, ``Item.js``, ``Content*.js``; lib0
``decoding.js``).

What is left to the binding, which refuses it cleanly (a test holds it to that): strings that are not UTF-8,
and JSON text that is not JSON. Refusing there leaves the same state, and this walk need not touch each
string.

Speed: an honest update is many small structs of a few shapes. ``patterns.py`` takes those in C, 64 at a time;
what it does not match, of whatever shape, goes through the Python loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weft._codecs.yjs.patterns import BATCH, CONTENTS, patterns
from weft._codecs.yjs.skip import (
    check_json_depth,
    refuse,
    skip_string,
    skip_values,
    uint,
    uint_bytes,
    utf16_length,
)
from weft.errors import RemoteProtocolError, UnreadableContentError
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from weft._codecs.yjs.state import State

__all__ = ["MAX_CLOCK", "MAX_MERGING", "VALUE_BYTES", "LongRunsError", "Span", "Spans", "check_update"]

# yrs keeps clocks and lengths in 32 bits, where more wraps; no honest client has written two billion times.
MAX_CLOCK = 2**31 - 1

# Bytes that merging the runs of an update may take, and what a value counts for. An honest peer has merged
# them before; one that joins the updates of others without a document may not have, and text typed in one go
# reaches the bound at 23,000 letters, a cell that one client writes again and again at 3,400 values.
MAX_MERGING = 256 * 1024 * 1024
VALUE_BYTES = 48

_HAS_KEY, _HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x20, 0x40, 0x80  # flags in the info byte of a struct
_GC, _DELETED, _JSON, _BINARY, _STRING, _, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = range(
    11
)  # and its content ref
_IS_ITEM = bytes(info & 0x1F in CONTENTS for info in range(256))  # by info byte
_MERGED = frozenset({_STRING, _ANY})
_XML_ELEMENT, _XML_HOOK, _LAST_TYPE = 3, 5, 6


class LongRunsError(RemoteProtocolError):
    """Joining what the update has not joined would cost the binding too much memory."""

    def __init__(self, merging: int, at: int) -> None:
        super().__init__(f"not a usable update: runs that take {merging} bytes to merge at byte {at}")


class Span(NamedTuple):
    """What an update holds of one client.

    Attributes:
        needs: Up to which clock the client's structs must be known already for the update to follow on:
            the clock of its first struct, or, where it has holes (Skips), of the one after the last hole.
        end: Clock after the last struct.
    """

    needs: int
    end: int


class Spans(dict[int, Span]):
    """For each client with structs in an update, which of its clocks they are.

    Attributes:
        data: The update.
        deletes_at: Where in it the structs end and the delete set begins.
    """

    __slots__ = ("data", "deletes_at")

    data: bytes
    deletes_at: int

    def ends(self) -> State:
        """The state that a document has of these clients when it has taken in all of them."""
        return {client: span.end for client, span in self.items()}


def check_update(data: bytes, limits: Limits = DEFAULT_LIMITS, *, max_merging: int = MAX_MERGING) -> Spans:
    """Walk through a Yjs v1 update, and refuse it if the binding must not be given it.

    Takes time linear in the size of the update and next to no memory.

    Args:
        data: Received bytes.
        limits: ``max_depth`` bounds how deep values are nested, ``max_string`` the bytes of a string.
        max_merging: Bytes that merging its runs may take, if each run of values were one.

    Returns:
        Which clocks of which clients the structs in the update are.

    Raises:
        RemoteProtocolError: It is malformed, or breaks a limit; ``UnreadableContentError`` where only the
            binding would misread it. For no bytes is anything else raised.
    """
    try:
        spans = _check_structs(data, limits, max_merging)
        at = _check_deletes(data, spans.deletes_at)
    except IndexError:
        refuse("unexpected end", len(data))
    if at != len(data):
        refuse("unexpected bytes" if at < len(data) else "unexpected end", min(at, len(data)))
    return spans


def _check_structs(data: bytes, limits: Limits, max_merging: int) -> Spans:
    end = len(data)
    max_string = limits.max_string
    units, linked, origins, head_pattern, _, _ = patterns()
    match_units, match_linked, match_head = units.match, linked.match, head_pattern.match
    merging = 0
    is_item = _IS_ITEM
    spans = Spans()
    holes: set[int] = set()  # clients with a section and nothing but holes in it
    sections, at = uint(data, 0)
    if sections * 3 > end - at:  # a section is at least a count, a client and a clock
        refuse(f"{sections} clients announced", at)
    for _ in range(sections):
        count, at = uint(data, at)
        client, at = uint(data, at)
        clock, at = uint(data, at)
        if count * 2 > end - at:  # a struct is at least an info byte and a length
            refuse(f"{count} structs announced", at)
        if client in spans or client in holes:
            # Yjs keeps the last of two sections of one client, yrs both.
            refuse("second section of one client", at)
        # known: the clock after the last struct that is not a Skip; hole: the one after the last Skip.
        start = needs = hole = known = clock
        # A run is structs of one content that yrs merges into one; the last one is copied as often as there
        # are structs before it.
        run, run_ref = 0, -1
        client_bytes = b""
        weight = one_by_one = 0
        while count:
            if not one_by_one:
                if count >= BATCH:
                    batch = match_units(data, at)
                    if batch is not None:
                        run, run_ref = 1, _ANY
                    elif (batch := match_linked(data, at)) is not None:
                        client_bytes = client_bytes or uint_bytes(client)
                        found = origins.findall(data, at, batch.end())
                        run = run if run_ref == _ANY else 0
                        run_ref = _ANY
                        run, copies = _count_copies(found, client_bytes, clock, run)
                        merging += copies * VALUE_BYTES
                    if batch is not None:
                        at = batch.end()
                        count -= BATCH
                        known = clock = clock + BATCH
                        continue
                one_by_one = BATCH
            one_by_one -= 1
            count -= 1
            begin = at
            info = data[at]
            head = match_head(data, at)
            if head is not None:
                at = head.end()
            elif is_item[info]:
                at = _skip_head(data, at, max_string)
            elif info in {_GC, _SKIP}:
                length, at = uint(data, at + 1)
                if not length:
                    refuse("empty range", at)
                clock += length
                if info == _GC:
                    known = clock
                else:
                    if hole < known:
                        needs = hole
                    hole = clock
                run_ref = info
                if clock > MAX_CLOCK:
                    refuse("clock out of range", at)
                continue
            elif info & 0x1F == _JSON:  # of which yrs reads one value too many
                raise UnreadableContentError("JSON content of an old version of Yjs")
            else:
                refuse(f"unknown struct {info:#04x}", at)
            ref = info & 0x1F
            if ref == _ANY:
                length, at = uint(data, at)
                at = skip_values(data, at, length, limits)
                weight = length * VALUE_BYTES
            elif ref == _STRING:
                size, at = uint(data, at)
                if size > max_string:
                    refuse(f"string of {size} bytes", at)
                length = utf16_length(data, at, size)
                at += size
                weight = size
            elif ref == _TYPE:
                kind, at = data[at], at + 1  # yrs reads a byte here and Yjs a varuint: the same below 128
                if kind == _XML_HOOK:  # has a name, and yrs would read on from there
                    raise UnreadableContentError("an XML hook")
                if kind > _LAST_TYPE:
                    refuse(f"unknown type {kind}", at)
                if kind == _XML_ELEMENT:
                    at = skip_string(data, at, max_string)
                length = 1
            elif ref == _DELETED:
                length, at = uint(data, at)
                if not length:
                    refuse("empty range", at)
            else:
                at = _skip_rare(data, at, ref, limits)
                length = 1
            if ref in _MERGED:
                if info & _HAS_ORIGIN and ref == run_ref and _is_id(data, begin + 1, client, clock - 1):
                    merging += run * weight
                    run += 1
                else:
                    run = 1
            run_ref = ref
            known = clock = clock + length
            if clock > MAX_CLOCK or at > end:
                refuse("clock out of range" if clock > MAX_CLOCK else "unexpected end", min(at, end))
        if clock > MAX_CLOCK:
            refuse("clock out of range", at)
        if merging > max_merging:
            raise LongRunsError(merging, at)
        if known > start:
            spans[client] = Span(hole if hole < known else needs, known)
        elif clock > start:
            holes.add(client)
        else:
            refuse("section without structs", at)  # yrs panics if it knows the client
    spans.data, spans.deletes_at = data, at
    return spans


def _count_copies(found: list[bytes], client_bytes: bytes, clock: int, run: int) -> tuple[int, int]:
    """Follow runs of single values through a batch.

    Args:
        found: What ``Patterns.origins`` found; the integers in it have their shortest form.
        client_bytes: The client of the section in that form.
        clock: Of the first struct.
        run: Structs in the run before it.

    Returns:
        Structs in the run at the end, and copies made of values.
    """
    place = 1 + len(client_bytes)
    copies = 0
    for before, origin in enumerate(found, clock - 1):
        # The lowest seven bits tell nearly always that it is another neighbour, without making the integer.
        if (
            origin
            and origin.startswith(client_bytes, 1)
            and not (origin[place] ^ before) & 0x7F
            and before >= 0
            and origin.startswith(uint_bytes(before), place)
        ):
            copies += run
            run += 1
        else:
            run = 1
    return run, copies


def _is_id(data: bytes, at: int, client: int, clock: int) -> bool:
    found, at = uint(data, at)
    return found == client and uint(data, at)[0] == clock


def _skip_head(data: bytes, at: int, max_string: int) -> int:
    """Skip an item up to its content, whatever the lengths in it."""
    info = data[at]
    at += 1
    if info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN):
        if info & _HAS_ORIGIN:
            at = _skip_id(data, at)
        if info & _HAS_RIGHT_ORIGIN:
            at = _skip_id(data, at)
        return at  # the key is not spelled out: it is the neighbour's
    is_root = data[at]
    at += 1
    if is_root == 1:
        at = skip_string(data, at, max_string)
    elif is_root == 0:
        at = _skip_id(data, at)
    else:
        refuse("unknown parent", at)
    if info & _HAS_KEY:
        at = skip_string(data, at, max_string)
    return at


def _skip_id(data: bytes, at: int) -> int:
    _, at = uint(data, at)
    clock, at = uint(data, at)
    if clock > MAX_CLOCK:
        refuse("clock out of range", at)
    return at


def _skip_rare(data: bytes, at: int, ref: int, limits: Limits) -> int:
    """Skip the contents that a table never holds."""
    if ref == _BINARY:
        size, at = uint(data, at)
        return at + size
    if ref == _DOC:
        at = skip_string(data, at, limits.max_string)  # guid
        return skip_values(data, at, 1, limits)
    if ref == _FORMAT:
        at = skip_string(data, at, limits.max_string)  # name of the format
    start = at
    at = skip_string(data, at, limits.max_string)
    check_json_depth(data[start:at], limits.max_depth, start)
    return at


def _check_deletes(data: bytes, at: int) -> int:
    end = len(data)
    match_ranges = patterns().ranges.match
    sections, at = uint(data, at)
    if sections * 2 > end - at:  # a client and a count
        refuse(f"{sections} clients announced", at)
    for _ in range(sections):
        _, at = uint(data, at)
        count, at = uint(data, at)
        if count * 2 > end - at:  # a clock and a length
            refuse(f"{count} ranges announced", at)
        one_by_one = 0
        while count:
            if not one_by_one:
                if count >= BATCH:
                    batch = match_ranges(data, at)
                    if batch is not None:
                        at = batch.end()
                        count -= BATCH
                        continue
                one_by_one = BATCH
            one_by_one -= 1
            count -= 1
            clock, at = uint(data, at)
            length, at = uint(data, at)
            # A padded length could end in zero, by which an empty delete set is known.
            if not data[at - 1] or clock + length > MAX_CLOCK:
                refuse("range out of range", at)
    return at
