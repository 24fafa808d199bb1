"""What a provider knows of one of its mergeable documents: its session, its channel, and who waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from weft._support.arguments import wrong_kind
from weft.documents.mergeable import MergeableDocument, get_unique_id
from weft.errors import ProviderError, SyncTimeoutError
from weft.protocols.tinybase import (
    STORE,
    Flushed,
    FrameReader,
    MessageType,
    Refused,
    SendMessage,
    StoreLacks,
    StoreMissing,
    Synced,
    TinyBaseSession,
    Unanswered,
)
from weft.providers._core.confirmations import Confirmations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weft._aio.clock import Clock
    from weft.documents.mergeable import MergeableEvent
    from weft.protocols.tinybase import Effect, Fragments, Message
    from weft.providers._core.status import StatusTracker
    from weft.providers.tinybase.kept import Kept

__all__ = ["HasDocument", "SharedDocument", "document_of"]

_NO_STORE = (
    "nobody at the server confirms what was written: it only relays, as TinyBase's createWsServerSimple does "
    "and createWsServer without a persister"
)


class HasDocument(Protocol):
    """What has a mergeable document: a ``MergeableStore``."""

    @property
    def document(self) -> MergeableDocument:
        """The document."""


def document_of(given: object) -> MergeableDocument:
    """The document that was given, or that of a ``MergeableStore``.

    Raises:
        TypeError: It is neither.
    """
    document = given if isinstance(given, MergeableDocument) else getattr(given, "document", None)
    if not isinstance(document, MergeableDocument):
        raise wrong_kind("a weft.mergeable.MergeableStore, or its document,", given)
    return document


class SharedDocument:
    """A document in a provider's care.

    Args:
        document: The document.
        channel: The name of its channel; empty without channels.
        fragments: Where the parts of all channels wait.
        max_message: Bytes of one message.
        request_timeout: As of the session.
        clock: Time for the session.
        tracker: Where errors go, and where waiting is done.
        send: Sends a frame, which ``announce`` makes up for where that is said; whether it will be sent.
        rearm: Has ``tick`` called again, as it has become due earlier.
        synced: Called when the server's state was received.
        kept: The replica of the document, where it has one.

    Attributes:
        is_open: Whether there is a connection, and the server has let it into the channel.
        kept: As given.
    """

    def __init__(
        self,
        document: MergeableDocument,
        channel: str,
        *,
        fragments: Fragments,
        max_message: int,
        request_timeout: float,
        clock: Clock,
        tracker: StatusTracker,
        send: Callable[[SharedDocument, str | None, Message, bool], None],
        rearm: Callable[[], None],
        synced: Callable[[], None],
        kept: Kept | None = None,
    ) -> None:
        self.document = document
        self.channel = channel
        self.session = TinyBaseSession(
            document, role="client", new_id=get_unique_id, request_timeout=request_timeout
        )
        self.confirmations = Confirmations(tracker, self._ask)
        self.is_open = False
        self._reader = FrameReader(max_message, fragments=fragments, channel=channel)
        self._clock = clock
        self._tracker = tracker
        self._send = send
        self._rearm = rearm
        self._synced = synced
        self.kept = kept
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn: asyncio.Handle | None = None
        self._due: float | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def synced(self) -> bool:
        """Whether the server's state has been received on the present connection."""
        return self.session.synced

    def attach(self) -> None:
        """Listen to the document."""
        if self._unsubscribe is None:
            kept = self.kept
            if kept is not None:
                kept.attach()
            self._unsubscribe = self.document.subscribe(self._changed, but=self.session)
            if any(self.document.get_content_hashes()) if kept is None else kept.content.pending():
                self.confirmations.wrote()  # whatever is there, nobody has said that the server has it

    def detach(self) -> None:
        """Listen no longer."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            if self.kept is not None:
                self.kept.detach()

    def opened(self) -> None:
        """The connection stands, or the channel does."""
        self.is_open = True
        self._loop = asyncio.get_running_loop()
        if self.kept is not None:
            self.kept.opened(self.session)
        self._perform(self.session.connected(self._clock.now()))
        self._ask()

    def received(self, data: bytes | str) -> None:
        """Take in one frame.

        Raises:
            RemoteProtocolError: It is none.
        """
        now = self._clock.now()
        frame = self._reader.receive(data, now)
        if frame is not None:
            self._perform(self.session.receive(frame.address, frame.message, now))
            due = self.session.next_tick()
            if due is not None and (self._due is None or due < self._due):
                self._rearm()

    def tick(self, now: float) -> float | None:
        """Let time pass; returns when it is due again."""
        if not self.is_open:
            return None
        self._perform(self.session.tick(now))
        kept = self.kept
        if kept is not None and kept.is_due(now) and self.session.has_store is not False:
            self._ask(always=True)
        dues = (self.session.next_tick(), None if kept is None else kept.ask_at)
        self._due = min((due for due in dues if due is not None), default=None)
        return self._due

    def announce(self) -> None:
        """Make up for frames that were not sent."""
        if self.is_open:
            self._perform(self.session.announce())
            self._ask()

    def end_turn(self) -> None:
        """Send what was written in this turn of the event loop."""
        self._turn = None
        self._perform(self.session.send_changes())

    def closed(self) -> None:
        """The connection, or the channel, is gone; what waits for an answer will be asked again."""
        self.is_open = False
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self.confirmations.void_questions()
        if self.kept is not None:
            self.kept.closed()
        self.session.disconnected()

    def _changed(self, event: MergeableEvent) -> None:
        self.confirmations.wrote()
        self.session.local_change(event.changes)
        if self.is_open and self._turn is None and self._loop is not None:
            self._turn = self._loop.call_soon(self.end_turn)
        if self.is_open and self.kept is not None and self.kept.wrote(self._clock.now()):
            self._rearm()

    def _ask(self, *, always: bool = False) -> None:
        """Ask for the confirmations that somebody waits for."""
        if self.is_open and (always or self.confirmations.has_questions):
            token, effects = self.session.request_flush(self._clock.now())
            self.confirmations.asked(token)
            if self.kept is not None:
                self.kept.asked(token)
            self._perform(effects)
            self._rearm()

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendMessage():
                    # A question has to leave. All else is made up for by telling one's hashes again.
                    kind = effect.message.type
                    is_content = kind <= MessageType.CONTENT_DIFF and kind != MessageType.GET_CONTENT_HASHES
                    self._send(self, effect.to, effect.message, is_content)
                case Synced():
                    if self.kept is not None:
                        self.kept.synced(self._clock.now())
                        self._rearm()
                    self.confirmations.note_synced()
                    self._synced()
                case StoreLacks() if self.kept is not None:
                    self.kept.content.lacking()
                case Flushed():
                    if self.kept is not None:
                        self.kept.flushed(effect.token)
                    self.confirmations.note_flushed(effect.token)
                case StoreMissing():
                    self.confirmations.refuse(ProviderError(_NO_STORE))
                case Refused():
                    self._refused(effect)
                case Unanswered() if effect.peer == STORE:
                    question = effect.question.type.name
                    self._tracker.report(
                        SyncTimeoutError(f"the server's store has not answered in time ({question})")
                    )
                case _:
                    pass  # another client that does not answer has left; lost flushes are asked again by _ask

    def _refused(self, effect: Refused) -> None:
        who = "the server's store" if effect.peer == STORE else f"client {effect.peer!r:.50}"
        error = ProviderError(f"what {who} has was not taken in: {effect.error}")
        error.__cause__ = effect.error
        self._tracker.report(error)
        if effect.peer == STORE and not self.synced:
            self.confirmations.refuse(error, syncs=True)
