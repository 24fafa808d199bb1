"""One automerge-repo client: its trouble is its own, and what it may have wait."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from support.automerge_chunks import BACKWARDS, cbor_flood
from support.repoclient import RepoClient, numbered_id, put, read
from support.repodocuments import (
    PETS,
    open_room,
    peers_in,
    settled,
    sharing,
    syncs,
)
from support.servers import FaultyStorage, eventually, serving
from weft._codecs.automerge.chunks import change_hash
from weft._codecs.automerge.sync_message import make_sync_message
from weft.limits import Limits, ServerLimits
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo.cbor import decode, encode
from weft.server._core.send_queue import AcknowledgedQueue
from weft.server.automerge_repo import peer as peer_module
from weft.server.automerge_repo.room import storage_name
from weft.server.storage import MemoryRoomStorage
from weft.server.storage.sqlite import SqliteRoomStorage

if TYPE_CHECKING:
    from pathlib import Path


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
            assert (bad.close_reason or "").startswith("invalid message: ")
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
        before = (await storage.load(storage_name(PETS))).rows
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
        rows = (await storage.load(storage_name(PETS))).rows
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


async def test_a_client_that_does_not_introduce_itself_is_let_go() -> None:
    limits = ServerLimits(join_timeout=0.3)
    async with serving(server_limits=limits) as server, connect(server.url) as client:
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1002, "no join message came")


async def test_what_a_message_may_take_is_not_what_an_introduction_may_take() -> None:
    limits = ServerLimits(join_timeout=1.5, message_timeout=0.1)
    async with serving(server_limits=limits) as server, connect(server.url) as client:
        began = time.monotonic()
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1002, "no join message came")
        assert time.monotonic() - began > 1.2


async def test_a_document_too_many_is_unavailable_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    async with serving(limits=Limits(max_documents=3)) as server:
        ids = [numbered_id(number) for number in range(1, 6)]
        async with RepoClient(server.url, *ids) as greedy, RepoClient(server.url, ids[2], ids[3]) as modest:
            for document_id in ids:
                await greedy.unavailable(document_id)
            await modest.put(ids[2], x=1)
            await modest.put(ids[3], x=1)
            await greedy.wait_cells(ids[2], x=1)
            await greedy.put(ids[2], y=2)
            await greedy.flush(ids[2])
            await modest.wait_cells(ids[2], x=1, y=2)
            await modest.flush(ids[3])
            assert greedy.close_code is None
            assert read(greedy.documents[ids[3]]) == {}
    (record,) = caplog.records
    assert "has 3 documents open, as many as one connection may (max_documents)" in record.getMessage()


async def test_what_is_said_of_documents_being_opened_is_bounded() -> None:
    few = ServerLimits(max_early_messages=4, max_openings=4)
    storage = FaultyStorage()
    storage.loading.clear()
    ids = [numbered_id(number) for number in range(1, 21)]
    async with serving(storage=storage, server_limits=few) as server, RepoClient(server.url, *ids) as client:
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
    monkeypatch.setattr(peer_module, "ANSWER_S", patience)
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


async def test_a_flood_of_items_is_refused_before_and_after_the_handshake() -> None:
    join = encode({"type": "join", "senderId": "c", "supportedProtocolVersions": ["1"]})
    async with serving() as server, RepoClient(server.url, PETS) as honest:
        for messages, code, reason in (
            ([cbor_flood("join", 100_000)], 1008, "too much before the join message"),
            ([cbor_flood("join", 60_000)], 1007, "too many items"),
            ([join, cbor_flood("sync", 0xF29DA0)], 1007, "too many items"),
        ):
            async with connect(server.url) as bad:
                for message in messages:
                    await bad.send(message)
                await bad.wait_closed()
                assert (bad.close_code, reason in (bad.close_reason or "")) == (code, True)
        await honest.put(PETS, a=1)
        await honest.flush(PETS)


def _bringing(*changes: bytes) -> bytes:
    fields = {"type": "sync", "senderId": "c", "documentId": PETS, "data": make_sync_message((), changes)}
    return encode(fields)


async def test_changes_numbered_backwards_end_their_sender_and_spoil_nothing(tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    join = encode({"type": "join", "senderId": "c", "supportedProtocolVersions": ["1"]})
    for run in range(2):  # and once more after a restart
        async with serving(storage=storage) as server, RepoClient(server.url, PETS) as honest:
            await honest.put(PETS, **{f"a{run}": 1})
            await honest.flush(PETS)
            for messages in ([BACKWARDS[:2], BACKWARDS[2:]], [BACKWARDS]):
                async with connect(server.url) as bad:
                    await bad.send(join)
                    for changes in messages:
                        await bad.recv()  # what is said before a document is opened is not all read
                        await bad.send(_bringing(*changes))
                    await bad.wait_closed()
                    assert bad.close_code == 1007
                    assert "actor's last one" in (bad.close_reason or "")
            async with RepoClient(server.url, PETS) as newcomer:
                document = await newcomer.synced(PETS)
                assert set(document.heads) == {*honest.documents[PETS].heads, change_hash(BACKWARDS[1])}
            await honest.flush(PETS)


async def test_a_document_stored_with_such_changes_opens_without_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = MemoryRoomStorage()
    for change in BACKWARDS:  # as an earlier version stored them
        storage.append(storage_name(PETS), change)
    for run in range(2):
        caplog.clear()
        async with (
            serving(storage=storage) as server,
            RepoClient(server.url, PETS) as one,
            RepoClient(server.url, PETS) as other,
        ):
            await one.put(PETS, **{f"a{run}": 1})
            await one.flush(PETS)
            await other.wait(lambda: other.documents[PETS].heads == one.documents[PETS].heads)
            assert change_hash(BACKWARDS[1]) in map(change_hash, one.documents[PETS].changes_since(()))
        assert sum("left out" in record.message for record in caplog.records) == 1


async def test_documents_that_nobody_has_count_as_held_for_who_asked() -> None:
    ids = [numbered_id(number) for number in range(10)]
    async with serving() as server, RepoClient(server.url, *ids) as client:
        for document_id in ids:
            await client.unavailable(document_id)
        (link,) = server._connections.served
        assert sum(size for _, size in link.held()) >= 200_000
        await client.put(ids[0], x=1)
        await client.flush(ids[0])
        assert 180_000 <= sum(size for _, size in link.held()) < 200_000
