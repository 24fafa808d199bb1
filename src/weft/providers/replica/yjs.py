"""A replica's Yjs document: filled from the rows, heard by the file, and answered for out of the log.

What the server has confirmed is a state vector. Own updates beyond it are kept as they are until they are
confirmed; where the log is compacted before, their number and what they delete is noted beside the vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from weft._codecs.yjs.ranges import Ranges, encode_deletes
from weft._codecs.yjs.rename import rename_author
from weft._codecs.yjs.same import is_same
from weft._codecs.yjs.state import (
    EMPTY_UPDATE,
    decode_state_vector,
    encode_state_vector,
    missing,
)
from weft._codecs.yjs.structs import STORED, read_update
from weft.documents.yjs import YDocument
from weft.documents.yjs.compact_log import compact_to_log
from weft.documents.yjs.item_paths import ItemPaths
from weft.documents.yjs.load import load_doc
from weft.documents.yjs.log_document import LogDocument
from weft.documents.yjs.update_log import UpdateLog
from weft.errors import ConnectionClosedError, RemoteProtocolError
from weft.providers.replica.content import ReplicaContent
from weft.providers.replica.deletes import Deletes, add_to, copy_of, ranges_of, without
from weft.providers.replica.meta import replace
from weft.providers.replica.own_rows import OwnRows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pycrdt import Doc

    from weft._codecs.yjs.state import State
    from weft.documents import Compacted, Compactor
    from weft.documents.yjs.item_paths import DocumentPath
    from weft.documents.yjs.update_log import CheckedUpdate
    from weft.limits import Limits
    from weft.providers.replica.file import Row
    from weft.providers.replica.meta import Meta
    from weft.providers.replica.pending import Pending

__all__ = ["YjsContent", "YjsPosition", "under_another"]

_TAKEN = 4409  # a close code of those after which nothing is tried again


class YjsPosition(NamedTuple):
    """How far a replica was when the server was asked something.

    Attributes:
        state: Up to which clocks structs were there.
        last: Number of the last row.
    """

    state: State
    last: int


class YjsContent(ReplicaContent):
    """The document of a replica, and what the server has of it.

    To a session of the protocol it is the document.

    Args:
        rows: Of the file.
        meta: Of the file.
        append: As of the base class; ``changed`` likewise.
        limits: Bounds of what is received.

    Attributes:
        is_held: Whether nothing is to be sent before the server has answered.

    Raises:
        RemoteProtocolError: The rows are no document.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        meta: Meta,
        *,
        append: Callable[[bytes, bool], int],
        changed: Callable[[bool], None],
        limits: Limits,
    ) -> None:
        super().__init__(append, changed)
        updates = [row.data for row in rows]
        self.doc: Doc[Any] = load_doc(updates, client_id=int(meta.author))
        self.document = YDocument.of(self.doc)
        self._limits = limits
        self._unread: list[bytes] = updates  # what the log has not taken in yet
        self._log: LogDocument | None = None
        self._confirmed = decode_state_vector(meta.confirmed or b"\0")
        self._deletes = ranges_of(meta.deletes)  # of what is folded, what the server is not known to have
        self._own = OwnRows(rows, meta)
        # What is about to stand in the file, as a log and as rows, and in the place of how many unread ones.
        self._compacted: list[tuple[UpdateLog, list[bytes]]] = []
        self._compacted_unread = 0
        self._author = int(meta.author)
        # Nobody can know more of the author than what has been sent; ``None`` for all that there is.
        self._exposed: int | None = meta.exposed if meta.exposed >= 0 else self._own_clock()
        self.is_held = False
        self._announced: State | None = None  # what it said to have
        self._server_deletes: Deletes | None = None  # what it has said is deleted, until it has said all
        self._hear(self.document, self.document.subscribe(self._heard))
        if meta.exposed < 0:  # to stand there with what is written next, which has not been sent
            changed(False)

    def _heard(self, update: bytes, origin: object) -> None:
        # Inside the commit of a local transaction: the document must not be touched here.
        is_own = self._is_own(origin)
        self._own.add(self._append(update, is_own), update, is_own=is_own)
        self._unread.append(update)

    @property
    def log(self) -> UpdateLog:
        """All updates, as they were written."""
        if self._log is None:
            self._log = LogDocument(taken_in=_nothing, limits=self._limits, name="a replica")
        unread, self._unread = self._unread, []
        self._log.take_stored(unread)
        return self._log.log

    # --- to a session, the document

    def check(self, update: bytes, limits: Limits) -> CheckedUpdate:
        """See ``YDocument.check``."""
        return self.document.check(update, limits)

    def deletes_more(self, spans: CheckedUpdate) -> bool:
        """See ``YDocument.deletes_more``."""
        return self.document.deletes_more(spans)

    def apply(self, update: bytes, *, origin: object, spans: CheckedUpdate | None = None) -> bool:
        """See ``YDocument.apply``; what the server brought, it has."""
        if self._exposed is not None and origin is self._server:
            own = self.log.structs().get(self._author)
            if own is not None and not is_same(update, own, self._author, self._exposed):
                self._give_up()
        is_waiting = self.document.apply(update, origin=origin, spans=spans)
        if spans is not None and origin is self._server:
            self._note_received(spans)
        return is_waiting

    def state(self) -> State:
        """For each client, up to which clock its structs are known."""
        return self.log.state()

    def lacking(self, wanted: State) -> State:
        """What the document lacks of a state."""
        return self.log.lacking(wanted)

    def state_vector(self) -> bytes:
        """The same as :meth:`state`, as a Yjs state vector.

        Until the server has answered, it lacks what was not sent from here: the server is to say what it has.
        """
        state = self.log.state()
        if self._exposed is not None and self._server_deletes is not None and self._author in state:
            state[self._author] = min(state[self._author], self._exposed)
        return encode_state_vector({client: clock for client, clock in state.items() if clock})

    def diff(self, state_vector: bytes) -> bytes:
        """Answer the server, which says by a state vector what it has: what it lacks."""
        self._note_announced(decode_state_vector(state_vector))
        return EMPTY_UPDATE if self.is_held else self.update_since(state_vector)

    def update_since(self, state_vector: bytes) -> bytes:
        """What came after a state vector, in the bytes of its writers."""
        log = self.log
        if log.is_waiting:  # pycrdt told of something that does not follow on
            return self.document.diff(state_vector)
        return log.diff(state_vector)

    @property
    def is_waiting(self) -> bool:
        """Whether received updates wait for structs that are missing."""
        return self.document.is_waiting

    # --- what the server has

    def connected(self, session: object) -> None:
        """A connection to the server begins."""
        self._server = session
        self._announced = None
        self.is_held = False
        self._server_deletes = {}

    def disconnected(self) -> None:
        """The connection is over: what is written from now on has not been sent."""
        if self._exposed is None:
            self._exposed = self._own_clock()
            self._changed(False)

    def _expose(self) -> None:
        """From here on anything may be sent."""
        if self._exposed is not None:
            self._exposed = None
            self._changed(True)

    def _give_up(self) -> NoReturn:
        self.is_taken = True
        self._changed(True)
        raise ConnectionClosedError(
            _TAKEN,
            f"the server has something else of client id {self._author} than is here: a copy of the replica "
            "writes with it. Nothing was sent. Open the replica again: what was written here goes on under "
            "another client id",
            permanent=True,
        )

    def _own_clock(self) -> int:
        return self.document.state().get(self._author, 0)

    def _note_announced(self, state: State) -> None:
        """What the server had confirmed, and has lost, is pending again."""
        self._announced = state
        known = state.get(self._author, 0)
        if self._exposed is not None:
            if known > self._own_clock():
                self._give_up()
            # What was not sent from here can have come by a copy of the file: it is about to be compared.
            self.is_held = known > self._exposed and self._server_deletes is not None
        if not self.is_held:
            self._expose()
        lost = missing(state, self._confirmed)
        if lost:
            self._confirmed |= {client: state.get(client, 0) for client in lost}
            self._own.lost()
            self._changed(False)

    def synced(self) -> None:
        """The server has answered with all it has, and has what it announced before that."""
        if self.is_held:
            self.is_held = False
            self._expose()
        known = self.log.state()
        if self._announced is not None:
            for client, clock in self._announced.items():
                common = min(clock, known.get(client, 0))
                if common > self._confirmed.get(client, 0):
                    self._confirmed[client] = common
        has, self._server_deletes = self._server_deletes, None
        lacking = without(ranges_of(self.log.deletes()), has or {})
        if not lacking and not missing(self._confirmed, known):
            self.confirmed(self.position())
        elif lacking:
            self._deletes = lacking
            self._own.owe(len(encode_deletes(lacking)))
        self._changed(False)

    def position(self) -> YjsPosition:
        """How far it is now, for :meth:`confirmed`."""
        return YjsPosition(self.log.state(), self._own.last)

    def confirmed(self, position: YjsPosition) -> None:
        """The server has all that was there at a position."""
        for client, clock in position.state.items():
            if clock > self._confirmed.get(client, 0):
                self._confirmed[client] = clock
        if self._own.confirmed(position.last):
            self._deletes = {}
        self._changed(False)

    def pending(self) -> Pending:
        """What the server has not confirmed."""
        return self._own.pending()

    def pending_content(self) -> bytes:
        """The same as an update: structs beyond what is confirmed, and what was deleted since."""
        if not self.pending():
            return EMPTY_UPDATE
        log = self.log
        structs = log.diff(encode_state_vector(self._confirmed)).removesuffix(log.deletes())
        return structs + encode_deletes(self._pending_deletes())

    def pending_paths(self) -> tuple[set[DocumentPath], set[DocumentPath]]:
        """The places of the same: written, and deleted. Takes time by what is pending."""
        written: set[DocumentPath] = set()
        deleted: set[DocumentPath] = set()
        if self.pending():
            paths = ItemPaths(self.log)
            for client, clock in self.log.state().items():
                if (known := self._confirmed.get(client, 0)) < clock:
                    written.update(paths.within(client, known, clock))
            for client, ranges in self._pending_deletes().items():
                for start, end in ranges:
                    deleted.update(paths.within(client, start, end))
        return written, deleted

    def _pending_deletes(self) -> Deletes:
        deletes = copy_of(self._deletes)
        for update in self._own.recent.values():
            add_to(deletes, read_update(update, STORED)[1])
        return deletes

    def note(self, meta: Meta) -> Meta:
        """What is to stand in the file of it."""
        return replace(
            self._own.note(meta),
            confirmed=encode_state_vector(self._confirmed),
            deletes=encode_deletes(self._deletes) if self._deletes else b"",
            exposed=-1 if self._exposed is None else self._exposed,
            is_taken=self.is_taken,
        )

    def _note_received(self, spans: CheckedUpdate) -> None:
        small = spans.small
        has = self._server_deletes
        if small is not None:
            self._has(small.client, small.clock, small.end)
            if small.deleted is not None and has is not None:
                client, clock, length = small.deleted
                has.setdefault(client, Ranges()).add(clock, clock + length)
            return
        for run in spans.runs:
            self._has(run.client, run.clock, run.end)
        if has is not None:
            add_to(has, spans.deletes)

    def _has(self, client: int, clock: int, end: int) -> None:
        if clock <= self._confirmed.get(client, 0) < end:
            self._confirmed[client] = end

    # --- compaction

    def compactor(self, last: int) -> Compactor:
        """What makes one update of the rows up to a number, on another thread."""
        for update in self._own.fold(last).values():
            add_to(self._deletes, read_update(update, STORED)[1])
        found: list[tuple[UpdateLog, list[bytes]]] = []
        self._compacted, self._compacted_unread = found, len(self._unread)

        def compact(rows: Sequence[bytes]) -> Compacted | None:
            made = compact_to_log(rows, limits=self._limits)
            if made is None:
                return None
            compacted, log = made
            found.append((log, [compacted.snapshot, *(rows[at] for at in sorted(compacted.kept))]))
            return compacted

        return compact

    def compacted(self) -> None:
        """The rows in the file have been replaced."""
        for log, rows in self._compacted:
            if self._log is None:
                self._unread[: self._compacted_unread] = rows
            else:
                self._log.shrink(log)
        self._compacted = []


