"""The same room in several processes: storage is the log, a broker carries hints of what was added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.server.fanout.address import broadcast_at as broadcast_at, check_broker as check_broker
    from weft.server.fanout.broadcast import Broadcast as Broadcast
    from weft.server.fanout.memory import MemoryBroadcast as MemoryBroadcast, MemoryBroker as MemoryBroker
    from weft.server.fanout.nats import NatsBroadcast as NatsBroadcast
    from weft.server.fanout.redis import RedisBroadcast as RedisBroadcast
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "address": "broadcast_at check_broker",
            "broadcast": "Broadcast",
            "memory": "MemoryBroadcast MemoryBroker",
            "nats": "NatsBroadcast",
            "redis": "RedisBroadcast",
        },
        extras={"nats": "nats", "redis": "redis"},
    )
