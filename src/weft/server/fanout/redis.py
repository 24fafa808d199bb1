"""Other processes by Redis or Valkey: pub/sub, one channel a room.

Not Redis Streams: one XREAD over the keys of 5,000 rooms costs 22 ms a message, where pub/sub stays below
one, and nothing here needs the broker to keep anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from weft.server.fanout.reconnecting import ReconnectingBroadcast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["RedisBroadcast"]

_SCHEMES = ("redis://", "rediss://", "unix://")
_TIMEOUT = 5.0  # seconds for what is written and for a connect; reading has the beat for it
_AT_ONCE = 1_000  # channels in one SUBSCRIBE


class RedisBroadcast(ReconnectingBroadcast):
    """Redis 6 or newer, or Valkey, by publish and subscribe.

    Args:
        url: ``redis://[[user]:password@]host[:port][/db]``, ``rediss://`` for TLS, ``unix://path``. Channels
            are the same in all databases of a Redis server: use ``prefix`` to keep servers apart.
        prefix: Before the name of each channel.

    Raises:
        ValueError: The address is none of these.
    """

    def __init__(self, url: str, *, prefix: str = "weft:") -> None:
        if not url.startswith(_SCHEMES):
            raise ValueError("a Redis address begins with redis://, rediss:// or unix://")
        # Parsed here, so that an address which is none is told to whoever wrote it.
        self._pool = aioredis.ConnectionPool.from_url(
            url, socket_connect_timeout=_TIMEOUT, socket_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
        known = self._pool.connection_kwargs
        super().__init__(
            prefix=prefix, name=f"Redis at {known.get('path') or known.get('host', 'localhost')}"
        )

    async def _connect(self) -> _Connection:
        client = aioredis.Redis(connection_pool=self._pool)
        try:
            await client.ping()
        except BaseException:
            await self._pool.disconnect()
            raise
        return _Connection(client, self._heard)


class _Connection:
    """One connection that publishes, and one that is subscribed."""

    def __init__(self, client: aioredis.Redis, heard: Callable[[str, bytes], None]) -> None:
        self._client = client
        self._pubsub = client.pubsub()
        self._heard = heard
        self._confirmations: dict[str, asyncio.Future[None]] = {}
        self._subscribed = asyncio.Event()

    async def subscribe(self, channels: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        for at in range(0, len(channels), _AT_ONCE):
            some = channels[at : at + _AT_ONCE]
            waits = [self._confirmations.setdefault(channel, loop.create_future()) for channel in some]
            await self._pubsub.subscribe(*some)
            self._subscribed.set()
            await asyncio.gather(*map(asyncio.shield, waits))

    async def unsubscribe(self, channels: Sequence[str]) -> None:
        await self._pubsub.unsubscribe(*channels)

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for channel, message in messages:
            pipeline.publish(channel, message)
        await pipeline.execute()

    async def run(self) -> None:
        await self._subscribed.wait()
        heard = self._heard
        confirmations = self._confirmations
        # listen() would end when nothing is subscribed to any more, and reconnect by itself, silently.
        while True:
            kind, channel, data = await self._read()
            if kind == b"message":
                heard(channel.decode(), data)
            elif kind == b"subscribe":
                waiting = confirmations.pop(channel.decode(), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(None)

    async def _read(self) -> tuple[bytes, bytes, Any]:
        response = await self._pubsub.parse_response(block=True)
        kind, channel, data = response
        return kind, channel, data

    async def close(self) -> None:
        for waiting in self._confirmations.values():
            waiting.cancel()
        with contextlib.suppress(Exception):  # a driver's, of a connection that is given up
            async with asyncio.timeout(_TIMEOUT):
                await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_TIMEOUT):
                await self._client.connection_pool.disconnect()
