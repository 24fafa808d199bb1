from __future__ import annotations

import pytest

from weft.server.fanout import MemoryBroadcast, MemoryBroker
from weft.testing.broadcast import BroadcastSuite, Heard, until


class TestMemoryBroadcast(BroadcastSuite):
    @pytest.fixture(autouse=True)
    def _broker(self) -> None:
        self.broker = MemoryBroker()

    def make(self) -> MemoryBroadcast:
        return MemoryBroadcast(self.broker)

    def stop_broker(self) -> None:
        self.broker.stop()

    def start_broker(self) -> None:
        self.broker.start()

    async def test_it_loses_what_it_is_told_to_lose(self) -> None:
        self.broker.lose = lambda _channel, message: message == b"lost"
        heard = Heard()
        async with self.make() as member:
            await member.open(heard)
            await member.subscribe("farm")
            for message in (b"one", b"lost", b"two"):
                member.publish("farm", message)
            await until(lambda: len(heard.messages) == 2)
        assert heard.on("farm") == [b"one", b"two"]
