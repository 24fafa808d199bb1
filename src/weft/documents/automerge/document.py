"""One Automerge document: transactions, what is received, and an event for each change of either kind.

The binding alone tells nobody of changes, lets a panic on received bytes kill the document, and takes the
process with it when a document with an open transaction is dropped. Here received bytes go through weft's own
decoder; a panic is contained, and the document is put back as it was; and every change, local or received, is
told once, as the bytes it travels in.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from weft._codecs.automerge.change import decode_change
from weft._codecs.automerge.change_builder import ChangeBuilder
from weft._codecs.automerge.chunks import DOCUMENT, change_hash, split_chunks
from weft._codecs.automerge.put_change import make_put
from weft._codecs.automerge.saved_document import check_document
from weft._codecs.automerge.sync_message import make_sync_message, parse_sync_message, with_chunks, with_needs
from weft.documents.automerge.binding import (
    LARGE,
    SyncState,
    contained,
    decode_message,
    load_core,
    new_core,
)
from weft.documents.automerge.events import DocumentEvent, Heads
from weft.documents.automerge.history import MadeChange
from weft.documents.automerge.known_changes import KnownChanges
from weft.documents.automerge.local import LocalDocument
from weft.documents.automerge.made_changes import are_taken
from weft.documents.automerge.rows import load_rows, sort_out
from weft.documents.automerge.sync_state import PeerSyncState
from weft.errors import DataError, MessageTooLargeError, RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weft._codecs.automerge.change import Decoded, OpId
    from weft._codecs.automerge.chunks import Chunk
    from weft._codecs.automerge.sync_message import SyncMessage
    from weft.documents.automerge.binding import CoreDocument

__all__ = ["AutomergeDocument", "DocumentEvent"]


class AutomergeDocument(LocalDocument):
    """One Automerge document.

    While anybody listens (a mirror, a provider, a room), it belongs to the thread that attached the listener;
    in another one everything but looking at it raises ``WrongThreadError``, before anything changes.

    Args:
        data: A saved document, possibly followed by change chunks; empty for a new document.
        actor: Under whose id local changes are made; random by default. No two documents that are alive at
            the same time may share one.
        limits: Bounds on what is received.

    Raises:
        RemoteProtocolError: The data is not a document.
        DataError: The actor id is empty.
    """

    __slots__ = ("__weakref__", "_limits", "_next", "left_out")

    def __init__(
        self, data: bytes = b"", *, actor: bytes | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        if actor is not None and not actor:
            raise DataError("an actor id has at least one byte")
        actor = actor or secrets.token_bytes(16)
        is_one = False
        if data:
            chunks = split_chunks(data)  # for a checksum that is wrong, a clear error
            with contained("load the document"):
                is_one = len(chunks) == 1 and chunks[0].kind == DOCUMENT
                core = load_core(data)
                core.set_actor(actor)
        else:
            core = new_core(actor)
        super().__init__(core, actor)
        if is_one:
            self._was_loaded = len(data) >= LARGE
            self._saved = self.heads, data
        self._limits = limits
        self._next: tuple[Heads, int, int] | None = None  # heads, and how a change on them is numbered
        self.left_out: list[bytes] = []  # changes of its rows with which it could not be read again

    @classmethod
    def from_rows(
        cls, rows: Iterable[bytes], *, actor: bytes | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> AutomergeDocument:
        """Make a document out of the rows of a log, in whatever order the log has them.

        Args:
            rows: Each one or several chunks: saved documents, changes as :class:`DocumentEvent` has them. A
                change that waits for others is kept until they come. One whose operations are numbered
                wrongly is left out, with what follows on it, and reported (``left_out``).
            actor: As for the class.
            limits: As for the class.

        Raises:
            RemoteProtocolError: A row is neither.
        """
        document = cls(actor=actor, limits=limits)
        core, changes = load_rows(rows)
        if core is not None:
            document._core = core
            core.set_actor(document._actor)
            document._heads = None
            document._known = KnownChanges(core)
        if changes:
            decoded, document.left_out = sort_out(changes, document._core, document._numbers)
            data = make_sync_message((), changes.values())
            document._apply(SyncState(), parse_sync_message(data), data, None, decoded, is_stored=True)
        return document

    def includes(self, heads: Iterable[bytes]) -> bool:
        """Whether the document has all these changes.

        Raises:
            LocalProtocolError: A transaction is open.
        """
        wanted, own = set(heads), self.heads
        if wanted.issubset(own):
            return True
        self._expect_idle("asked for its changes")
        if self._numbers.is_whole:
            return self._numbers.has(wanted)
        # The binding cannot be asked for a change; but it says what it needs of a peer with these heads.
        state = SyncState()
        for announced in (own, sorted(wanted)):
            with contained("look for changes"):
                self._core.receive_sync_message(state, decode_message(make_sync_message(announced)))
        return wanted.isdisjoint(self._needs(state))

    # -- writing ---------------------------------------------------------------------------------------------

    def new_change(self) -> ChangeBuilder:
        """Begin a change by hand that follows on all that is here; for :meth:`apply_built`.

        Raises:
            LocalProtocolError: A transaction is open.
        """
        self._expect_write()
        heads = self.heads
        self._core.set_actor(self._actor)  # it has not noticed that changes it received are its own
        last = self._core.get_last_local_change()
        return ChangeBuilder(
            actor=self._actor,
            seq=1 if last is None else last.seq + 1,
            start_op=self._numbers.next_op(self._core, heads),
            deps=heads,
        )

    def apply_built(self, builder: ChangeBuilder, *, origin: object = None) -> None:
        """Take in a change that was made here, and tell of it as of a local one.

        Args:
            builder: Of :meth:`new_change`; nothing was written to the document since.
            origin: Who writes; handed to the subscribers.

        Raises:
            RemoteProtocolError: The binding does not take it. Nothing was applied, nobody was told.
            LocalProtocolError: A transaction is open.
        """
        chunk = builder.chunk()
        name = change_hash(chunk)
        self._take_made(
            chunk, MadeChange(name, self._actor, builder.seq, builder.start_op, builder.max_op), origin
        )

    def put(
        self, obj: OpId, key: str, value: int | float | None, pred: OpId | None, *, origin: object = None
    ) -> None:
        """Set one key of a map, and tell of it as of a transaction.

        The binding takes in a change in a time that hardly grows with the document; a transaction's does,
        as it is ready to be rolled back.

        Args:
            obj: The map.
            key: The key.
            value: No string; ``int`` and ``float`` are different types here.
            pred: What stands there, and is all that stands there: no others' concurrent writes.
            origin: Who writes; handed to the subscribers.

        Raises:
            RemoteProtocolError: The binding does not take it. Nothing was applied, nobody was told.
            LocalProtocolError: A transaction is open.
        """
        self._expect_write()
        before = self.heads
        if self._next is None or self._next[0] != before:
            builder = self.new_change()
            self._next = before, builder.seq, builder.start_op
        _, seq, op = self._next
        chunk, name = make_put(self._actor, seq, op, before, obj, key, value, pred)
        self._take_made(chunk, MadeChange(name, self._actor, seq, op, op), origin)
        self._next = (name,), seq + 1, op + 1

    def _take_made(self, chunk: bytes, made: MadeChange, origin: object) -> None:
        self._expect_write()
        before, numbers = self.heads, self._numbers
        try:
            with contained("apply a change"):
                if not are_taken():
                    raise RemoteProtocolError("the binding writes other bytes")
                message = decode_message(make_sync_message(before, (chunk,)))
                self._core.receive_sync_message(SyncState(), message)
                if self._core.get_heads() != [made.hash]:
                    raise RemoteProtocolError("the binding takes a change for another one")
        except RemoteProtocolError:
            self._restore(before)
            raise
        after = self._heads = (made.hash,)
        numbers.add(made)
        self._known.remember(self._core, (chunk,))
        self._events.tell(DocumentEvent(before, after, (chunk,), origin))

    # -- receiving -------------------------------------------------------------------------------------------

    def apply_changes(self, changes: Iterable[bytes], *, origin: object = None) -> bool:
        """Take in changes and tell of what is new.

        Args:
            changes: Change chunks or saved documents, in any order; known ones do no harm.
            origin: Who brought them; handed to the subscribers.

        Returns:
            Whether any change waits for others that have not come yet. It is kept until they come.

        Raises:
            RemoteProtocolError: One of them is none. Nothing was applied, nobody was told.
            LocalProtocolError: A transaction is open.
        """
        self._expect_idle("given changes")
        state = SyncState()
        data = make_sync_message(self.heads, changes)
        self._receive(state, parse_sync_message(data), data, origin)
        return bool(self._needs(state))

    def new_sync_state(self) -> PeerSyncState:
        """What is known of one peer over one connection: start each connection with a new one."""
        return PeerSyncState()

    def generate_sync_message(self, state: PeerSyncState) -> bytes | None:
        """The next message to the peer, or ``None`` when there is nothing to say until it answers.

        Raises:
            RemoteProtocolError: What the peer has announced cannot be answered; drop the connection.
            LocalProtocolError: A transaction is open.
        """
        self._expect_idle("synced")
        data = self._generate(state.core, self._core)
        return with_needs(data, state.held.ask) if data is not None and state.held else data

    def receive_sync_message(self, state: PeerSyncState, data: bytes, *, origin: object = None) -> Heads:
        """Take in a peer's message and tell of what is new.

        Args:
            state: Of the connection it came over.
            data: The message.
            origin: Who sent it; handed to the subscribers.

        Returns:
            The sender's heads, as the message announces them, sorted. Changes that wait for others are kept
            in the peer's state until these come.

        Raises:
            RemoteProtocolError: It is no sync message, a change of the peer that waited is refused, or too
                many wait. Drop the connection, for its state may have suffered.
            LocalProtocolError: A transaction is open.
        """
        self._expect_idle("synced")
        if len(data) > self._limits.max_message:
            raise MessageTooLargeError(len(data), self._limits.max_message)
        message = parse_sync_message(data)
        heads = tuple(sorted(message.heads))
        if state.may_skip(message, self._numbers):
            return heads
        state.held.add(self._receive(state.core, message, data, origin, holds=True), self._numbers)
        if taken := state.held.take(self._numbers):
            data = make_sync_message((), taken)
            self._receive(SyncState(), parse_sync_message(data), data, origin)
        if state.held.size > self._limits.max_message:
            raise RemoteProtocolError("too many changes wait for others")
        return heads

    def _generate(self, state: SyncState, core: CoreDocument) -> bytes | None:
        with contained("answer a sync message"):
            message = core.generate_sync_message(state)
            return None if message is None else bytes(message.encode())

    def _receive(
        self, state: SyncState, message: SyncMessage, data: bytes, origin: object, *, holds: bool = False
    ) -> list[Chunk]:
        """Apply what a message brings; gives what of it waits for others, if that is to be held."""
        decoded: dict[bytes, Decoded] = {}
        heads: list[bytes] = []
        late: list[Chunk] = []
        for chunk in message.chunks:
            if chunk.kind == DOCUMENT:
                heads += check_document(chunk)
            else:
                decoded[chunk.hash] = decode_change(chunk.data)
        if message.chunks:
            self._numbers.learn(self._core)
            faults, waiting = self._numbers.sort(decoded)
            for fault in faults.values():
                raise RemoteProtocolError(fault)
            if holds and waiting and not heads:  # a whole document may bring what they wait for
                late = [chunk for chunk in message.chunks if chunk.hash in waiting]
                ready = [chunk for chunk in message.chunks if chunk.hash not in waiting]
                data, message = with_chunks(data, message, ready)
                decoded = {chunk.hash: decoded[chunk.hash] for chunk in ready}
        return late + self._apply(state, message, data, origin, decoded, heads, holds=holds)

    def _apply(
        self,
        state: SyncState,
        message: SyncMessage,
        data: bytes,
        origin: object,
        decoded: Mapping[bytes, Decoded],
        heads: Iterable[bytes] = (),
        *,
        holds: bool = False,
        is_stored: bool = False,
    ) -> list[Chunk]:
        """Apply changes, and tell of them; gives those that wait for others, if they are to be held."""
        if message.chunks:
            self._expect_write("given changes")
        before = self.heads
        self._known.catch_up(self._core)
        with contained("read a sync message"):
            coded = decode_message(data)
        try:
            with contained("apply a sync message"):
                self._core.receive_sync_message(state, coded)
                if not message.chunks:
                    return []
                self._heads = None
                changes = self._core.get_changes(before)
                self._numbers.check(self._core, changes, before, may_leap=is_stored)
                received = dict.fromkeys(heads, ()) | {name: found.deps for name, found in decoded.items()}
                waiting = self._numbers.waiting(changes, received)
                if not before:
                    self._note_loaded(message.chunks)
        except RemoteProtocolError:
            self._restore(before)
            raise
        late = [chunk for chunk in message.chunks if chunk.hash in waiting]
        applied = [change.raw_bytes for change in changes]
        if late and holds:
            self._restore(self.heads, applied)
            applied = []
        self._known.remember(self._core, applied if holds else applied + [chunk.data for chunk in late])
        self._changed(before, changes, origin, decoded)
        return late if holds else []

    def _note_loaded(self, chunks: Sequence[Chunk]) -> None:
        """Note that a large document came as a whole, and will have to be made ready to be written."""
        is_whole = len(chunks) == 1 and chunks[0].kind == DOCUMENT and len(chunks[0].data) >= LARGE
        self._was_loaded = is_whole and not self._needs(SyncState())  # else something waits in it

    def _needs(self, state: SyncState) -> Heads:
        """Hashes of changes that others wait for, or that a peer has announced."""
        data = self._generate(state, self._core)
        return () if data is None else parse_sync_message(data).needs
