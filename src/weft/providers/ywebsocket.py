"""A client for any y-websocket server: one document and one room, in sync while the provider is open.

Protocol: y-protocols 1.0.7 as y-websocket 3 speaks it (:mod:`weft.protocols.ysync`).
"""

from __future__ import annotations

import random as random_module
from typing import TYPE_CHECKING, Any, Self

from weft.errors import ConnectError, LocalProtocolError, ProviderError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.mirrors.ydoc import YDocument
from weft.protocols.awareness import Awareness
from weft.providers._address import check_url, resolve, room_url
from weft.providers._backoff import Backoff
from weft.providers._clock import SystemClock
from weft.providers._engine import Engine
from weft.providers._standing import Standing
from weft.providers._websockets import WebsocketsTransport
from weft.providers._ysync import YSyncAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from pycrdt import Doc

    from weft.providers._address import Given
    from weft.providers._clock import Clock
    from weft.providers._standing import Status, StatusListener
    from weft.providers._transport import Connection, Transport

__all__ = ["YWebsocketProvider"]


_NO_PAIRS: Mapping[str, str] = {}
_NO_NAMES: Sequence[str] = ()


class YWebsocketProvider:
    """Keeps a document in sync with a room on a y-websocket server.

    ::

        async with YWebsocketProvider(doc, "ws://localhost:1234", "room") as provider:
            await provider.wait_synced()  # the document has what the server had
            store.set_cell("pets", "fido", "species", "dog")
            await provider.flush()  # the server has it

    It connects in the background and comes again after every interruption, with growing, random waits. What
    is written meanwhile stays in the document and goes out with the next connection; nothing is queued for
    it. Received updates are not sent back. With a second provider on the same document, what comes in by one
    goes out by the other.

    There is no further try, and ``status`` is ``"closed"``, after a close code from 4400 to 4499
    (y-websocket's "permanent"), and after a handshake refused with an HTTP status from 400 to 499 other than
    408, 425 and 429. Every other failure is reported and tried again.

    It works in one event loop, and the document has to be written in that loop's thread.
    """

    def __init__(
        self,
        doc: Doc[Any] | YDocument,
        url: str,
        room: str,
        *,
        params: Given[Mapping[str, str]] = None,
        headers: Given[Mapping[str, str]] = None,
        subprotocols: Given[Sequence[str]] = None,
        awareness: bool | Awareness = True,
        limits: Limits = DEFAULT_LIMITS,
        transport: Transport | None = None,
        on_error: Callable[[Exception], None] | None = None,
        connect: bool = True,
        backoff: Backoff | None = None,
        open_timeout: float = 10.0,
        close_timeout: float = 5.0,
        clock: Clock | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        """Describe the connection; nothing is opened yet.

        Args:
            doc: The document. Give it a 32-bit client id (``weft.mirrors.yjs.create_doc``): pycrdt's own are
                larger than those of JavaScript peers and win every concurrent write.
            url: Base of the server, ``ws://`` or ``wss://``, without query.
            room: The room's name, put behind the base as JavaScript clients do.
            params: Query parameters; a function or coroutine function is asked for them at each connect,
                which is how a token is refreshed. What it raises is reported and tried again.
            headers: HTTP headers of the handshake; likewise.
            subprotocols: Websocket subprotocols to offer; likewise.
            awareness: Whether to take part in awareness, or one's own ``Awareness``; providers may share it.
            limits: ``max_message`` bounds what is received, ``max_outbound`` what waits to be sent.
            transport: Opens the connections; ``WebsocketsTransport()`` by default.
            on_error: Called with what goes wrong where nobody waits for it: failed tries, lost connections,
                malformed messages. By default it is logged.
            connect: Whether ``async with`` connects; otherwise :meth:`connect` does.
            backoff: Waits between tries. They start over after a connection that synchronised.
            open_timeout: Seconds a handshake may take.
            close_timeout: Seconds that leaving may take, waiting for the server's confirmation included.
            clock: Measures waits and the age of awareness states.
            random: Draws from [0, 1) for the waits.

        Raises:
            ValueError: The URL or the room cannot be used.
        """
        address = check_url(url, room)
        hub = YDocument.of(doc)
        self._doc = hub.doc  # the hub holds it weakly
        self._address = address
        self._params = params
        self._headers = headers
        self._subprotocols = subprotocols
        self._limits = limits
        self._transport: Transport = WebsocketsTransport() if transport is None else transport
        self._connect_on_enter = connect
        self._open_timeout = open_timeout
        self._clock: Clock = SystemClock() if clock is None else clock
        if awareness is True:
            awareness = Awareness(self._doc.client_id, limits=limits)
        self._awareness = awareness or None
        self._standing = Standing(address, on_error)
        self._adapter = YSyncAdapter(
            hub,
            awareness=self._awareness,
            limits=limits,
            clock=self._clock,
            standing=self._standing,
            dial=self._dial,
        )
        self._engine = self._adapter.engine = Engine(
            self._adapter,
            self._standing,
            max_outbound=limits.max_outbound,
            backoff=Backoff() if backoff is None else backoff,
            clock=self._clock,
            random=random,
            close_timeout=close_timeout,
        )

    @property
    def doc(self) -> Doc[Any]:
        """The document."""
        return self._doc

    @property
    def status(self) -> Status:
        """Where the connection stands.

        ``"disconnected"`` (not started, stopped, or between two tries), ``"connecting"``, ``"connected"``, or
        ``"closed"``: by its owner for ever, or by the server until :meth:`connect` is called again.
        """
        return self._standing.status

    @property
    def synced(self) -> bool:
        """Whether the server's state has been received on the present connection."""
        return self._standing.synced

    @property
    def last_error(self) -> Exception | None:
        """What went wrong last since the document was last in sync, or ``None``."""
        return self._standing.last_error

    def add_status_listener(self, listener: StatusListener) -> Callable[[], None]:
        """Call ``listener(status, synced)`` whenever one of them changes.

        Returns:
            A function that ends it.
        """
        return self._standing.add_listener(listener)

    @property
    def awareness(self) -> Awareness | None:
        """Who is in the room, or ``None`` when the provider takes no part in awareness."""
        return self._awareness

    def set_local_state(self, state: Mapping[str, Any] | None) -> None:
        """Tell the others in the room about oneself; ``None`` takes it back.

        Args:
            state: What JSON can say, at most ``limits.max_awareness_state`` bytes of it.

        Raises:
            TypeError, ValueError: It cannot be said in JSON, or is too large. Nothing changed.
            LocalProtocolError: The provider takes no part in awareness.
        """
        self._own_awareness().set_local_state(state, self._clock.now())

    def set_local_field(self, name: str, value: object) -> None:
        """Set one entry of the local state: see :meth:`set_local_state`."""
        self._own_awareness().set_local_field(name, value, self._clock.now())

    async def connect(self) -> None:
        """Begin to connect, unless that is under way. Does not wait for the server: :meth:`wait_synced` does.

        It may be called again after :meth:`disconnect`, and after the server closed for good.

        Raises:
            ProviderClosedError: The provider was closed.
        """
        await self._engine.start()
        self._adapter.attach()

    async def disconnect(self) -> None:
        """Leave the server; :meth:`connect` comes back.

        What was written is sent and its confirmation waited for, and the awareness state is taken away from
        the others, all within ``close_timeout``. If that does not suffice it is reported; what was written is
        still in the document.
        """
        await self._stop(settle=True, for_good=False)

    async def close(self) -> None:
        """Leave the server for good: see :meth:`disconnect`. Calling it again does nothing."""
        await self._stop(settle=True, for_good=True)

    async def wait_synced(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it raises our own error
        """Return when the document has everything the server had when the present connection was made.

        Args:
            timeout: Seconds; ``None`` waits through any number of tries.

        Raises:
            SyncTimeoutError: It took longer. The provider goes on trying.
            ConnectError: The server refused for good.
            ConnectionClosedError: The server closed for good.
            ProviderClosedError: The provider is closed, or not connected.
        """
        await self._adapter.wait_synced(timeout)

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it raises our own error
        """Return when the server has processed everything written to the document so far.

        It survives interruptions: the server is asked again after each reconnect. What "processed" is worth
        is the server's promise: weft's own has stored it, y-websocket's has applied it.

        Args:
            timeout: Seconds; ``None`` waits through any number of tries.

        Raises:
            SyncTimeoutError: It took longer. Nothing is lost, and the provider goes on trying.
            ConnectError: The server refused for good.
            ConnectionClosedError: The server closed for good.
            ProviderClosedError: The provider is closed, or not connected.
            ProviderError: The server said that writing is not allowed.
        """
        await self._adapter.flush(timeout)

    async def __aenter__(self) -> Self:
        if self._connect_on_enter:
            await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an exception nobody should have to wait for a server; what is queued is still sent.
        await self._stop(settle=kind is None, for_good=True)

    def __repr__(self) -> str:
        return f"<YWebsocketProvider {self._address} {self.status}{' synced' if self.synced else ''}>"

    async def _stop(self, *, settle: bool, for_good: bool) -> None:
        try:
            await self._engine.stop(settle=settle, for_good=for_good)
        finally:
            self._adapter.detach()

    async def _dial(self) -> Connection:
        try:
            params = await resolve(self._params, _NO_PAIRS)
            headers = await resolve(self._headers, _NO_PAIRS)
            subprotocols = await resolve(self._subprotocols, _NO_NAMES)
            url = room_url(self._address, params)
        except ProviderError:
            raise
        except Exception as error:
            reason = f"params, headers or subprotocols could not be had: {error!r}"
            raise ConnectError(self._address, reason) from error
        return await self._transport.connect(
            url,
            headers=tuple(headers.items()),
            subprotocols=tuple(subprotocols),
            max_size=self._limits.max_message,
            open_timeout=self._open_timeout,
        )

    def _own_awareness(self) -> Awareness:
        if self._awareness is None:
            raise LocalProtocolError("this provider takes no part in awareness")
        return self._awareness
