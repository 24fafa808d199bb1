"""Automerge documents on the server, and its automerge-repo clients, over real sockets."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from support.repoclient import RepoClient, numbered_id, put, read
from support.servers import FaultyStorage, eventually, serving
from support.yclient import YClient, step1_frame
from weft.errors import StorageError
from weft.limits import Limits
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo import Unavailable
from weft.protocols.automerge_repo.cbor import decode, encode
from weft.server._core.send_queue import AcknowledgedQueue
from weft.server._core.settings import RoomSettings
from weft.server.auth import Allow, Deny, Request
from weft.server.automerge_repo import peer as _repopeer
from weft.server.automerge_repo.peer import RepoPeer
from weft.server.automerge_repo.room import storage_name
from weft.server.sqlite import SqliteRoomStorage
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weft.server.automerge_repo.documents import Documents
    from weft.server.automerge_repo.room import DocumentRoom
    from weft.server.fronts.websocket import Server

PETS, ZOOS = numbered_id(1), numbered_id(2)


def documents_of(server: Server) -> Documents:
    assert server.documents is not None
    return server.documents


def room_of(server: Server, document_id: str) -> DocumentRoom | None:
    return documents_of(server).rooms.get(storage_name(document_id))


def open_room(server: Server, document_id: str) -> DocumentRoom:
    room = room_of(server, document_id)
    assert room is not None
    return room


def peers_in(room: DocumentRoom) -> list[RepoPeer]:
    return [peer for peer in room.clients if isinstance(peer, RepoPeer)]


@asynccontextmanager
async def sharing(server: Server) -> AsyncIterator[tuple[RepoClient, RepoClient]]:
    """Two clients that have ``PETS`` in common, with ``a`` being 0."""
    async with RepoClient(server.url, PETS) as one, RepoClient(server.url, PETS) as two:
        await one.put(PETS, a=0)
        await two.wait_cells(PETS, a=0)
        yield one, two


async def settled(client: RepoClient) -> None:
    """Wait until the server has answered everything that the client has sent before."""
    document_id = numbered_id(1000 + len(client.documents))
    await client.open(document_id)
    await client.unavailable(document_id)


def syncs(client: RepoClient) -> list[Any]:
    """The sync messages of ``PETS`` that came."""
    messages: list[Any] = [decode(frame) for frame in client.frames]
    return [message for message in messages if message["type"] == "sync" and message["documentId"] == PETS]


def saved(**cells: int) -> bytes:
    document = AutomergeDocument()
    put(document, **cells)
    return document.save()


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
        rows = await storage.load(storage_name(PETS))
        assert len(rows) == 1
        assert AutomergeDocument.from_rows(rows).heads == heads


# Not to be had


async def test_an_unknown_document_is_unavailable_and_comes_when_somebody_brings_it() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, RepoClient(server.url, PETS) as asker:
        await asker.unavailable(PETS)
        assert await storage.load(storage_name(PETS)) == []
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
        document = AutomergeDocument.from_rows(await storage.load(storage_name(PETS)))
        assert read(document) == {"a": 1}
        for name in names:
            async with YClient(server.url, name) as client:
                await client.wait_for(x=1)


async def test_a_row_that_is_no_change_is_an_error_and_not_an_empty_document() -> None:
    storage = MemoryRoomStorage()
    storage.append(storage_name(PETS), b"\1\1\5\0\x28\1\1m\1k\1\x77\1x\0")  # a Yjs update
    before = await storage.load(storage_name(PETS))
    async with serving(storage=storage) as server, RepoClient(server.url, PETS) as client:
        assert await client.wait_closed() == 1013
    assert await storage.load(storage_name(PETS)) == before


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


# Ephemeral messages


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


# One client's trouble is its own


def mutated(frame: bytes, seed: int) -> bytes:
    rng = random.Random(seed)
    data = bytearray(frame)
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff" * 1000,
        step1_frame(b"\0"),
        encode([1]),
        encode({"type": "sync", "senderId": "c", "documentId": PETS, "data": b""}),
        encode({"type": "sync", "senderId": "c", "documentId": "nonsense", "data": b"x"}),
        encode({"type": "peer", "senderId": "c", "selectedProtocolVersion": "1"}),
    ],
)
async def test_a_malformed_message_ends_its_sender_only(frame: bytes, joined: bool) -> None:
    async with serving() as server, RepoClient(server.url, PETS) as honest:
        await honest.put(PETS, a=1)
        async with connect(server.url) as bad:
            if joined:
                await bad.send(encode({"type": "join", "senderId": "c", "supportedProtocolVersions": ["1"]}))
            await bad.send(frame)
            await bad.wait_closed()
            assert bad.close_code == 1007
            assert bad.close_reason == "invalid message"
        await honest.flush(PETS)


async def test_damaged_sync_messages_end_their_sender_and_leave_no_trace() -> None:
    """Forty mutations of a real message; the seed of each is its number."""
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, RepoClient(server.url, PETS) as honest:
        await honest.put(PETS, a=1)
        await honest.flush(PETS)
        document = AutomergeDocument(honest.documents[PETS].save())
        state = document.new_sync_state()
        document.receive_sync_message(state, _announcement(honest.documents[PETS]))
        put(document, b=2)
        message = document.generate_sync_message(state)
        assert message is not None
        before = await storage.load(storage_name(PETS))
        join = encode({"type": "join", "senderId": "c", "supportedProtocolVersions": ["1"]})
        for seed in range(40):
            async with connect(server.url) as bad:
                await bad.send(join)
                fields = {"type": "sync", "senderId": "c", "documentId": PETS, "data": mutated(message, seed)}
                await bad.send(encode(fields))
                await bad.send(b"")  # ends it in any case
                await bad.wait_closed()
                assert bad.close_code == 1007, seed
        await honest.put(PETS, c=3)
        await honest.flush(PETS)
        rows = await storage.load(storage_name(PETS))
        assert rows[: len(before)] == before
        assert AutomergeDocument.from_rows(rows).heads == honest.documents[PETS].heads


def _announcement(document: AutomergeDocument) -> bytes:
    data = document.generate_sync_message(document.new_sync_state())
    assert data is not None
    return data


async def test_a_client_of_another_version_is_told_so() -> None:
    async with serving() as server, connect(server.url) as client:
        await client.send(encode({"type": "join", "senderId": "c", "supportedProtocolVersions": ["9"]}))
        answer = await client.recv()
        assert isinstance(answer, bytes)
        fields: Any = decode(answer)
        assert (fields["type"], fields["message"]) == ("error", "unsupported protocol version")
        await client.wait_closed()
        assert client.close_code == 1002


async def test_a_client_that_does_not_introduce_itself_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_repopeer, "_JOIN_TIMEOUT", 0.0)
    async with serving() as server, connect(server.url) as client:
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1002, "no join message came")


async def test_the_documents_of_one_connection_are_bounded() -> None:
    async with serving(limits=Limits(max_documents=3)) as server:
        ids = [numbered_id(number) for number in range(1, 5)]
        async with RepoClient(server.url, *ids) as greedy, RepoClient(server.url, *ids[:3]) as modest:
            assert await greedy.wait_closed() == 1007
            for document_id in ids[:3]:
                await modest.unavailable(document_id)


async def test_what_is_said_of_documents_being_opened_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_repopeer, "_MAX_OPENINGS", 4)
    storage = FaultyStorage()
    storage.loading.clear()
    ids = [numbered_id(number) for number in range(1, 21)]
    async with serving(storage=storage) as server, RepoClient(server.url, *ids) as client:
        await eventually(lambda: len(storage.loads) == 4)
        async with RepoClient(server.url) as other:
            await other.wait(lambda: other.session.other is not None)
        assert len(storage.loads) == 4
        storage.loading.set()
        for document_id in ids:
            await client.unavailable(document_id)


async def test_a_client_that_does_not_read_is_told_later_in_one_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = False
    monkeypatch.setattr(AcknowledgedQueue, "is_full", property(lambda box: box is peer.queue and full))
    async with (
        serving() as server,
        sharing(server) as (writer, reader),
    ):
        room = open_room(server, PETS)
        (peer,) = [peer for peer in peers_in(room) if peer.session.other == reader.session.peer_id]
        await settled(reader)
        before = len(syncs(reader))
        full = True
        for number in range(1, 50):
            await writer.put(PETS, a=number)
            await writer.flush(PETS)
            await writer.say(PETS, number)
        await settled(reader)
        assert len(syncs(reader)) == before
        full = False
        await writer.put(PETS, b=1)
        await reader.wait_cells(PETS, a=49, b=1)
        assert len(syncs(reader)) == before + 1
        assert reader.heard == []


@pytest.mark.parametrize("patience", [0.01, 1000.0])
async def test_what_changes_while_a_client_is_at_work_is_told_together(
    monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr(_repopeer, "ANSWER_S", patience)
    async with (
        serving() as server,
        sharing(server) as (writer, busy),
    ):
        await settled(busy)
        before = len(syncs(busy))
        held: list[bytes] = []
        take = busy._take

        async def hold(frame: bytes) -> None:
            held.append(frame)

        monkeypatch.setattr(busy, "_take", hold)
        for number in range(1, 21):
            await writer.put(PETS, a=number)
            await writer.flush(PETS)
        if patience < 1:  # it is told in time, though it says nothing
            await busy.wait(lambda: len(syncs(busy)) >= before + 2)
        else:
            await busy.wait(lambda: len(syncs(busy)) == before + 1)
        monkeypatch.setattr(busy, "_take", take)
        for frame in held:
            await take(frame)
        await busy.wait_cells(PETS, a=20)
        assert len(syncs(busy)) < before + 20
        if patience > 1:
            assert len(syncs(busy)) == before + 2
