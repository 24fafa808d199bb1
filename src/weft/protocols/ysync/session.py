"""One end of a y-websocket connection as a state machine: bytes and time in, effects out.

Protocol: y-protocols 1.0.7, as y-websocket 3 speaks it. Both ends do nearly the same: each asks the other for
what it lacks (SyncStep1, a state vector), answers that (SyncStep2, an update), and tells of updates as they
happen. Nothing here opens a socket, reads a clock or draws at random.

What this end adds without a change to the protocol:

* A received update that leaves a gap is followed by a question for what is missing, since yrs does not ask.
* A flush: everything sent before a SyncStep1 has been processed when its SyncStep2 comes, as both ends handle
  messages in order. So a question whose answer is not needed serves as an acknowledgement.
* Updates made before the other end's first question are not sent alone: the answer to that question holds
  them, and before it they might build on what the other end does not have.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from weft._codecs.yjs.state import EMPTY_UPDATE
from weft.errors import LocalProtocolError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.protocols.effects import Denied, Flushed, FlushLost, Send
from weft.protocols.ysync.messages import (
    KEEP_ALIVE,
    AnswerCache,
    AuthDenied,
    AwarenessMessage,
    Message,
    QueryAwareness,
    SyncStep1,
    Update,
    answer_messages,
    awareness_message,
    denied_message,
    read_frame,
    step1_message,
    update_messages,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft._codecs.yjs.state import State
    from weft.protocols.awareness import Awareness, AwarenessChange, AwarenessEntry
    from weft.protocols.ysync.messages import UpdateSpans

__all__ = ["KEEP_ALIVE_S", "AwarenessChanged", "Effect", "SyncDocument", "Synced", "YSyncSession"]

KEEP_ALIVE_S = 20.0  # y-websocket clients give up after 30 seconds of silence
_RETRY_S = 0.5  # first pause after an answer that did not close a gap; doubled each time
_RETRIES = 10  # about eight minutes in all; then it is for the next update or connection to bring it

_FEW_WAITING = 1_000

# What a SyncStep1 was sent for: the handshake, a gap, or the flush with that token.
_HANDSHAKE, _GAP = -1, -2


@dataclass(frozen=True, slots=True)
class Synced:
    """The other end's state has been received and applied; said once for each connection."""


@dataclass(frozen=True, slots=True)
class AwarenessChanged:
    """A received message, or the end of the connection, changed awareness; its observers have been told."""

    change: AwarenessChange


Effect: TypeAlias = Send | Synced | Flushed | FlushLost | AwarenessChanged | Denied


class SyncDocument(Protocol):
    """A document as a session knows it: weft's ``YDocument``, or a log without one (``LogDocument``)."""

    def check(self, update: bytes, limits: Limits, /) -> UpdateSpans:
        """Look at an update before it is applied; raise ``RemoteProtocolError`` if it must not be."""

    def deletes_more(self, spans: Any, /) -> bool:
        """Whether an update for which ``check`` gave this deletes what is not deleted here."""

    def apply(self, update: bytes, *, origin: object, spans: Any = None) -> bool:
        """Take in an update, with what ``check`` gave for it; whether something waits for what is missing."""

    def state(self) -> State:
        """For each client, up to which clock its structs are known."""

    def lacking(self, wanted: State, /) -> State:
        """What the document lacks of a state."""

    def state_vector(self) -> bytes:
        """The same as a Yjs state vector."""

    def diff(self, state_vector: bytes, /) -> bytes:
        """The update that brings a peer with that state vector up to date."""

    @property
    def is_waiting(self) -> bool:
        """Whether received updates wait for structs that are missing."""


