"""The commonest update read at once: one struct, and at most one deletion.

A cell that was changed or a letter that was typed is such an update. ``structs.py`` would read the same of
it.
"""

from __future__ import annotations

from typing import NamedTuple

from weft._codecs.yjs.patterns import SHORT, log_patterns
from weft._codecs.yjs.skip import uint
from weft.limits import DEFAULT_LIMITS, Limits

__all__ = ["SmallUpdate", "read_small"]

_HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x40, 0x80
_TYPE = 7


class SmallUpdate(NamedTuple):
    """One struct with its neighbours or parent, and one deletion.

    Attributes:
        client: Who wrote the struct.
        clock: Its first clock.
        end: Clock after it.
        begin: Where in the update it begins.
        stop: Where it ends.
        is_type: Whether it is a type.
        ids: Client and clock of its parent or neighbours; none where the parent is a root.
        is_parent: Whether it is the parent.
        deleted: Client, first clock and length of what is deleted.
    """

    client: int
    clock: int
    end: int
    begin: int
    stop: int
    is_type: bool
    ids: tuple[tuple[int, int], ...]
    is_parent: bool
    deleted: tuple[int, int, int] | None


def read_small(data: bytes, limits: Limits = DEFAULT_LIMITS) -> SmallUpdate | None:
    """Read an update of that shape; ``None`` for every other."""
    if limits.max_string < SHORT:
        return None
    found = log_patterns().small.fullmatch(data)
    if found is None:
        return None
    own, text, deletes = found.groups()
    stop = len(data) - len(deletes)
    client, at = uint(data, 2)
    clock, begin = uint(data, at)
    info = data[begin]
    at = begin + 1
    is_parent = not info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN)
    ids: tuple[tuple[int, int], ...] = ()
    if not is_parent or not data[at]:
        at += is_parent
        if data.startswith(own, at):
            other, at = client, at + len(own)
        else:
            other, at = uint(data, at)
        needed, at = uint(data, at)
        ids = ((other, needed),)
        if info & _HAS_ORIGIN and info & _HAS_RIGHT_ORIGIN:
            other, at = uint(data, at)
            needed, at = uint(data, at)
            ids += ((other, needed),)
    for other, needed in ids:
        if other == client and needed >= clock:
            return None  # refers to itself or to what comes after it
    deleted = None
    if len(deletes) > 1:
        at = stop + 1
        if data.startswith(own, at):
            other, at = client, at + len(own)
        else:
            other, at = uint(data, at)
        first, at = uint(data, at + 1)
        deleted = other, first, uint(data, at)[0]
    end = clock + (1 if text is None else len(text) - 1)
    return SmallUpdate(client, clock, end, begin, stop, info & 0x1F == _TYPE, ids, is_parent, deleted)
