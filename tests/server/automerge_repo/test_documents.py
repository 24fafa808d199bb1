"""Automerge documents on the server, and its automerge-repo clients, over real sockets."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING

from support.repoclient import RepoClient, numbered_id, read
from support.repodocuments import PETS, ZOOS, documents_of, open_room, peers_in, room_of, saved
from support.servers import FaultyStorage, eventually, serving
from support.storage_suite import write_changes
from support.yclient import YClient
from weft.errors import StorageError
from weft.mirrors import AutomergeDocument
from weft.server._core.settings import RoomSettings
from weft.server.auth import Allow, Deny, Request
from weft.server.automerge_repo.room import storage_name
from weft.server.storage import MemoryRoomStorage
from weft.server.storage.sqlite import SqliteRoomStorage

if TYPE_CHECKING:
    from pathlib import Path


# Damage in storage


async def test_only_who_asks_for_a_document_that_cannot_be_opened_hears_of_it(tmp_path: Path) -> None:
    path = tmp_path / "rooms.sqlite3"
    async with SqliteRoomStorage(path) as storage:
        for row in write_changes(3):
            await storage.stored(storage.append(storage_name(PETS), row))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM updates WHERE number = 2")
    async with (
        serving(storage=SqliteRoomStorage(path)) as server,
        RepoClient(server.url, PETS, ZOOS) as client,
        RepoClient(server.url, ZOOS) as other,
    ):
        await client.put(ZOOS, a=1)
        await client.flush(ZOOS)
        await other.wait_cells(ZOOS, a=1)
        await eventually(lambda: server.stats().counters.damaged >= 1)
        assert PETS not in [room.document_id for room in documents_of(server).rooms]
        await client.put(ZOOS, b=2)
        await other.wait_cells(ZOOS, a=1, b=2)


# Syncing and storing


async def test_clients_of_one_document_see_each_other_s_changes_and_a_late_one_all() -> None:
    async with (
        serving() as server,
        RepoClient(server.url, PETS) as one,
        RepoClient(server.url, PETS) as two,
    ):
        await one.put(PETS, a=1)
        await two.put(PETS, b=2)
        await one.wait_cells(PETS, a=1, b=2)
        await two.wait_cells(PETS, a=1, b=2)
        async with RepoClient(server.url, PETS) as late:
            assert read(await late.synced(PETS)) == {"a": 1, "b": 2}
        assert one.documents[PETS].heads == two.documents[PETS].heads == late.documents[PETS].heads


async def test_one_connection_carries_many_documents_and_they_do_not_mix() -> None:
    ids = [numbered_id(number) for number in range(1, 51)]
    async with serving() as server:
        async with RepoClient(server.url, *ids) as writer:
            for number, document_id in enumerate(ids):
                await writer.put(document_id, n=number)
            for document_id in ids:
                await writer.flush(document_id)
            assert len(documents_of(server).rooms) == 50
        async with RepoClient(server.url, *ids) as reader:
            for number, document_id in enumerate(ids):
                assert read(await reader.synced(document_id)) == {"n": number}


async def test_what_is_flushed_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "rooms.sqlite3"
    async with (
        serving(storage=SqliteRoomStorage(path)) as server,
        RepoClient(server.url, PETS) as client,
    ):
        for number in range(20):
            await client.put(PETS, **{f"k{number}": number})
        await client.flush(PETS)
        heads = client.documents[PETS].heads
    async with serving(storage=SqliteRoomStorage(path)) as server, RepoClient(server.url, PETS) as client:
        assert (await client.synced(PETS)).heads == heads


async def test_nothing_is_confirmed_before_storage_has_it() -> None:
    storage = FaultyStorage()
    async with (
        serving(storage=storage) as server,
        RepoClient(server.url, PETS) as writer,
        RepoClient(server.url, PETS) as reader,
    ):
        await writer.put(PETS, a=1)
        await writer.flush(PETS)
        await reader.wait_cells(PETS, a=1)
        storage.writing.clear()
        await writer.put(PETS, a=2)
        flushing = asyncio.create_task(writer.flush(PETS))
        await reader.wait_cells(PETS, a=2)  # others need not wait
        # Whoever says that it has the change as well is not told either that the server has it.
        echoing = asyncio.create_task(reader.flush(PETS))
        await reader.say(PETS, "after that")
        room = open_room(server, PETS)
        await eventually(lambda: sum(peer.queue.size > 0 for peer in peers_in(room)) >= 1)
        assert not flushing.done()
        storage.writing.set()
        await flushing
        await echoing


async def test_sixty_clients_in_one_tick_load_the_document_once() -> None:
    storage = FaultyStorage()
    storage.append(storage_name(PETS), saved(a=1))
    storage.loading.clear()
    async with serving(storage=storage) as server, AsyncExitStack() as stack:
        clients = [RepoClient(server.url, PETS) for _ in range(60)]
        await asyncio.gather(*(stack.enter_async_context(client) for client in clients))
        await eventually(lambda: server.connections == 60 and storage.loads)
        storage.loading.set()
        await asyncio.gather(*(client.synced(PETS) for client in clients))
        assert storage.loads == {storage_name(PETS): 1}


async def test_a_document_is_stored_and_then_forgotten_when_its_clients_have_gone() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage, settings=RoomSettings(unload_delay=0.0)) as server:
        async with RepoClient(server.url, PETS, ZOOS) as client:
            await client.put(PETS, a=1)
            await client.flush(PETS)
            await client.unavailable(ZOOS)
            storage.writing.clear()
            await client.put(PETS, a=2)
            room = open_room(server, PETS)
            await eventually(lambda: read(room.document) == {"a": 2})
        rooms = documents_of(server).rooms
        await eventually(lambda: room_of(server, ZOOS) is None)  # nothing to store
        assert room_of(server, PETS) is room
        storage.writing.set()
        await eventually(lambda: len(rooms) == 0)
        async with RepoClient(server.url, PETS) as client:
            assert read(await client.synced(PETS)) == {"a": 2}


# Not to be had


async def test_a_document_that_cannot_be_loaded_has_its_clients_come_back() -> None:
    storage = FaultyStorage()
    storage.append(storage_name(PETS), saved(a=1))
    storage.refuse_loads = StorageError("the disk is on fire")
    async with serving(storage=storage) as server:
        async with RepoClient(server.url, PETS) as client:
            assert await client.wait_closed() == 1013
        storage.refuse_loads = None
        async with RepoClient(server.url, PETS) as client:
            assert read(await client.synced(PETS)) == {"a": 1}


async def test_yjs_rooms_and_documents_never_share_a_log() -> None:
    """Not even where a Yjs room is named as a document is."""
    storage = MemoryRoomStorage()
    names = [PETS, f"automerge:{PETS}", "automerge"]
    async with serving(storage=storage) as server, RepoClient(server.url, PETS) as repo:
        for name in names:
            async with YClient(server.url, name) as client:
                await client.set(x=1)
                await client.flush()
        await repo.put(PETS, a=1)
        await repo.flush(PETS)
        assert read(repo.documents[PETS]) == {"a": 1}
        document = AutomergeDocument.from_rows((await storage.load(storage_name(PETS))).rows)
        assert read(document) == {"a": 1}
        for name in names:
            async with YClient(server.url, name) as client:
                await client.wait_for(x=1)


# Who may


async def test_the_hook_is_asked_for_each_document() -> None:
    asked: list[Request] = []

    def auth(request: Request) -> Allow | Deny:
        asked.append(request)
        return Deny() if request.room == ZOOS else Allow(read_only=request.query["who"] == "reader")

    storage = MemoryRoomStorage()
    storage.append(storage_name(ZOOS), saved(secret=1))
    async with (
        serving(auth=auth, storage=storage) as server,
        RepoClient(f"{server.url}/?who=writer", PETS, ZOOS) as writer,
        RepoClient(f"{server.url}?who=reader", PETS) as reader,
    ):
        await writer.unavailable(ZOOS)
        assert room_of(server, ZOOS) is None
        await writer.put(PETS, a=1)
        await reader.wait_cells(PETS, a=1)
        await reader.put(PETS, mine=1)
        await reader.say(PETS, "still here")
        await writer.wait(lambda: bool(writer.heard))  # had it been let in, it would have come before
        await writer.put(PETS, a=2)
        await reader.wait_cells(PETS, a=2)
        assert read(writer.documents[PETS]) == {"a": 2}
    assert {(request.protocol, request.room) for request in asked} == {
        ("automerge", PETS),
        ("automerge", ZOOS),
    }


async def test_a_hook_that_cannot_answer_has_the_client_come_back() -> None:
    def auth(request: Request) -> Allow:
        raise RuntimeError("the user database is away")

    async with serving(auth=auth) as server, RepoClient(server.url, PETS) as client:
        assert await client.wait_closed() == 1013
