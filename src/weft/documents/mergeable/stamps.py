"""What a mergeable document holds: stamped cells in rows, rows in tables, and the hashes of all that.

A hash is made when somebody asks, and then anew only for what was written since: each level remembers which
of its children changed, and what those had added to its hash.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Generic, TypeVar

from weft.documents.mergeable.hashes import (
    cell_text,
    get_cell_hash,
    get_child_hash,
    get_hash,
    get_thing_hash,
    quote,
)
from weft.jsoncodec import in_js_order
from weft.values import UNDEFINED, UNDEFINED_MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.documents.mergeable.content import Stamp

__all__ = ["Group", "Things"]

_DELETED = f'"{UNDEFINED_MARK}"'


class Things:
    """The stamps of the cells of a row, or of all values.

    Attributes:
        stamps: By id: the stored form, ``UNDEFINED`` where it was deleted, and the stamp of the clock.
        hlc: Its own stamp of the clock: empty but for what TinyBase 5 made.
        counted: What it has added to the hash of the table that it is in; -1 when that is out of date.
    """

    __slots__ = ("_cell_hashes", "_hash", "_hashed", "_text", "counted", "hlc", "stamps")

    def __init__(self, stamps: dict[str, Stamp] | None = None, hlc: str = "") -> None:
        self.stamps: dict[str, Stamp] = {} if stamps is None else stamps
        self.hlc = hlc
        self.counted = -1
        self._hash = -1
        # While the hash is known: the stamps that it was made of, where they are others by now.
        self._hashed: dict[str, Stamp | None] | None = None
        self._cell_hashes: array[int] | None = None  # of the stamps, while the hash is known
        self._text = ""  # what the hash was last made for, once somebody has asked; empty: not yet

    def set(self, thing_id: str, stamp: Stamp) -> None:
        """Stamp a cell or value anew."""
        if self._hash >= 0:
            if self._hashed is None:
                self._hashed = {}
            self._cell_hashes = None
            self._hashed.setdefault(thing_id, self.stamps.get(thing_id))
        self.stamps[thing_id] = stamp

    def restore(self, thing_id: str, stamp: Stamp | None) -> None:
        """Put back what was there before, or nothing."""
        if stamp is None:
            self.stamps.pop(thing_id, None)
            self._hash = -1
            self._hashed = self._cell_hashes = None
        else:
            self.set(thing_id, stamp)

    def set_hlc(self, hlc: str) -> None:
        """Take over a stamp of its own."""
        self.hlc = hlc
        self._hash = -1
        self._hashed = self._cell_hashes = None

    @property
    def hash(self) -> int:
        """The hash of all of it."""
        hashed = self._hashed
        if self._hash < 0 or (hashed is not None and 2 * len(hashed) > len(self.stamps)):
            total = get_hash(self.hlc) if self.hlc else 0
            for thing_id, cell_hash in zip(self.stamps, self._all_hashes(), strict=True):
                total ^= get_thing_hash(thing_id, cell_hash)
            self._hash = total
            self._text = ""
        elif hashed is not None:
            total = self._hash
            for thing_id, before in hashed.items():
                if before is not None:
                    total ^= get_thing_hash(thing_id, get_cell_hash(*before))
                total ^= get_thing_hash(thing_id, get_cell_hash(*self.stamps[thing_id]))
            self._hash = total
            self._text = ""
        self._hashed = None
        return self._hash

    @property
    def cell_hashes(self) -> Sequence[int]:
        """The hash of each stamp, in the order of :attr:`stamps`."""
        return self._all_hashes() if self.hash >= 0 else ()  # the hash of all first, as it keeps them

    def _all_hashes(self) -> array[int]:
        hashes = self._cell_hashes
        if hashes is None:
            hashes = self._cell_hashes = array("I", [get_cell_hash(*stamp) for stamp in self.stamps.values()])
        return hashes

    @property
    def text(self) -> str:
        """All of it as JSON text with hashes, kept until something is written: most rows stay as they are."""
        total = self.hash
        if not self._text:
            hashes = dict(zip(self.stamps, self._all_hashes(), strict=True))
            things = [
                f"{quote(thing_id)}:[{_DELETED if stored is UNDEFINED else cell_text(stored)}"
                f',"{hlc}",{hashes[thing_id]}]'
                for thing_id, (stored, hlc) in in_js_order(self.stamps).items()
            ]
            self._text = f'[{{{",".join(things)}}},"{self.hlc}",{total}]'
        return self._text


C = TypeVar("C", "Things", "Group[Things]")


class Group(Generic[C]):
    """The rows of a table, or all tables.

    Attributes:
        children: Rows or tables by id; write to them by :meth:`child`.
        hlc: Its own stamp of the clock: empty but for what TinyBase 5 made.
        counted: As of :class:`Things`.
    """

    __slots__ = ("_changed", "_hash", "children", "counted", "hlc")

    def __init__(self) -> None:
        self.children: dict[str, C] = {}
        self.hlc = ""
        self.counted = -1
        self._hash = 0
        self._changed: dict[str, None] = {}

    def touch(self, child_id: str, child: C) -> None:
        """Say that a child, which may be new, is to be written to."""
        if child.counted >= 0:
            self._hash ^= child.counted
            child.counted = -1
        self._changed[child_id] = None

    def drop(self, child_id: str) -> None:
        """Take out a child that was touched."""
        self._changed.pop(child_id, None)
        del self.children[child_id]

    def set_hlc(self, hlc: str) -> None:
        """Take over a stamp of its own."""
        if self.hlc:
            self._hash ^= get_hash(self.hlc)
        self.hlc = hlc
        self._hash ^= get_hash(hlc)

    @property
    def hash(self) -> int:
        """The hash of all of it."""
        if self._changed:
            total, children = self._hash, self.children
            for child_id in self._changed:
                child = children[child_id]
                child.counted = get_child_hash(child_id, child.hash)
                total ^= child.counted
            self._hash = total
            self._changed = {}
        return self._hash

    @property
    def text(self) -> str:
        """All of it as JSON text with hashes."""
        children = ",".join(
            [f"{quote(child_id)}:{child.text}" for child_id, child in in_js_order(self.children).items()]
        )
        return f'[{{{children}}},"{self.hlc}",{self.hash}]'
