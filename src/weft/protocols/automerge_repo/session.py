"""One end of an automerge-repo connection as a state machine: bytes and time in, effects out.

Protocol: automerge-repo 2.5's network protocol, version 1. The client says ``join`` and the server ``peer``;
then both exchange Automerge sync messages about any number of documents, and ephemeral messages beside them.
Nothing here opens a socket, reads a clock or draws at random.

What this end adds without a change to the protocol is a flush: each sync message announces its sender's
heads, so one whose heads build upon what we had is the other end's word that it has it. A server says so only
once storage has it (``Send.after_stored``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from weft._codecs.automerge.cut import cut_sync_message
from weft._codecs.automerge.sync_message import make_sync_message
from weft.errors import LocalProtocolError, RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.protocols.automerge_repo.document_sync import DocumentSync
from weft.protocols.automerge_repo.effects import (
    Due,
    Effect,
    Ephemeral,
    Joined,
    PeerLeft,
    Refused,
    Requested,
    Synced,
    Unavailable,
    Wanted,
    WriteDenied,
)
from weft.protocols.automerge_repo.ids import (
    decode_document_id,
)
from weft.protocols.automerge_repo.messages import (
    VERSION,
    EphemeralMessage,
    ErrorMessage,
    IgnoredMessage,
    Join,
    Leave,
    Message,
    PeerMessage,
    Sync,
    UnavailableMessage,
    read_message,
    write_message,
)
from weft.protocols.effects import Denied, FlushLost, Send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.documents.automerge import AutomergeDocument

__all__ = ["ANSWER_S", "RepoSession"]

# Seconds that the other end has to answer before it is told of further changes of a document. JavaScript's
# needs 2 to 20 ms for each message, however little is in it: what has gathered by then is one message.
ANSWER_S = 0.05
_FRAMING = 2_048  # bytes at most around a sync message: the names of two peers and a document
_MAX_SPEAKERS = 1_000  # sessions of ephemeral messages that are remembered
# Bytes of a message, and messages, before the other end has said who it is. JavaScript's have 200 bytes, and
# what its user tells of itself.
_MAX_GREETING = 64 * 1024
_MAX_GREETINGS = 16


class RepoSession:
    """One end of one automerge-repo connection after another.

    The owner subscribes to the documents and calls :meth:`changed` after changes whose origin is not this
    session; many at once are one message.

    Args:
        role: Which end this is.
        peer_id: The name of this end; another one than any other peer's.
        session_id: Drawn anew for each session object: marks the ephemeral messages of this end.
        metadata: What the other end is told about this one.
        limits: Bounds on what the other end may ask for.
        defers: Never say by itself what there is to say of a document, but tell that it is :class:`Due`: the
            owner calls :meth:`changed` when the connection has room. A client's.
    """

    def __init__(
        self,
        *,
        role: Literal["client", "server"],
        peer_id: str,
        session_id: str,
        metadata: Mapping[str, object] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        defers: bool = False,
    ) -> None:
        self.role = role
        self.peer_id = peer_id
        self.other: str | None = None
        self._session_id = session_id
        self._metadata = dict({"isEphemeral": role == "client"} if metadata is None else metadata)
        self._limits = limits
        self.max_part = limits.max_part  # bytes of a message that is sent, where it can be cut
        self.questions = 0  # that the other end has asked
        self._defers = defers
        self._connected = False
        self._greetings = 0  # messages before the handshake was over
        self._documents: dict[str, DocumentSync] = {}
        self._waiting: dict[str, Sync] = {}  # said of documents that are not there yet
        self._removed: set[str] = set()  # documents that were spoken of on this connection, and removed
        self._heard: dict[tuple[str, str], int] = {}
        self._count = 0
        self._tokens = 0

    @property
    def document_ids(self) -> tuple[str, ...]:
        """The documents that were added."""
        return tuple(self._documents)

    # -- the connection ----------------------------------------------------------------------------------

    def connected(self) -> list[Effect]:
        """A connection stands.

        Raises:
            LocalProtocolError: One stood already.
        """
        if self._connected:
            raise LocalProtocolError("the session is connected already")
        self._connected = True
        if self.role == "server":
            return []
        return [self._send(Join(self.peer_id, (VERSION,), self._metadata))]

    def disconnected(self) -> list[Effect]:
        """The connection is over. Documents stay added, for the next one."""
        self._connected = False
        self.other = None
        self._greetings = 0
        self._waiting.clear()
        self._removed.clear()
        lost = tuple(token for sync in self._documents.values() for token in sync.flushes)
        for document_id, sync in self._documents.items():
            self._documents[document_id] = DocumentSync(
                sync.document, sync.document.new_sync_state(), sync.read_only
            )
        return [FlushLost(lost)] if lost else []

    def leave(self) -> list[Effect]:
        """Say that this end is about to close the connection."""
        return [] if self.other is None else [self._send(Leave())]

    def receive(self, data: bytes) -> list[Effect]:
        """Take in one binary message from the connection.

        Raises:
            RemoteProtocolError: It is malformed, breaks a limit or comes out of turn, or the binding refuses
                it. Nothing changed; close the connection.
            LocalProtocolError: There is no connection.
        """
        if not self._connected:
            raise LocalProtocolError("the session is not connected")
        if self.other is None:
            self._greetings += 1
            if len(data) > _MAX_GREETING or self._greetings > _MAX_GREETINGS:
                raise RemoteProtocolError("too much is said before the handshake")
            return self._greet(read_message(data))
        message = read_message(data)
        match message:
            case Sync():
                return self._take_sync(message)
            case UnavailableMessage():
                return [Unavailable(message.document_id)] if message.document_id in self._documents else []
            case EphemeralMessage():
                return self._take_ephemeral(message)
            case ErrorMessage(document_id=None):
                return [Denied(message.reason)]
            case ErrorMessage(reason, str(document_id)):
                return [WriteDenied(document_id, reason)] if document_id in self._documents else []
            case Leave():
                return [PeerLeft()]
            case IgnoredMessage():
                return []
        raise RemoteProtocolError("a handshake message came after the handshake")

    def _greet(self, message: Message) -> list[Effect]:
        if isinstance(message, ErrorMessage) and self.role == "client":
            return [Denied(message.reason)]
        if self.role == "client":
            if isinstance(message, IgnoredMessage):
                return []
            if not isinstance(message, PeerMessage):
                raise RemoteProtocolError("the server's first message is no 'peer'")
            if message.version != VERSION:
                raise RemoteProtocolError(f"the server speaks version {message.version!r:.20}")
            self.other = message.sender
            effects: list[Effect] = [Joined(message.sender, message.metadata)]
            for document_id, sync in self._documents.items():
                self._answer(document_id, sync, effects)
            return effects
        if not isinstance(message, Join):
            raise RemoteProtocolError("the client's first message is no 'join'")
        self.other = message.sender
        if VERSION not in message.versions:
            reason = "unsupported protocol version"
            return [self._send(ErrorMessage(reason)), Denied(reason)]
        return [
            self._send(PeerMessage(self.peer_id, VERSION, self._metadata)),
            Joined(message.sender, message.metadata),
        ]

    # -- documents ---------------------------------------------------------------------------------------

    def add(self, document_id: str, document: AutomergeDocument, *, read_only: bool = False) -> list[Effect]:
        """Keep a document in sync with the other end.

        Args:
            document_id: Its id.
            document: The document.
            read_only: Take no changes of the other end. It is told of ours all the same.

        Raises:
            ValueError: The id is none, or another document was added with it.
            LocalProtocolError: It was removed on this connection (:meth:`was_removed`).
        """
        decode_document_id(document_id)
        if document_id in self._documents:
            raise ValueError(f"document {document_id} was added before")
        if document_id in self._removed:
            raise LocalProtocolError(f"document {document_id} was removed: it takes a new connection")
        sync = DocumentSync(document, document.new_sync_state(), read_only)
        self._documents[document_id] = sync
        effects: list[Effect] = []
        waiting = self._waiting.pop(document_id, None)
        if waiting is not None:
            effects += self._take_sync(waiting)
        elif self.other is not None and self.role == "client":
            self._answer(document_id, sync, effects)
        return effects

    def remove(self, document_id: str) -> list[Effect]:
        """No longer keep a document in sync."""
        sync = self._documents.pop(document_id, None)
        if sync is not None and sync.started:
            self._removed.add(document_id)
        return [FlushLost(tuple(sync.flushes))] if sync is not None and sync.flushes else []

    def was_removed(self, document_id: str) -> bool:
        """Whether a document was removed on this connection, so that it can be added only to the next.

        What the other end has sent meanwhile is lost, and it would never send it again: two ends of which one
        begins anew exchange messages for ever.
        """
        return document_id in self._removed

    def unavailable(self, document_id: str) -> list[Effect]:
        """Say that a document that was :class:`Requested` or :class:`Wanted` is not to be had here."""
        sync = self._documents.get(document_id)
        asked = self._waiting.pop(document_id, None) is not None or (sync is not None and sync.wanted)
        if sync is not None:
            sync.wanted = False
        if not asked or self.other is None:
            return []
        return [self._send(UnavailableMessage(self.peer_id, document_id))]

    def has_announced(self, document_id: str) -> bool:
        """Whether the other end has announced content of a document that is empty here, and may bring it."""
        sync = self._documents.get(document_id)
        return sync is not None and not sync.read_only and bool(sync.peer_heads) and not sync.document.heads

    def announced(self, document_id: str) -> tuple[bytes, ...] | None:
        """The heads that the other end announced last on this connection; ``None`` if it has not so far."""
        sync = self._documents.get(document_id)
        return sync.peer_heads if sync is not None and sync.heard else None

    def is_answered(self, document_id: str) -> bool:
        """Whether the other end has said something of a document since it was last told of it.

        It does when it was told something new; until then it is still at work on that, and a slow one gets
        through many changes best when it is told of them together.
        """
        sync = self._documents.get(document_id)
        return sync is None or sync.answered

    def changed(self, document_id: str) -> list[Effect]:
        """A document has changed for another reason than a message received here."""
        effects: list[Effect] = []
        sync = self._documents.get(document_id)
        # A server waits until the client has spoken of the document: not everybody wants all of them.
        if sync is not None and self.other is not None and (sync.started or self.role == "client"):
            self._send_sync(document_id, sync, effects)
        return effects

    def send_unconfirmed(self, document_id: str) -> list[Effect]:
        """Send every change of a document that the other end has not said to have; before leaving.

        Which ones it has it tells by a filter, which takes one other change in a hundred for one of them. It
        would ask for that one when this end has gone.
        """
        sync = self._documents.get(document_id)
        if self.other is None or sync is None or not sync.peer_heads:
            return []
        if not sync.document.includes(sync.peer_heads):
            return []
        changes = sync.document.changes_since(sync.peer_heads)
        if not changes:
            return []
        data = make_sync_message(sync.document.heads, changes)
        return [
            self._send(Sync(self.peer_id, document_id, part, is_request=False))
            for part in self._cut(data, sync)
        ]

    def request_flush(self, document_id: str) -> tuple[int, list[Effect]]:
        """Have the other end confirm that it has everything the document holds now.

        Returns:
            The token that :class:`Flushed` or :class:`FlushLost` will bear, and the effects.

        Raises:
            LocalProtocolError: There is no connection.
            KeyError: The document was not added.
        """
        if not self._connected:
            raise LocalProtocolError("the session is not connected")
        sync = self._documents[document_id]
        token = self._tokens
        self._tokens += 1
        sync.flushes[token] = sync.document.heads
        effects: list[Effect] = []
        if self.other is not None:
            self._send_sync(document_id, sync, effects)
            effects += sync.covered()
        return token, effects

    # -- ephemeral messages ------------------------------------------------------------------------------

    def broadcast(self, document_id: str, data: bytes) -> list[Effect]:
        """Say something to everybody who has the document open; lost where there is no connection.

        Args:
            document_id: The document it is about.
            data: CBOR, at least one byte.
        """
        if self.other is None:
            return []
        self._count += 1
        return [self._send(EphemeralMessage(self.peer_id, document_id, self._session_id, self._count, data))]

    def relay(self, message: EphemeralMessage) -> list[Effect]:
        """Pass on what somebody else said."""
        if self.other is None or message.document_id not in self._documents or message.sender == self.other:
            return []
        return [self._send(message)]

    # -- within ------------------------------------------------------------------------------------------

    def _take_sync(self, message: Sync) -> list[Effect]:
        document_id = message.document_id
        sync = self._documents.get(document_id)
        self.questions += message.is_request
        if sync is None:
            if self.role == "client":
                # It offers what nobody asked for here, or asks for what is not here.
                missing = UnavailableMessage(self.peer_id, document_id)
                return [self._send(missing)] if message.is_request else []
            asked = document_id in self._waiting
            if not asked and len(self._documents) + len(self._waiting) >= self._limits.max_documents:
                # Nothing is kept of it: asked again, it is refused again. The others go on.
                return [self._send(UnavailableMessage(self.peer_id, document_id)), Refused(document_id)]
            # What was said first is said again when it was not answered; only the last word counts.
            self._waiting[document_id] = message
            return [] if asked else [Requested(document_id)]
        sync.answered = True
        document = sync.document
        effects: list[Effect] = []
        if sync.read_only and sync.brings_news(message.data):
            if not sync.refused:
                sync.refused = True
                reason = f"document {document_id} may not be written"
                effects += [self._send(ErrorMessage(reason, document_id)), WriteDenied(document_id, reason)]
            return effects
        before = document.heads
        sync.heard = True
        heads = sync.peer_heads = document.receive_sync_message(sync.state, message.data, origin=self)
        if document.heads != before:
            sync.unacknowledged = True
        if not sync.refused:  # it would be asked for what it was refused, for ever
            # What it announces may be what somebody else brought a moment ago, and is not stored yet.
            self._answer(document_id, sync, effects)
        if message.is_request and not document.heads:
            if self.role == "server":
                sync.wanted = True
                effects.append(Wanted(document_id))
            else:
                effects.append(self._send(UnavailableMessage(self.peer_id, document_id)))
        effects += sync.covered()
        if not sync.synced and document.heads and document.includes(heads):
            sync.synced = True
            effects.append(Synced(document_id))
        return effects

    def _answer(self, document_id: str, sync: DocumentSync, effects: list[Effect]) -> None:
        if self._defers:
            effects.append(Due(document_id))
        else:
            self._send_sync(document_id, sync, effects, is_answer=True)

    def _send_sync(
        self, document_id: str, sync: DocumentSync, effects: list[Effect], *, is_answer: bool = False
    ) -> None:
        data = sync.document.generate_sync_message(sync.state)
        if data is None:
            return
        is_request = self.role == "client" and not sync.started and not sync.document.heads
        sync.started = True
        sync.answered = False
        after_stored = self.role == "server" and (is_answer or sync.unacknowledged)
        sync.unacknowledged = False
        if sync.document.heads:
            sync.wanted = False
        for part in self._cut(data, sync):
            message = Sync(self.peer_id, document_id, part, is_request)
            effects.append(self._send(message, after_stored=after_stored))

    def _cut(self, data: bytes, sync: DocumentSync) -> list[bytes]:
        return cut_sync_message(data, self.max_part - _FRAMING, sync.all_changes)

    def _take_ephemeral(self, message: EphemeralMessage) -> list[Effect]:
        if self.role == "server":
            # JavaScript's clients send back what a server has relayed to them. Nor may one speak for another:
            # with a count that is high enough nobody would hear that other any more.
            if message.sender != self.other:
                return []
            if (size := len(message.data)) > self._limits.max_ephemeral:
                raise RemoteProtocolError(f"an ephemeral message of {size} bytes", bound="max_ephemeral")
        if message.sender == self.peer_id or message.document_id not in self._documents:
            return []
        speaker = (message.sender, message.session)
        if message.count <= self._heard.get(speaker, -1):
            return []
        self._heard.pop(speaker, None)  # the one heard last stands last
        self._heard[speaker] = message.count
        if len(self._heard) > _MAX_SPEAKERS:
            del self._heard[next(iter(self._heard))]
        return [Ephemeral(message)]

    def _send(self, message: Message, *, after_stored: bool = False) -> Send:
        return Send(write_message(message, sender=self.peer_id, target=self.other), after_stored)
