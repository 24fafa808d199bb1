"""Where the texts of a document hold pairs of surrogates, and what cuts them.

yrs keeps texts as UTF-8. Where it must begin a piece between the halves of a pair, it leaves the pair whole
in one piece and has a unit too few in the other: texts read otherwise than in Yjs, and clocks are off in what
it encodes. So it is given no text in which a pair stands whole that something else cuts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from weft._codecs.yjs.items import read_items
from weft._codecs.yjs.small import read_small
from weft._codecs.yjs.state import decode_state_vector, encode_state_vector
from weft._codecs.yjs.structs import STORED, read_update
from weft._codecs.yjs.surrogates import may_hold_pairs, pairs_in, split_pairs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from weft._codecs.yjs.small import SmallUpdate
    from weft._codecs.yjs.update import ItemId
    from weft.documents.yjs.log_results import CheckedUpdate

__all__ = ["Pairs", "mend"]

_NONE: tuple[ItemId, ...] = ()
_HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x40, 0x80


class Pairs:
    """The pairs of a document, four bytes for each; a pair has the id of its second half."""

    __slots__ = ("_clocks",)

    def __init__(self) -> None:
        self._clocks: dict[int, array[int]] = {}  # ascending

    def note(self, update: bytes) -> None:
        """Note those in an update, which may hold what is known already.

        Takes next to no time where no character of it is beyond U+FFFF.
        """
        if may_hold_pairs(update):
            self._note(update)

    def _note(self, update: bytes) -> None:
        for client, clock in pairs_in(update):
            clocks = self._clocks.setdefault(client, array("I"))
            if not clocks or clocks[-1] < clock:
                clocks.append(clock)
            elif clocks[at := bisect_left(clocks, clock)] != clock:
                clocks.insert(at, clock)

    def forget(self, cut: Collection[ItemId]) -> None:
        """Pairs that are none any more."""
        for client, clock in cut:
            clocks = self._clocks[client]
            del clocks[bisect_left(clocks, clock)]
            if not clocks:
                del self._clocks[client]

    def take(self, update: bytes, checked: CheckedUpdate | None = None) -> Collection[ItemId]:
        """:meth:`note` an update, and give what it cuts of all that is known then."""
        if may_hold_pairs(update):
            self._note(update)
        return self.cut_by(update, checked) if self._clocks else _NONE

    def cut_by(self, update: bytes, checked: CheckedUpdate | None = None) -> Collection[ItemId]:
        """Those that an update cuts: by an origin, a right origin, or an edge of what it deletes.

        Args:
            update: Yjs v1 update.
            checked: What has been found in it, if it has been looked at.
        """
        small = read_small(update, STORED) if checked is None else checked.small
        if small is not None:
            return {place for place in _edges(small, update) if self._has(*place)}
        runs, deletes = read_update(update, STORED) if checked is None else (checked.runs, checked.deletes)
        known = self._clocks
        cut: set[ItemId] = set()
        for run in runs:
            for item in read_items(run.data, run.begin, run.count, run.client, run.clock):
                origin, right = item.origin, item.right_origin
                if origin is not None and origin[0] in known and self._has(origin[0], origin[1] + 1):
                    cut.add((origin[0], origin[1] + 1))
                if right is not None and right[0] in known and self._has(*right):
                    cut.add(right)
        for client in deletes.keys() & known.keys():
            for edges in deletes[client]:
                cut.update((client, clock) for clock in edges if self._has(client, clock))
        return cut

    def beside(self, state_vector: bytes) -> bytes:
        """A state vector that names no clock within one: yrs cannot begin an answer there.

        Raises:
            RemoteProtocolError: The bytes are not a state vector.
        """
        if not self._clocks:
            return state_vector
        state = decode_state_vector(state_vector)
        within = {client for client, clock in state.items() if self._has(client, clock)}
        if not within:
            return state_vector
        return encode_state_vector({client: clock - (client in within) for client, clock in state.items()})

    def _has(self, client: int, clock: int) -> bool:
        clocks = self._clocks.get(client)
        if clocks is None:
            return False
        at = bisect_left(clocks, clock)
        return at < len(clocks) and clocks[at] == clock


def mend(updates: Collection[bytes]) -> list[bytes]:
    """Make of updates that one document is given one after the other such as cut no pair of surrogates."""
    pairs = Pairs()
    for update in updates:
        pairs.note(update)
    cut = {place for update in updates for place in pairs.cut_by(update)}
    return [split_pairs(update, cut) for update in updates] if cut else list(updates)


def _edges(small: SmallUpdate, update: bytes) -> Iterator[ItemId]:
    """Where an update cuts what is there: what begins behind the cut."""
    ids = small.ids
    if ids and not small.is_parent:
        if update[small.begin] & _HAS_ORIGIN:
            client, clock = ids[0]
            yield client, clock + 1
        if update[small.begin] & _HAS_RIGHT_ORIGIN:
            yield ids[-1]
    if small.deleted is not None:
        client, first, length = small.deleted
        yield client, first
        yield client, first + length
