"""What the adapters of all brokers have in common: one connection after another, and proof that it lives."""

from __future__ import annotations

import asyncio
import logging
import secrets
from abc import abstractmethod
from collections import deque
from random import random
from typing import TYPE_CHECKING, Protocol

from weft._aio.tasks import end_tasks
from weft.server.fanout.broadcast import Broadcast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.server.fanout.broadcast import BroadcastListener

__all__ = ["BrokerConnection", "ReconnectingBroadcast"]

_log = logging.getLogger("weft.server")

# Seconds. A message to oneself goes through the broker this often, and one that is not back in time proves
# that nothing arrives: a half-open connection yields nothing for ever, and no driver says so.
_BEAT = 2.0
_BEAT_TIMEOUT = 6.0
_CONNECT_TIMEOUT = 5.0
_MAX_PAUSE = 5.0  # between two tries; the first is _MIN_PAUSE
_MIN_PAUSE = 0.1
# Bytes that may wait to be sent. Who is behind by more than that fetches from storage anyway.
_MAX_WAITING = 16 * 1024 * 1024
_BATCH = 512  # messages handed to the driver at a time


class BrokerConnection(Protocol):
    """One connection to a broker. Whatever it raises ends it, and another one is made."""

    async def subscribe(self, channels: Sequence[str]) -> None:
        """Ask for channels, and return when the broker has confirmed them. :meth:`run` runs meanwhile."""

    async def unsubscribe(self, channels: Sequence[str]) -> None:
        """Ask for no more of channels."""

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Send messages, in order."""

    async def run(self) -> None:
        """Read until the connection ends."""

    async def close(self) -> None:
        """Let go of it, in bounded time, whatever state it is in. Does not raise."""


class ReconnectingBroadcast(Broadcast):
    """A :class:`Broadcast` on connections that end.

    Args:
        prefix: Before the name of each channel, so that several servers can share a broker.
        name: How the log calls the broker; without a password.
    """

    def __init__(self, *, prefix: str, name: str) -> None:
        self._prefix = prefix
        self._name = name
        self._channels: set[str] = set()  # in full, as the broker knows them
        self._echo = f"{prefix}echo:{secrets.token_hex(8)}"
        self._echoed = 0.0
        self._listener: BroadcastListener | None = None
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._waiting_bytes = 0
        self._wake: asyncio.Future[None] | None = None  # set while there is nothing to send
        self._connection: BrokerConnection | None = None
        self._is_connected = False
        self._tried: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def _connect(self) -> BrokerConnection:
        """Make a connection. What it hears, it gives to :meth:`_heard`."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._is_connected

    async def open(self, listener: BroadcastListener) -> None:
        """Begin to connect, and return at the first connection or when the first try has failed."""
        if self._task is not None:
            raise RuntimeError("a broadcast is opened once")
        self._listener = listener
        loop = asyncio.get_running_loop()
        self._tried = loop.create_future()
        self._task = loop.create_task(self._keep_connected())
        await self._tried

    def publish(self, channel: str, message: bytes) -> None:
        """Queue a message; drop it without a connection, and when too much waits."""
        if self._is_connected and self._waiting_bytes + len(message) <= _MAX_WAITING:
            self._queue(self._prefix + channel, message)

    async def subscribe(self, channel: str) -> None:
        """Hear a channel from now on."""
        full = self._prefix + channel
        self._channels.add(full)
        connection = self._connection
        if connection is None:
            return
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await connection.subscribe((full,))
        except Exception as error:  # noqa: BLE001 - a driver's; a new connection subscribes to all
            self._give_up(connection, f"subscribing failed: {error!r}")

    def unsubscribe(self, channel: str) -> None:
        """Hear no more of a channel."""
        full = self._prefix + channel
        self._channels.discard(full)
        if self._connection is not None:
            task = asyncio.get_running_loop().create_task(self._unsubscribe(self._connection, full))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def close(self) -> None:
        """Let go of the broker."""
        self._listener = None
        if self._task is not None:
            await end_tasks((self._task, *self._asking))

    # Within

    def _queue(self, full: str, message: bytes) -> None:
        self._waiting.append((full, message))
        self._waiting_bytes += len(message)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _heard(self, full: str, message: bytes) -> None:
        if full == self._echo:
            self._echoed = asyncio.get_running_loop().time()
        elif self._listener is not None and full in self._channels:
            self._listener.received(full[len(self._prefix) :], message)

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT):
                    connection = await self._connect()
            except Exception as error:  # noqa: BLE001 - every driver has its own tree of errors
                self._note_lost(f"it cannot be reached: {error}" if str(error) else repr(error))
            else:
                reason = await self._serve(connection)
                if self._is_connected:
                    failures = 0
                self._note_lost(reason)
            # Drawn evenly, so that many processes do not come back in the same instant.
            await asyncio.sleep((0.5 + random() / 2) * min(_MAX_PAUSE, _MIN_PAUSE * 2**failures))  # noqa: S311
            failures = min(failures + 1, 16)

    async def _serve(self, connection: BrokerConnection) -> str:
        """Use one connection for as long as it lives, and say why it ended."""
        loop = asyncio.get_running_loop()
        self._waiting.clear()
        self._waiting_bytes = 0
        tasks = [loop.create_task(connection.run())]
        try:
            starting = loop.create_task(self._start(connection))
            tasks.append(starting)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and not starting.cancelled() and starting.exception() is None:
                tasks += [loop.create_task(self._send(connection)), loop.create_task(self._beat())]
                tasks.remove(starting)
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connection = None
            await end_tasks(tasks)
            await connection.close()
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                return str(error) or repr(error)
        return "the connection ended"

    async def _start(self, connection: BrokerConnection) -> None:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            # Who subscribes meanwhile finds the connection and asks on it.
            self._connection = connection
            await connection.subscribe((self._echo, *self._channels))
        self._is_connected = True
        self._echoed = asyncio.get_running_loop().time()
        _log.info("connected to %s", self._name)
        if self._listener is not None:
            self._listener.connected()
        self._note_tried()

    async def _send(self, connection: BrokerConnection) -> None:
        loop = asyncio.get_running_loop()
        waiting = self._waiting
        # Not only until it is cancelled: a driver may lose a cancellation that comes as its work is done.
        while self._connection is connection:
            if not waiting:
                self._wake = loop.create_future()
                await self._wake
                self._wake = None
            batch = [waiting.popleft() for _ in range(min(_BATCH, len(waiting)))]
            self._waiting_bytes -= sum(len(message) for _, message in batch)
            async with asyncio.timeout(_BEAT_TIMEOUT):
                await connection.publish(batch)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() - self._echoed < _BEAT_TIMEOUT:
            self._queue(self._echo, b"")
            await asyncio.sleep(_BEAT)
        raise TimeoutError(f"nothing has come back for {_BEAT_TIMEOUT:g} s")

    async def _unsubscribe(self, connection: BrokerConnection, full: str) -> None:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await connection.unsubscribe((full,))
                if full in self._channels and self._connection is connection:  # wanted again meanwhile
                    await connection.subscribe((full,))
        except Exception as error:  # noqa: BLE001 - a driver's
            self._give_up(connection, f"unsubscribing failed: {error!r}")

    def _give_up(self, connection: BrokerConnection, reason: str) -> None:
        """Have a connection that misbehaves replaced: its beat stops coming back."""
        if self._connection is connection:
            _log.warning("%s: %s; connecting anew", self._name, reason)
            self._echoed = float("-inf")

    def _note_lost(self, reason: str) -> None:
        was_connected, self._is_connected = self._is_connected, False
        is_first = self._tried is not None and not self._tried.done()
        if was_connected or is_first:
            _log.warning(
                "no connection to %s: %s. Nothing is lost: what other processes write is found in storage, a "
                "second later",
                self._name,
                reason,
            )
            if self._listener is not None:
                self._listener.disconnected(reason)
        self._note_tried()

    def _note_tried(self) -> None:
        if self._tried is not None and not self._tried.done():
            self._tried.set_result(None)
