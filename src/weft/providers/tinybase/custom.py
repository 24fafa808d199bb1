"""Synchronizers without a server: over anything that carries messages, and between stores of one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeAlias
from weakref import WeakKeyDictionary

from weft._aio.clock import SystemClock
from weft._support.arguments import check_callable, check_seconds, wrong_kind
from weft._support.callbacks import check_callback
from weft._support.owner import Owner
from weft._support.uncopied import Uncopied
from weft.documents.mergeable import get_unique_id
from weft.errors import LocalProtocolError, ProviderClosedError, ProviderError, RemoteProtocolError
from weft.protocols.tinybase import (
    Message,
    Refused,
    SendMessage,
    Synced,
    TinyBaseSession,
    check_message,
    decode_message,
)
from weft.providers._core.status import StatusTracker
from weft.providers.tinybase.document import document_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from weft._support.owner import Hold
    from weft.documents.mergeable import MergeableDocument, MergeableEvent
    from weft.protocols.tinybase import Effect
    from weft.providers._core.status import Outcome
    from weft.providers.tinybase.document import HasDocument

__all__ = ["CustomSynchronizer", "LocalSynchronizer", "SendFunction"]

SendFunction: TypeAlias = Callable[[str | None, Message], object]
"""Sends a message to one of the others, or to all of them where the first argument is ``None``."""


class CustomSynchronizer(Uncopied):
    """Keeps a ``MergeableStore`` in sync with others over a transport of one's own: a queue, MQTT, a channel.

    ::

        def send(to: str | None, message: Message) -> None:
            queue.publish({"from": "me", "to": to, "message": encode_message(message)})

        async with CustomSynchronizer(store, send) as synchronizer:
            async for item in queue:
                if item["from"] != "me" and item["to"] in (None, "me"):
                    synchronizer.receive(item["from"], item["message"])

    All who take part have ids that the transport gives them, and see each other. Messages may come twice, in
    another order or not at all: what was lost is found out when somebody starts, or by :meth:`sync_again`. It
    is what ``createCustomSynchronizer`` is in JavaScript, and speaks with it.

    It works in one event loop, to whose thread the document belongs from the start to the stop.
    """

    def __init__(
        self,
        document: MergeableDocument | HasDocument,
        send: SendFunction,
        *,
        request_timeout: float = 1.0,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Describe it; nothing is sent yet.

        Args:
            document: A ``MergeableStore``, or its document.
            send: Sends a message. It is called in the event loop and must not wait; ``encode_message`` of
                ``weft.protocols.tinybase`` makes text of a message. What it raises is reported, and the
                message is lost.
            request_timeout: Seconds that all others have to answer who is there; who is known to be has ten
                times that.
            on_error: Called with what goes wrong where nobody waits for it. By default it is logged.

        Raises:
            TypeError, ValueError: An argument is none.
        """
        self._document = document_of(document)
        check_callback(send, "send")
        check_callable("on_error", on_error)
        check_seconds("request_timeout", request_timeout)
        self._send = send
        self._session = TinyBaseSession(
            self._document, role="peer", new_id=get_unique_id, request_timeout=request_timeout
        )
        self._clock = SystemClock()
        self._tracker = StatusTracker(f"a {type(self).__name__}", on_error)
        self._owner = Owner("the synchronizer")
        self._hold: Hold | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[Outcome] = []

    @property
    def document(self) -> MergeableDocument:
        """The document."""
        return self._document

    @property
    def is_syncing(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._session.connected_now

    @property
    def synced(self) -> bool:
        """Whether what another one had has been received since the start, or nobody has answered."""
        return self._session.synced

    async def start(self) -> None:
        """Begin: ask the others for what they have, and tell what is written from now on.

        Raises:
            LocalProtocolError: It has begun already.
            WrongThreadError: The document belongs to another thread.
        """
        self._owner.check()
        if self.is_syncing:
            raise LocalProtocolError("the synchronizer was started already")
        self._unsubscribe = self._document.subscribe(self._changed, but=self._session)
        self._hold = self._owner.hold()
        self._loop = asyncio.get_running_loop()
        self._perform(self._session.connected(self._clock.now()))

    async def stop(self) -> None:
        """Tell what was written up to now, and end. Calling it again does nothing."""
        self._owner.check()
        if not self.is_syncing:
            return
        self._end_turn()
        self._session.disconnected()
        for handle in (self._turn, self._timer):
            if handle is not None:
                handle.cancel()
        self._turn = self._timer = None
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._hold is not None:
            self._hold.drop()
        self._unsubscribe = self._hold = None
        self._tracker.release(ProviderClosedError("the synchronizer was stopped"))

    async def wait_synced(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it raises our own error
        """Return when what one of the others had has been received, or nobody has answered.

        Args:
            timeout: Seconds; ``None`` waits as long as it takes.

        Raises:
            SyncTimeoutError: It took longer.
            ProviderClosedError: It was not started, or was stopped meanwhile.
        """
        self._owner.check()
        if not self.is_syncing:
            raise ProviderClosedError("the synchronizer was not started: use 'async with' or call start()")
        if not self.synced:
            outcome: Outcome = asyncio.get_running_loop().create_future()
            self._waiting.append(outcome)
            await self._tracker.wait(outcome, timeout, "not synchronised")

    def receive(self, sender: str, message: Message | str) -> None:
        """Take in a message of another one.

        Args:
            sender: The id of who sent it.
            message: It, as it was given to ``send``, or as text. Before the start and after the stop it is
                passed over.

        Raises:
            RemoteProtocolError: It is none. Nothing changed.
            WrongThreadError: It is another thread than that of the event loop.
        """
        self._owner.check()
        if not isinstance(sender, str):
            raise wrong_kind("the id of who sent it, as str,", sender)
        if isinstance(message, str):
            message = decode_message(message)
        else:
            message = check_message(message.request_id, int(message.type), message.body)
        if self.is_syncing:
            self._perform(self._session.receive(sender, message, self._clock.now()))

    def left(self, peer: str) -> None:
        """Another one is gone: nothing is expected of it any more. It does no harm not to be told."""
        self._owner.check()
        self._perform(self._session.left(peer, self._clock.now()))

    def sync_again(self) -> None:
        """Tell all others what is here and take what they have, as where messages may have been lost.

        Raises:
            LocalProtocolError: It was not started.
        """
        self._owner.check()
        if not self.is_syncing:
            raise LocalProtocolError("the synchronizer was not started")
        self._session.disconnected()
        self._perform(self._session.connected(self._clock.now()))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __repr__(self) -> str:
        state = "synced" if self.synced else "syncing" if self.is_syncing else "stopped"
        return f"<{type(self).__name__} {state}>"

    def _changed(self, event: MergeableEvent) -> None:
        self._session.local_change(event.changes)
        if self._turn is None and self._loop is not None:
            self._turn = self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._turn = None
        self._perform(self._session.send_changes())

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._session.tick(self._clock.now()))

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendMessage():
                    self._send_message(effect)
                case Synced():
                    for outcome in self._waiting:
                        if not outcome.done():
                            outcome.set_result(None)
                    self._waiting.clear()
                case Refused():
                    error = ProviderError(f"what {effect.peer!r:.50} has was not taken in: {effect.error}")
                    error.__cause__ = effect.error
                    self._tracker.report(error)
                case _:
                    pass  # who does not answer has left
        self._rearm()

    def _send_message(self, effect: SendMessage) -> None:
        try:
            self._send(effect.to, effect.message)
        except Exception as error:  # noqa: BLE001 - the user's function must not undo what was received
            self._tracker.report(error)

    def _rearm(self) -> None:
        due = self._session.next_tick()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None and self._loop is not None:
            self._timer = self._loop.call_later(max(due - self._clock.now(), 0.0), self._tick)


_local: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, LocalSynchronizer]] = WeakKeyDictionary()


