from __future__ import annotations

import asyncio

from support.servers import FaultyStorage, eventually, serving
from support.yclient import YClient


async def test_what_clients_do_is_counted() -> None:
    async with serving() as server:
        async with YClient(server.url, "a") as ada, YClient(server.url, "a") as ben:
            await ada.synced()
            await ben.synced()
            updates = [await ada.set(x=number) for number in range(3)]
            await ada.flush()
            await ben.wait_for(x=2)
            stats = server.stats()
            assert (stats.connections, stats.accepted, stats.rooms, stats.documents) == (2, 2, 1, 0)
            assert stats.counters.updates == 3
            assert stats.counters.update_bytes == sum(map(len, updates))
            assert stats.counters.relayed == 3  # to Ben
            assert stats.counters.relayed_bytes > 0
            assert stats.received > stats.counters.update_bytes
            assert (stats.queued, stats.longest_queue, stats.unsaved) == (0, 0, 0)
            assert stats.fanout is None
            assert stats.is_broker_connected is None
        await eventually(lambda: server.stats().connections == 0)
        await eventually(lambda: sum(server.stats().closed.values()) == 2)
        assert set(server.stats().closed) == {1000}


async def test_what_waits_is_counted() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server, YClient(server.url, "a") as ada:
        await ada.synced()
        storage.writing.clear()
        update = await ada.set(x=1)
        flushing = asyncio.create_task(ada.flush())  # the answer waits for storage
        await eventually(lambda: server.stats().queued)
        stats = server.stats()
        assert stats.unsaved == len(update)
        assert stats.queued == stats.longest_queue > 0
        storage.writing.set()
        await flushing
        await eventually(lambda: server.stats().unsaved == 0)
        assert server.stats().queued == 0


async def test_the_codes_that_clients_make_up_do_not_pile_up() -> None:
    async with serving() as server:
        for code in range(3000, 3110):
            async with YClient(server.url, "a") as client:
                await client.socket.close(code)
        await eventually(lambda: sum(server.stats().closed.values()) == 110)
        closed = server.stats().closed
        assert len(closed) == 101
        assert closed[0] == 10
