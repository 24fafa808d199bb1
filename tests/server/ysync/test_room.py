"""What a room does with what its clients send, over real sockets."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map
from websockets.asyncio.client import connect

from support.servers import FaultyStorage, eventually, serving
from support.storage_suite import write_updates
from support.yclient import YClient, awareness_frame, step1_frame, step2_frame, update_frame
from support.ywriter import key_item, section, update
from weft._codecs.yjs.lib0 import Reader
from weft._codecs.yjs.merge import merge_updates
from weft.documents.yjs.document import create_doc
from weft.errors import StorageError
from weft.limits import ServerLimits
from weft.server._core.settings import RoomSettings
from weft.server.fanout import MemoryBroadcast, MemoryBroker
from weft.server.storage import MemoryRoomStorage
from weft.server.storage.sqlite import SqliteRoomStorage

if TYPE_CHECKING:
    from pathlib import Path

    from weft.documents.compaction import Compactor


def update_of(frame: bytes) -> bytes | None:
    """The update in a frame; a frame holds one message, as y-websocket's clients read no more of it."""
    if frame[:2] != b"\0\2":
        return None
    reader = Reader(frame[2:])
    update = reader.bytes()
    reader.expect_end()
    return update


# Relaying and storing


async def test_received_bytes_are_stored_as_they_came_and_relayed_as_they_came_or_joined() -> None:
    storage = MemoryRoomStorage()
    async with (
        serving(storage=storage) as server,
        YClient(server.url, "room") as one,
        YClient(server.url, "room") as two,
    ):
        await two.synced()
        sent = [await one.set(**{f"k{number}": number}) for number in range(20)]
        await two.wait_for(k19=19)
        relayed = [update for frame in two.frames if (update := update_of(frame)) is not None]
        assert 1 <= len(relayed) <= len(sent)
        assert merge_updates(relayed) == merge_updates(sent)
        assert (await storage.load("room")).rows == sent


async def test_out_of_order_updates_reach_storage_and_every_client_whole() -> None:
    """The case in which the binding's own event loses structs: all orders of four updates."""
    updates = write_updates(create_doc(client_id=7), 4)
    expected = {f"k{number}": float(number) for number in range(4)}
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server:
        for at, order in enumerate(itertools.permutations(updates)):
            async with YClient(server.url, f"r{at}") as reader, YClient(server.url, f"r{at}") as sender:
                await reader.synced()
                for update in order:
                    await sender.send(update_frame(update))
                await sender.flush()
                await reader.flush()
                assert reader.content == expected
                async with YClient(server.url, f"r{at}") as late:
                    await late.synced()
                    assert late.content == expected
            doc: Doc[Any] = Doc()
            root = doc.get("m", type=Map)
            for update in (await storage.load(f"r{at}")).rows:
                doc.apply_update(update)
            assert root.to_py() == expected


async def test_a_gap_makes_the_server_ask_at_once() -> None:
    async with serving() as server, YClient(server.url, "room") as client:
        await client.synced()
        await client.wait(lambda: client.step1 == 1)
        client.write(a=1)  # never sent
        await client.set(b=2)
        await client.wait(lambda: client.step1 == 2)
        async with YClient(server.url, "room") as other:
            await other.wait_for(a=1, b=2)


async def test_who_joins_during_a_gap_gets_what_waits_and_later_what_it_waits_for() -> None:
    updates = write_updates(create_doc(client_id=7), 3)
    async with serving() as server, YClient(server.url, "room") as sender:
        await sender.send(update_frame(updates[0]))
        await sender.send(update_frame(updates[2]))
        await sender.flush()
        async with YClient(server.url, "room") as reader:
            await reader.synced()
            await sender.send(update_frame(updates[1]))
            await reader.wait_for(k0=0, k1=1, k2=2)