class LocalSynchronizer(CustomSynchronizer):
    """Keeps stores of one event loop in sync: all that are started see each other, as in TinyBase.

    ::

        async with LocalSynchronizer(one), LocalSynchronizer(other) as synchronizer:
            await synchronizer.wait_synced()

    Messages arrive in the next turn of the event loop.
    """

    def __init__(
        self,
        document: MergeableDocument | HasDocument,
        *,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Describe it; the arguments are those of :class:`CustomSynchronizer`."""
        super().__init__(document, self._deliver, request_timeout=0.05, on_error=on_error)
        self._id = get_unique_id()

    async def start(self) -> None:
        """Begin: see :meth:`CustomSynchronizer.start`."""
        others = _local.setdefault(asyncio.get_running_loop(), {})
        await super().start()
        others[self._id] = self

    async def stop(self) -> None:
        """Tell the others what was written up to now, and end."""
        was_syncing = self.is_syncing
        await super().stop()
        if was_syncing and self._loop is not None:
            others = _local.get(self._loop, {})
            others.pop(self._id, None)
            for other in others.values():
                self._loop.call_soon(other.left, self._id)

    def _deliver(self, to: str | None, message: Message) -> None:
        if self._loop is not None:
            for name, other in _local.get(self._loop, {}).items():
                if name != self._id and to in {None, name}:
                    self._loop.call_soon(other.take, self._id, message)

    def take(self, sender: str, message: Message) -> None:
        """Take in a message of another one, as :meth:`receive`; what is wrong with it is reported."""
        try:
            self.receive(sender, message)
        except RemoteProtocolError as error:
            self._tracker.report(error)
