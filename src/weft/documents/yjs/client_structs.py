"""What a log holds of one client, and the parts of updates that are put behind it."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from weft._codecs.yjs.agreement import contradiction
from weft._codecs.yjs.items import cut_front, read_items
from weft._codecs.yjs.patterns import BATCH, patterns
from weft._codecs.yjs.stored import content_at, find_struct, struct_ends
from weft.documents.yjs.places import first_fault
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft._codecs.yjs.run import Run
    from weft.documents.yjs.places import Places, Rules

__all__ = ["ClientStructs", "Mark", "Part"]

_NONE, _NO_PLACES, _ZERO = array("I"), array("H"), array("Q", [0])  # never changed
_EMPTY = frozenset({0, 1})  # GC and deleted content: a type may have been there
_LARGE = 1024  # bytes of a struct that nobody should have to pass to get at one behind it


class Mark(NamedTuple):
    """How far a client's structs went."""

    clock: int
    structs: int
    size: int
    types: int


class ClientStructs:
    """One client's structs from clock 0 on, one behind the other.

    Attributes:
        clock: Clock after the last one.
        structs: How many they are.
        data: Their bytes.
        types: Clocks of those that are types, in order.
        places: Where they are, once somebody has asked.
    """

    __slots__ = (
        "_clocks", "_ordinals", "_places", "_type_places", "clock", "data", "places", "structs", "types",
    )  # fmt: skip

    def __init__(self) -> None:
        self.clock = 0
        self.structs = 0
        self.data = bytearray()
        self.types = _NONE
        self.places: Places | None = None
        self._type_places = _NO_PLACES
        # Of a struct after every 64, and of each large one and the one behind it: the first clock, the place
        # in ``data``, and how many are before it. As far as anybody has asked for.
        self._clocks, self._places, self._ordinals = _ZERO, _ZERO, _ZERO

    def mark(self) -> Mark:
        """Where the structs end now."""
        return Mark(self.clock, self.structs, len(self.data), len(self.types))

    def go_back(self, mark: Mark) -> None:
        """Take away what came after a mark."""
        self.clock, self.structs = mark.clock, mark.structs
        del self.data[mark.size :]
        self.types, self._type_places = self.types[: mark.types], self._type_places[: mark.types]
        if self.places is not None:
            self.places.go_back(mark.clock, mark.structs, len(self.data))
        kept = bisect_right(self._ordinals, mark.structs)
        self._clocks, self._places = self._clocks[:kept], self._places[:kept]
        self._ordinals = self._ordinals[:kept]

    def find(self, clock: int) -> tuple[int, int, int]:
        """Find the struct that holds a clock: how many are before it, its place, and its first clock."""
        if clock >= self._clocks[-1]:
            self._index(clock)
        block = bisect_right(self._clocks, clock) - 1
        before, at, first = self._ordinals[block], self._places[block], self._clocks[block]
        if block + 1 < len(self._ordinals) and self._ordinals[block + 1] == before + 1:
            return before, at, first
        ordinal, at, first = find_struct(self.data, at, BATCH, first, clock)
        return before + ordinal, at, first

    def _index(self, wanted: int) -> None:
        """Note the places of structs up to a clock."""
        data, match_batch = self.data, patterns().linked.match
        clock, at, ordinal = self._clocks[-1], self._places[-1], self._ordinals[-1]
        if self._clocks is _ZERO:
            self._clocks, self._places, self._ordinals = array("I", [0]), array("Q", [0]), array("I", [0])
        while clock <= wanted:
            batch = match_batch(data, at)
            if batch is not None:
                at = batch.end()
                clock += BATCH
                ordinal += BATCH
                del batch  # it would keep the bytearray from growing
            else:
                last = min(self._ordinals[-1] + BATCH, self.structs)
                for length, stop in struct_ends(data, at, last - ordinal):
                    if stop - at > _LARGE:
                        if ordinal > self._ordinals[-1]:
                            break
                        last = ordinal + 1
                    clock += length
                    at = stop
                    ordinal += 1
                    if ordinal == last:
                        break
            self._clocks.append(clock)
            self._places.append(at)
            self._ordinals.append(ordinal)

    def add_type(self, clock: int, place: int) -> None:
        """Note a type among structs that have been put behind the others, and where it is."""
        if not self.types:
            self.types, self._type_places = array("I"), array("H")
        self.types.append(clock)
        self._type_places.append(place)

    def type_place(self, clock: int) -> int | None:
        """Where the type at a clock is; ``None`` where there is none."""
        at = bisect_left(self.types, clock)
        return self._type_places[at] if at < len(self.types) and self.types[at] == clock else None

    def can_be_parent(self, clock: int) -> bool:
        """Whether the struct at a clock is a type, or may have been one."""
        if self.type_place(clock) is not None:
            return True
        return content_at(self.data, self.find(clock)[1]) in _EMPTY


