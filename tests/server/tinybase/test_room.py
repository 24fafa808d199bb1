"""A mergeable document on a server, over real sockets: what it tells its clients, and its log."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from support.servers import FaultyStorage, eventually, serving
from support.tableclient import TableClient
from weft.documents.mergeable.log import from_rows
from weft.errors import StorageError
from weft.protocols.tinybase import MessageType
from weft.server.storage import MemoryRoomStorage
from weft.server.storage.sqlite import SqliteRoomStorage
from weft.server.tinybase.room import MergeableRoom, storage_name
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from weft.server.fronts.websocket import Server


def room_of(server: Server, name: str = "room") -> MergeableRoom:
    room = server.mergeable.rooms.get(storage_name(name))
    assert room is not None
    return room


def diffs(client: TableClient) -> int:
    return sum(message.type is MessageType.CONTENT_DIFF for message in client.received)


async def test_what_one_writes_the_others_have() -> None:
    async with (
        serving() as server,
        TableClient(server.url, "room") as one,
        TableClient(server.url, "room") as two,
        TableClient(server.url, "other") as elsewhere,
    ):
        await one.set(a=1, b="zwei")
        await two.wait_for(a=1, b="zwei")
        await two.set(a=UNDEFINED, c=None)
        await one.wait_for(a=UNDEFINED, c=None)
        await elsewhere.flush()
        assert elsewhere.document.get_living() == ({}, {})
        assert one.document.get_content_hashes() == two.document.get_content_hashes()
        assert room_of(server).document.get_content_hashes() == one.document.get_content_hashes()


async def test_both_bring_what_they_had_before() -> None:
    async with serving() as server:
        one, two = TableClient(server.url, "room"), TableClient(server.url, "room")
        one.document.set_cell("t", "r", "a", 1)
        two.document.set_cell("t", "r", "b", 2)
        two.document.set_value("open", True)
        async with one, two:
            await one.wait_for(a=1, b=2)
            await two.wait_for(a=1, b=2)
            assert one.document.get_value("open") is True
            # Nobody but the server's own store was asked, or has answered.
            assert {frame.partition("\n")[0] for frame in (*one.frames, *two.frames)} == {"S"}


async def test_what_one_turn_brings_is_one_message() -> None:
    async with serving() as server, TableClient(server.url, "room") as client:
        await client.flush()
        room = room_of(server)
        for number in range(100):
            room.document.set_cell("t", "r", "a", number)
        await client.wait_for(a=99)
        assert diffs(client) == 1


async def test_who_wrote_is_not_told_again() -> None:
    async with (
        serving() as server,
        TableClient(server.url, "room") as one,
        TableClient(server.url, "room") as two,
    ):
        await one.set(a=1)
        await two.wait_for(a=1)
        await one.flush()
        assert diffs(one) == 0
        assert server.stats().counters.relayed == 1


async def test_nothing_is_confirmed_before_it_is_stored() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server, TableClient(server.url, "room") as client:
        await client.flush()
        storage.writing.clear()
        await client.set(a=1)
        flushing = asyncio.create_task(client.flush())
        await eventually(lambda: room_of(server).log.unsaved > 0)
        await eventually(lambda: any(each.queue.size for each in room_of(server).clients))
        assert not flushing.done()
        storage.writing.set()
        await flushing


async def test_a_storage_that_fails_lets_everybody_go_and_nothing_is_lost() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server, TableClient(server.url, "room") as client:
        await client.flush()
        storage.refuse_writes = StorageError("the disk is full")
        await client.set(a=1)
        assert await client.wait_closed() == (1013, "storage is not available")
        storage.refuse_writes = None
        async with TableClient(server.url, "room", document=client.document) as back:
            await back.flush()
            await back.wait(lambda: room_of(server).document.get_cell("t", "r", "a") == 1)


async def test_it_is_there_after_a_restart_and_apart_from_a_yjs_room_of_that_name(tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with serving(storage=storage) as server:
        async with TableClient(server.url, "room") as client:
            await client.set(a=1)
            await client.flush()
        assert len(server.rooms) == 0
    async with serving(storage=storage) as server, TableClient(server.url, "room") as client:
        await client.wait_for(a=1)
        (info,) = await storage.rooms()
        assert (info.name, info.kind) == ("\x1fmergeable:room", "mergeable")


async def test_a_long_log_is_compacted_and_means_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server._core.room_log._IDLE_ROWS", 5)
    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with serving(storage=storage) as server:
        async with TableClient(server.url, "room") as client:
            for number in range(30):
                cells: dict[str, Any] = {f"k{number % 7}": number}
                await client.set(**cells)
                await client.flush()
        await eventually(lambda: len(server.mergeable.rooms) == 0)
        rows = (await storage.load(storage_name("room"))).rows
        assert len(rows) == 1
        assert from_rows(rows).get_content_hashes() == client.document.get_content_hashes()


async def test_a_row_that_cannot_be_read_is_set_aside() -> None:
    storage = MemoryRoomStorage()
    storage.append(storage_name("room"), b"[[{}],[{}],2]")
    storage.append(storage_name("room"), b'[[{"t":[{"r":[{"c":[1]}]}]}],[{}],1]')
    async with serving(storage=storage) as server, TableClient(server.url, "room") as client:
        await client.wait_for(c=1)
        (row,) = await storage.quarantined()
        assert (row.room, row.number) == (storage_name("room"), 1)


async def test_what_another_process_has_stored_is_told_and_not_stored_again() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, TableClient(server.url, "room") as client:
        await client.flush()
        row = b'[[{"t":[{"r":[{"c":[1,"OFU9Mk-----FnHIC"]}]}]}],[{}],1]'
        room_of(server).take_in([row], [1])
        await client.wait_for(c=1)
        assert json.loads(client.frames[-1].partition("\n")[2])[2] == json.loads(row)
        await client.flush()
        assert (await storage.load(storage_name("room"))).rows == []


async def test_a_deleted_room_lets_its_clients_go() -> None:
    async with serving() as server, TableClient(server.url, "room") as client:
        await client.flush()
        room_of(server).deleted()
        assert await client.wait_closed() == (4404, "the room was deleted")
