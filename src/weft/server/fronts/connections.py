"""The listening socket, and what all connections behind it share."""

from __future__ import annotations

import asyncio
import http
import logging
import math
import time
from typing import TYPE_CHECKING

from weft.limits import DEFAULT_SERVER_LIMITS
from weft.server._core.accounts import Accounts, account_key
from weft.server._core.memory_budget import MemoryBudget
from weft.server._core.rates import JOINS
from weft.server._core.refused import RefusedCounts
from weft.server.fronts.descriptors import max_descriptors
from weft.server.fronts.handshake import Handshake
from weft.server.fronts.listener import Listener
from weft.server.fronts.proxies import Proxies
from weft.server.fronts.timer_wheel import TimerWheel
from weft.server.fronts.watchdog import LoopWatchdog

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from websockets.extensions import ServerExtensionFactory
    from websockets.http11 import Request as HttpRequest

    from weft.limits import ServerLimits
    from weft.server.fronts.link_owner import LinkOwner
    from weft.server.fronts.websocket_link import WebsocketLink

__all__ = ["RESTART", "Connections", "report_too_large"]

_log = logging.getLogger("weft.server")

# Bytes read at a time, of one client after the other.
_READ = 256 * 1024
# Seconds in one turn of the event loop that messages are worked on, for all clients together, and what each
# of them has of it at least. One packet can hold thousands of messages.
_TURN = 0.003
_SHARE = 0.0002
_NO_CLOSE, _TOO_LARGE = 1006, 1009  # RFC 6455, section 7.4.1
_MAX_CODES = 100  # that are counted each for itself
RESTART = 1012, "server is shutting down"  # the registry of the same: clients should come back
_FAREWELLS = 100  # said in one turn of the event loop; others are served in between


