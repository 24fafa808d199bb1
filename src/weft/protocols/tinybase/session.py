"""One end of TinyBase's synchronisation as a state machine: messages and time in, effects out.

Protocol: ``createCustomSynchronizer`` of TinyBase 10.0.1. Everybody in a room is equal, the server's own
store, ``S``, among them. Who comes asks everybody for the hashes of what they have, takes what it lacks from
who answers, and then tells its own hashes, on which the others take from it what they lack. After that each
change is told to everybody as it is made. What arrives twice or in another order does no harm.

What this end adds without a change to the protocol:

* It goes on to take what it lacks from each who answers with other hashes, not from the first one alone.
* It knows whether the server has a store, and asks it until it has answered.
* A flush: that store has everything if its hashes are those here, or if it has the stamps of what was
  written.
* Where something was not answered or refused, it is asked for again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from weft.errors import LocalProtocolError, RemoteProtocolError
from weft.protocols.effects import Flushed, FlushLost
from weft.protocols.tinybase.changes import merge_changes
from weft.protocols.tinybase.effects import Refused, SendMessage, StoreLacks, StoreMissing, Synced, Unanswered
from weft.protocols.tinybase.exchanges import Exchange, Pending, PendingQuestions
from weft.protocols.tinybase.messages import STORE, Message, MessageType, are_hashes
from weft.protocols.tinybase.pull import answer, confirm, pull
from weft.protocols.tinybase.writes import Writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.mergeable import MergeableChanges, MergeableDocument
    from weft.protocols.tinybase.effects import Effect
    from weft.protocols.tinybase.pull import Questions

__all__ = ["TinyBaseSession"]

_MAX_EXCHANGES = 16  # under way; the others wait for their turn
_MAX_WANTED = 1000  # others that wait; whose word is dropped, says it again with the next connection
# Times the request timeout. Who has answered once is there, and may have much to say, or to load before it.
_PATIENCE = 10
_TRANSACTION, _REQUEST = 11, 4  # characters of ids, as TinyBase makes them


class TinyBaseSession:
    """One end, on one connection after another.

    The owner subscribes to the document and calls :meth:`local_change` with what was stamped by others than
    this session, and :meth:`send_changes` when the turn is over.

    Times are seconds on one monotonic clock.

    Args:
        document: The document to keep in sync.
        role: Which end this is. A client looks for the server's store. That store, the server, has the others
            come, and asks only who says that it has something else. A peer is one of several with no server.
        new_id: Makes a random id of so many characters.
        request_timeout: Seconds that everybody has for an answer; who is known to be there has ten times
            that.
    """

    def __init__(
        self,
        document: MergeableDocument,
        *,
        role: Literal["client", "server", "peer"],
        new_id: Callable[[int], str],
        request_timeout: float = 1.0,
    ) -> None:
        self.document = document
        self.role = role
        self.request_timeout = request_timeout
        self._new_id = new_id
        self._tokens = 0
        self._writes = Writes()
        self._changes: list[MergeableChanges] = []  # that have not been told yet
        self._connected = False
        self._reset()

    def _reset(self) -> None:
        self._pending = PendingQuestions()
        self._wanted: dict[str, tuple[list[int], str]] = {}  # peers whose hashes differ, and wait for a turn
        self._flushes: list[int] = []  # tokens for which nothing has been asked
        self._synced = False
        self._announced = False  # our hashes, to everybody
        # Does the server; None until that is known.
        self._has_store: bool | None = None if self.role == "client" else False
        self._lookups = 0  # questions for it
        self._denials = 0  # answers in a row by which it lacks something
        self._look_at: float | None = None  # when to ask the store again

    @property
    def synced(self) -> bool:
        """Whether the server's state has been received on this connection."""
        return self._synced

    @property
    def connected_now(self) -> bool:
        """Whether the session has a connection."""
        return self._connected

    @property
    def has_store(self) -> bool | None:
        """Whether the server has a store of its own; ``None`` while that is not known."""
        return self._has_store

    # --- the connection

    def connected(self, now: float) -> list[Effect]:
        """Begin with a new connection.

        Raises:
            LocalProtocolError: It has one already.
        """
        if self._connected:
            raise LocalProtocolError("the session has a connection already")
        self._reset()
        self._connected = True
        self._changes = []  # the hashes tell of them
        if self.role == "server":
            return []
        self._writes.forget()
        return [self._ask_all(MessageType.GET_CONTENT_HASHES, "", now)]

    def disconnected(self) -> list[Effect]:
        """End with the connection. What was asked will not be answered."""
        if not self._connected:
            return []
        tokens = sum([exchange.tokens for exchange in self._pending.exchanges], tuple(self._flushes))
        self._pending.clear()
        self._connected = False
        self._reset()
        return [FlushLost(tokens)] if tokens else []

    def left(self, peer: str, now: float) -> list[Effect]:
        """A peer is gone: what it was asked is not answered any more."""
        self._wanted.pop(peer, None)
        self._pending.left(peer)
        return self._advance(now) if self._connected else []

    def ask(self, peer: str, now: float) -> list[Effect]:
        """Ask one peer for the hashes of what it has, and take what is lacking here."""
        self._check_connected()
        return self._step(Exchange(peer, self._new_id(_TRANSACTION), self._look()), None, now)

    # --- messages

    def receive(self, sender: str, message: Message, now: float) -> list[Effect]:
        """Take in one message.

        Args:
            sender: From whom.
            message: It, as it was read and checked.
            now: The time.

        Raises:
            LocalProtocolError: There is no connection.
        """
        self._check_connected()
        effects: list[Effect] = []
        if sender == STORE and not self._has_store and self.role == "client":
            self._has_store = True
            effects += self._confirm(now)
            if not self._synced and self._look_at is None:
                self._look_at = now + self.request_timeout  # unless it has answered by then
        match message.type:
            case MessageType.RESPONSE:
                return self._take_answer(sender, message, effects, now)
            case MessageType.CONTENT_HASHES:
                return self._heard(sender, message.body, message.request_id, effects, now)
            case MessageType.CONTENT_DIFF:
                self._apply(sender, message.body, effects)
                return effects
            case _:
                body = answer(self.document, message)
                effects.append(SendMessage(sender, Message(message.request_id, MessageType.RESPONSE, body)))
                return effects

    def local_change(self, changes: MergeableChanges) -> None:
        """Note what was stamped here, or came by another way: without a connection the next one tells it."""
        self._writes.add(changes)
        if self._connected:
            self._changes.append(changes)

    def send_changes(self) -> list[Effect]:
        """Tell everybody what was noted, as one message."""
        changes, self._changes = self._changes, []
        if not changes or not self._connected:
            return []
        body = changes[0] if len(changes) == 1 else merge_changes(changes)
        message = Message(self._new_id(_TRANSACTION), MessageType.CONTENT_DIFF, body)
        return [SendMessage(None, message)]

    def announce(self) -> list[Effect]:
        """Tell everybody the hashes of what is here, so that they come for what they lack.

        It makes up for changes that were not sent.
        """
        self._check_connected()
        self._changes = []
        return [self._own_hashes(None)]

    # --- flushing

    def request_flush(self, now: float) -> tuple[int, list[Effect]]:
        """Ask the server's store to confirm that it has everything written so far.

        Returns:
            The token that ``Flushed`` or ``FlushLost`` will bear, and the effects.

        Raises:
            LocalProtocolError: There is no connection.
        """
        self._check_connected()
        token = self._tokens
        self._tokens += 1
        self._flushes.append(token)
        effects = self.send_changes()
        return token, effects + ([StoreMissing()] if self._has_store is False else self._confirm(now))

    def _confirm(self, now: float) -> list[Effect]:
        """Ask the store whether it has everything, for all flushes that wait; unless it is being asked."""
        is_asked = any(exchange.tokens for exchange in self._pending.exchanges)
        if is_asked or not self._flushes or not self._has_store:
            return []
        tokens, self._flushes = tuple(self._flushes), []
        questions = self._confirming(self._writes.taken())
        return self._step(Exchange(STORE, self._new_id(_TRANSACTION), questions, tokens=tokens), None, now)

    def _confirming(self, writes: Writes) -> Questions:
        is_confirmed = False
        try:
            is_confirmed = yield from confirm(self.document, writes)
        finally:
            if not is_confirmed:
                self._writes.put_back(writes)
        return is_confirmed

    # --- time

    def next_tick(self) -> float | None:
        """When :meth:`tick` is next due; ``None`` if time does not matter."""
        dues = (self._pending.next_due, self._look_at)
        return min((due for due in dues if due is not None), default=None)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due. It does no harm to call it too often."""
        effects: list[Effect] = []
        if not self._connected:
            return effects
        for pending in self._pending.expired(now):
            self._unanswered(pending, effects, now)
        if self._look_at is not None and self._look_at <= now:
            self._look_at = None
            effects += self._confirm(now)
            if not self._synced:
                effects += self.ask(STORE, now)
        return effects + self._advance(now)

    def _unanswered(self, pending: Pending, effects: list[Effect], now: float) -> None:
        exchange = pending.exchange
        if exchange is None:
            # The time to answer everybody's question is over; who did was heard.
            effects += self._announce_once()
            if self.role == "client" and not self._has_store:
                self._look_at = now
            else:
                effects += self._level_without_store()
            return
        self._flushes = [*exchange.tokens, *self._flushes]
        if exchange.peer != STORE or self.role != "client":
            effects.append(Unanswered(exchange.peer, pending.message))
            effects += self._level_without_store()
        elif self._has_store:
            effects.append(Unanswered(STORE, pending.message))
            self._look_at = now + self.request_timeout
        else:
            self._lookups += 1
            if self._lookups < _PATIENCE:
                self._look_at = now
            else:
                self._has_store = False
                effects.append(StoreMissing())
                effects += self._level_without_store()

    def _level_without_store(self) -> list[Effect]:
        """Where the server only relays, there is nothing to wait for once nobody is being asked."""
        is_over = self._has_store is False and not self._wanted and not self._pending.exchanges
        return self._now_synced() if is_over else []

    # --- inside

    def _check_connected(self) -> None:
        if not self._connected:
            raise LocalProtocolError("the session has no connection")

    def _is_store(self, peer: str) -> bool:
        return peer == STORE and self.role == "client"

    def _hashes(self) -> list[int]:
        return list(self.document.get_content_hashes())

    def _own_hashes(self, to: str | None) -> SendMessage:
        return SendMessage(
            to, Message(self._new_id(_TRANSACTION), MessageType.CONTENT_HASHES, self._hashes())
        )

    def _announce_once(self) -> list[Effect]:
        if self._announced:
            return []
        self._announced = True
        return [self._own_hashes(None)]

    def _now_synced(self) -> list[Effect]:
        if self._synced:
            return []
        self._synced = True
        return [Synced()]

    def _request_id(self, transaction: str) -> str:
        return f"{transaction}.{self._new_id(_REQUEST)}"

    def _ask_all(self, kind: MessageType, body: Any, now: float) -> SendMessage:
        message = Message(self._request_id(self._new_id(_TRANSACTION)), kind, body)
        self._pending.add(Pending(message, now + self.request_timeout))
        return SendMessage(None, message)

    def _look(self) -> Questions:
        """Ask for hashes; what they say is heard by the caller."""
        return (yield MessageType.GET_CONTENT_HASHES, "")

    def _step(self, exchange: Exchange, answer: Any, now: float) -> list[Effect]:
        """Give an exchange an answer, and ask what it wants to know next."""
        effects: list[Effect] = []
        try:
            kind, body = exchange.questions.send(answer)
        except StopIteration as done:
            self._finish(exchange, done.value, effects, now)
        except RemoteProtocolError as error:
            self._flushes = [*exchange.tokens, *self._flushes]
            effects.append(Refused(exchange.peer, error))
            self._ask_again(exchange.peer, now)
        else:
            message = Message(self._request_id(exchange.transaction), kind, body)
            is_known = exchange.peer != STORE or self._has_store or self.role != "client"
            due = now + self.request_timeout * (_PATIENCE if is_known else 1)
            self._pending.add(Pending(message, due, exchange))
            effects.append(SendMessage(exchange.peer, message))
        return effects

    def _take_answer(self, sender: str, message: Message, effects: list[Effect], now: float) -> list[Effect]:
        pending = self._pending.answered(message.request_id, sender)
        if pending is None:
            return effects
        if pending.exchange is None:
            # A question to everybody stays open, for all who answer.
            if sender != STORE:
                self._lookups = _PATIENCE - 1  # a store would have been asked before
            return self._heard(sender, message.body, None, effects, now)
        return effects + self._step(pending.exchange, message.body, now) + self._advance(now)

    def _finish(self, exchange: Exchange, result: Any, effects: list[Effect], now: float) -> None:
        if exchange.tokens:
            self._confirmed(exchange, bool(result), effects, now)
        elif exchange.hashes is None:
            self._heard(exchange.peer, result, None, effects, now)
        elif self._apply(exchange.peer, result, effects):
            self._announced |= self._is_store(exchange.peer) and exchange.hashes == self._hashes()
            effects += self._is_level(exchange.peer)
            if self.role == "server" and exchange.hashes != self._hashes():
                # TinyBase drops the changes that come while it begins, and then says what it has.
                effects.append(self._own_hashes(exchange.peer))
        else:
            self._ask_again(exchange.peer, now)

    def _confirmed(self, exchange: Exchange, is_there: bool, effects: list[Effect], now: float) -> None:
        if is_there:
            self._denials = 0
            effects += [Flushed(token) for token in exchange.tokens]
            effects += self._confirm(now)
            return
        # It has not got everything, or others write: both take what they lack, and it is asked once more.
        self._flushes = [*exchange.tokens, *self._flushes]
        effects += [StoreLacks(), self._own_hashes(STORE)]
        effects += self.ask(STORE, now)
        self._look_at = now + self.request_timeout * min(2**self._denials / 4, _PATIENCE)
        self._denials += self._denials < _PATIENCE

    def _ask_again(self, peer: str, now: float) -> None:
        """Something of the store could not be taken: try it later."""
        if self._is_store(peer):
            self._look_at = now + self.request_timeout * _PATIENCE

    def _heard(
        self, sender: str, hashes: Any, transaction: str | None, effects: list[Effect], now: float
    ) -> list[Effect]:
        """A peer has what has these hashes."""
        if not are_hashes(hashes):
            effects.append(Refused(sender, RemoteProtocolError(f"not hashes: {hashes!r:.100}")))
        elif hashes == self._hashes():
            self._wanted.pop(sender, None)
            self._announced |= self._is_store(sender)  # who lacks something gets it of the store
            effects += self._is_level(sender)
        elif sender in self._wanted or len(self._wanted) < _MAX_WANTED:
            self._wanted[sender] = (hashes, transaction or self._new_id(_TRANSACTION))
            effects += self._advance(now)
        return effects

    def _is_level(self, peer: str) -> list[Effect]:
        """What a peer had is here."""
        effects: list[Effect] = []
        if self.role != "server":
            if self._is_store(peer) or self._has_store is False:
                effects += self._now_synced()
            effects += self._announce_once()
        return effects

    def _advance(self, now: float) -> list[Effect]:
        """Begin to take what others have, as far as that can be done at once.

        Who has the same as somebody who is being asked waits: it will be the same then.
        """
        effects: list[Effect] = []
        if not self._wanted:
            return effects
        exchanges = self._pending.exchanges
        busy = {exchange.peer for exchange in exchanges}
        asked = [exchange.hashes for exchange in exchanges if exchange.hashes is not None]
        for peer, (hashes, transaction) in tuple(self._wanted.items()):
            if len(asked) >= _MAX_EXCHANGES or self._pending.is_full:
                break
            if peer in busy or hashes in asked:
                continue
            del self._wanted[peer]
            if hashes == self._hashes():
                effects += self._is_level(peer)
                continue
            asked.append(hashes)
            effects += self._step(Exchange(peer, transaction, pull(self.document, hashes), hashes), None, now)
        return effects

    def _apply(self, peer: str, changes: MergeableChanges, effects: list[Effect]) -> bool:
        try:
            self.document.apply(changes, origin=self)
        except RemoteProtocolError as error:
            effects.append(Refused(peer, error))
            return False
        return True
