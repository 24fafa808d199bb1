"""The reconnect loop that every provider shares: connect, run, wait, try again, leave politely.

The reconnect loop does the I/O and the waiting and knows no protocol; an :class:`Adapter` knows its protocol
and does no I/O but to dial. Its other methods are called in the event loop and return at once::

    dial ──> opened ──> received* tick* emptied* ──> closed ──> (back-off) ──> dial …
                                 leave ──┘

States, as the ``status`` property shows them: ``disconnected`` (not started, between two tries, or stopped),
``connecting``, ``connected``, ``closed`` (by the owner for ever, or by the server for good).
"""

from __future__ import annotations

import asyncio
import copy
from contextlib import suppress
from typing import TYPE_CHECKING, Never, Protocol

from weft._aio.tasks import end_tasks, first_of
from weft._support.owner import Owner
from weft.errors import (
    ConnectError,
    ConnectionClosedError,
    ProviderClosedError,
    ProviderError,
    RemoteProtocolError,
    SyncTimeoutError,
)
from weft.providers._core.backoff import ends_success, patience
from weft.providers._core.refusals import Refusals
from weft.providers._core.send_queue import ResendQueue
from weft.providers.transport import TOO_LARGE, is_final_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft._aio.clock import Clock
    from weft._support.owner import Hold
    from weft.providers._core.backoff import Backoff
    from weft.providers._core.status import StatusTracker
    from weft.providers.transport import Connection

__all__ = ["Adapter", "ReconnectLoop"]

# Messages read before the other tasks of the loop get their turn: reading does not suspend while messages are
# at hand, and one packet can hold thousands.
_TURN = 32


class Adapter(Protocol):
    """What a protocol's provider tells the reconnect loop."""

    async def dial(self) -> Connection:
        """Open a connection, with fresh credentials. Raises ``ProviderError``."""

    def opened(self) -> None:
        """A connection stands and the queue is new and empty: put in the greeting."""

    def received(self, data: bytes | str) -> None:
        """A message came."""

    def emptied(self, forgot: bool) -> None:
        """The queue has sent all it had. If it forgot content, put in what the server may lack."""

    def tick(self) -> float | None:
        """Do what is due. Returns the seconds until something will be, or ``None``."""

    def closed(self) -> None:
        """The connection is gone, and the queue with it."""

    async def settle(self) -> None:
        """Return when the server has everything that was written. Raises ``ProviderError``."""

    def leave(self) -> None:
        """The connection is about to be closed by us: put in the goodbye."""

    def send_less(self, largest: int) -> bool:
        """The server takes no message so large: send smaller ones on the next connection.

        Args:
            largest: Bytes of the largest message sent.

        Returns:
            Whether that can help.
        """


