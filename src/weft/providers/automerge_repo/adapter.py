"""The automerge-repo session of a provider's documents, as the reconnect loop runs it.

What is to be said of a document is fetched from it when the connection has room, and not when it is written:
so the changes of one tick of the loop, or of as long as the socket or the server is busy, are one message,
and what waits to be sent waits in the document. (A Node server with thousands of messages before it does not
get to our pong, and cuts the connection.) A sync message that was fetched must arrive, since Automerge takes
it for sent: none is ever dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.errors import (
    ConnectionClosedError,
    DocumentUnavailableError,
    LocalProtocolError,
    ProviderClosedError,
    ProviderError,
    WriteDeniedError,
)
from weft.protocols.automerge_repo import (
    ANSWER_S,
    Denied,
    Due,
    Ephemeral,
    Flushed,
    FlushLost,
    Joined,
    RepoSession,
    Send,
    Synced,
    Unavailable,
    WriteDenied,
)
from weft.providers._core.confirmations import Confirmations, denial
from weft.providers._core.parts import send_less
from weft.providers._core.shared_documents import SharedDocuments
from weft.providers.automerge_repo.document import SharedDocument

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from weft._aio.clock import Clock
    from weft.documents.automerge import AutomergeDocument, DocumentEvent
    from weft.limits import Limits
    from weft.protocols.automerge_repo import Effect
    from weft.providers._core.send_queue import ResendQueue
    from weft.providers._core.status import StatusTracker
    from weft.providers.automerge_repo.kept import Kept
    from weft.providers.transport import Connection

__all__ = ["RepoAdapter"]

_FETCH_BELOW = 64 * 1024  # bytes in the queue; a socket takes about as much at once
_STEP1 = b"\0\0"  # what y-websocket servers say first; no CBOR map begins so
_AGAIN_S = 0.05  # until a document whose transaction is held open is looked at again


class RepoAdapter(SharedDocuments[SharedDocument]):
    """An adapter of the reconnect loop that keeps documents and an automerge-repo in sync.

    Args:
        peer_id: The name of this end.
        session_id: Drawn anew for each adapter.
        limits: Bounds of what is sent and received.
        clock: Time, for presence.
        tracker: Where errors go, and where waiting is done.
        dial: Opens a connection to the server.
    """

    def __init__(
        self,
        *,
        peer_id: str,
        session_id: str,
        limits: Limits,
        clock: Clock,
        tracker: StatusTracker,
        dial: Callable[[], Awaitable[Connection]],
    ) -> None:
        super().__init__(tracker)
        self.session = RepoSession(
            role="client", peer_id=peer_id, session_id=session_id, limits=limits, defers=True
        )
        self.limits = limits
        self.clock = clock
        self._dial = dial
        self._denied: ProviderError | None = None
        self._next: list[SharedDocument] = []  # to be added to the next connection
        # Documents that may have something to say, in order; and whether that is new, so that it is answered.
        self._pending: dict[str, bool] = {}
        self._asked: dict[int, SharedDocument] = {}  # whose flush a token is

    # --- for the provider

    def add(
        self, document_id: str, document: AutomergeDocument, *, is_new: bool, kept: Kept | None = None
    ) -> SharedDocument:
        """Begin to keep a document in sync.

        Raises:
            ValueError: The id is none, or the provider has it already.
            LocalProtocolError: A transaction of the document is open.
        """
        self.reconnect_loop.owner.check()
        if document.in_transaction:
            raise LocalProtocolError("a document cannot be added while a transaction is open")
        # One that was removed waits for the next connection.
        was_removed = self.session.was_removed(document_id) and document_id not in self.shares
        effects = [] if was_removed else self.session.add(document_id, document)
        confirmations = Confirmations(self.tracker, lambda: self._ask(document_id))
        shared = SharedDocument(document_id, document, is_new, confirmations, kept=kept)
        self.shares[document_id] = shared
        if was_removed:
            self._next.append(shared)
            self.wake()
        if self._attached:
            shared.attach(self._document_changed)
        self._perform(effects)
        self._update_synced()
        return shared

    def remove(self, shared: SharedDocument) -> None:
        """No longer keep it in sync; what was written is still given to the connection."""
        self.reconnect_loop.owner.check()
        if self.shares.get(shared.document_id) is not shared:
            return
        self._send_pending(always=True)
        self._send_unconfirmed(shared)
        if shared.presence is not None:
            shared.presence.close()
        self._perform(self.session.remove(shared.document_id))
        if shared in self._next:
            self._next.remove(shared)
        del self.shares[shared.document_id]
        self._pending.pop(shared.document_id, None)
        shared.detach()
        shared.synced = False
        shared.confirmations.refuse(
            ProviderClosedError(f"{shared.url} was removed from the provider"), syncs=True
        )
        self._update_synced()

    def attach(self) -> None:
        """Listen to the documents."""
        if not self._attached:
            self._attached = True
            for shared in self.shares.values():
                shared.attach(self._document_changed)

    async def wait_one_synced(self, shared: SharedDocument, seconds: float | None) -> None:
        """Return when the document has what the server had when the present connection was made."""
        self._check_shared(shared)
        if not shared.synced:
            await shared.confirmations.synced(seconds, f"{shared.url} is not synchronised")

    async def flush_one(self, shared: SharedDocument, seconds: float | None) -> None:
        """Return when the server has everything that was written to the document up to now."""
        self._check_shared(shared)
        if shared.denied is not None:
            raise shared.denied
        if shared.document.heads:  # of nothing, nobody says that it is there
            await shared.confirmations.flush(seconds)

    def broadcast(self, shared: SharedDocument, data: bytes) -> bool:
        """Say something that is not kept. Returns whether it was given to the connection."""
        self._check_member(shared)
        sends = self.session.broadcast(shared.document_id, data)
        queue = self.reconnect_loop.queue
        # The connection is slow: what is said later will matter more than what was said now.
        if not sends or queue is None or queue.size > _FETCH_BELOW:
            return False
        for send in sends:
            if isinstance(send, Send):
                queue.put(send.data)
        return True

    # --- for the reconnect loop

    async def dial(self) -> Connection:
        """Open a connection."""
        return await self._dial()

    def opened(self) -> None:
        """Introduce oneself."""
        # What was written is said in the greeting; who waits for a flush has to ask again.
        asking = [shared.document_id for shared in self.shares.values() if shared.confirmations.has_questions]
        self._pending.update(dict.fromkeys(asking, True))
        self._perform(self.session.connected())

    def received(self, data: bytes | str) -> None:
        """Take in one message. Text, which automerge-repo does not use, is ignored."""
        if isinstance(data, bytes):
            if self.session.other is None and data.startswith(_STEP1):
                raise ConnectionClosedError(
                    1002,
                    "the server speaks y-websocket's protocol here: this URL is a Yjs room's; weft's server "
                    "has automerge-repo at the URL without a path",
                    permanent=True,
                )
            self._perform(self.session.receive(data))
            for shared in self.shares.values():
                if shared.kept is not None:
                    shared.kept.heard()
            if self._send_pending() is not None:
                self.wake()

    def tick(self) -> float | None:
        """Say what there is to say; called when :meth:`wake` has asked for it, and when presence is due."""
        dues = [self._send_pending()]
        presences = [shared.presence for shared in self.shares.values() if shared.presence is not None]
        dues += [presence.tick() for presence in presences]
        return min((due for due in dues if due is not None), default=None)

    def emptied(self, forgot: bool) -> None:
        """Fetch what has come together while the connection was busy."""
        if self._send_pending() is not None:
            self.wake()

    def closed(self) -> None:
        """Let go of the connection; what waits for an answer will be asked again."""
        self._denied = None
        self._asked.clear()
        self._pending.clear()
        self._perform(self.session.disconnected())
        while self._next:
            shared = self._next.pop()
            self.session.add(shared.document_id, shared.document)
        for shared in self.shares.values():
            shared.disconnected()

    async def settle(self) -> None:
        """Return when the server has everything that was written."""
        for shared in tuple(self.shares.values()):
            if shared.confirmations.unconfirmed:
                await self.flush_one(shared, None)

    def leave(self) -> None:
        """Say what is left to say, and that one leaves."""
        self._send_pending(always=True)
        for shared in self.shares.values():
            self._send_unconfirmed(shared)
            if shared.presence is not None:
                shared.presence.say_goodbye()
        self._perform(self.session.leave())

    def send_less(self, largest: int) -> bool:
        """Cut what is sent into smaller parts, unless the largest is one that cannot be cut."""
        return send_less(self.session, largest)

    # --- what changes here

    def _document_changed(self, shared: SharedDocument, event: DocumentEvent) -> None:
        if event.origin is not self.session:
            shared.confirmations.wrote()
            self._ask(shared.document_id)

    def _ask(self, document_id: str) -> None:
        self._pending[document_id] = True
        self.wake()

    # --- what is sent

    def wake(self) -> None:
        """Have :meth:`tick` called soon."""
        self.reconnect_loop.rearm()

    def _send_pending(self, *, always: bool = False) -> float | None:
        """Fetch from the documents what there is to say, as far as the connection and the server keep up.

        Returns:
            Seconds until it has to be called again, if not by then for another reason.
        """
        queue = self.reconnect_loop.queue
        if queue is None or self.session.other is None:
            return None
        if self._next and not always:
            raise ProviderError(f"{self._next[0].url} was added again; the connection is made anew")
        now = self.clock.now()
        again: dict[str, tuple[bool, float]] = {}
        while self._pending and (always or queue.size <= _FETCH_BELOW):  # otherwise when the queue is empty
            document_id = next(iter(self._pending))
            is_new = self._pending.pop(document_id)
            shared = self.shares[document_id]
            remaining = shared.told_at + ANSWER_S - now
            if shared.document.in_transaction:
                again[document_id] = (is_new, _AGAIN_S)
            elif remaining > 0 and is_new and not always and not self.session.is_answered(document_id):
                again[document_id] = (is_new, remaining)
            elif shared not in self._next:
                if is_new:
                    shared.told_at = now
                self._send_changes(shared, queue)
        self._pending.update({document_id: is_new for document_id, (is_new, _) in again.items()})
        return min((seconds for _, seconds in again.values()), default=None)

    def _send_changes(self, shared: SharedDocument, queue: ResendQueue) -> None:
        if shared.confirmations.has_questions:
            token, effects = self.session.request_flush(shared.document_id)
            self._asked[token] = shared
            shared.confirmations.asked(token)
        else:
            effects = self.session.changed(shared.document_id)
        for effect in effects:
            if isinstance(effect, Send):
                queue.put(effect.data)
            else:
                self._perform([effect])
        if self._denied is not None:
            shared.confirmations.refuse(self._denied)

    def _send_unconfirmed(self, shared: SharedDocument) -> None:
        """Leave nothing to be asked for that was written and is not confirmed."""
        if shared.confirmations.unconfirmed and not shared.document.in_transaction:
            self._perform(self.session.send_unconfirmed(shared.document_id))

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    if self.reconnect_loop.queue is not None:
                        # No sync message: one too many for a server that asks and does not read can be lost.
                        self.reconnect_loop.queue.put_content(effect.data)
                case Due():
                    self._pending.setdefault(effect.document_id, False)
                    self.wake()
                case Joined():
                    self._update_synced()
                    self.wake()
                case Synced() if shared := self.shares.get(effect.document_id):
                    self._note_synced(shared)
                case Unavailable() if shared := self.shares.get(effect.document_id):
                    self._note_unavailable(shared)
                case Flushed():
                    self._asked.pop(effect.token).confirmations.note_flushed(effect.token)
                case Ephemeral():
                    self.shares[effect.message.document_id].receive(effect.message, self.tracker.report)
                case Denied():
                    self._denied = denial(effect.reason)
                    self.tracker.report(self._denied)
                    for shared in self.shares.values():
                        shared.confirmations.refuse(self._denied)
                case WriteDenied() if shared := self.shares.get(effect.document_id):
                    shared.denied = WriteDeniedError(effect.reason)
                    self.tracker.report(shared.denied)
                    shared.confirmations.refuse(shared.denied)
                case FlushLost():
                    for token in effect.tokens:
                        self._asked.pop(token, None)
                case _:
                    pass  # who leaves closes the connection

    def _note_synced(self, shared: SharedDocument) -> None:
        shared.note_synced()
        self._update_synced()

    def _note_unavailable(self, shared: SharedDocument) -> None:
        if shared.is_new and not shared.document.heads:
            self._note_synced(shared)  # the server has nothing, and so has the document
        elif not shared.unavailable:
            shared.unavailable = True
            self.tracker.report(DocumentUnavailableError(shared.url))

    @property
    def _is_connected(self) -> bool:
        return self.session.other is not None

    def _check_shared(self, shared: SharedDocument) -> None:
        self._check_member(shared)
        self.reconnect_loop.check_running()

    def _check_member(self, shared: SharedDocument) -> None:
        self.reconnect_loop.owner.check()
        if self.shares.get(shared.document_id) is not shared:
            raise ProviderClosedError(f"{shared.url} was removed from the provider")