async def test_who_closes_a_gap_gets_what_waited_for_it() -> None:
    updates = write_updates(create_doc(client_id=7), 3)
    async with serving() as server, YClient(server.url, "room") as one, YClient(server.url, "room") as two:
        await one.synced()
        await two.synced()
        await one.send(update_frame(updates[1]))
        await one.send(update_frame(updates[2]))
        await one.flush()
        await two.set(mine=1)
        two.doc.apply_update(updates[0])
        await two.send(update_frame(updates[0]))
        await two.wait_for(mine=1, k1=1, k2=2)
        await one.wait_for(mine=1, k0=0)


async def test_who_brought_what_is_refused_when_its_gap_closes_is_let_go_and_nobody_else() -> None:
    first = update(section(7, 0, key_item("k")))
    child_of_value = update(section(8, 0, b"\x28\x00\x07\x00\x01k\x01\x7e"))
    async with serving() as server, YClient(server.url, "room") as victim:
        await victim.synced()
        async with connect(f"{server.url}/room") as culprit:
            await culprit.send(update_frame(child_of_value))
            await culprit.send(step1_frame(b"\0"))
            while (await culprit.recv())[:2] != b"\0\1":
                pass
            await victim.send(update_frame(first))
            await culprit.wait_closed()
        assert culprit.close_code == 1007
        assert culprit.close_reason == "invalid message: not a usable update: parent 7:0 is no type"
        await victim.set(mine=1)
        await victim.flush()
        assert victim.content["mine"] == 1


async def test_what_waits_for_a_gap_survives_a_restart() -> None:
    updates = write_updates(create_doc(client_id=7), 3)
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, YClient(server.url, "room") as sender:
        await sender.send(update_frame(updates[0]))
        await sender.send(update_frame(updates[2]))
        await sender.flush()
    async with (
        serving(storage=storage) as server,
        YClient(server.url, "room") as reader,
        YClient(server.url, "room") as sender,
    ):
        await reader.synced()
        await sender.send(update_frame(updates[1]))
        await reader.wait_for(k0=0, k1=1, k2=2)


async def test_a_sender_hears_no_echo() -> None:
    async with serving() as server, YClient(server.url, "room") as one, YClient(server.url, "room") as two:
        await two.synced()
        await one.set(x=1)
        await two.wait_for(x=1)
        await one.flush()
        assert [frame for frame in one.frames if frame[:2] == b"\0\2"] == []


async def test_what_brings_nothing_new_is_neither_stored_nor_relayed() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, YClient(server.url, "room") as reader:
        await reader.synced()
        async with YClient(server.url, "room") as writer:
            await writer.set(x=1)
            await writer.set(y=1)
            del writer.map["x"]
            await writer.send(step2_frame(writer.doc.get_update()))
            await writer.flush()
            stored = await storage.load("room")
            await reader.flush()
            frames = len(reader.frames)
            # A client that reconnects sends at least its delete set.
            await writer.send(step2_frame(writer.doc.get_update()))
            await writer.send(step2_frame(writer.doc.get_update(writer.doc.get_state())))
            await writer.send(update_frame(b"\0\0"))
            await writer.flush()
        await reader.flush()
        assert await storage.load("room") == stored
        assert len(reader.frames) == frames + 1


async def test_a_deletion_of_what_has_not_come_yet_is_stored_and_relayed() -> None:
    author, deleter = create_doc(client_id=5), create_doc(client_id=6)
    writes = write_updates(author, 1)
    deleter.apply_update(writes[0])
    state = deleter.get_state()
    del deleter.get("m", type=Map)["k0"]
    deletion = deleter.get_update(state)
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, YClient(server.url, "room") as client:
        await client.synced()
        await client.send(update_frame(deletion))
        await client.flush()
        async with YClient(server.url, "room") as other:
            await other.synced()
            await client.send(update_frame(writes[0]))
            await client.set(done=1)
            await other.wait_for(done=1)
            assert "k0" not in other.content
        assert ((await storage.load("room")).rows)[0] == deletion


