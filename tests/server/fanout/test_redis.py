from __future__ import annotations

import pytest

from support.brokers import RealBrokerSuite, RedisServer, broker_missing
from weft.server.fanout import RedisBroadcast

pytestmark = pytest.mark.skipif(
    broker_missing("redis-server") is not None, reason=broker_missing("redis-server") or ""
)


class TestRedisBroadcast(RealBrokerSuite):
    server = RedisServer

    def make(self) -> RedisBroadcast:
        return RedisBroadcast(self.broker.url)


def test_what_is_no_address_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="address begins with redis://"):
        RedisBroadcast("http://127.0.0.1:1")
