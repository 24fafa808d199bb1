"""What every provider over websockets is to its owner: options, status, connecting and leaving."""

from __future__ import annotations

import random as random_module
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypedDict, TypeVar

from weft._aio.clock import SystemClock
from weft._support.arguments import check_callable, check_seconds, wrong_kind
from weft._support.uncopied import Uncopied
from weft.errors import ConnectError, ProviderError
from weft.limits import Limits
from weft.providers._core.backoff import Backoff
from weft.providers._core.default_transport import default_transport
from weft.providers._core.durable import DurableConnection
from weft.providers._core.reconnect import Adapter, ReconnectLoop
from weft.providers._core.status import StatusTracker
from weft.providers.address import resolve, room_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from weft._aio.clock import Clock
    from weft.providers._core.status import ProviderStatus, StatusListener
    from weft.providers.address import Given
    from weft.providers.transport import Connection, Transport

__all__ = ["ConnectionOptions", "ProviderAdapter", "WebsocketProvider"]

_NO_PAIRS: Mapping[str, str] = {}
_NO_NAMES: Sequence[str] = ()


class ProviderAdapter(Adapter, Protocol):
    """What a protocol's provider tells :class:`WebsocketProvider`, beside what the reconnect loop is told."""

    reconnect_loop: ReconnectLoop

    def attach(self) -> None:
        """Listen to what is to be sent."""

    def detach(self) -> None:
        """Listen no longer."""

    @property
    def unconfirmed(self) -> int:
        """How many writes the server has not confirmed."""

    async def wait_synced(self, seconds: float | None) -> None:
        """Return when the server's state has been received on the present connection."""

    async def flush(self, seconds: float | None) -> None:
        """Return when the server has everything that was written up to now."""


A = TypeVar("A", bound=ProviderAdapter)


class ConnectionOptions(TypedDict, total=False):
    """Keyword arguments that every provider takes.

    Attributes:
        params: Query parameters; a function or coroutine function is asked for them at each connect, which is
            how a token is refreshed. What it raises is reported and tried again.
        headers: HTTP headers of the handshake; likewise.
        subprotocols: Websocket subprotocols to offer; likewise.
        transport: Opens the connections; ``WebsocketsTransport()`` by default, which takes TLS settings, and
            in a browser ``BrowserTransport()``.
        on_error: Called with what goes wrong where nobody waits for it: failed tries, lost connections,
            malformed messages. By default it is logged.
        connect: Whether ``async with`` connects, as by default; otherwise ``connect()`` does.
        backoff: Waits between tries. They start over after a connection that synchronised.
        open_timeout: Seconds a handshake may take, by default 10.
        close_timeout: Seconds that leaving may take, waiting for the server's confirmation included, by
            default 5.
        clock: Measures waits, and the age of what others say of themselves.
        random: Draws from [0, 1) for the waits.
    """

    params: Given[Mapping[str, str]]
    headers: Given[Mapping[str, str]]
    subprotocols: Given[Sequence[str]]
    transport: Transport | None
    on_error: Callable[[Exception], None] | None
    connect: bool
    backoff: Backoff | None
    open_timeout: float
    close_timeout: float
    clock: Clock | None
    random: Callable[[], float]