class ReconnectLoop:
    """Runs an adapter over one connection after the other. See the module.

    Args:
        adapter: The protocol.
        tracker: Where the provider stands; kept up to date here.
        max_outbound: Bytes that may wait to be sent.
        backoff: How long to wait between tries.
        clock: Measures that.
        random: Draws from [0, 1).
        close_timeout: Seconds that leaving may take.

    Attributes:
        queue: What waits to be sent on the present connection, if there is one.
        owner: The thread of the event loop, from the start to the stop.
    """

    def __init__(
        self,
        adapter: Adapter,
        tracker: StatusTracker,
        *,
        max_outbound: int,
        backoff: Backoff,
        clock: Clock,
        random: Callable[[], float],
        close_timeout: float,
    ) -> None:
        self.queue: ResendQueue | None = None
        self.owner = Owner(f"the provider of {tracker.name}")
        self._adapter = adapter
        self._tracker = tracker
        self._max_outbound = max_outbound
        self._backoff = backoff
        self._clock = clock
        self._random = random
        self._close_timeout = close_timeout
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._final: ProviderError | None = None  # why there will be no further try
        self._leaving = False
        self._hold: Hold | None = None
        self._had_synced = False
        self._largest = 0  # bytes of the largest message sent on the last connection
        self._rearmed = asyncio.Event()

    # --- for the owner

    async def start(self) -> None:
        """Begin to connect, unless that is under way. Does not wait for the server.

        Raises:
            ProviderClosedError: The provider was closed.
            WrongThreadError: It runs in another thread, or in the process that this one was forked from.
        """
        self.owner.check()
        async with self._lock:
            if isinstance(self._final, ProviderClosedError):
                raise copy.copy(self._final)
            if self._task is None or self._task.done():
                self._final = None
                self._leaving = False
                if self._hold is None:
                    self._hold = self.owner.hold()
                else:
                    self._hold.renew()
                self._task = asyncio.create_task(self._run(), name=f"weft provider {self._tracker.name}")

    async def stop(self, *, settle: bool, for_good: bool) -> None:
        """Leave the server and end the task.

        Args:
            settle: First wait until the server has everything that was written.
            for_good: No start is allowed afterwards.

        Raises:
            WrongThreadError: It runs in another thread, or in the process that this one was forked from.
        """
        self.owner.check()
        async with self._lock:
            task = self._task
            try:
                if task is not None and not task.done():
                    await self._leave(task, settle=settle)
            finally:
                self._leaving = True
                self._task = None
                name = self._tracker.name
                if for_good:
                    self._final = ProviderClosedError(f"the provider of {name} was closed")
                self._tracker.release(
                    self._final or ProviderClosedError(f"the provider of {name} was disconnected")
                )
                if task is not None:
                    await end_tasks([task])
                if for_good:
                    self._tracker.change(status="closed")
                if self._hold is not None:
                    self._hold.drop()
                    self._hold = None

    def check_running(self) -> None:
        """Refuse to wait for something that cannot come.

        Raises:
            ConnectionClosedError, ConnectError: The server ended it for good.
            ProviderClosedError: The provider is closed or not connected.
            WrongThreadError: It runs in another thread, or in the process that this one was forked from.
        """
        self.owner.check()
        if self._final is not None:
            raise copy.copy(self._final)
        if self._task is None or self._task.done() or self._leaving:
            raise ProviderClosedError(
                f"the provider of {self._tracker.name} is not connected: use 'async with' or call connect()"
            )

    # --- for the adapter

    def mark_synced(self) -> None:
        """The server's state has been received."""
        self._had_synced = True
        self._tracker.change(synced=True)

    def rearm(self) -> None:
        """A timer has become due earlier than ``tick`` said."""
        self._rearmed.set()

    # --- the loop

    async def _run(self) -> None:
        failures = 0
        refusals = Refusals()
        while True:
            began = self._clock.now()
            error = await self._try()
            if self._leaving:
                return
            error = refusals.note(error, self._clock.now() - began) or error
            if isinstance(error, ConnectionClosedError) and error.code == TOO_LARGE and not error.permanent:
                error = self._sent_too_large(error)
            if isinstance(error, ProviderError) and _is_final(error):
                self._final = error
                self._tracker.report(error, final=True)
                self._tracker.release(error)
                self._tracker.change(status="closed")
                return
            self._tracker.report(error)
            if self._had_synced and isinstance(error, ProviderError) and ends_success(error):
                failures = 0
            await self._clock.sleep(patience(error) + self._backoff.delay(failures, self._random))
            failures += 1

    def _sent_too_large(self, error: ConnectionClosedError) -> ConnectionClosedError:
        """Send smaller messages; where that cannot help, say so, as trying again cannot either."""
        if self._adapter.send_less(self._largest):
            return error
        reason = (
            f"{error.reason or 'the server gives no reason'}: a message of {self._largest} bytes is larger "
            "than the server takes, and cannot be sent in smaller parts"
        )
        return ConnectionClosedError(error.code, reason, permanent=True)

    async def _try(self) -> Exception:
        """Make one connection and use it to its end; returns what ended it."""
        self._had_synced = False
        self._tracker.change(status="connecting")
        try:
            connection = await self._adapter.dial()
            try:
                error = await self._use(connection)
                if isinstance(error, RemoteProtocolError):
                    # A server that does not answer is not what was wrong.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._close_timeout):
                            await connection.close(1007, "invalid message")
                return error
            finally:
                await connection.abort()
        except Exception as error:  # noqa: BLE001 - our own fault must not end the reconnecting; _run reports it
            return error
        finally:
            self._tracker.change(status="disconnected")

    async def _use(self, connection: Connection) -> Exception:
        queue = ResendQueue(max_bytes=self._max_outbound, emptied=self._adapter.emptied)
        self.queue, self._connection = queue, connection
        self._rearmed = asyncio.Event()
        # The reader comes first: it knows the close code.
        tasks: list[asyncio.Task[Never]] = []
        try:
            self._tracker.change(status="connected")
            self._adapter.opened()
            parts = (self._read(connection), queue.run(connection.send), self._tick())
            tasks.extend(asyncio.create_task(part) for part in parts)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            try:
                await end_tasks(tasks)
            finally:
                self._largest = queue.largest
                self.queue = self._connection = None
                self._closed()
        errors = [error for task in tasks if not task.cancelled() and (error := task.exception())]
        match errors:
            case [Exception() as error, *_]:
                return error
            case [fatal, *_]:
                # A panic of the binding is no Exception; it must not end the reconnecting in silence.
                fault = RuntimeError(f"the connection's task ended with {fatal!r}")
                fault.__cause__ = fatal
                return fault
        return RuntimeError("the connection's tasks were cancelled by somebody else")

    def _closed(self) -> None:
        try:
            self._adapter.closed()
        except Exception as error:  # noqa: BLE001 - it would hide a cancellation; it is reported
            self._tracker.report(error)

    async def _read(self, connection: Connection) -> Never:
        while True:
            for _ in range(_TURN):
                self._adapter.received(await connection.recv())
            await asyncio.sleep(0)

    async def _tick(self) -> Never:
        while True:
            self._rearmed.clear()
            due = self._adapter.tick()
            if due is None:
                await self._rearmed.wait()
            else:
                await first_of(self._clock.sleep(due), self._rearmed.wait())

    # --- leaving

    async def _leave(self, task: asyncio.Task[None], *, settle: bool) -> None:
        now = asyncio.get_running_loop().time()
        # Some of the time is kept for the goodbye: without one, what is on its way could be lost.
        last_word, end = now + self._close_timeout * 0.75, now + self._close_timeout
        if settle:
            await self._settle(last_word)
        self._leaving = True
        if self._connection is None or self.queue is None:
            return
        goodbye = asyncio.create_task(self._say_goodbye(self._connection, self.queue))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await asyncio.wait({goodbye, task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks([goodbye])
        if not goodbye.cancelled():
            goodbye.result()

    async def _settle(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._adapter.settle()
        except TimeoutError:
            self._tracker.report(
                SyncTimeoutError(
                    f"left within {self._close_timeout} s without the server's word that it has everything"
                )
            )
        except ProviderError:
            pass  # the server refuses what was written, or ended it for good meanwhile: both were reported

    async def _say_goodbye(self, connection: Connection, queue: ResendQueue) -> None:
        self._adapter.leave()
        await queue.drained()
        await connection.close(1000)


def _is_final(error: ProviderError) -> bool:
    match error:
        case ConnectionClosedError():
            return error.permanent
        case ConnectError():
            return is_final_refusal(error)
    return False
