"""Other processes by NATS core, one subject a room."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from typing import TYPE_CHECKING, Any

import nats
from nats.aio.client import Client

from weft.server.fanout.reconnecting import ReconnectingBroadcast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

__all__ = ["NatsBroadcast"]

_SCHEMES = ("nats://", "tls://", "ws://", "wss://")
_TIMEOUT = 5.0  # seconds


class NatsBroadcast(ReconnectingBroadcast):
    """A NATS server or cluster, without JetStream.

    Args:
        servers: ``nats://[user:password@]host[:port]``, or several, between commas.
        prefix: First part of each subject; what follows is the channel's name in base64url, as a subject must
            have neither spaces nor dots nor stars.
        **options: For ``nats.connect``: ``user_credentials``, ``token``, ``tls`` and the like.

    Raises:
        ValueError: One of the addresses is none.
    """

    def __init__(self, servers: str, *, prefix: str = "weft.", **options: Any) -> None:
        self._servers = [server.strip() for server in servers.split(",")]
        if not all(server.startswith(_SCHEMES) for server in self._servers):
            raise ValueError("a NATS address begins with nats:// or tls://")
        self._subjects = prefix
        self._options = options
        super().__init__(prefix="", name=f"NATS at {_without_password(self._servers[0])}")

    async def _connect(self) -> _Connection:
        connection = _Connection(self._subjects, self._heard)
        await connection.connect(self._servers, self._options)
        return connection


class _Connection:
    def __init__(self, prefix: str, heard: Callable[[str, bytes], None]) -> None:
        self._prefix = prefix
        self._heard = heard
        self._client = Client()
        self._subscriptions: dict[str, Subscription] = {}
        self._confirmations: dict[bytes, asyncio.Future[None]] = {}
        self._inbox = f"{prefix}_.{secrets.token_hex(8)}"  # no channel's subject has a dot in it
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._error: Exception | None = None

    async def connect(self, servers: Sequence[str], options: dict[str, Any]) -> None:
        await self._client.connect(
            list(servers),
            **{
                "allow_reconnect": False,  # one loop does that for every broker, and says so
                "max_reconnect_attempts": 1,
                "reconnect_time_wait": 0,
                "connect_timeout": int(_TIMEOUT),
                "ping_interval": 2,
                "error_cb": self._failed,
                "closed_cb": self._closed,
                "disconnected_cb": self._closed,
                **options,
            },
        )
        await self._client.subscribe(self._inbox, cb=self._confirmed)

    async def subscribe(self, channels: Sequence[str]) -> None:
        for channel in channels:
            if channel not in self._subscriptions:
                self._subscriptions[channel] = await self._client.subscribe(
                    self._subject(channel), cb=self._receiver(channel)
                )
        # The client's own flush sends its PING before what waits to be sent, so its PONG proves nothing. A
        # message to oneself goes behind the subscriptions, in the same buffer.
        token = secrets.token_bytes(8)
        back = self._confirmations[token] = asyncio.get_running_loop().create_future()
        try:
            await self._client.publish(self._inbox, token)
            await back
        finally:
            del self._confirmations[token]

    async def unsubscribe(self, channels: Sequence[str]) -> None:
        for channel in channels:
            subscription = self._subscriptions.pop(channel, None)
            if subscription is not None:
                await subscription.unsubscribe()

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for channel, message in messages:
            # What the server does not carry would end the connection, and be said again on the next one.
            if len(message) <= self._client.max_payload:
                await self._client.publish(self._subject(channel), message)

    async def run(self) -> None:
        await asyncio.shield(self._ended)
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        with contextlib.suppress(Exception):  # a driver's, of a connection that is given up
            async with asyncio.timeout(_TIMEOUT):
                await self._client.close()
        self._ended.cancel()

    def _subject(self, channel: str) -> str:
        return self._prefix + base64.urlsafe_b64encode(channel.encode()).decode().rstrip("=")

    def _receiver(self, channel: str) -> Callable[[Msg], Any]:
        async def receive(message: Msg) -> None:
            self._heard(channel, message.data)

        return receive

    async def _confirmed(self, message: Msg) -> None:
        waiting = self._confirmations.get(message.data)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def _failed(self, error: Exception) -> None:
        # A slow consumer has lost messages, which is allowed; everything else ends the connection.
        if not isinstance(error, nats.errors.SlowConsumerError):
            self._error = error

    async def _closed(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)


def _without_password(url: str) -> str:
    return url.rpartition("@")[2].rpartition("//")[2]
