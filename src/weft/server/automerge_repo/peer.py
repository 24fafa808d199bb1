"""One automerge-repo client: a protocol session between a link and any number of documents."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from weft.errors import RoomDamagedError, RoomDeletedError
from weft.protocols.automerge_repo import (
    ANSWER_S,
    Denied,
    Ephemeral,
    Joined,
    Refused,
    RepoSession,
    Requested,
    Send,
    Wanted,
    WriteDenied,
)
from weft.server._core.batch import Batch
from weft.server._core.wrong_protocol import expect_no_room
from weft.server.asking_peer import AskingPeer
from weft.server.auth import Deny

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from weft.protocols.automerge_repo import Effect, EphemeralMessage
    from weft.server._core.link import Link
    from weft.server.auth import Request
    from weft.server.automerge_repo.documents import Documents
    from weft.server.automerge_repo.room import DocumentRoom

__all__ = ["RepoPeer"]

_log = logging.getLogger("weft.server")

_EMPTY = 20_000  # bytes that a document takes which nobody has
_TRY_AGAIN_LATER = 1013
_PROTOCOL_ERROR = 1002


class RepoPeer(AskingPeer["DocumentRoom"]):
    """One client, with the documents that it speaks of.

    Sync messages are never queued while the queue is full and never dropped: what has changed meanwhile is
    one message when it has emptied. Ephemeral messages are dropped then.

    Args:
        link: The client's connection.
        documents: The server's documents.
        request: What is known of the client.
        released: Called once, when the client has gone or was let go.
    """

    def __init__(
        self, link: Link, documents: Documents, request: Request, *, released: Callable[[], None]
    ) -> None:
        super().__init__(link, documents, released=released)
        self.session = RepoSession(
            role="server",
            peer_id=documents.peer_id,
            session_id=secrets.token_hex(8),
            limits=documents.limits,
        )
        self._request = request
        self._stack = AsyncExitStack()  # holds the rooms open
        self._rooms: dict[str, DocumentRoom] = {}
        self._wanted: set[str] = set()  # documents that nobody had when it asked for them
        self._ticket = 0  # storage's, of the last change of any of the documents
        self._changed: dict[str, None] = {}  # documents the client has to be told of; in order
        self._sent_at: dict[str, float] = {}  # and when it was last told of each
        self._sending: asyncio.Handle | None = None
        self._sending_later: asyncio.TimerHandle | None = None
        self._has_refused = False

    @property
    def name(self) -> str:
        """How the logs call the client."""
        return f"{self._request.remote} with automerge-repo"

    # What the rooms call

    def changed(self, room: DocumentRoom, origin: object | None) -> None:
        """A document has changed. Many changes in one turn of the event loop are one message."""
        self.note_ticket(room.log.ticket)
        if origin is self.session:
            self._note_written(room)
            return
        self._changed[room.document_id] = None
        self._send_changes_soon()

    def note_ticket(self, ticket: int) -> None:
        """Confirm nothing before this ticket is durable."""
        self._ticket = max(self._ticket, ticket)

    def relay(self, message: EphemeralMessage) -> None:
        """Queue what somebody said, unless too much waits already."""
        if not self.queue.is_full:
            self._perform(self.session.relay(message))

    def unavailable(self, document_id: str) -> None:
        """Tell the client that a document is not to be had."""
        self._perform(self.session.unavailable(document_id))

    def has_announced(self, document_id: str) -> bool:
        """Whether the client has announced content of a document that has not come yet."""
        return self.session.has_announced(document_id)

    # What a peer does

    def held(self) -> Iterator[tuple[int, int]]:
        """What waits in memory for it, also of what it has said."""
        empty = sum(not self._rooms[document_id].document.heads for document_id in self._wanted)
        yield 0, self._backlog + _EMPTY * empty
        yield from super().held()

    def _join(self) -> None:
        """Nobody hears of it yet."""

    def _connected(self) -> None:
        self._perform(self.session.connected())

    def _receive(self, message: bytes) -> None:
        if self.session.other is None:
            expect_no_room(message)
        self._note_received(message)
        asked = self.session.questions
        self._perform(self.session.receive(message))
        if self.session.questions != asked:
            self._link.note_questions(self.session.questions - asked)
        if self._changed:  # it may be an answer
            self._send_changes_soon()

    def refill(self) -> None:
        """The queue is empty: put in what was held back while it was full."""
        self._send_changes()

    def _leave(self) -> None:
        for sending in (self._sending, self._sending_later):
            if sending is not None:
                sending.cancel()
        super()._leave()
        for room in self._rooms.values():
            room.leave(self)
        self.session.disconnected()
        self._asked.release(self._openings, self._stack)

    # Within

    def _send_changes_soon(self) -> None:
        if self._sending is None:
            self._sending = asyncio.get_running_loop().call_soon(self._send_changes)

    def _send_changes(self) -> None:
        self._sending = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = now + ANSWER_S
        for document_id in tuple(self._changed):
            if self.queue.is_full:
                return  # the queue asks when it has emptied
            allowed = self._sent_at.get(document_id, -ANSWER_S) + ANSWER_S
            if now < allowed and not self.session.is_answered(document_id):
                due = min(due, allowed)
                continue
            del self._changed[document_id]
            self._sent_at[document_id] = now
            try:
                effects = self.session.changed(document_id)
            except Exception as error:  # noqa: BLE001 - whatever this client has announced ends this client
                self.fail(error)
                return
            self._perform(effects)
        if self._sending_later is not None:
            self._sending_later.cancel()
        self._sending_later = loop.call_at(due, self._send_changes) if self._changed else None

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(after_stored=True):
                    self.queue.put_answer(Batch([effect.data]), self._ticket)
                case Send():
                    self.queue.put(Batch([effect.data]))
                case Requested() if not self._link.enter_room():
                    self.unavailable(effect.document_id)
                case Requested():
                    self._begin_opening(self._open(effect.document_id))
                case Wanted():
                    self._wanted.add(effect.document_id)
                    self._link.note_held(_EMPTY)
                    self._rooms[effect.document_id].answer_request(self)
                case Ephemeral():
                    self._rooms[effect.message.document_id].relay(effect.message)
                case Joined():
                    self._link.admit()
                case Refused():
                    self._note_refused(effect.document_id)
                case WriteDenied():
                    _log.info("%s: %.200s", self.name, effect.reason)
                case Denied():
                    self._deny(effect.reason, effects)

    def _note_refused(self, document_id: str) -> None:
        self._refused.count("max_documents")
        if not self._has_refused:  # once is news: a client may go on asking
            self._has_refused = True
            _log.warning(
                "%s has %d documents open, as many as one connection may (max_documents); document %s and "
                "further ones are unavailable to it",
                self.name,
                self._asked.limits.max_documents,
                document_id,
            )

    def _deny(self, reason: str, effects: Sequence[Effect]) -> None:
        _log.info("%s: %.200s", self.name, reason)
        if not self.session.document_ids:  # at the handshake
            self.end(_PROTOCOL_ERROR, reason)

    async def _open(self, document_id: str) -> None:
        try:
            decision = await self._asked.decide(self._request, document_id)
            if isinstance(decision, Deny):
                self._link.leave_room()
                _log.info("%s may not have document %s: %.200r", self.name, document_id, decision.reason)
                if decision.code == _TRY_AGAIN_LATER:
                    self.end(decision.code, decision.reason)
                else:
                    self.unavailable(document_id)
                return
            if not self._link.identify(decision.user):
                self.end(_TRY_AGAIN_LATER, "too many connections of this user")
                return
            self._note_allowed()
            room = await self._stack.enter_async_context(self._asked.use(document_id))
            self._rooms[document_id] = room
            room.clients.add(self)
            self.note_ticket(room.log.ticket)
            self._perform(self.session.add(document_id, room.document, read_only=decision.read_only))
        except RoomDeletedError as error:
            _log.info("%s: %s", self.name, error)
            self.unavailable(document_id)
        except RoomDamagedError as error:
            # Of this document alone: the client has others, on the same connection.
            _log.error("%s cannot have document %s: %s", self.name, document_id, error)
            self.unavailable(document_id)
        except Exception as error:  # noqa: BLE001 - what cannot be opened ends this client, and nobody else
            self.fail(error)