class Connections:
    """All connections of a server, from the first byte to the last.

    Args:
        answer: Called with each request.
        extensions: What websockets may agree on.
        max_message: Bytes in a message that is received.
        open_timeout: Seconds that a handshake may take.
        limits: Other bounds of each connection.
        refused: Told what is refused by which bound.
        proxies: Networks of those that are believed where their clients come from.

    Attributes:
        served: The websockets that were let in.
        accepted: Connections that have become websockets.
        received: Bytes that came on them.
        closed: How many of them are over, by the close code that was sent; 1006 where none was, and 0 for all
            beyond the first hundred codes: clients make them up.
    """

    def __init__(
        self,
        answer: Callable[[Handshake, HttpRequest], None],
        *,
        extensions: Sequence[ServerExtensionFactory] | None,
        max_message: int,
        open_timeout: float,
        limits: ServerLimits = DEFAULT_SERVER_LIMITS,
        refused: RefusedCounts | None = None,
        proxies: Sequence[str] = (),
    ) -> None:
        self.buffer = memoryview(bytearray(_READ))
        self.wheel = TimerWheel()
        self.max_message = max_message
        self.open_timeout = open_timeout
        self.limits = limits
        self.refused = RefusedCounts() if refused is None else refused
        self.users = Accounts(limits, "user", clock=time.monotonic)
        self.addresses = Accounts(limits, "address", clock=time.monotonic)
        self.watchdog = LoopWatchdog(limits.max_stall)
        self.budget = MemoryBudget(limits.max_waiting, self._links)
        self.extensions = extensions
        self.served: set[WebsocketLink] = set()
        self.accepted = 0
        self.received = 0
        self.closed: dict[int, int] = {}
        self._answer = answer
        self._proxies = Proxies(proxies)
        self._open: set[Handshake | WebsocketLink] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: Listener | None = None
        self._all_gone: asyncio.Future[None] | None = None
        self._max_descriptors = limits.max_connections
        self._turn_end = 0.0
        self._is_in_turn = False

    @property
    def links(self) -> LinkOwner[WebsocketLink]:
        """What the websockets share: this too."""
        return self

    @property
    def port(self) -> int | None:
        """The port listened on, while there is one."""
        return None if self._listener is None else self._listener.port

    async def listen(self, host: str, port: int, *, tls: ssl.SSLContext | None) -> None:
        """Accept connections from now on.

        Raises:
            OSError: The address cannot be listened on.
        """
        listener = Listener(
            lambda: Handshake(self),
            tls=tls,
            open_timeout=self.open_timeout,
            close_timeout=self.limits.close_timeout,
        )
        try:
            await listener.open(host, port)
        except OSError as error:
            told = OSError(f"cannot listen on {host}:{port}: {error.strerror or error}")
            told.errno = error.errno
            raise told from error
        self._listener = listener
        self._max_descriptors = max_descriptors()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Have something done that :meth:`all_gone` waits for. It does not raise."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def stop_listening(self) -> None:
        """Accept nobody any more; who has asked for nothing yet is cut off."""
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._open):
            if isinstance(connection, Handshake) and not connection.has_asked:
                connection.abort()

    async def say_restart(self) -> None:
        """Tell everybody to go, and to come back."""
        for number, link in enumerate(tuple(self.served), 1):
            link.close(*RESTART)
            if number % _FAREWELLS == 0:
                await asyncio.sleep(0)

    async def all_gone(self) -> None:
        """Wait until there is no connection, and nothing to do for one."""
        while self._open or self._tasks:
            self._all_gone = asyncio.get_running_loop().create_future()
            await self._all_gone

    async def cut_off(self, seconds: float) -> None:
        """End every connection, and what is done for it.

        Args:
            seconds: That what is done has to come to its own end; then as many to end when it is cancelled.
                What does not, an auth hook that catches its cancellation, is left behind, and logged.
        """
        for connection in tuple(self._open):
            connection.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        try:
            async with asyncio.timeout(seconds):
                await self.all_gone()
        except TimeoutError:
            for task in self._tasks:
                _log.error("left behind, as it does not end: %r", task)

    # As handshakes and links see it

    def opened(self, handshake: Handshake) -> None:
        """Somebody has connected; beyond the bound it is cut off."""
        if len(self._open) >= self.limits.max_connections:
            handshake.abort()
            text = "as many as may be: others are cut off"
            self.refused.note("max_connections", f"{len(self._open)} clients are connected", text)
            return
        if len(self._open) >= self._max_descriptors:
            asyncio.get_running_loop().call_soon(self._pause_accepting)
        address = handshake.address
        if address and address not in self._proxies and not self._enter(handshake, address):
            handshake.abort()
            return
        self._open.add(handshake)

    def requested(self, handshake: Handshake, request: HttpRequest) -> None:
        """A request has come."""
        if handshake.account is None and (peer := handshake.address):  # a proxy's
            address = self._proxies.client(peer, request.headers.get_all("X-Forwarded-For"))
            if address and not self._enter(handshake, address):
                self._put_off(handshake, 1.0)
                return
        if "upgrade" in request.headers and (account := handshake.account) is not None:
            wait = account.meter.take_one(JOINS, 1, time.monotonic())
            if wait > 0.0:
                self.refused.note("join_rate", handshake.remote, "its address joins too fast (429)")
                self._put_off(handshake, wait)
                return
        self._answer(handshake, request)

    def _enter(self, handshake: Handshake, address: str) -> bool:
        """Count a connection for its address; whether there may be one more."""
        handshake.account = self.addresses.enter(account_key(address))
        if handshake.account is None:
            self.refused.note(
                "max_connections_per_address", address, "it has that many connections: others are cut off"
            )
        return handshake.account is not None

    def _put_off(self, handshake: Handshake, seconds: float) -> None:
        text = "too many connections from your address\n"
        handshake.respond(http.HTTPStatus.TOO_MANY_REQUESTS, text, Retry_After=str(math.ceil(seconds)))

    def upgraded(self, handshake: Handshake, link: WebsocketLink) -> None:
        """A handshake has become a websocket."""
        self.accepted += 1
        self._open.add(link)
        self.lost(handshake)

    def lost(self, handshake: Handshake) -> None:
        """A connection ended before it was a websocket."""
        self._open.discard(handshake)
        account, handshake.account = handshake.account, None
        if account is not None:
            self.addresses.leave(account)
        self._note_gone()

    def link_closed(self, link: WebsocketLink) -> None:
        """A websocket's connection is over."""
        code = _NO_CLOSE if link.sent_close is None else link.sent_close[0]
        if code not in self.closed and len(self.closed) >= _MAX_CODES:
            code = 0
        self.closed[code] = self.closed.get(code, 0) + 1
        self.served.discard(link)
        self._open.discard(link)
        self._note_gone()

    def turn_end(self) -> float:
        """Until when messages may be worked on in this turn of the event loop."""
        now = time.monotonic()
        if not self._is_in_turn:
            self._is_in_turn = True
            self._turn_end = now + _TURN
            asyncio.get_running_loop().call_soon(self._end_turn)
        return max(self._turn_end, now + _SHARE)

    def _links(self) -> Iterator[WebsocketLink]:
        return (connection for connection in self._open if not isinstance(connection, Handshake))

    def _end_turn(self) -> None:
        self._is_in_turn = False

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._note_gone()

    def _pause_accepting(self) -> None:
        """There are few descriptors left: others wait until some have gone."""
        if self._listener is not None and not self._listener.is_paused:
            self._listener.pause()
            self.refused.note(
                "max_connections",
                f"{len(self._open)} clients are connected",
                "as many as the descriptors (ulimit -n) allow: others wait until some have gone",
            )

    def _note_gone(self) -> None:
        listener = self._listener
        if listener is not None and listener.is_paused and len(self._open) < self._max_descriptors:
            self.spawn(listener.resume())
        if self._all_gone is not None and not self._all_gone.done() and not self._open and not self._tasks:
            self._all_gone.set_result(None)


def report_too_large(link: WebsocketLink, remote: str, room: str) -> None:
    """Say loudly that a client's writes do not arrive; it may try again for ever."""
    if link.sent_close is not None and link.sent_close[0] == _TOO_LARGE:
        text = "%s, room %.200r: let go, as what it sent is larger than max_message (1009 %s)"
        _log.error(text, remote, room, link.sent_close[1])