class WebsocketProvider(Uncopied, Generic[A]):
    """Keeps documents in sync with a server: the part that is the same for every protocol.

    It connects in the background and comes again after every interruption, with growing, random waits. What
    is written meanwhile stays in the document and goes out with the next connection; nothing is queued for
    it. Received changes are not sent back. With a second provider on the same document, what comes in by one
    goes out by the other.

    There is no further try, and ``status`` is ``"closed"``, after a close code from 4400 to 4499
    (y-websocket's "permanent"), and after a handshake refused with an HTTP status from 400 to 499 other than
    408, 425 and 429. Every other failure is reported and tried again.

    It works in one event loop. From :meth:`connect` to the close it, its documents and the Stores mirrored in
    them belong to that loop's thread; in another one, or after a fork, every call and every write raises
    ``WrongThreadError``.
    """

    expects_connect = False
    """Whether never to connect is a mistake; so it is until it was connected, or closed."""
    _adapter: A
    _reconnect_loop: ReconnectLoop

    def __init__(
        self,
        address: str,
        limits: Limits,
        *,
        params: Given[Mapping[str, str]] = None,
        headers: Given[Mapping[str, str]] = None,
        subprotocols: Given[Sequence[str]] = None,
        transport: Transport | None = None,
        on_error: Callable[[Exception], None] | None = None,
        connect: bool = True,
        backoff: Backoff | None = None,
        open_timeout: float = 10.0,
        close_timeout: float = 5.0,
        clock: Clock | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        """Describe the connection; nothing is opened yet. The subclass then gives its adapter to ``_use``.

        Raises:
            TypeError, ValueError: An option is none.
        """
        for name, pairs in (("params", params), ("headers", headers)):
            if pairs is not None and not callable(pairs) and not isinstance(pairs, Mapping):
                raise wrong_kind(f"a mapping for {name}, or a function that returns one,", pairs)
        if isinstance(subprotocols, str):
            raise wrong_kind("a list for subprotocols, or a function that returns one,", subprotocols)
        if not isinstance(limits, Limits):
            raise wrong_kind("a weft.limits.Limits", limits)
        if backoff is not None and not isinstance(backoff, Backoff):
            raise wrong_kind("a weft.providers.Backoff", backoff)
        if transport is not None and not callable(getattr(transport, "connect", None)):
            raise wrong_kind("a transport, such as WebsocketsTransport(),", transport)
        check_callable("on_error", on_error)
        check_seconds("open_timeout", open_timeout)
        check_seconds("close_timeout", close_timeout, or_zero=True)
        self._address = address
        self._params = params
        self._headers = headers
        self._subprotocols = subprotocols
        self._limits = limits
        self._transport: Transport = default_transport() if transport is None else transport
        self._connect_on_enter = connect
        self._backoff = Backoff() if backoff is None else backoff
        self._open_timeout = open_timeout
        self._close_timeout = close_timeout
        self._clock: Clock = SystemClock() if clock is None else clock
        self._random = random
        self._tracker = StatusTracker(address, on_error)
        # Awaited before each message: until what was written up to then is on disk, where it is kept there.
        self._durable: Callable[[], Awaitable[None]] | None = None

    def _use(self, adapter: A) -> None:
        self._adapter = adapter
        self._reconnect_loop = adapter.reconnect_loop = ReconnectLoop(
            adapter,
            self._tracker,
            max_outbound=self._limits.max_outbound,
            backoff=self._backoff,
            clock=self._clock,
            random=self._random,
            close_timeout=self._close_timeout,
        )

    @property
    def status(self) -> ProviderStatus:
        """Where the connection stands.

        ``"disconnected"`` (not started, stopped, or between two tries), ``"connecting"``, ``"connected"``, or
        ``"closed"``: by its owner for ever, or by the server until :meth:`connect` is called again.
        """
        return self._tracker.status

    @property
    def synced(self) -> bool:
        """Whether the server's state has been received on the present connection."""
        return self._tracker.synced

    @property
    def last_error(self) -> Exception | None:
        """What went wrong last since all was last in sync, or ``None``."""
        return self._tracker.last_error

    @property
    def unconfirmed(self) -> int:
        """How many writes of its documents the server has not confirmed; only a :meth:`flush` has it confirm.

        What stood in a document when the provider began to listen to it counts as one.
        """
        return self._adapter.unconfirmed

    def add_status_listener(self, listener: StatusListener) -> Callable[[], None]:
        """Call ``listener(status, synced)`` whenever one of them changes.

        Returns:
            A function that ends it.
        """
        return self._tracker.add_listener(listener)

    async def connect(self) -> None:
        """Begin to connect, unless that is under way. Does not wait for the server: :meth:`wait_synced` does.

        It may be called again after :meth:`disconnect`, and after the server closed for good.

        Raises:
            ProviderClosedError: The provider was closed.
            WrongThreadError: It, or a document of it, belongs to another thread. Nothing was begun.
        """
        self.expects_connect = False
        await self._reconnect_loop.start()
        try:
            self._adapter.attach()
        except BaseException:
            await self._stop(settle=False, for_good=False)
            raise

    async def disconnect(self, *, settle: bool = True) -> None:
        """Leave the server; :meth:`connect` comes back.

        What was written is sent and its confirmation waited for, and the others are told that one leaves, all
        within ``close_timeout``. If that does not suffice it is reported; what was written is still in the
        document.

        Args:
            settle: Whether to wait for the server's confirmation; what is queued is sent either way.
        """
        await self._stop(settle=settle, for_good=False)

    async def close(self, *, settle: bool = True) -> None:
        """Leave the server for good: see :meth:`disconnect`. Calling it again does nothing.

        Args:
            settle: As of :meth:`disconnect`.
        """
        await self._stop(settle=settle, for_good=True)

    async def wait_synced(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it raises our own error
        """Return when every document has all the server had of it when the present connection was made.

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
        """Return when the server has processed everything written so far.

        It survives interruptions: the server is asked again after each reconnect. What "processed" is worth
        is the server's promise: weft's own has stored it, JavaScript's have applied it.

        Args:
            timeout: Seconds; ``None`` waits through any number of tries.

        Raises:
            SyncTimeoutError: It took longer. Nothing is lost, and the provider goes on trying.
            ConnectError: The server refused for good.
            ConnectionClosedError: The server closed for good.
            ProviderClosedError: The provider is closed, or not connected.
            ReadOnlyError: The server does not take what was written: it is a ``WriteDeniedError``.
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
        state = "never connected" if self.expects_connect else self.status
        return f"<{type(self).__name__} {self._address} {state}{' synced' if self.synced else ''}>"

    def __del__(self) -> None:
        if self.expects_connect:
            warnings.warn(
                f"{type(self).__name__} was never connected, so nothing was synchronised: use it with"
                " `async with`, or await connect()",
                RuntimeWarning,
                stacklevel=2,
            )

    async def _stop(self, *, settle: bool, for_good: bool) -> None:
        self._reconnect_loop.owner.check()
        self.expects_connect = False  # who ends it knows that it is there
        try:
            await self._reconnect_loop.stop(settle=settle, for_good=for_good)
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
        connection = await self._transport.connect(
            url,
            headers=tuple(headers.items()),
            subprotocols=tuple(subprotocols),
            max_size=self._limits.max_message,
            open_timeout=self._open_timeout,
        )
        return connection if self._durable is None else DurableConnection(connection, self._durable)
