"""Where the structs of a log are: how deep in nested types, and whether at a key.

yrs and Yjs walk through nested types by recursion, so a chain of 100,000 types ends the process, however
many updates it was made by. A type's depth is known from its parent's. Where it has a neighbour instead, the
neighbour's place is looked up. Such places are found out when somebody asks: of each client from clock 0 on,
each struct once, so that it takes linear time whatever comes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from weft._codecs.yjs.ranges import Ranges
from weft._codecs.yjs.stored import read_ids, struct_ends
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from weft._codecs.yjs.run import Run
    from weft._codecs.yjs.update import ItemId
    from weft.documents.yjs.crowds import Crowds

    class Structs(Protocol):
        """One client's structs, as far as they are read and noted here."""

        data: bytearray
        structs: int
        places: Places | None

        def type_place(self, clock: int, /) -> int | None:
            """Where the type at a clock is; ``None`` where there is none."""

        def add_type(self, clock: int, place: int, /) -> None:
            """Note a type, and where it is."""


__all__ = ["MAX_TYPE_DEPTH", "Places", "Rules", "check_long", "first_fault", "is_at_key", "type_place"]

# How deep types may be nested in what is stored: yrs bears some thousands on a thread's stack of 8 MB.
MAX_TYPE_DEPTH = 255

_HAS_KEY, _HAS_RIGHT_ORIGIN, _HAS_ORIGIN = 0x20, 0x40, 0x80
_AT_KEY = 1


class Rules(NamedTuple):
    """What structs of an update must keep to.

    Attributes:
        max_depth: How deep types may be nested.
        deletes: What the update deletes.
        known: What the log knows as deleted.
        is_stored: Whether it was taken in before.
        crowds: What counts those at one place.
        early: Where it is noted what they may be only because the update deletes it: so that must be deleted
            with them, and not with the rest of the update.
    """

    max_depth: int
    deletes: Mapping[int, Ranges]
    known: Mapping[int, Ranges]
    is_stored: bool
    crowds: Crowds
    early: dict[int, Ranges]

    def are_deleted(self, client: int, clock: int, end: int) -> bool:
        """Whether clocks of a client are deleted by the update, or were before."""
        whole = [(clock, end, True)]
        if client in self.known and self.known[client].pieces(clock, end) == whole:
            return True
        if client not in self.deletes or self.deletes[client].pieces(clock, end) != whole:
            return False
        self.early.setdefault(client, Ranges()).add(clock, end)
        return True


class Places:
    """The places of one client's structs up to a clock: twice the depth of the parent, and one more at a key.

    Attributes:
        reached: Up to which clock they are known.
    """

    __slots__ = ("_at", "_clocks", "_ordinal", "_values", "reached")

    def __init__(self) -> None:
        self.reached = self._at = self._ordinal = 0
        self._clocks, self._values = array("I"), array("H")  # where a place begins that is not the one before

    def go_back(self, clock: int, structs: int, size: int) -> None:
        """Forget what came after a struct."""
        if self.reached > clock:
            self.reached, self._ordinal, self._at = clock, structs, size
            kept = bisect_left(self._clocks, clock)
            self._clocks, self._values = self._clocks[:kept], self._values[:kept]

    def place(self, clock: int) -> int:
        """The place of a struct below the clock that is reached."""
        return self._values[bisect_right(self._clocks, clock) - 1]

    def advance(self, clients: Mapping[int, Structs], client: int, clock: int) -> ItemId | None:
        """Find out about all structs up to a clock; gives another one where that must be found out before."""
        own = clients[client]
        data, at = own.data, self._at
        for length, stop in struct_ends(data, at, own.structs - self._ordinal):
            info = data[at]
            flags = info & (_HAS_ORIGIN | _HAS_RIGHT_ORIGIN)
            if not info & 0x1F:
                place = 0
            elif flags:
                (neighbour, *_), _ = read_ids(data, at + 1, flags)
                found = self._known(clients, neighbour, client)
                if found is None:
                    return neighbour
                place = found
            else:
                parent = None if data[at + 1] else read_ids(data, at + 2, 0)[0][0]
                place = _inside(clients, parent) | bool(info & _HAS_KEY)
            if length and (not self._values or self._values[-1] != place):
                self._clocks.append(self.reached)
                self._values.append(place)
            self.reached += length
            self._at = at = stop
            self._ordinal += 1
            if self.reached > clock:
                return None
        return None

    def _known(self, clients: Mapping[int, Structs], wanted: ItemId, client: int) -> int | None:
        if wanted[0] == client:
            return self.place(wanted[1])
        other = clients[wanted[0]]
        place = other.type_place(wanted[1])
        if place is None and other.places is not None and other.places.reached > wanted[1]:
            place = other.places.place(wanted[1])
        return place


