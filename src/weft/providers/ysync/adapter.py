"""The y-websocket session of a provider's document, as the reconnect loop runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.errors import ProviderError, WriteDeniedError
from weft.protocols.ysync import (
    AwarenessChanged,
    Denied,
    Flushed,
    FlushLost,
    Send,
    Synced,
    YSyncSession,
    awareness_message,
    update_messages,
)
from weft.providers._core.confirmations import Confirmations
from weft.providers._core.parts import send_less

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from weft._aio.clock import Clock
    from weft.documents.yjs import YDocument
    from weft.errors import RemoteProtocolError
    from weft.limits import Limits
    from weft.protocols.awareness import Awareness, AwarenessChange
    from weft.protocols.ysync import Effect
    from weft.providers._core.reconnect import ReconnectLoop
    from weft.providers._core.status import StatusTracker
    from weft.providers.transport import Connection
    from weft.providers.ysync.kept import Kept

__all__ = ["YSyncAdapter"]

_STEP1 = b"\0\0"  # first bytes of a message: sync, step 1
_SYNC = b"\0"
_EMPTY = b"\0"  # a state vector of no clients
# Bytes sent between two notes of what the server has. A note costs a state vector; what was sent since the
# last one is sent again after the queue has overflowed.
_NOTE_EVERY = 1 << 20


class YSyncAdapter:
    """An adapter of the reconnect loop that keeps a document and a y-websocket room in sync.

    Args:
        document: The document.
        awareness: Also to keep in sync, or ``None``.
        limits: Bounds of what the server may send.
        clock: Time for the session.
        tracker: Where errors go, and where waiting is done.
        dial: Opens a connection to the room.
        kept: The replica of the document, where it has one.
    """

    reconnect_loop: ReconnectLoop

    def __init__(
        self,
        document: YDocument,
        *,
        awareness: Awareness | None,
        limits: Limits,
        clock: Clock,
        tracker: StatusTracker,
        dial: Callable[[], Awaitable[Connection]],
        kept: Kept | None = None,
    ) -> None:
        self.session = YSyncSession(
            document if kept is None else kept.content, role="client", awareness=awareness, limits=limits
        )
        self._kept = kept
        self._update_since = document.diff if kept is None else kept.content.update_since
        self._document = document
        self._awareness = awareness
        self._clock = clock
        self._tracker = tracker
        self._dial = dial
        self._confirmations = Confirmations(tracker, self._ask)
        self._due: float | None = None
        self._unsubscribe: list[Callable[[], None]] = []
        self._forget_connection()

    def _forget_connection(self) -> None:
        self._base = _EMPTY  # everything in the document up to here has been sent
        self._noted_at: int | None = None  # the queue's count of bytes at that moment
        self._is_live = False  # the server has been sent what it lacked, or that stands in the queue
        self._announced: set[int] = set()  # whose awareness states went out on this connection
        self._denied: str | None = None
        self._has_said_too_much = False  # of oneself
        self._fault: RemoteProtocolError | None = None  # of what the server brought some time ago

    # --- for the provider

    def attach(self) -> None:
        """Listen to the document and the awareness."""
        if not self._unsubscribe:
            if self._kept is not None:
                self._kept.attach()
            self._unsubscribe = [
                self._document.subscribe(self._document_changed),
                self._document.on_blamed(self._blamed),
            ]
            if self._awareness is not None:
                self._unsubscribe.append(self._awareness.observe(self._awareness_changed))
            if (
                self._document.state_vector() != _EMPTY
                if self._kept is None
                else self._kept.content.pending()
            ):
                self._confirmations.wrote()  # whatever is there, nobody has said that the server has it

    def detach(self) -> None:
        """Listen no longer."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []
        if self._kept is not None:
            self._kept.detach()

    @property
    def unconfirmed(self) -> int:
        """How many writes the server has not confirmed."""
        return self._confirmations.unconfirmed

    async def wait_synced(self, seconds: float | None) -> None:
        """Return when the server's state has been received on the present connection."""
        self.reconnect_loop.check_running()
        if not self._tracker.synced:
            await self._confirmations.synced(seconds)

    async def flush(self, seconds: float | None) -> None:
        """Return when the server has processed everything that was written up to now."""
        self.reconnect_loop.check_running()
        await self._confirmations.flush(seconds)

    # --- for the reconnect loop

    async def dial(self) -> Connection:
        """Open a connection."""
        return await self._dial()

    def opened(self) -> None:
        """Greet the server: ask for its state, and tell it one's own."""
        if self._awareness is not None and self._awareness.local_state is not None:
            self._announced.add(self._awareness.client_id)
            self._check_own_state(self._awareness)
        if self._kept is not None:
            self._kept.opened(self.session)
        self._perform(self.session.connected(self._clock.now()))
        self._ask()

    def received(self, data: bytes | str) -> None:
        """Take in one message. Text, which y-websocket does not use, is ignored."""
        if isinstance(data, str):
            return
        now = self._clock.now()
        self._perform(self.session.receive(data, now))
        due = self.session.next_tick(now)
        if due is not None and (self._due is None or due < self._due):
            self.reconnect_loop.rearm()

    def tick(self) -> float | None:
        """Let time pass for the session; raise what is wrong with what the server brought earlier."""
        if self._fault is not None:
            raise self._fault
        now = self._clock.now()
        self._perform(self.session.tick(now))
        if self._kept is not None and self._kept.is_due(now):
            self._ask(always=True)
        dues = [self.session.next_tick(now), None if self._kept is None else self._kept.ask_at]
        self._due = min((due for due in dues if due is not None), default=None)
        return None if self._due is None else self._due - now

    def emptied(self, forgot: bool) -> None:
        """Make up for what the queue forgot, or note what need never be sent again."""
        queue = self.reconnect_loop.queue
        if queue is None:
            return
        if forgot:
            update = self._update_since(self._base)
            for message in update_messages(update, self.session.max_part):
                queue.put(message)
            if self._awareness is not None and self._announced:
                queue.put(awareness_message(self._awareness.encode(self._announced)))
            self._ask()
        elif not self._is_live or (self._noted_at is not None and queue.sent - self._noted_at < _NOTE_EVERY):
            return
        # Inside an asynchronous transaction the state holds what has not been told yet.
        if not self._document.in_transaction:
            self._base, self._noted_at = self.session.document.state_vector(), queue.sent

    def closed(self) -> None:
        """Let go of the connection; what waits for an answer will be asked again."""
        self._void_questions()
        if self._kept is not None:
            self._kept.closed()
        self._forget_connection()
        self._perform(self.session.disconnected(self._clock.now()))

    async def settle(self) -> None:
        """Return when the server has everything that was written."""
        if self._confirmations.unconfirmed:
            await self.flush(None)

    def leave(self) -> None:
        """Take one's awareness state away from the others, and keep it for the next connection."""
        if self._awareness is None:
            return
        while len(self._unsubscribe) > 2:
            self._unsubscribe.pop()()  # a server that echoes must not make it announce itself again
        if self._awareness.client_id in self._announced:
            self._send(awareness_message(self._awareness.encode_departure()))

    def send_less(self, largest: int) -> bool:
        """Cut what is sent into smaller parts, unless the largest is one that cannot be cut."""
        return send_less(self.session, largest)

    # --- what changes here

    def _document_changed(self, update: bytes, origin: object | None) -> None:
        # Called inside the commit of a local transaction: the document must not be touched here.
        if origin is self.session:
            return
        self._confirmations.wrote()
        if self.reconnect_loop.queue is not None:
            if self._kept is None or not self._kept.content.is_held:
                self._perform(self.session.local_update(update))
            if self._kept is not None and self._kept.wrote(self._clock.now()):
                self.reconnect_loop.rearm()

    def _blamed(self, origin: object, error: RemoteProtocolError) -> None:
        if origin is self.session and self.reconnect_loop.queue is not None:
            self._fault = error
            self.reconnect_loop.rearm()

    def _awareness_changed(self, change: AwarenessChange, origin: object | None) -> None:
        if origin is self.session or self._awareness is None or self.reconnect_loop.queue is None:
            return
        # Without an origin it is one's own state, or somebody who has not been heard of: that everybody finds
        # out alone. With one, it came by another provider on the same awareness, and is relayed.
        own = self._awareness.client_id
        ids = [client_id for client_id in change.ids if origin is not None or client_id == own]
        if ids:
            self._announced.update(ids)
            if own in ids:
                self._check_own_state(self._awareness)
            self._send(awareness_message(self._awareness.encode(ids)))

    def _check_own_state(self, awareness: Awareness) -> None:
        """Say that nobody may hear of one's own state: an ``Awareness`` may have limits of its own."""
        size, most = awareness.local_size, self.session.limits.max_awareness_state
        if size > most and not self._has_said_too_much:
            self._has_said_too_much = True
            self._tracker.report(
                ProviderError(
                    f"one's own awareness state has {size} bytes of JSON; servers drop what is larger than "
                    f"{most} (limits.max_awareness_state) without a word, so that the others may not see it"
                )
            )

    # --- what is sent

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect.data)
                case Synced():
                    if self._kept is not None:
                        held = self._kept.synced(self._clock.now())
                        if held is not None:
                            self._perform(self.session.local_update(held))
                            self._ask()
                        self.reconnect_loop.rearm()
                    self.reconnect_loop.mark_synced()
                    self._confirmations.note_synced()
                case Flushed():
                    denied = None if self._denied is None else WriteDeniedError(self._denied)
                    if self._kept is not None and denied is None:
                        self._kept.flushed(effect.token)
                    self._confirmations.note_flushed(effect.token, denied)
                case Denied():
                    self._denied = effect.reason
                    self._tracker.report(WriteDeniedError(effect.reason))
                case AwarenessChanged() | FlushLost():
                    pass  # the observers have been told; lost flushes are asked again by _ask

    def _send(self, message: bytes) -> None:
        queue = self.reconnect_loop.queue
        if queue is None:
            return
        if message.startswith(_STEP1):
            queue.put(message)
            return
        if message.startswith(_SYNC):
            self._is_live = True
        if not queue.put_content(message):
            self._void_questions()

    def _void_questions(self) -> None:
        self._confirmations.void_questions()
        if self._kept is not None:
            self._kept.void()

    def _ask(self, *, always: bool = False) -> None:
        """Ask for the confirmations that somebody waits for, unless content has to be sent again before."""
        queue = self.reconnect_loop.queue
        if queue is None or queue.forgot or not self.session.connected_now:
            return
        if self._kept is not None and self._kept.content.is_held:
            return
        if always or self._confirmations.has_questions:
            token, effects = self.session.request_flush(self._clock.now())
            self._confirmations.asked(token)
            if self._kept is not None:
                self._kept.asked(token)
            self._perform(effects)