class YSyncSession:
    """One end of one y-websocket connection after another.

    The owner subscribes to the document and calls :meth:`local_update` with every update whose origin is not
    this session; likewise it sends what changes in awareness with another origin than this session.

    Times are seconds on one monotonic clock.

    Args:
        document: The document to keep in sync.
        role: Which end this is. A server sends everybody's awareness to a newcomer, keeps y-websocket
            clients from reconnecting in silence, marks its answers ``after_stored``, and gives clients no say
            over each other's awareness.
        awareness: To keep in sync too, or ``None`` to ignore it.
        limits: What the other end may ask for.
        read_only: Take no update from the other end. It is told once that it may not write.
        answers: Shared by the sessions of one document on a server.
        check_clients: Bounds whom an update brings. Given its spans and how many were brought before, it
            gives how many were with it, or raises ``RemoteProtocolError``.
    """

    def __init__(
        self,
        document: SyncDocument,
        *,
        role: Literal["client", "server"],
        awareness: Awareness | None = None,
        limits: Limits = DEFAULT_LIMITS,
        read_only: bool = False,
        answers: AnswerCache | None = None,
        check_clients: Callable[[Any, int], int] | None = None,
    ) -> None:
        self.document = document
        self.role = role
        self.awareness = awareness
        self.limits = limits
        self.read_only = read_only
        self.max_part = limits.max_part  # bytes of a message that is sent, where it can be cut
        self.questions = 0  # that the other end has asked
        self._answers = answers
        self._check_clients = check_clients
        self._brought = 0  # clients that were not known
        self._tokens = 0
        self._connected = False
        self._reset()

    def _reset(self) -> None:
        self._synced = False
        self._questions: deque[int] = deque()  # what each SyncStep1 without an answer was sent for
        self._flushes: list[int] = []  # tokens waiting until updates are sent live
        self._live = False
        self._told_read_only = False
        # While received updates wait for missing structs: whose, up to which clock, and how often it was
        # asked in vain.
        self._waiting: dict[int, int] = {}
        self._most_waiting = _FEW_WAITING  # at which it is looked through for what is there by now
        self._retries = 0
        self._retry_at: float | None = None
        self._silent_since = 0.0

    @property
    def synced(self) -> bool:
        """Whether the other end's state has been received on this connection."""
        return self._synced

    @property
    def connected_now(self) -> bool:
        """Whether the session has a connection."""
        return self._connected

    def connected(self, now: float) -> list[Effect]:
        """Begin with a new connection.

        Raises:
            LocalProtocolError: It has one already.
        """
        if self._connected:
            raise LocalProtocolError("the session has a connection already")
        self._reset()
        self._connected = True
        self._silent_since = now
        effects: list[Effect] = [self._ask(_HANDSHAKE)]
        awareness = self.awareness
        if awareness is not None:
            if self.role == "server":
                if awareness.states:
                    effects.append(Send(awareness_message(awareness.encode())))
            elif awareness.local_state is not None:
                awareness.renew(now, origin=self)
                effects.append(Send(awareness_message(awareness.encode((awareness.client_id,)))))
        return effects

    def disconnected(self, now: float) -> list[Effect]:
        """End with the connection: those who were known through it have left, for all this end knows."""
        if not self._connected:
            return []
        lost = tuple(token for token in (*self._questions, *self._flushes) if token >= 0)
        self._connected = False
        self._reset()
        effects: list[Effect] = [FlushLost(lost)] if lost else []
        if self.awareness is not None:
            change = self.awareness.release(self, now=now, forget=self.role == "client")
            if change:
                effects.append(AwarenessChanged(change))
        return effects

    def receive(self, data: bytes, now: float) -> list[Effect]:
        """Take in one binary message from the connection.

        Raises:
            RemoteProtocolError: It is malformed or breaks a limit: nothing changed. Or the binding refuses an
                update in it: messages before that one in the same frame count. Close the connection.
            LocalProtocolError: There is no connection.
        """
        self._check_connected()
        messages = read_frame(data, self.limits, self.document.check)
        entries = [self._decode_awareness(message) for message in messages]
        effects: list[Effect] = []
        for message, states in zip(messages, entries, strict=True):
            match message:
                case SyncStep1():
                    self.questions += 1
                    self._answer(message, effects, now)
                case Update():
                    self._take_update(message, effects, now)
                case AwarenessMessage():
                    self._take_awareness(states, effects, now)
                case QueryAwareness():
                    self.questions += 1
                    if self.awareness is not None:
                        effects.append(Send(awareness_message(self.awareness.encode())))
                case AuthDenied() if self.role == "client":
                    effects.append(Denied(message.reason))
                case _:
                    pass  # of a type that this end does not know
        if any(isinstance(effect, Send) for effect in effects):
            self._silent_since = now
        return effects

    def local_update(self, update: bytes) -> list[Effect]:
        """Tell the other end of an update that did not come from it.

        Without a connection, or before the other end's first question, there is nothing to do: the answer to
        that question will hold it.
        """
        return self._tell(update) if self._live else []

    def _tell(self, update: bytes) -> list[Effect]:
        return [Send(message) for message in update_messages(update, self.max_part)]

    def request_flush(self, now: float) -> tuple[int, list[Effect]]:
        """Ask the other end to confirm that it has processed everything written so far.

        Args:
            now: The time.

        Returns:
            The token that :class:`Flushed` or :class:`FlushLost` will bear, and the effects.

        Raises:
            LocalProtocolError: There is no connection.
        """
        self._check_connected()
        token = self._tokens
        self._tokens += 1
        if not self._live:
            # What was written while there was no connection has not been sent yet.
            self._flushes.append(token)
            return token, []
        self._silent_since = now
        return token, [self._ask(token)]

    def next_tick(self, now: float) -> float | None:
        """When :meth:`tick` is next due, on the clock of ``now``; ``None`` if time does not matter."""
        del now
        dues = [] if self._retry_at is None else [self._retry_at]
        if self._connected and self.role == "server":
            dues.append(self._silent_since + KEEP_ALIVE_S)
        if self.awareness is not None and (due := self.awareness.next_tick()) is not None:
            dues.append(due)
        return min(dues, default=None)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due. It does no harm to call it too often; the awareness is ticked too."""
        effects: list[Effect] = []
        if self.awareness is not None:
            self.awareness.tick(now)
        if not self._connected:
            return effects
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            if not self.document.is_waiting:
                self._close_gap()
            elif _GAP not in self._questions:
                effects.append(self._ask(_GAP))
        if effects:
            self._silent_since = now
        elif self.role == "server" and now - self._silent_since >= KEEP_ALIVE_S:
            self._silent_since = now
            effects.append(Send(KEEP_ALIVE))
        return effects

    def _check_connected(self) -> None:
        if not self._connected:
            raise LocalProtocolError("the session has no connection")

    def _ask(self, purpose: int) -> Send:
        self._questions.append(purpose)
        return Send(step1_message(self.document.state_vector()))

    def _answer(self, question: SyncStep1, effects: list[Effect], now: float) -> None:
        update = self.document.diff(question.state_vector)
        cut = answer_messages if self._answers is None else self._answers.messages
        # Each part as an answer: whoever asks without reading is held up by the bytes of all of them.
        after_stored = self.role == "server"
        effects.extend(Send(message, after_stored) for message in cut(update, self.max_part))
        self._go_live(effects)

    def _go_live(self, effects: list[Effect]) -> None:
        """From here on the other end has, or is about to get, all that later updates build on."""
        self._live = True
        flushes, self._flushes = self._flushes, []
        effects.extend(self._ask(token) for token in flushes)

    def _take_update(self, message: Update, effects: list[Effect], now: float) -> None:
        if self.read_only:
            self._refuse_update(message, effects)
        elif message.update != EMPTY_UPDATE:
            if self._check_clients is not None:
                self._brought = self._check_clients(message.spans, self._brought)
            if self.document.apply(message.update, origin=self, spans=message.spans):
                self._note_gap(message, effects)
            else:
                self._close_gap()
        if message.is_answer:
            self._take_answer(effects, now)

    def _refuse_update(self, message: Update, effects: list[Effect]) -> None:
        """Do not apply an update; tell the other end, unless it brings nothing new as a handshake does.

        Of two concurrent writes to a key Yjs deletes one by itself, at each client, which names it with what
        somebody has deleted; the document tells the two apart.
        """
        if not self._told_read_only and (
            self.document.lacking(message.spans.ends()) or self.document.deletes_more(message.spans)
        ):
            self._told_read_only = True
            effects.append(Send(denied_message("read-only")))

    def _take_answer(self, effects: list[Effect], now: float) -> None:
        purpose = self._questions.popleft() if self._questions else None
        if not self._synced:
            self._synced = True
            effects.append(Synced())
        if purpose is not None and purpose >= 0:
            effects.append(Flushed(purpose))
        if not self._live and purpose == _HANDSHAKE:
            # A server that answers without having asked: it will not, and what is here would never leave.
            effects += self._tell(self.document.diff(b"\x00"))
            self._go_live(effects)
        if not self.document.is_waiting:
            self._close_gap()
        elif purpose == _GAP and self._retries < _RETRIES:
            self._retry_at = now + _RETRY_S * 2**self._retries
            self._retries += 1

    def _note_gap(self, message: Update, effects: list[Effect]) -> None:
        """Ask for what is missing: at once if that is news, otherwise as the pauses between tries allow."""
        document, waiting = self.document, self._waiting
        lacking = document.lacking(message.spans.ends())
        known = {client: waiting[client] for client in lacking if client in waiting}
        # What another connection has brought meanwhile is a gap no more, and the next one is news.
        is_news = len(document.lacking(known)) < len(lacking)
        if not lacking:  # a deletion waits: somebody asks for what it deletes, or nobody does
            is_news = self._retry_at is None
        waiting.update(lacking)
        if len(waiting) > self._most_waiting:
            self._waiting = document.lacking(waiting)
            self._most_waiting = max(2 * len(self._waiting), _FEW_WAITING)
        if is_news and _GAP not in self._questions:
            self._retries = 0
            self._retry_at = None
            effects.append(self._ask(_GAP))

    def _close_gap(self) -> None:
        self._waiting = {}
        self._retry_at = None
        self._retries = 0

    def _decode_awareness(self, message: Message) -> list[AwarenessEntry]:
        if self.awareness is None or not isinstance(message, AwarenessMessage):
            return []
        return self.awareness.decode(message.data)

    def _take_awareness(self, entries: list[AwarenessEntry], effects: list[Effect], now: float) -> None:
        if self.awareness is not None and entries:
            change = self.awareness.apply_entries(
                entries, now=now, origin=self, exclusive=self.role == "server"
            )
            if change:
                effects.append(AwarenessChanged(change))
