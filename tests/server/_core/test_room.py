"""What rooms of every kind do when storage fails, seen with Yjs rooms over real sockets."""

from __future__ import annotations

from support.servers import FaultyStorage, serving
from support.yclient import YClient, step1_frame
from weft.errors import StorageError
from weft.server.storage import MemoryRoomStorage


async def test_what_storage_refuses_is_not_acknowledged_and_everybody_is_sent_to_try_later() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server:
        async with (
            YClient(server.url, "room") as one,
            YClient(server.url, "room") as two,
            YClient(server.url, "other") as elsewhere,
        ):
            for client in (one, two, elsewhere):
                await client.synced()
            storage.refuse_writes = StorageError("the disk is full")
            await one.set(x=1)
            await one.send(step1_frame(one.doc.get_state()))
            assert await one.wait_closed() == 1013
            assert await two.wait_closed() == 1013
            assert one.step2 == 1
            assert elsewhere.close_code is None
            async with YClient(server.url, "room") as early:
                assert await early.wait_closed() == 1013
                assert early.frames == []
            storage.refuse_writes = None
            await elsewhere.flush()
        # Nothing is lost: who comes back brings it, and storage had taken it in.
        async with YClient(server.url, "room", doc=one.doc) as back, YClient(server.url, "room") as fresh:
            await back.synced()
            await fresh.wait_for(x=1)


async def test_a_failure_nobody_waits_for_is_noticed_too() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server, YClient(server.url, "room") as client:
        await client.synced()
        storage.refuse_writes = StorageError("the disk is full")
        await client.set(x=1)
        assert await client.wait_closed() == 1013
        storage.refuse_writes = None


async def test_a_storage_that_breaks_its_contract_costs_one_room() -> None:
    class Broken(MemoryRoomStorage):
        def append(self, room: str, update: bytes) -> int:
            if room == "bad":
                raise KeyError("a bug")
            return super().append(room, update)

    async with serving(storage=Broken()) as server:
        async with YClient(server.url, "bad") as bad, YClient(server.url, "good") as good:
            await bad.synced()
            await bad.set(x=1)
            assert await bad.wait_closed() == 1013
            await good.set(x=1)
            await good.flush()
        assert "x" in bad.content
