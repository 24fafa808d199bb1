"""The synchronizer sessions of a provider's documents, as the reconnect loop runs them on one websocket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents.mergeable import get_unique_id
from weft.errors import (
    ConnectError,
    ConnectionClosedError,
    LocalProtocolError,
    ProviderClosedError,
    RemoteProtocolError,
    SyncTimeoutError,
)
from weft.protocols.tinybase import (
    MAX_CHANNELS,
    SUBPROTOCOL,
    ChannelFrame,
    Control,
    ControlFrame,
    Fragments,
    channel_frame,
    frames_of,
    hello,
    read_multiplexed,
    text_of,
)
from weft.providers._core.parts import send_less
from weft.providers._core.shared_documents import SharedDocuments
from weft.providers.tinybase.document import SharedDocument

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft._aio.clock import Clock
    from weft.documents.mergeable import MergeableDocument
    from weft.limits import Limits
    from weft.protocols.tinybase import Message
    from weft.providers._core.status import StatusTracker
    from weft.providers.tinybase.kept import Kept
    from weft.providers.transport import Connection

__all__ = ["TinyBaseAdapter"]

_HEADS = 2048  # bytes of a frame before its piece of a message: channel, address and count
_STEP1 = b"\0\0"  # what y-websocket's servers say first; TinyBase's send text
_PATIENCE = 10  # times the request timeout, for the server's answer to a control frame


class TinyBaseAdapter(SharedDocuments[SharedDocument]):
    """An adapter of the reconnect loop that keeps documents in sync: one without channels, or one in each.

    Args:
        has_channels: Whether the websocket has channels.
        fragment_size: Bytes of the parts in which messages are sent; ``None`` sends them whole.
        request_timeout: As of the session.
        address: Of the server, for errors.
        limits: Bounds of what is sent and received.
        clock: Time for the sessions.
        tracker: Where errors go, and where waiting is done.
        dial: Opens a connection to the server.
    """

    def __init__(
        self,
        *,
        has_channels: bool,
        fragment_size: int | None,
        request_timeout: float,
        address: str,
        limits: Limits,
        clock: Clock,
        tracker: StatusTracker,
        dial: Callable[[], Awaitable[Connection]],
    ) -> None:
        super().__init__(tracker)
        self.has_channels = has_channels
        self.max_part = limits.max_part  # bytes of a frame
        self._fragment_size = fragment_size
        self._request_timeout = request_timeout
        self._address = address
        self._limits = limits
        self._clock = clock
        self._dial = dial
        self._fragments = Fragments(limits.max_message)
        self._asked: dict[str, tuple[ControlFrame, float]] = {}  # control frames under way, and until when
        self._greeted = False

    # --- for the provider

    def add(self, document: MergeableDocument, channel: str, kept: Kept | None = None) -> SharedDocument:
        """Begin to keep a document in sync, in a replica where it has one.

        Raises:
            ValueError: The provider has that channel already.
            LocalProtocolError: It has as many as one websocket may have.
        """
        if channel in self.shares:
            raise ValueError(f"the provider has the channel {channel!r} already")
        if len(self.shares) >= MAX_CHANNELS:
            raise LocalProtocolError(
                f"a websocket has {MAX_CHANNELS} channels at most: make another provider"
            )
        shared = self.shares[channel] = SharedDocument(
            document,
            channel,
            fragments=self._fragments,
            max_message=self._limits.max_message,
            request_timeout=self._request_timeout,
            clock=self._clock,
            tracker=self.tracker,
            send=self._send,
            rearm=self._rearm,
            synced=self._update_synced,
            kept=kept,
        )
        if self._attached:
            shared.attach()
        if self._greeted:
            self._ask(Control.SUBSCRIBE, channel)
        self._update_synced()
        return shared

    def remove(self, shared: SharedDocument) -> None:
        """No longer keep it in sync; what was written is still given to the connection."""
        self.reconnect_loop.owner.check()
        if self.shares.get(shared.channel) is not shared:
            return
        shared.end_turn()
        if self._greeted:
            self._put(ControlFrame(Control.UNSUBSCRIBE, None, shared.channel).encode())
        del self.shares[shared.channel]
        shared.closed()
        shared.detach()
        removed = ProviderClosedError(f"the channel {shared.channel!r} was removed from the provider")
        shared.confirmations.refuse(removed, syncs=True)
        self._update_synced()

    def attach(self) -> None:
        """Listen to the documents."""
        self._attached = True
        for shared in self.shares.values():
            shared.attach()

    async def wait_synced(self, seconds: float | None) -> None:
        """Return when all documents have what the server had when the present connection was made."""
        if len(self.shares) == 1 and not self.tracker.synced:
            # Whoever waits for one is told why it will not come about.
            await self.wait_one_synced(next(iter(self.shares.values())), seconds)
        else:
            await super().wait_synced(seconds)

    async def wait_one_synced(self, shared: SharedDocument, seconds: float | None) -> None:
        """Return when the document has what the server had when the present connection was made."""
        self._check_shared(shared)
        if not shared.synced:
            await shared.confirmations.synced(seconds)

    async def flush_one(self, shared: SharedDocument, seconds: float | None) -> None:
        """Return when the server has everything that was written to the document up to now."""
        self._check_shared(shared)
        try:
            await shared.confirmations.flush(seconds)
        except SyncTimeoutError as error:
            if shared.is_open and shared.session.has_store is None:
                raise SyncTimeoutError(
                    f"{error}. The server has shown no store of its own yet; without one it confirms nothing"
                ) from error
            raise

    # --- for the reconnect loop

    async def dial(self) -> Connection:
        """Open a connection."""
        connection = await self._dial()
        if (connection.subprotocol == SUBPROTOCOL) is not self.has_channels:
            await connection.abort()
            said = "has no channels (the subprotocol 'tinybase', TinyBase 9.3 or later)"
            raise ConnectError(self._address, f"the server {said if self.has_channels else 'wants channels'}")
        return connection

    def opened(self) -> None:
        """Greet the server: ask for what it has, or for the channels."""
        if self.has_channels:
            self._ask(Control.HELLO, 1)
        else:
            self.shares[""].opened()

    def received(self, data: bytes | str) -> None:
        """Take in one frame."""
        if isinstance(data, bytes) and data.startswith(_STEP1):
            raise ConnectionClosedError(
                1002,
                "the server speaks y-websocket's protocol here: this URL is a Yjs room's, and its client "
                "YWebsocketProvider",
                permanent=True,
            )
        if not self.has_channels:
            self.shares[""].received(data)
            return
        frame = read_multiplexed(text_of(data, self._limits.max_message))
        if isinstance(frame, ChannelFrame):
            # What was under way when a channel was left is nothing wrong.
            if (shared := self.shares.get(frame.channel)) is not None and shared.is_open:
                shared.received(frame.frame)
        elif self._asked.pop(frame.request_id or "", (None, 0.0))[0] == frame:
            self._answered(frame)

    def tick(self) -> float | None:
        """Let time pass for the sessions."""
        now = self._clock.now()
        for frame, due in self._asked.values():
            if due <= now:
                raise RemoteProtocolError(f"the server does not answer {frame.control.name}, channels it has")
        dues = [due for _, due in self._asked.values()]
        shares = [shared.tick(now) for shared in self.shares.values()]
        dues += [due for due in shares if due is not None]
        return max(min(dues) - now, 0.0) if dues else None

    def emptied(self, forgot: bool) -> None:
        """Make up for what the queue forgot."""
        if forgot:
            for shared in self.shares.values():
                shared.announce()

    def closed(self) -> None:
        """Let go of the connection; what waits for an answer will be asked again."""
        self._greeted = False
        self._asked.clear()
        self._fragments.clear()
        for shared in self.shares.values():
            shared.closed()

    async def settle(self) -> None:
        """Return when the server has everything that was written."""
        for shared in tuple(self.shares.values()):
            if shared.confirmations.unconfirmed:
                await self.flush_one(shared, None)

    def leave(self) -> None:
        """Say what is left to say, and that one leaves."""
        for shared in self.shares.values():
            shared.end_turn()
            if shared.is_open and self.has_channels:
                self._put(ControlFrame(Control.UNSUBSCRIBE, None, shared.channel).encode())

    def send_less(self, largest: int) -> bool:
        """Send messages in smaller parts."""
        return self._fragment_size is None and send_less(self, largest)

    # --- what is sent

    def _send(self, shared: SharedDocument, to: str | None, message: Message, is_content: bool) -> None:
        queue = self.reconnect_loop.queue
        if queue is None or (is_content and queue.forgot):
            return
        size = self._fragment_size
        if size is None and self.max_part < self._limits.max_part:
            size = self.max_part - _HEADS
        for frame in frames_of(to, message, get_unique_id, size):
            text = channel_frame(shared.channel, frame) if self.has_channels else frame
            if not is_content:
                queue.put(text)
            elif not queue.put_content(text):
                return

    def _put(self, text: str) -> None:
        if self.reconnect_loop.queue is not None:
            self.reconnect_loop.queue.put(text)

    def _rearm(self) -> None:
        self.reconnect_loop.rearm()

    def _ask(self, control: Control, argument: str | int) -> None:
        request_id = get_unique_id()
        frame = hello(request_id) if control is Control.HELLO else ControlFrame(control, request_id, argument)
        self._asked[request_id] = frame, self._clock.now() + self._request_timeout * _PATIENCE
        self._put(frame.encode())
        self._rearm()

    def _answered(self, frame: ControlFrame) -> None:
        if frame.control is Control.HELLO:
            self._greeted = True
            for channel in self.shares:
                self._ask(Control.SUBSCRIBE, channel)
        elif (shared := self.shares.get(str(frame.argument))) is not None and not shared.is_open:
            shared.opened()

    @property
    def _is_connected(self) -> bool:
        return self.reconnect_loop.queue is not None

    def _check_shared(self, shared: SharedDocument) -> None:
        self.reconnect_loop.owner.check()
        if self.shares.get(shared.channel) is not shared:
            raise ProviderClosedError(f"the channel {shared.channel!r} was removed from the provider")
        self.reconnect_loop.check_running()
