"""What stands between a document of the binding and updates that come from elsewhere.

It is a log of what the document has: whether an update follows on, and whether what it refers to is there and
is what it should be, is decided there, in time linear in the update. A lighter index of clocks and types
would not do: of what waits for a gap the log gives the part that can be taken in already, as bytes. It takes
no longer than asking the binding what waits did (14 µs a small update), 10 µs more where it must read a local
write before, and for 100,000 cells 40 ms and their 1.7 MB once more, beside 41 MB that yrs takes for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weft._codecs.yjs.crowding import MAX_CROWD
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.merge import merge_updates
from weft._codecs.yjs.state import State, missing
from weft._codecs.yjs.structs import STORED, read_update
from weft.documents.yjs.pairs import Pairs
from weft.documents.yjs.update_log import NoRoomError, UpdateLog
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from weft.documents.yjs.update_log import Added, CheckedUpdate

    class Document(Protocol):
        """The document, as far as it is read here."""

        def state(self) -> State:
            """For each client, up to which clock its structs are known."""

        def diff(self, state_vector: bytes, /) -> bytes:
            """The update that brings a peer with that state vector up to date."""


__all__ = ["Gate", "Passed"]

# Bytes of local updates that are kept until something is received; what is more is read from the document.
_MAX_UNREAD = 1 << 20
# Bytes that the log grows by, beyond twice what it was, before it is made anew: yrs forgets deleted content.
_MAX_GROWTH = 4 << 20
_COLLECTED = 0


class Passed(NamedTuple):
    """What has passed.

    Attributes:
        updates: What the binding can be given, in that order.
        origins: Who brought it.
        refused: What had waited and was dropped: who brought it, and why.
    """

    updates: list[bytes]
    origins: list[object]
    refused: list[tuple[object, RemoteProtocolError]]

    def take(self, added: Added, waiting: dict[bytes, object]) -> None:
        """Note what has become of an update, and of those that waited."""
        self.updates.extend(added.updates)
        for reason, (_, origin) in zip(added.refused, added.dropped, strict=True):
            self.refused.append((origin, RemoteProtocolError(reason)))
        for update in added.released:
            self.note(waiting.pop(update, None))

    def note(self, origin: object) -> None:
        """Note who brought something of it."""
        if all(origin is not other for other in self.origins):
            self.origins.append(origin)


class Gate:
    """The log of what a document has.

    Args:
        is_behind: Whether the document has something already.

    Attributes:
        log: The log; lags behind the document where it was written locally, until :meth:`read_local`.
        pairs: The pairs of surrogates in it; likewise.
    """

    __slots__ = (
        "_base", "_begins", "_is_behind", "_size", "_unread", "_unread_size", "_waiting", "_was_written",
        "_withheld", "log", "pairs",
    )  # fmt: skip

    def __init__(self, *, is_behind: bool) -> None:
        self.log = UpdateLog(max_crowd=MAX_CROWD)
        self.pairs = Pairs()
        self._is_behind = is_behind
        self._was_written = False  # locally, since the log was last compared with the document
        self._unread: list[bytes] = []
        self._unread_size = 0
        self._base = self._size = 0
        self._waiting: dict[bytes, object] = {}  # updates that wait, and who brought them
        # Parts of them that are in the log, with what builds on those, and where of each client they begin.
        # Without the rest of its update, a container that has lost looks like one that was deleted.
        self._withheld: list[bytes] = []
        self._begins: State = {}

    @property
    def is_waiting(self) -> bool:
        """Whether received updates wait for structs that are missing."""
        return bool(self._waiting)

    def wrote(self, update: bytes) -> None:
        """The document was written locally."""
        if self._is_behind:
            return
        self._unread.append(update)
        self._unread_size += len(update)
        if self._unread_size > _MAX_UNREAD:
            self.mistrust()

    def mistrust(self) -> None:
        """The document may be other than the log has it: make the log anew when it is needed next."""
        self._is_behind = True
        self._unread = []
        self._unread_size = 0

    def read_local(self, document: Document) -> Passed | None:
        """Take in what was written locally; gives what had waited for it."""
        if self._is_behind or self._size > 2 * self._base + _MAX_GROWTH:
            return self._renew(document)
        if not self._unread:
            return None
        unread, self._unread, self._unread_size = self._unread, [], 0
        self._was_written = True
        passed = Passed([], [], [])
        for update in unread:
            self._size += len(update)
            self.pairs.note(update)
            try:
                added = self.log.add(update, stored=True)
            except RemoteProtocolError:  # a string that yrs cannot have written as it is
                return self._renew(document)
            if added.held:
                return self._renew(document)
            passed.take(added, self._waiting)
            if passed.updates and passed.updates[-1] is update:
                del passed.updates[-1]
        self._withhold(passed, builds=bool(passed.updates))
        return passed

    def add(self, update: CheckedUpdate, origin: object, document: Document) -> Passed:
        """Take in a received update; gives what of it follows on, and what had waited for that.

        Raises:
            RemoteProtocolError: It must not reach the binding. The log is as before.
        """
        try:
            added = self.log.add(update, origin=origin)
        except NoRoomError:  # the resync that closes the gap brings again what waits
            self.log.drop_held(origin)
            for held in self._waiting.keys() - self.log.held():
                del self._waiting[held]
            added = self.log.add(update, origin=origin)
        self._size += len(update.update)
        passed = Passed([], [], [])
        if added.updates:
            passed.note(origin)
        passed.take(added, self._waiting)
        is_part = added.held and update.update not in added.released
        self._withhold(
            passed,
            builds=(is_part and self._begins_beyond(update))
            or bool(added.released)
            or any(map(self._builds, passed.updates)),
        )
        if is_part:
            self._waiting.setdefault(update.update, origin)
            if self._was_written:
                self._was_written = False
                if missing(self.log.state(), document.state()):
                    again = self._renew(document)
                    return Passed(again.updates, again.origins, passed.refused + again.refused)
        return passed

    def _begins_beyond(self, update: CheckedUpdate) -> bool:
        """Whether what an update brings of some client does not even begin with what is known."""
        state = self.log.state()
        firsts = {run.client: run.clock for run in reversed(update.runs)}
        return any(clock > state.get(client, 0) for client, clock in firsts.items())

    def _builds(self, part: bytes) -> bool:
        """Whether something that has passed refers to anything that is withheld."""
        begins = self._begins
        if not begins:
            return False
        runs, deletes = read_update(part, STORED)
        return (
            any(run.end > begins.get(run.client, run.end) for run in runs)
            or any(
                need.needed >= begins.get(need.client, need.needed + 1)
                for run in runs
                for need in map(run.need, range(run.needs))
            )
            or not begins.keys().isdisjoint(deletes)
        )

    def _withhold(self, passed: Passed, *, builds: bool) -> None:
        """Keep what has passed from the binding while something that it belongs to waits."""
        if self._withheld and not self.log.is_waiting:
            # At once, so that nobody sees a part of it.
            passed.updates[:] = [merge_updates([*self._withheld, *passed.updates])]
            passed.note(object())
            self._withheld, self._begins = [], {}
        elif builds and self.log.is_waiting:
            for part in passed.updates:
                self._withheld.append(part)
                for run in read_update(part, STORED)[0]:
                    self._begins[run.client] = min(run.clock, self._begins.get(run.client, run.clock))
            passed.updates.clear()

    def _renew(self, document: Document) -> Passed:
        withheld, self._withheld, self._begins = self._withheld, [], {}
        whole = document.diff(b"\0")
        self.log = _log_of(whole, document.state())
        self.pairs = Pairs()
        self.pairs.note(whole)
        self._is_behind = self._was_written = False
        self._unread, self._unread_size = [], 0
        self._base = self._size = self.log.size
        passed = Passed([], [], [])
        for update, origin in tuple(self._waiting.items()):
            added = self.log.add(update, stored=True, origin=origin)
            if added.updates:
                passed.note(origin)
            passed.take(added, self._waiting)
            if not added.held:
                self._waiting.pop(update, None)
        for part in withheld:
            passed.take(self.log.add(part, stored=True), self._waiting)
        self._withhold(passed, builds=True)
        return passed


def _log_of(whole: bytes, state: State) -> UpdateLog:
    log = UpdateLog(max_crowd=MAX_CROWD)
    if not _is_taken(log, whole) or log.state() != state:
        # Where yrs has split a surrogate pair itself, because the user gave the document an update round
        # weft, it encodes other clocks than it has. Then all that is known is how far they go, and anything
        # may have been a type.
        log = UpdateLog(max_crowd=MAX_CROWD)
        log.add(_collected(state.items()), stored=True)
    return log


def _is_taken(log: UpdateLog, update: bytes) -> bool:
    try:
        return not log.add(update, stored=True).held
    except RemoteProtocolError:
        return False


def _collected(clocks: Iterable[tuple[int, int]]) -> bytes:
    known = [(client, clock) for client, clock in clocks if clock]
    out = Writer().uint(len(known))
    for client, clock in known:
        out.uint(1).uint(client).uint(0).byte(_COLLECTED).uint(clock)
    return out.raw(b"\0").finish()
