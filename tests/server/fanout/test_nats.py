from __future__ import annotations

import pytest

from support.brokers import NatsServer, RealBrokerSuite, broker_missing
from weft.server.fanout import NatsBroadcast
from weft.testing.broadcast import Heard, until

pytestmark = pytest.mark.skipif(
    broker_missing("nats-server") is not None, reason=broker_missing("nats-server") or ""
)


class TestNatsBroadcast(RealBrokerSuite):
    server = NatsServer

    def make(self) -> NatsBroadcast:
        return NatsBroadcast(self.broker.url)

    async def test_what_the_server_does_not_carry_is_dropped_and_nothing_else(self) -> None:
        heard = Heard()
        async with self.make() as member:
            await member.open(heard)
            await member.subscribe("farm")
            member.publish("farm", bytes(2 * 1024 * 1024))
            member.publish("farm", b"small")
            await until(lambda: heard.on("farm") == [b"small"])
            assert heard.connections == 1


def test_what_is_no_address_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="address begins with nats://"):
        NatsBroadcast("http://127.0.0.1:1")