async def test_several_messages_in_one_frame_are_all_processed() -> None:
    async with serving() as server, YClient(server.url, "room") as one, YClient(server.url, "room") as two:
        await two.synced()
        frames = [update_frame(one.write(**{f"k{number}": number})) for number in range(3)]
        await one.send(
            b"".join(frames) + awareness_frame({9: (1, {"a": 1})}) + step1_frame(one.doc.get_state())
        )
        await one.wait(lambda: one.step2 == 2)
        await two.wait_for(k0=0, k1=1, k2=2)
        await two.wait(lambda: two.awareness.get(9) == {"a": 1})


async def test_a_write_of_the_server_s_own_is_stored_and_relayed() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, YClient(server.url, "room") as client:
        await client.synced()
        async with server.open_document("room") as doc:
            doc.get("m", type=Map)["from"] = "server"
        await client.wait_for(**{"from": "server"})
        assert len((await storage.load("room")).rows) == 1


# Acknowledgement


async def test_the_answer_to_a_question_waits_for_storage_and_nothing_else_does() -> None:
    storage = FaultyStorage()
    async with (
        serving(storage=storage) as server,
        YClient(server.url, "room") as one,
        YClient(server.url, "room") as two,
    ):
        await one.synced()
        await two.synced()
        storage.writing.clear()
        await one.set(x=1)
        await one.send(step1_frame(one.doc.get_state()))
        await two.wait_for(x=1)  # relayed before it is durable
        await two.set(y=2)
        await eventually(lambda: storage._ticket == 2)
        async with YClient(server.url, "other") as elsewhere:
            await elsewhere.synced()  # nothing of that room waits
        assert one.step2 == 1
        assert "y" not in one.content  # in order behind the answer
        storage.writing.set()
        await one.wait(lambda: one.step2 == 2)
        await one.wait_for(y=2)
        assert [frame[:2] for frame in one.frames[-2:]] == [b"\0\1", b"\0\2"]


async def test_when_the_disk_is_far_behind_no_more_is_read() -> None:
    storage, little = FaultyStorage(), ServerLimits(max_unsaved=120_000)
    async with (
        serving(storage=storage, server_limits=little) as server,
        YClient(server.url, "room") as client,
    ):
        await client.synced()
        storage.writing.clear()
        for number in range(40):
            await client.set(**{f"k{number}": "x" * 10_000})
        await eventually(lambda: storage._ticket >= 10)
        async with YClient(server.url, "other") as elsewhere:
            await elsewhere.synced()
            for _ in range(3):
                await elsewhere.flush()
        assert storage._ticket < 15
        storage.writing.set()
        await client.flush()
        assert storage._ticket == 40


# Awareness


async def test_newcomers_learn_who_is_there() -> None:
    async with serving() as server, YClient(server.url, "room") as one, YClient(server.url, "room") as two:
        await one.send(awareness_frame({11: (1, {"name": "one"})}))
        await two.send(awareness_frame({22: (1, {"name": "two"})}))
        await one.wait(lambda: one.awareness.get(22) == {"name": "two"})
        await two.wait(lambda: two.awareness.get(11) == {"name": "one"})
        async with YClient(server.url, "room") as late:
            await late.wait(lambda: late.awareness == {11: {"name": "one"}, 22: {"name": "two"}})


@pytest.mark.parametrize("leave", ["close", "cut"])
async def test_who_leaves_is_gone_for_the_others_at_once(leave: str) -> None:
    async with serving() as server, YClient(server.url, "room") as one:
        async with YClient(server.url, "room") as two:
            await two.send(awareness_frame({22: (1, {"name": "two"}), 23: (1, {"name": "its guest"})}))
            await one.wait(lambda: one.awareness.keys() >= {22, 23})
            if leave == "cut":
                two.cut()
        await one.wait(lambda: one.awareness == {22: None, 23: None})
        async with YClient(server.url, "room") as late:
            await late.synced()
            assert not any(late.awareness.values())


async def test_the_presence_of_a_malformed_client_is_cleared_too() -> None:
    async with serving() as server, YClient(server.url, "room") as one, YClient(server.url, "room") as bad:
        await bad.send(awareness_frame({22: (1, {"name": "bad"})}))
        await one.wait(lambda: one.awareness.get(22) == {"name": "bad"})
        await bad.send(b"\xff" * 50)
        await one.wait(lambda: one.awareness[22] is None)