def _inside(clients: Mapping[int, Structs], parent: ItemId | None) -> int:
    """The place of what is in a type; what was in a collected one is collected too."""
    place = None if parent is None else clients[parent[0]].type_place(parent[1])
    return 0 if place is None else min((place | _AT_KEY) + 1, 2 * MAX_TYPE_DEPTH + 2)


def _place_of(clients: Mapping[int, Structs], wanted: ItemId) -> int:
    place = clients[wanted[0]].type_place(wanted[1])
    if place is not None:
        return place
    asked = [wanted]
    while asked:
        client, clock = asked[-1]
        own = clients[client]
        if own.places is None:
            own.places = Places()
        before = own.places.advance(clients, client, clock) if own.places.reached <= clock else None
        if before is None:
            asked.pop()
        else:
            asked.append(before)
    found = clients[wanted[0]].places
    return 0 if found is None else found.place(wanted[1])


def is_at_key(clients: Mapping[int, Structs], wanted: ItemId) -> bool:
    """Whether a struct is a value of a key."""
    return bool(_place_of(clients, wanted) & _AT_KEY)


def type_place(
    clients: Mapping[int, Structs],
    neighbour: ItemId | None,
    parent: ItemId | None,
    is_keyed: bool,
    max_depth: int,
) -> int:
    """The place of a type.

    Raises:
        RemoteProtocolError: It is too deep.
    """
    place = _inside(clients, parent) | is_keyed if neighbour is None else _place_of(clients, neighbour)
    if place >> 1 >= max_depth:
        raise RemoteProtocolError(f"not a usable update: types nested more than {max_depth} deep")
    return place


def check_long(
    clients: Mapping[int, Structs], client: int, clock: int, end: int, neighbour: ItemId | None,
    rules: Rules,
) -> None:  # fmt: skip
    """Refuse a struct of several clocks that is the value of a key.

    Nobody honest has one that is not deleted. Yjs throws in each peer that collects the map, once another
    value was put behind a part of it.

    Raises:
        RemoteProtocolError: It is one.
    """
    if (neighbour is None or is_at_key(clients, neighbour)) and not rules.are_deleted(client, clock, end):
        raise RemoteProtocolError(f"not a usable update: {client}:{clock} is several values of one key")


def first_fault(
    clients: Mapping[int, Structs], run: Run, start: int, end: int, rules: Rules
) -> tuple[int, RemoteProtocolError] | None:
    """Note where the types of a run are that were put into the log; give the first struct that must not be.

    Args:
        clients: The log.
        run: The run.
        start: From which clock on it was put there now.
        end: Up to which.
        rules: What it must keep to.
    """
    own = clients[run.client]
    fault = None
    for at in range(bisect_left(run.types, start), bisect_left(run.types, end)):
        found = run.type_parent(at)
        try:
            place = type_place(clients, found.neighbour, found.parent, found.is_keyed, rules.max_depth)
        except RemoteProtocolError as error:
            fault = found.clock, error
            break
        own.add_type(found.clock, place)
    if run.longs:
        # Looked for, as a run may come in thousands of parts.
        first = bisect_left(range(run.longs), start, key=lambda at: run.long(at).clock)
        if first and start + 1 < (end_of_cut := run.long(first - 1).end):
            # What was there in part: the rest of it stands behind that.
            try:
                check_long(clients, run.client, start, end_of_cut, (run.client, start - 1), rules)
            except RemoteProtocolError as error:
                return start, error
        stop = end if fault is None else fault[0]
        for long in map(run.long, range(max(first - 1, 0), run.longs)):
            clock, neighbour = long.clock, long.neighbour
            if clock < start:  # what was there before, or is in part: the rest stands behind that
                if long.end <= start + 1:
                    continue
                clock, neighbour = start, (run.client, start - 1)
            if clock >= stop:
                break
            try:
                check_long(clients, run.client, clock, long.end, neighbour, rules)
            except RemoteProtocolError as error:
                return clock, error
    return fault