def under_another(rows: Sequence[Row], meta: Meta, author: str) -> tuple[bytes, Meta]:
    """Give what nobody has seen of an author to another one.

    Args:
        rows: Of the file.
        meta: Of the file; its author is taken.
        author: Another client id.

    Returns:
        What is to stand in the place of the rows, and of the meta.

    Raises:
        RemoteProtocolError: The rows are no document.
    """
    log = UpdateLog.of([row.data for row in rows])
    if log.is_waiting:
        raise RemoteProtocolError("something in it does not follow on")
    old, exposed = int(meta.author), max(meta.exposed, 0)
    confirmed = decode_state_vector(meta.confirmed or b"\0")
    if old in confirmed:
        confirmed[old] = min(confirmed[old], exposed)
    own = [len(row.data) for row in rows if row.is_own and row.number > meta.accounted]
    return rename_author(log.diff(), old, exposed, int(author)), replace(
        meta,
        author=author,
        confirmed=encode_state_vector(confirmed),
        deletes=b"",  # what the server has not is seen when it answers
        accounted=rows[-1].number if rows else 0,
        exposed=0,
        is_taken=False,
        folded=meta.folded + len(own),
        folded_bytes=meta.folded_bytes + sum(own),
    )


def _nothing(update: bytes, updates: tuple[bytes, ...], origin: object) -> None:
    pass
