"""A Yjs document as the bytes its writers sent, without the binding.

Whoever re-encodes a document through yrs changes what others wrote (text whose surrogate pairs were split,
BigInt, -0, the order of keys). A log keeps each struct as the slice of bytes it came in, knows where each
client's begin, and answers state vectors with those bytes.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Self

from weft._codecs.yjs.compact import StoredClient
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.ranges import Ranges, encode_deletes, is_covered
from weft._codecs.yjs.skip import uint_bytes
from weft._codecs.yjs.small import read_small
from weft._codecs.yjs.state import decode_state_vector, encode_state_vector
from weft._codecs.yjs.structs import STORED, read_update
from weft.documents.yjs.client_structs import ClientStructs, Part
from weft.documents.yjs.crowds import Crowds
from weft.documents.yjs.deletions import OwnDeletions
from weft.documents.yjs.held import Entry, HeldUpdates, Pending
from weft.documents.yjs.log_results import Added, CheckedUpdate, NoRoomError
from weft.documents.yjs.places import MAX_TYPE_DEPTH, Rules, check_long, type_place
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weft._codecs.yjs.small import SmallUpdate
    from weft._codecs.yjs.state import State
    from weft.documents.yjs.client_structs import Mark
    from weft.documents.yjs.held import Queues, Refused

__all__ = ["MAX_HELD", "Added", "CheckedUpdate", "NoRoomError", "UpdateLog"]

_HAS_KEY = 0x20
MAX_HELD = DEFAULT_LIMITS.max_held


class UpdateLog:
    """The structs and deletions of a Yjs document, each as the bytes its writer sent.

    What refers to what is not there, or does not follow on from what is, is held until it does, and given out
    to nobody before.

    Args:
        limits: Bounds of a received update: ``max_depth`` and ``max_string``.
        max_held: Bytes of updates that may wait, with what the log must note of them.
        max_crowd: Structs that may be written at one place without knowing of each other, in a log that is to
            be given to yrs, which takes quadratic time for them.
    """

    __slots__ = (
        "_clients", "_crowds", "_deletes", "_early", "_encoded", "_held", "_limits", "_number",
        "_own_deletions", "_waiting", "_whole",
    )  # fmt: skip

    def __init__(
        self, *, limits: Limits = DEFAULT_LIMITS, max_held: int = MAX_HELD, max_crowd: int | None = None
    ) -> None:
        self._limits = limits
        self._clients: dict[int, ClientStructs] = {}
        self._deletes: dict[int, Ranges] = {}
        self._early: dict[int, Ranges] = {}  # see Rules; empty but within add
        # The answer to an empty vector and the delete set in every answer, once somebody has asked.
        self._whole: bytes | None = None
        self._encoded: bytes | None = None
        self._held = HeldUpdates(max_held)
        self._crowds = Crowds(self._clients, max_crowd)
        self._own_deletions: OwnDeletions | None = None  # once somebody has asked
        self._waiting: Queues = {}
        self._number = count()

    @classmethod
    def of(
        cls,
        updates: Iterable[bytes],
        *,
        limits: Limits = DEFAULT_LIMITS, max_held: int = MAX_HELD, max_crowd: int | None = None,
    ) -> Self:  # fmt: skip
        """A log of stored updates, in any order; see ``stored`` of :meth:`add`.

        Raises:
            RemoteProtocolError: One of them is not an update.
        """
        log = cls(limits=limits, max_held=max_held, max_crowd=max_crowd)
        for update in updates:
            log.add(update, stored=True)
        return log

    def check(self, update: bytes, limits: Limits | None = None) -> CheckedUpdate:
        """Walk through an update that is to be added later; nothing changes.

        Args:
            update: Received bytes.
            limits: Instead of the log's own.

        Raises:
            RemoteProtocolError: It is malformed, Yjs would refuse or misread it, or it breaks a limit.
        """
        limits = limits or self._limits
        small = read_small(update, limits)
        if small is not None:
            return CheckedUpdate(update, small, [], {}, limits.max_depth)
        runs, deletes = read_update(update, limits)
        return CheckedUpdate(update, None, runs, deletes, limits.max_depth)

    @property
    def clients(self) -> int:
        """How many clients have written in it."""
        return len(self._clients)

    def count_new(self, update: CheckedUpdate) -> int:
        """How many clients an update is of that have written nothing in it yet."""
        clients = self._clients
        if update.small is not None:
            return update.small.client not in clients
        return len({run.client for run in update.runs if run.client not in clients})

    def deletes_more(self, update: CheckedUpdate) -> bool:
        """Whether an update deletes anything not known as deleted, and that Yjs does not delete by itself.

        Of two concurrent writes to a key that is one, with what is in it.
        """
        small = update.small
        if small is not None and small.deleted is not None:
            client, first, length = small.deleted
            deletes = {client: Ranges()}
            deletes[client].add(first, first + length)
        else:
            deletes = update.deletes
        if is_covered(deletes, self._deletes):
            return False
        if self._own_deletions is None:
            self._own_deletions = OwnDeletions(self._clients, self._deletes)
        return self._own_deletions.are_more(deletes)

    def add(self, update: bytes | CheckedUpdate, *, stored: bool = False, origin: object = None) -> Added:
        """Take in an update.

        Args:
            update: Yjs v1 update, or what :meth:`check` gave for it.
            stored: Whether it was taken in before, here or by another process. The bounds do not apply to it,
                but that types are nested no deeper than any document bears. Structs of which that is not so,
                or whose parent is no type, are left out with what follows them, as they are where that is
                noticed when something waited for arrives.
            origin: Who brought it: one may have waiting as much as is left to others.

        Raises:
            RemoteProtocolError: It is malformed, Yjs would refuse or misread it, it breaks a limit, the
                parent of one of its structs is no type, a key has a value of several clocks, it says
                something else than what is known by the same ids, or it would have to wait and there is no
                room. The log is as before.
        """
        if not isinstance(update, CheckedUpdate):
            update = self.check(update, STORED if stored else None)
        update, small, runs, deletes, max_depth = update
        max_depth = MAX_TYPE_DEPTH if stored else min(max_depth, MAX_TYPE_DEPTH)
        if small is not None:
            if self._append(update, small, max_depth):
                return Added((update,), False, True)
            runs, deletes = read_update(update, STORED)
        if self._held and update in self._held:
            return Added((), held=True, is_new=False)
        pending = Pending(update, origin, deletes, len(runs))
        rules = self._rules(deletes, max_depth, is_stored=stored)
        marks: dict[int, Mark] = {}
        waiting: Queues = {}
        refused: Refused = []
        released: tuple[bytes, ...] = ()
        complete: list[Pending] = []
        entries = (Entry(pending, Part(run, rules)) for run in runs) if runs else [Entry(pending, None)]
        try:
            for entry in entries:
                complete += self._run([entry], waiting, marks, refused if stored else None)
            if waiting:
                self._hold(pending, waiting, unbounded=stored)
        except BaseException:  # want of memory too: what is here and not stored would be lost in silence
            self._undo(marks)
            self._crowds.settle(undo=True)
            raise
        updates: tuple[bytes, ...] = ()
        is_whole = not waiting and not refused and not pending.is_cut
        early = () if is_whole else (self._early,)
        deleted = self._delete([*(found.deletes for found in complete), *early])
        before: dict[int, Mark] = {} if is_whole else dict(marks)
        if is_whole:
            updates = (update,) if marks or deleted else ()
            deleted = {}
        if self._waiting:
            woken = [entry for client in marks for entry in self._woken(self._waiting, client)]
            complete = self._run(woken, self._waiting, before, refused)
            released = tuple(found.update for found in complete)
            for found in complete:
                self._held.release(found)
            late = self._delete([*(found.deletes for found in complete), self._early])
            for client, ranges in late.items():
                deleted.setdefault(client, Ranges()).update(ranges)
        self._crowds.settle()
        self._early.clear()
        if before or deleted:
            updates += (self._since(before, deleted),)
        if updates:
            self._whole = None
        return Added(
            updates,
            bool(waiting),
            bool(updates or waiting),
            tuple(reason for reason, _ in refused),
            tuple((found.update, found.origin) for _, found in refused),
            released,
        )

    def _append(self, update: bytes, small: SmallUpdate, max_depth: int) -> bool:
        """Take in an update of one struct if it follows on; whether it did."""
        client, clock, end, begin, stop, is_type, ids, is_parent, deleted = small
        clients = self._clients
        own = clients.get(client)
        if clock != (0 if own is None else own.clock) or client in self._waiting:
            return False
        for other, needed in ids:
            found = own if other == client else clients.get(other)
            if found is None or needed >= found.clock or (is_parent and not found.can_be_parent(needed)):
                return False
        place = 0
        if is_type or (end > clock + 1 and (ids or update[begin] & _HAS_KEY)):
            neighbour, parent = (None, ids[0]) if is_parent and ids else (ids[0] if ids else None, None)
            try:
                if is_type:
                    place = type_place(clients, neighbour, parent, bool(update[begin] & _HAS_KEY), max_depth)
                elif neighbour is not None or update[begin] & _HAS_KEY:
                    check_long(clients, client, clock, end, neighbour, self._rules({}, max_depth))
            except RemoteProtocolError:
                return False  # which is said where all is known
        if not self._crowds.has_room(update, begin):
            return False
        if deleted is not None:
            other, first, length = deleted
            if first + length > (end if other == client else self._clock(other)):
                return False
            ranges = self._deletes.get(other)
            if ranges is None:
                ranges = self._deletes[other] = Ranges()
            if ranges.add(first, first + length):
                self._encoded = None
        if own is None:
            own = clients[client] = ClientStructs()
        own.data += update[begin:stop]
        own.clock = end
        own.structs += 1
        if is_type:
            own.add_type(clock, place)
        self._crowds.take(update, begin, 1)
        self._crowds.settle()
        self._whole = None
        return True

    def _rules(self, deletes: dict[int, Ranges], max_depth: int, *, is_stored: bool = False) -> Rules:
        return Rules(max_depth, deletes, self._deletes, is_stored, self._crowds, self._early)

    def _run(
        self,
        entries: list[Entry],
        waiting: Queues,
        marks: dict[int, Mark],
        refused: Refused | None,
    ) -> list[Pending]:
        """Put entries into the log, and those that waited for them; give the updates that are complete.

        What cannot be put there yet is put into ``waiting``. Each turn of the loop meets at least one need of
        an entry, and none is met twice, so it takes time linear in what the entries need.
        """
        complete = []
        while entries:
            entry = entries.pop()
            pending, part = entry
            if part is None:
                lacking = self._lacking(pending.ends)
            else:
                try:
                    lacking = part.advance(self._clients, marks)
                    pending.is_cut |= part.is_cut
                except RemoteProtocolError as error:
                    if refused is None:
                        raise
                    refused.append((str(error), pending))
                    lacking = None
            if lacking is not None:
                client, clock = lacking
                heappush(waiting.setdefault(client, []), (clock, next(self._number), entry))
            elif part is None:
                complete.append(pending)
            else:
                pending.left -= 1
                if not pending.left:
                    entries.append(Entry(pending, None))
            if part is not None:
                entries += self._woken(waiting, part.run.client)
        return complete

    def _woken(self, waiting: Queues, client: int) -> list[Entry]:
        """Take from those that wait for a client those that need not any more."""
        woken: list[Entry] = []
        queue = waiting.get(client)
        if queue is not None:
            known = self._clock(client)
            while queue and queue[0][0] <= known:
                woken.append(heappop(queue)[2])
            if not queue:
                del waiting[client]
        return woken

    def _clock(self, client: int) -> int:
        found = self._clients.get(client)
        return 0 if found is None else found.clock

    def _lacking(self, ends: list[tuple[int, int]]) -> tuple[int, int] | None:
        """What the deletions of an update wait for."""
        while ends and self._clock(ends[-1][0]) >= ends[-1][1]:
            ends.pop()
        return ends[-1] if ends else None

    def _hold(self, pending: Pending, waiting: Queues, *, unbounded: bool) -> None:
        waiters = [(client, waiter) for client, queue in waiting.items() for waiter in queue]
        needs = sum(entry.part.run.needs for _, (_, _, entry) in waiters if entry.part is not None)
        self._held.hold(pending, len(waiters), needs, unbounded=unbounded)
        for client, waiter in waiters:
            heappush(self._waiting.setdefault(client, []), waiter)

    def _undo(self, marks: dict[int, Mark]) -> None:
        self._early.clear()
        for client, mark in marks.items():
            if mark.structs:
                self._clients[client].go_back(mark)
            else:
                del self._clients[client]

    def _delete(self, deletes: Sequence[dict[int, Ranges]]) -> dict[int, Ranges]:
        """Note what is deleted, and give that of which any is new."""
        news: dict[int, Ranges] = {}
        for each in deletes:
            for client, ranges in each.items():
                if self._deletes.setdefault(client, Ranges()).update(ranges):
                    self._encoded = None
                    news.setdefault(client, Ranges()).update(ranges)
        return news

    def _since(self, marks: dict[int, Mark], deletes: dict[int, Ranges]) -> bytes:
        """One update of what came after marks."""
        out = Writer().uint(len(marks))
        for client in sorted(marks, reverse=True):
            own, mark = self._clients[client], marks[client]
            out.uint(own.structs - mark.structs).uint(client).uint(mark.clock).raw(own.data[mark.size :])
        return out.raw(encode_deletes(deletes)).finish()

    @property
    def size(self) -> int:
        """Bytes of all structs."""
        return sum(len(own.data) for own in self._clients.values())

    def structs(self) -> dict[int, StoredClient]:
        """All structs, to look through them."""
        return {
            client: StoredClient(client, bytes(own.data), own.structs, self._deletes.get(client) or Ranges())
            for client, own in self._clients.items()
        }

    def client(self, client: int) -> ClientStructs | None:
        """The structs of one client, to look at."""
        return self._clients.get(client)

    def deletes(self) -> bytes:
        """All that is deleted, as a Yjs v1 delete set."""
        if self._encoded is None:
            self._encoded = encode_deletes(self._deletes)
        return self._encoded

    def held(self) -> frozenset[bytes]:
        """The updates of which something waits, as they were received."""
        return frozenset(self._held)

    def origin_of(self, held: bytes) -> object:
        """Who brought an update of which something waits."""
        return self._held[held].origin

    def drop_held(self, origin: object = None) -> None:
        """Forget what is held, or what somebody brought of it: they bring it again when asked for it."""
        dropped = {id(pending) for pending in self._held.drop(origin)}
        for client, queue in tuple(self._waiting.items()):
            kept = [waiter for waiter in queue if id(waiter[2].pending) not in dropped]
            heapify(kept)
            self._waiting[client] = kept
            if not kept:
                del self._waiting[client]

    @property
    def is_waiting(self) -> bool:
        """Whether updates are held."""
        return bool(self._held)

    @property
    def missing(self) -> State:
        """What held updates wait for: clients, and up to which clock their structs are needed."""
        return {client: max(queue)[0] for client, queue in self._waiting.items()}

    def state(self) -> State:
        """For each client the clock up to which its structs are in the log."""
        return {client: own.clock for client, own in self._clients.items()}

    def lacking(self, wanted: State) -> State:
        """What the log lacks of another state; takes time by the size of that one alone."""
        return {client: clock for client, clock in wanted.items() if clock > self._clock(client)}

    def state_vector(self) -> bytes:
        """The same as a Yjs state vector."""
        return encode_state_vector(self.state())

    def diff(self, state_vector: bytes = b"\0") -> bytes:
        """What a peer lacks that has told its state vector, and all deletions; without one the whole log.

        Of each client it begins with the struct that holds the clock the peer is at, as its writer sent it.
        ``EMPTY_UPDATE``, two zeros, where there is nothing.

        Raises:
            RemoteProtocolError: The bytes are not a state vector.
        """
        known = decode_state_vector(state_vector)
        if not known and self._whole is not None:
            return self._whole
        parts: list[bytes | bytearray] = [b""]
        for client in sorted(self._clients, reverse=True):
            own = self._clients[client]
            clock = known.get(client, 0)
            if clock >= own.clock:
                continue
            ordinal, at, first = own.find(clock) if clock else (0, 0, 0)
            parts.append(Writer().uint(own.structs - ordinal).uint(client).uint(first).finish())
            parts.append(own.data[at:] if at else own.data)
        parts[0] = uint_bytes(len(parts) // 2)
        parts.append(self.deletes())
        update = b"".join(parts)
        if not known:
            self._whole = update
        return update
