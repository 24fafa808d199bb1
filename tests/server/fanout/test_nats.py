from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.brokers import NatsServer, broker_missing
from weft.server.fanout import NatsBroadcast
from weft.testing.broadcast import BroadcastSuite, Heard, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    broker_missing("nats-server") is not None, reason=broker_missing("nats-server") or ""
)


class TestNatsBroadcast(BroadcastSuite):
    @pytest.fixture(autouse=True)
    def _broker(self) -> Iterator[None]:
        with NatsServer() as self.broker:
            yield

    def make(self) -> NatsBroadcast:
        return NatsBroadcast(self.broker.url)

    def stop_broker(self) -> None:
        self.broker.kill()

    def start_broker(self) -> None:
        self.broker.start()

    async def test_a_connection_on_which_nothing_arrives_is_given_up(self) -> None:
        heard = Heard()
        async with self.make() as member:
            await member.open(heard)
            await member.subscribe("farm")
            self.broker.freeze()
            await until(lambda: not member.is_connected)
            assert heard.losses
            self.broker.thaw()
            await until(lambda: heard.connections == 2)
            member.publish("farm", b"back")
            await until(lambda: heard.on("farm") == [b"back"])

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
