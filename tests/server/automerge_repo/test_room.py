"""One Automerge document on a server, over real sockets: what it tells its clients, and its log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.repoclient import RepoClient, put
from support.repodocuments import (
    PETS,
    ZOOS,
    documents_of,
    open_room,
    room_of,
    settled,
    sharing,
    syncs,
)
from support.servers import FaultyStorage, eventually, serving
from weft.errors import RemoteProtocolError, StorageError
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo import Unavailable
from weft.protocols.automerge_repo.cbor import decode, encode
from weft.server.automerge_repo.room import storage_name
from weft.server.storage import MemoryRoomStorage
from weft.server.storage.sqlite import SqliteRoomStorage

if TYPE_CHECKING:
    from pathlib import Path


async def test_many_changes_in_one_turn_are_one_message() -> None:
    async with (
        serving() as server,
        sharing(server) as (one, two),
    ):
        room = open_room(server, PETS)
        await settled(two)
        before = len(syncs(two))
        for number in range(1, 101):
            put(room.document, a=number)
        await two.wait_cells(PETS, a=100)
        await one.wait_cells(PETS, a=100)
        assert len(syncs(two)) == before + 1


async def test_a_long_log_is_compacted_and_means_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server._core.room_log._IDLE_ROWS", 5)
    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with serving(storage=storage) as server:
        async with RepoClient(server.url, PETS) as client:
            for number in range(30):
                await client.put(PETS, **{f"k{number}": number})
                await client.flush(PETS)
            heads = client.documents[PETS].heads
        await eventually(lambda: len(documents_of(server).rooms) == 0)
        rows = (await storage.load(storage_name(PETS))).rows
        assert len(rows) == 1
        assert AutomergeDocument.from_rows(rows).heads == heads


async def test_rows_that_are_not_in_the_document_stay_beside_its_compaction() -> None:
    """Of other processes: what waits for a change that is missing, and what could not be taken in."""
    name = storage_name(PETS)
    storage, document = MemoryRoomStorage(), AutomergeDocument()
    rows = []
    for number in range(6):
        before = document.heads
        put(document, a=number)
        rows.append(b"".join(document.changes_since(before)))
    for row in rows[:3]:
        storage.append(name, row)
    async with serving(storage=storage) as server, documents_of(server).use(PETS) as room:
        late = [rows[4], rows[5] + b"x"]
        for row in late:
            storage.append(name, row)
        room.take_in_now(late[:1])
        with pytest.raises(RemoteProtocolError):
            room.take_in_now(late[1:])
        await storage.compact(name, room._log_rows.compactor())
        left = (await storage.load(name)).rows
        assert left[-2:] == late
        assert len(left) == 3


async def test_an_unknown_document_is_unavailable_and_comes_when_somebody_brings_it() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, RepoClient(server.url, PETS) as asker:
        await asker.unavailable(PETS)
        assert (await storage.load(storage_name(PETS))).rows == []
        async with RepoClient(server.url) as bringer:
            document = AutomergeDocument()
            put(document, a=1)
            await bringer.open(PETS, document)
            await asker.wait_cells(PETS, a=1)


async def test_who_asks_waits_while_another_has_promised_the_document() -> None:
    document = AutomergeDocument()
    put(document, a=1)
    announcement = document.generate_sync_message(document.new_sync_state())
    async with serving() as server, RepoClient(server.url) as promiser, RepoClient(server.url) as asker:
        await promiser.wait(lambda: promiser.session.other is not None)
        await promiser.send(
            encode(
                {
                    "type": "sync",
                    "senderId": promiser.session.peer_id,
                    "documentId": PETS,
                    "data": announcement,
                }
            )
        )
        await eventually(
            lambda: (
                (room := room_of(server, PETS)) is not None
                and any(peer.has_announced(PETS) for peer in room.clients)
            )
        )
        await asker.open(PETS)
        await asker.open(ZOOS)
        await asker.unavailable(ZOOS)
        room = open_room(server, PETS)
        await eventually(lambda: len(room.clients) == 2)
        assert Unavailable(PETS) not in asker.effects
        promiser.cut()  # and what it promised is off
        await asker.unavailable(PETS)


async def test_a_storage_that_fails_lets_go_of_the_clients_and_confirms_nothing() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server, RepoClient(server.url, PETS) as client:
        await client.put(PETS, a=1)
        await client.flush(PETS)
        storage.refuse_writes = StorageError("the disk is full")
        await client.put(PETS, a=2)
        flushing = asyncio.create_task(client.flush(PETS))
        assert await client.wait_closed() == 1013
        with pytest.raises(ConnectionError):
            await flushing
        storage.refuse_writes = None


async def test_a_row_that_is_no_change_is_set_aside_and_the_rest_opens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = MemoryRoomStorage()
    document = AutomergeDocument()
    put(document, k=1)
    for row in (*document.changes_since(()), b"\1\1\5\0\x28\1\1m\1k\1\x77\1x\0"):  # the last a Yjs update
        storage.append(storage_name(PETS), row)
    async with serving(storage=storage) as server, RepoClient(server.url, PETS) as client:
        await client.wait_cells(PETS, k=1)
    assert "set aside" in caplog.text
    assert [row.number for row in await storage.quarantined(storage_name(PETS))] == [2]


async def test_ephemeral_messages_reach_the_others_in_the_document_and_nobody_else() -> None:
    async with (
        serving() as server,
        RepoClient(server.url, PETS) as speaker,
        RepoClient(server.url, PETS) as hearer,
        RepoClient(server.url, ZOOS) as stranger,
    ):
        await speaker.unavailable(PETS)
        await hearer.unavailable(PETS)
        await stranger.unavailable(ZOOS)
        await speaker.say(PETS, {"cursor": 3})
        await hearer.wait(lambda: bool(hearer.heard))
        assert decode(hearer.heard[0].message.data) == {"cursor": 3}
        assert hearer.heard[0].message.sender == speaker.session.peer_id
        # Something afterwards on each connection: what was sent before has come before.
        for client in (speaker, stranger):
            await settled(client)
            assert client.heard == []