async def test_a_question_for_awareness_is_answered() -> None:
    async with serving() as server, YClient(server.url, "room") as one, YClient(server.url, "room") as two:
        await one.send(awareness_frame({11: (1, {"name": "one"})}))
        await two.wait(lambda: 11 in two.awareness)
        two.awareness.clear()
        await two.send(b"\3")
        await two.wait(lambda: two.awareness.get(11) == {"name": "one"})


# Compaction


async def test_a_long_log_is_compacted_when_everybody_has_left(tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "weft.sqlite3")
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            for number in range(200):
                await client.set(key=number)
            await client.flush()
        await eventually(lambda: len(server.rooms) == 0)
        assert len((await storage.load("room")).rows) == 1
        async with YClient(server.url, "room") as client:
            await client.wait_for(key=199)


async def test_a_busy_room_is_compacted_while_clients_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server._core.room_log._LIVE_ROWS", 100)
    storage = SqliteRoomStorage(tmp_path / "weft.sqlite3")
    async with serving(storage=storage, settings=RoomSettings(unload_delay=60)) as server:
        async with YClient(server.url, "room") as client, YClient(server.url, "room") as other:
            for number in range(1000):
                await client.set(**{f"k{number % 10}": number})
            async with asyncio.timeout(20):
                while (
                    len((await storage.load("room")).rows) >= 500
                ):  # the compaction is another thread's work
                    await client.set(last=number)
                    number += 1
            await client.flush()
            await other.flush()
            assert other.content == client.content
        assert server.rooms.get("room") is not None


async def test_a_compaction_that_fails_is_told_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(FaultyStorage):
        async def compact(self, room: str, compactor: Compactor) -> int | None:
            await super().compact(room, compactor)
            raise StorageError("no space for a snapshot")

    storage = Failing()
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            for number in range(100):
                await client.set(key=number)
            await client.flush()
        await eventually(lambda: len(server.rooms) == 0)
        assert storage.compactions == 1
        assert "no space for a snapshot" in caplog.text
        async with YClient(server.url, "room") as client:
            await client.wait_for(key=99)


async def test_what_another_process_has_a_room_keep_is_kept_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.server._core.room_log._IDLE_ROWS", 5)
    broker, storage = MemoryBroker(), MemoryRoomStorage()
    async with (
        serving(storage=storage, broadcast=MemoryBroadcast(broker)) as one,
        serving(storage=MemoryRoomStorage(storage), broadcast=MemoryBroadcast(broker)) as two,
    ):
        async with YClient(two.url, "room") as client:
            await client.set(key="replaced later")
            await client.flush()
            await one.configure("room", gc=False)
            for number in range(20):
                await client.set(key=number)
            await client.flush()
        await eventually(lambda: len(two.rooms) == 0)
        (row,) = (await storage.load("room")).rows
        assert b"replaced later" in row


async def test_what_was_overwritten_leaves_memory_too_while_clients_are_there(tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "rooms.db")
    async with serving(storage=storage) as server, YClient(server.url, "room") as client:
        await client.synced()
        room = server.rooms.get("room")
        assert room is not None
        for number in range(1_500):
            await client.set(**{f"k{number % 3}": f"{number} " + "x" * 200})
        await client.flush()
        await eventually(lambda: len(room.document.diff(b"\0")) < 150_000)
        await client.set(last=1)
        await client.flush()
        async with YClient(server.url, "room") as late:
            await late.synced()
            assert late.content == client.content


async def test_clients_of_a_deleted_room_are_let_go_for_good() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            await client.set(x=1)
            await client.flush()
            await storage.delete("room")
            await client.set(x=2)
            assert await client.wait_closed() == 4404
        async with YClient(server.url, "room") as again:
            assert await again.wait_closed() == 4404
        await storage.free("room")
        await eventually(lambda: len(server.rooms) == 0)
        async with YClient(server.url, "room") as new:
            await new.synced()
            assert new.content == {}