class Part:
    """A run of an update on its way into the log.

    Attributes:
        run: The run.
        rules: What it must keep to.
        is_cut: Whether a struct of it was there in part, so that the log has only the rest of it.
    """

    __slots__ = ("_at", "_clock", "_is_compared", "_met", "_ordinal", "is_cut", "rules", "run")

    def __init__(self, run: Run, rules: Rules) -> None:
        self.run = run
        self.rules = rules
        self.is_cut = False
        self._is_compared = rules.is_stored  # what is stored was taken in
        self._clock, self._at, self._ordinal = run.clock, run.begin, 0  # what is before was put into the log
        self._met = 0  # how many of the run's needs are met

    def advance(self, clients: dict[int, ClientStructs], marks: dict[int, Mark]) -> tuple[int, int] | None:
        """Put into the log what can be.

        Args:
            clients: The log.
            marks: Where clients of which something is put there were before, unless noted already.

        Returns:
            The client and clock that the rest waits for, or ``None`` when there is no rest.

        Raises:
            RemoteProtocolError: A parent is no type, a type is too deep, a key has a value of several
                clocks, or something else is known by the same id. What is before that struct is in the log.
        """
        run = self.run
        own = clients.get(run.client)
        known = 0 if own is None else own.clock
        if run.clock > known:
            return run.client, run.clock
        if own is not None and run.clock < known and not self._is_compared:
            self._compare(own)
        self._is_compared = True
        while self._met < run.needs:
            need = run.need(self._met)
            # Also of structs that are there already: Yjs looks at them before it leaves them out, and another
            # under a known id would meet the need of those that follow.
            other = clients.get(need.client)
            is_own = need.client == run.client and need.needed >= known
            if not is_own and (other is None or other.clock <= need.needed):
                self._take(clients, marks, need.clock)
                return need.client, need.needed + 1
            if need.is_parent and not (is_own and _is_in(run.types, need.needed)):
                if is_own:
                    self._take(clients, marks, need.clock)
                if not clients[need.client].can_be_parent(need.needed):
                    self._take(clients, marks, need.clock)
                    raise RemoteProtocolError(
                        f"not a usable update: parent {need.client}:{need.needed} is no type"
                    )
            self._met += 1
        self._take(clients, marks, run.end)
        return None

    def _compare(self, own: ClientStructs) -> None:
        """Refuse it if what is known by the same ids is something else."""
        run = self.run
        before, at, first = own.find(run.clock)
        if first == run.clock:
            if own.data.startswith(run.data[run.begin : run.stop], at):
                return
            if run.end >= own.clock and run.data.startswith(own.data[at:], run.begin):
                return
        clock = contradiction(
            read_items(own.data, at, own.structs - before, run.client, first),  # type: ignore[arg-type]
            read_items(run.data, run.begin, run.count, run.client, run.clock),
            min(run.end, own.clock),
        )
        if clock is not None:
            raise RemoteProtocolError(f"not a usable update: {run.client}:{clock} is known as something else")

    def _take(self, clients: dict[int, ClientStructs], marks: dict[int, Mark], clock: int) -> None:
        """Put into the log what is before a clock of the run, where a struct begins, and is not there yet.

        Raises:
            RemoteProtocolError: Something is not allowed. What is before it is in the log.
        """
        run = self.run
        own = clients.get(run.client)
        if clock <= (0 if own is None else own.clock):
            return
        if own is None:
            own = clients[run.client] = ClientStructs()
        before = own.mark()
        marks.setdefault(run.client, before)
        if own.clock > self._clock:
            known, left = own.clock, run.count - self._ordinal
            passed, self._at, self._clock = find_struct(run.data, self._at, left, self._clock, known)
            self._ordinal += passed
            if self._clock < known:  # somebody has joined what came apart before
                rest, self._clock, self._at = cut_front(
                    run.data, self._at, run.client, self._clock, known - self._clock
                )
                own.data += rest
                own.structs += 1
                self._ordinal += 1
                self.is_cut = True
        if self._met == run.needs:
            ordinal, at = run.count, run.stop
        elif self._clock == clock:
            ordinal, at = self._ordinal, self._at
        else:
            # Up to the end of what holds the clock before: an empty text at this one may be what waits.
            left = run.count - self._ordinal
            passed, at, _ = find_struct(run.data, self._at, left, self._clock, clock - 1)
            ((_, at),) = struct_ends(run.data, at, 1)
            ordinal = self._ordinal + passed + 1
        own.data += run.data[self._at : at]
        own.structs += ordinal - self._ordinal
        start, own.clock = own.clock, clock
        self._clock, self._at, self._ordinal = clock, at, ordinal
        fits = self.rules.crowds.take(own.data, before.size, own.structs - before.structs)
        if not fits and not self.rules.is_stored:
            _withdraw(clients, marks, run.client, before)
            raise RemoteProtocolError(
                f"not a usable update: {run.client}:{start} is at a place where too many are"
            )
        if run.types or run.longs:
            fault = first_fault(clients, run, start, clock, self.rules)
            if fault is not None:
                passed, place, first = own.find(fault[0])
                mark = Mark(first, passed, place, bisect_left(own.types, first))
                _withdraw(clients, marks, run.client, mark)
                raise fault[1]


def _withdraw(clients: dict[int, ClientStructs], marks: dict[int, Mark], client: int, mark: Mark) -> None:
    """Take away what came after a mark, and note nothing where nothing is left."""
    own = clients[client]
    own.go_back(mark)
    if own.mark() == marks[client]:
        del marks[client]
    if not own.structs:
        del clients[client]


def _is_in(clocks: Sequence[int], clock: int) -> bool:
    at = bisect_left(clocks, clock)
    return at < len(clocks) and clocks[at] == clock
