"""Pairs of surrogates in the texts of an update, and writing them as the halves that they are cut into.

A clock of a text is a UTF-16 code unit, so one may begin in the middle of a character beyond U+FFFF. Yjs
makes both halves U+FFFD where it cuts there, which is as long in UTF-16; in the bytes, UTF-8, it is longer.
A pair has the id of its second half here: what cuts it does so before that.

Format: Yjs update v1; rules: yjs ``ContentString.js`` (``splice``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from weft._codecs.yjs.items import STRING
from weft._codecs.yjs.patterns import BATCH, patterns
from weft._codecs.yjs.skip import uint, uint_bytes
from weft._codecs.yjs.stored import skip_head, struct_ends

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from weft._codecs.yjs.update import ItemId

__all__ = ["may_hold_pairs", "pairs_in", "split_pairs"]

_PAIR = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_HALVES = "\ufffd\ufffd".encode()


def may_hold_pairs(update: bytes) -> bool:
    """Whether any bytes of an update look like a character beyond U+FFFF."""
    return (  # five searches for a byte take a tenth of the time that one for any of them does
        b"\xf0" in update or b"\xf3" in update or b"\xf4" in update or b"\xf1" in update or b"\xf2" in update
    ) and _PAIR.search(update) is not None


def pairs_in(update: bytes) -> Iterator[ItemId]:
    """The pairs of an update that has been looked at; of each client in order."""
    for text in _texts(update):
        for clock, _ in text.pairs(update):
            yield text.client, clock


def split_pairs(update: bytes, cut: Collection[ItemId]) -> bytes:
    """Write pairs as two halves; the update itself where none of them is in it."""
    parts: list[bytes] = []
    done = 0
    for text in _texts(update):
        found = [at for clock, at in text.pairs(update) if (text.client, clock) in cut]
        if not found:
            continue
        content = bytearray()
        begin = text.begin
        for at in found:
            content += update[begin:at] + _HALVES
            begin = at + 4
        content += update[begin : text.stop]
        parts += [update[done : text.head], uint_bytes(len(content)), bytes(content)]
        done = text.stop
    return b"".join([*parts, update[done:]]) if parts else update


class _Text(NamedTuple):
    """A text that holds pairs: its first clock, where its length stands, its first byte, and the end."""

    client: int
    clock: int
    head: int
    begin: int
    stop: int

    def pairs(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Of each the clock of its second half, and its first byte."""
        clock, last = self.clock, self.begin
        for found in _PAIR.finditer(data, self.begin, self.stop):
            at = found.start()
            clock += len(data[last:at].decode()) + 2  # nothing between two of them is longer than a unit
            last = at + 4
            yield clock - 1, at


def _texts(data: bytes) -> Iterator[_Text]:
    """The texts of an update that hold pairs, in order."""
    match_batch = patterns().linked.match
    sections, at = uint(data, 0)
    for _ in range(sections):
        count, at = uint(data, at)
        client, at = uint(data, at)
        clock, at = uint(data, at)
        while count:
            batch = match_batch(data, at) if count >= BATCH else None
            if batch is not None:  # no text is among them
                at = batch.end()
                clock += BATCH
                count -= BATCH
                continue
            for length, stop in struct_ends(data, at, min(count, BATCH)):
                if data[at] & 0x1F == STRING and _PAIR.search(data, at, stop) is not None:
                    head = skip_head(data, at)
                    yield _Text(client, clock, head, uint(data, head)[1], stop)
                at = stop
                clock += length
                count -= 1
