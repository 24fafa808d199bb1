"""How rooms come and go, with real clients over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from support.servers import FaultyStorage, eventually, serving
from support.storage_suite import write_updates
from support.yclient import YClient
from weft.documents.yjs.document import create_doc
from weft.errors import RoomDamagedError, StorageError
from weft.server._core.settings import RoomSettings
from weft.server.storage import MemoryRoomStorage, SqliteRoomStorage

# Opening

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from weft.documents.compaction import Compactor
    from weft.server.ysync.room import Room


async def test_two_hundred_clients_in_one_tick_are_all_greeted_and_the_room_is_loaded_once() -> None:
    storage = FaultyStorage()
    for update in write_updates(create_doc(), 50):
        storage.append("fresh", update)
    storage.loading.clear()
    async with serving(storage=storage) as server, contextlib.AsyncExitStack() as stack:
        clients = [YClient(server.url, "fresh") for _ in range(200)]
        await asyncio.gather(*(stack.enter_async_context(client) for client in clients))
        await eventually(lambda: server.connections == 200)
        storage.loading.set()
        await asyncio.gather(*(client.synced() for client in clients))
        assert storage.loads == {"fresh": 1}
        assert len(server.rooms) == 1
        for client in clients:
            assert client.step1 == 1
            assert len(client.content) == 50


async def test_nothing_is_answered_before_the_room_is_loaded() -> None:
    storage = FaultyStorage()
    storage.append("room", write_updates(create_doc(), 1)[0])
    storage.loading.clear()
    async with serving(storage=storage) as server, YClient(server.url, "room") as client:
        await eventually(lambda: storage.loads == {"room": 1})
        async with YClient(server.url, "other") as other:  # a room that hangs is not the others' trouble
            pass
        assert client.frames == other.frames == []
        storage.loading.set()
        await client.wait_for(k0=0)
        assert client.frames[0][:2] == b"\0\0"


async def test_a_room_that_cannot_be_loaded_refuses_and_the_next_client_tries_again() -> None:
    storage = FaultyStorage()
    storage.append("room", write_updates(create_doc(), 1)[0])
    storage.refuse_loads = StorageError("the disk is on fire")
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as one, YClient(server.url, "room") as two:
            assert await one.wait_closed() == 1013
            assert await two.wait_closed() == 1013
            assert one.frames == two.frames == []
        assert len(server.rooms) == 0
        storage.refuse_loads = None
        async with YClient(server.url, "room") as client:
            await client.wait_for(k0=0)


async def test_a_row_that_is_no_update_is_set_aside_and_the_room_opens_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = MemoryRoomStorage()
    first, second = write_updates(create_doc(), 2)
    for row in (first, b"no update", second, b""):
        storage.append("room", row)
    async with serving(storage=storage) as server:
        for _ in range(2):
            async with YClient(server.url, "room") as client, YClient(server.url, "room") as other:
                await client.wait_for(k0=0, k1=1)
                await other.wait_for(k0=0, k1=1)
        assert server.stats().counters.set_aside == 2
        assert server.stats().counters.damaged == 1
    stored = await storage.load("room")
    assert (stored.numbers, stored.head) == ([1, 3], 4)
    assert [(row.number, row.data) for row in await storage.quarantined()] == [(2, b"no update"), (4, b"")]
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 2
    assert "room 'room': row 2 cannot be read and was set aside" in errors[0]


async def test_a_room_that_is_damaged_beyond_its_rows_refuses_those_who_ask_for_it() -> None:
    storage = FaultyStorage()
    storage.refuse_loads = RoomDamagedError("room", "it has 4 rows, and should have 5")
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            assert await client.wait_closed() == 1013
        assert server.stats().counters.damaged == 1


async def test_a_storage_that_sets_nothing_aside_is_not_asked_for_ever() -> None:
    storage = FaultyStorage()
    storage.refuse_loads = RoomDamagedError("room", rows={3: "bad"})
    async with serving(storage=storage) as server, YClient(server.url, "room") as client:
        assert await client.wait_closed() == 1013
    assert storage.loads["room"] == 4


async def test_a_client_that_leaves_while_the_room_is_loading_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = FaultyStorage()
    storage.loading.clear()
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            await eventually(lambda: storage.loads == {"room": 1})
            client.cut()
        storage.loading.set()
        await eventually(lambda: len(server.rooms) == 0)
    assert not caplog.records


# Forgetting


async def test_an_empty_room_is_stored_and_then_forgotten() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            await client.synced()
            storage.writing.clear()
            await client.set(x=1)
            await eventually(lambda: storage._ticket == 1)
        await eventually(lambda: server.connections == 0)
        async with YClient(server.url, "other"):
            pass
        assert server.rooms.get("room") is not None  # not before it is stored
        storage.writing.set()
        await eventually(lambda: len(server.rooms) == 0)
        async with YClient(server.url, "room") as client:
            await client.wait_for(x=1)
        assert storage.loads["room"] == 2


async def test_who_comes_back_in_time_finds_the_room_in_memory() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage, settings=RoomSettings(unload_delay=60)) as server:
        for number in range(5):
            async with YClient(server.url, "room") as client:
                await client.synced()
                await client.set(**{f"k{number}": number})
                await client.flush()
        assert storage.loads == {"room": 1}


async def test_who_comes_while_the_room_is_being_stored_keeps_it() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            await client.synced()
            storage.writing.clear()
            await client.set(x=1)
            await eventually(lambda: storage._ticket == 1)
        room = server.rooms.get("room")
        assert room is not None
        await eventually(lambda: server.rooms._entries["room"].unloading is not None)
        async with YClient(server.url, "room") as back:
            await back.wait(lambda: back.step1 == 1)
            storage.writing.set()
            await back.flush()
            assert back.content == {"x": 1}
            assert server.rooms.get("room") is room
        assert storage.loads == {"room": 1}
        await eventually(lambda: len(server.rooms) == 0)


async def test_joining_and_leaving_many_times_leaves_nothing_behind() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server:
        for round_ in range(12):
            async with contextlib.AsyncExitStack() as stack:
                clients = [YClient(server.url, f"room{at % 3}") for at in range(6)]
                await asyncio.gather(*(stack.enter_async_context(client) for client in clients))
                await clients[0].set(**{f"k{round_}": round_})
                clients[1].cut()
        await eventually(lambda: len(server.rooms) == 0)
        assert server.connections == 0
        async with YClient(server.url, "room0") as client:
            await client.synced()
            assert len(client.content) == 12


async def test_a_forgotten_room_is_garbage() -> None:
    import gc
    import weakref

    async with serving() as server:
        async with YClient(server.url, "room") as client:
            await client.set(x=1)
            await client.flush()
            room = server.rooms.get("room")
            assert room is not None
            ghost: weakref.ref[Room] = weakref.ref(room)
            with room.edit() as local:
                document = weakref.ref(local.doc)
            del local
            del room
        await eventually(lambda: len(server.rooms) == 0)
        gc.collect()
        assert ghost() is None
        assert document() is None


async def test_the_end_of_a_server_does_not_wait_for_many_compactions() -> None:
    class Slow(FaultyStorage):
        async def compact(self, room: str, compactor: Compactor) -> int | None:
            server.rooms._compact_until = 0.0  # as if it had taken so long
            return await super().compact(room, compactor)

    storage = Slow()
    settings = RoomSettings(unload_delay=60.0)
    async with serving(storage=storage, settings=settings) as server:
        for name in "abc":
            async with YClient(server.url, name) as client:
                for number in range(100):
                    await client.set(key=number)
                await client.flush()
    assert storage.compactions == 1
    for name in "abc":
        assert len((await storage.load(name)).rows) == 100


async def test_storage_holds_no_room_that_nobody_has_open(tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "weft.sqlite3")
    async with serving(storage=storage, settings=RoomSettings(unload_delay=0.0)) as server:
        for name in "abc":
            async with YClient(server.url, name) as client:
                await client.set(key=1)
                await client.flush()
                assert set(storage._rooms._ids) == {name}
            await eventually(lambda: len(server.rooms) == 0)
            assert not storage._rooms._ids
