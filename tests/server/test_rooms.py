"""Rooms with real clients over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map
from websockets.asyncio.client import connect

from support.servers import FaultyStorage, eventually, serving
from support.storage_suite import write_updates
from support.yclient import YClient, awareness_frame, step1_frame, step2_frame, update_frame
from weft.errors import StorageError
from weft.limits import Limits
from weft.mirrors.ydoc import create_doc
from weft.server._outbox import Outbox
from weft.server.auth import Allow, Request
from weft.server.rooms import Room, RoomSettings
from weft.server.sqlite import SqliteRoomStorage
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from pathlib import Path


# Opening


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


async def test_a_room_with_something_that_is_no_update_is_not_opened_and_not_overwritten() -> None:
    storage = MemoryRoomStorage()
    storage.append("room", b"no update")
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            assert await client.wait_closed() == 1013
        assert await storage.load("room") == [b"no update"]


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


# Relaying and storing


async def test_received_bytes_are_relayed_and_stored_as_they_came() -> None:
    storage = MemoryRoomStorage()
    async with (
        serving(storage=storage) as server,
        YClient(server.url, "room") as one,
        YClient(server.url, "room") as two,
    ):
        await two.synced()
        sent = [await one.set(**{f"k{number}": number}) for number in range(20)]
        await two.wait_for(k19=19)
        assert [frame for frame in two.frames if frame[:2] == b"\0\2"] == [
            update_frame(update) for update in sent
        ]
        assert await storage.load("room") == sent


async def test_out_of_order_updates_reach_storage_and_every_client_whole() -> None:
    """The case in which the binding's own event loses structs (F1 to F3): all orders of four updates."""
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
            for update in await storage.load(f"r{at}"):
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
        assert (await storage.load("room"))[0] == deletion


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
        room = server.rooms.get("room")
        assert room is not None
        room.document.doc.get("m", type=Map)["from"] = "server"
        await client.wait_for(**{"from": "server"})
        assert len(await storage.load("room")) == 1


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


async def test_when_the_disk_is_far_behind_no_more_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.server.rooms._MAX_UNSAVED", 100_000)
    storage = FaultyStorage()
    async with serving(storage=storage) as server, YClient(server.url, "room") as client:
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


# One client's trouble is its own


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0",
        b"\0\2",
        b"\0\2\5abc",
        b"\0\2\4\1\1\1\0",
        b"\0\0\5abc",
        b"\0\0\1\5",
        b"\xff" * 1000,
        b"\0\2" + b"\xff" * 200_000,
        b"\1\3abc",
        b"\0\x63\0",
    ],
)
async def test_a_malformed_message_ends_its_sender_and_leaves_no_trace(frame: bytes) -> None:
    storage = MemoryRoomStorage()
    async with (
        serving(storage=storage) as server,
        YClient(server.url, "room") as honest,
        YClient(server.url, "room") as bad,
    ):
        await honest.set(x=1)
        await honest.flush()
        await bad.synced()
        stored = await storage.load("room")
        await bad.send(frame)
        assert await bad.wait_closed() == 1007
        assert bad.close_reason == "invalid message"
        assert await storage.load("room") == stored
        await honest.flush()
        assert honest.content == {"x": 1}


async def test_nested_content_that_would_end_the_process_ends_its_sender() -> None:
    depth = 30_000
    nested = b"u\1" * depth + b"~"
    # One client, one struct, clock 0: a ContentAny of one element with root parent "m", key "k".
    update = b"\1\1\5\0\x28\1\1m\1k\1" + nested + b"\0"
    async with (
        serving() as server,
        YClient(server.url, "room") as honest,
        YClient(server.url, "room") as bad,
    ):
        await honest.synced()
        await bad.send(update_frame(update))
        assert await bad.wait_closed() == 1007
        await honest.set(x=1)
        await honest.flush()


async def test_a_send_that_raises_ends_that_client_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        serving() as server,
        YClient(server.url, "room") as one,
        YClient(server.url, "room") as two,
        YClient(server.url, "room") as three,
    ):
        for client in (one, two, three):
            await client.synced()
        room = server.rooms.get("room")
        assert room is not None
        broken = next(iter(room.peers))

        def fail(messages: Any) -> None:
            raise ConnectionResetError("as drivers do")

        monkeypatch.setattr(broken._link, "write", fail)
        writers = [one, two, three]
        for number, client in enumerate(writers):
            with contextlib.suppress(ConnectionError, OSError):
                await client.set(**{f"k{number}": 1})
        await eventually(lambda: len(room.peers) == 2)
        alive = []
        for client in writers:
            with contextlib.suppress(ConnectionError):
                await client.wait_for(k0=1, k1=1, k2=1)
                alive.append(client)
        assert len(alive) == 2


async def test_a_connection_cut_in_the_middle_of_a_frame_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server, YClient(server.url, "room") as honest:
        await honest.synced()
        async with YClient(server.url, "room") as bad:
            await bad.synced()
            bad.socket.transport.write(b"\x82\xfe\x04\x00mask")
            bad.cut()
        await eventually(lambda: server.connections == 1)
        await honest.set(x=1)
        await honest.flush()
    assert not caplog.records


# Reading slowly


async def stalled(server: Any, room: str) -> YClient:
    """A client that has synced and then reads nothing any more."""
    client = await YClient(server.url, room).__aenter__()
    await client.synced()
    client.socket.transport.pause_reading()
    return client


LARGE = "x" * 500_000


async def test_a_slow_reader_costs_bounded_memory_and_gets_everything_as_one_update() -> None:
    limits = Limits(max_outbound=1_000_000)
    async with serving(limits=limits) as server, YClient(server.url, "room") as writer:
        await writer.synced()
        slow = await stalled(server, "room")
        room = server.rooms.get("room")
        assert room is not None
        most = 0
        for number in range(60):
            await writer.set(large=f"{number}{LARGE}", **{f"k{number}": number})
            await writer.flush()
            most = max(most, *(peer.outbox.size for peer in room.peers))
        # 30 MB went by; one message may stand beyond the bound.
        assert 1_000_000 < most < 2_000_000
        slow.socket.transport.resume_reading()
        await slow.wait_for(k59=59, large=f"59{LARGE}")
        updates = [frame for frame in slow.frames if frame[:2] == b"\0\2"]
        assert len(updates) < 40
        assert slow.content == writer.content
        # And it is a client like any other again.
        await writer.set(after=1)
        await slow.wait_for(after=1)
        await slow.__aexit__(None, None, None)


async def test_a_slow_reader_gets_what_waits_for_a_gap_too() -> None:
    updates = write_updates(create_doc(client_id=7), 3)
    async with serving(limits=Limits(max_outbound=100_000)) as server, YClient(server.url, "room") as writer:
        await writer.synced()
        slow = await stalled(server, "room")
        for number in range(30):
            await writer.set(large=f"{number}{LARGE}")
            await writer.flush()
        await writer.send(update_frame(updates[0]))
        await writer.send(update_frame(updates[2]))
        await writer.flush()
        slow.socket.transport.resume_reading()
        await slow.wait_for(large=f"29{LARGE}", k0=0)
        await writer.send(update_frame(updates[1]))
        await slow.wait_for(k0=0, k1=1, k2=2)
        await slow.__aexit__(None, None, None)


async def test_a_slow_reader_learns_at_last_who_is_there() -> None:
    async with serving(limits=Limits(max_outbound=100_000)) as server, YClient(server.url, "room") as writer:
        await writer.synced()
        slow = await stalled(server, "room")
        for number in range(30):
            await writer.set(large=f"{number}{LARGE}")
            await writer.flush()
        await writer.send(awareness_frame({5: (1, {"name": "fido"})}))
        await writer.flush()
        slow.socket.transport.resume_reading()
        await slow.wait(lambda: slow.awareness.get(5) == {"name": "fido"})
        await slow.__aexit__(None, None, None)


async def test_a_reader_that_is_stuck_is_let_go_and_nobody_else_notices() -> None:
    settings = RoomSettings(stall_timeout=0.2, unload_delay=0)
    async with (
        serving(settings=settings, limits=Limits(max_outbound=100_000)) as server,
        YClient(server.url, "room") as writer,
        YClient(server.url, "room") as reader,
    ):
        await writer.synced()
        await reader.synced()
        stuck = await stalled(server, "room")
        for number in range(30):
            await writer.set(large=f"{number}{LARGE}")
        room = server.rooms.get("room")
        assert room is not None
        await eventually(lambda: len(room.peers) == 2)
        await reader.wait_for(large=f"29{LARGE}")
        stuck.socket.transport.resume_reading()
        assert await stuck.wait_closed() in {1013, 1006}
        await stuck.__aexit__(None, None, None)


async def test_questions_without_reading_the_answers_are_not_all_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SyncStep1 is an amplifier: a few bytes ask for the whole document."""
    answered = 0
    real = Outbox.put_answer

    def count(self: Outbox, message: bytes, ticket: int) -> None:
        nonlocal answered
        answered += 1
        real(self, message, ticket)

    async with (
        serving(limits=Limits(max_outbound=1_000_000)) as server,
        YClient(server.url, "room") as writer,
    ):
        await writer.set(large=LARGE)
        await writer.flush()
        slow = await stalled(server, "room")
        monkeypatch.setattr(Outbox, "put_answer", count)
        for _ in range(500):
            await slow.send(step1_frame(b"\0"))
        room = server.rooms.get("room")
        assert room is not None
        await eventually(lambda: any(peer.outbox.is_choked for peer in room.peers))
        for _ in range(5):
            await writer.flush()
        assert answered < 60
        assert max(peer.outbox.size for peer in room.peers) < 4_000_000
        slow.socket.transport.resume_reading()
        await slow.wait(lambda: slow.step2 == 501)
        await slow.__aexit__(None, None, None)


# Read-only clients


async def test_a_read_only_client_reads_and_changes_nothing() -> None:
    def auth(request: Request) -> Allow:
        return Allow(read_only="guest" in request.query)

    storage = MemoryRoomStorage()
    async with serving(auth=auth, storage=storage) as server, YClient(server.url, "room") as writer:
        await writer.set(x=1)
        await writer.flush()
        stored = await storage.load("room")
        doc = create_doc()
        doc.get("m", type=Map)["mine"] = 1
        async with connect(f"{server.url}/room?guest=1") as guest:
            await guest.send(step1_frame(b"\0"))
            await guest.send(update_frame(doc.get_update()))
            await guest.send(step2_frame(doc.get_update()))
            await guest.send(step1_frame(doc.get_state()))
            received: list[bytes] = []
            while sum(frame[:2] == b"\0\1" for frame in received) < 2:
                frame = await guest.recv()
                assert isinstance(frame, bytes)
                received.append(frame)
            assert any(frame[:1] == b"\2" for frame in received), "it is told"
        await writer.flush()
        assert writer.content == {"x": 1}
        assert await storage.load("room") == stored


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


# Time


class FastClock:
    """A thousand seconds a second."""

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() * 1000


async def test_an_idle_client_is_sent_something_before_it_gives_up() -> None:
    """y-websocket clients reconnect when no message came for 30 s; pings do not count."""
    settings = RoomSettings(tick=0.005)
    async with serving(settings=settings, clock=FastClock()) as server, YClient(server.url, "room") as client:
        await client.synced()
        await client.wait(lambda: client.frames.count(b"\1\1\0") >= 3)


async def test_a_silent_state_expires() -> None:
    settings = RoomSettings(tick=0.005)
    async with (
        serving(settings=settings, clock=FastClock()) as server,
        YClient(server.url, "room") as one,
        YClient(server.url, "room") as two,
    ):
        await one.synced()
        await two.synced()
        await two.send(awareness_frame({22: (1, {"name": "two"})}))
        await one.wait(lambda: 22 in one.awareness)
        await one.wait(lambda: one.awareness[22] is None)


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
        async with YClient(server.url, "room", greet=False) as back:
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
        for round_ in range(30):
            async with contextlib.AsyncExitStack() as stack:
                clients = [YClient(server.url, f"room{at % 3}") for at in range(6)]
                await asyncio.gather(*(stack.enter_async_context(client) for client in clients))
                await clients[0].set(**{f"k{round_}": round_})
                clients[1].cut()
        await eventually(lambda: len(server.rooms) == 0)
        assert server.connections == 0
        assert server.rooms._leaving == set()
        async with YClient(server.url, "room0") as client:
            await client.synced()
            assert len(client.content) == 30


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
            document = weakref.ref(room.document)
            del room
        await eventually(lambda: len(server.rooms) == 0)
        gc.collect()
        assert ghost() is None
        assert document() is None


# Compaction


async def test_a_long_log_is_compacted_when_everybody_has_left(tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "weft.sqlite3")
    async with serving(storage=storage) as server:
        async with YClient(server.url, "room") as client:
            for number in range(200):
                await client.set(key=number)
            await client.flush()
        await eventually(lambda: len(server.rooms) == 0)
        assert len(await storage.load("room")) == 1
        async with YClient(server.url, "room") as client:
            await client.wait_for(key=199)


async def test_a_busy_room_is_compacted_while_clients_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server.rooms._LIVE_ROWS", 100)
    storage = SqliteRoomStorage(tmp_path / "weft.sqlite3")
    async with serving(storage=storage, settings=RoomSettings(unload_delay=60)) as server:
        async with YClient(server.url, "room") as client, YClient(server.url, "room") as other:
            for number in range(1000):
                await client.set(**{f"k{number % 10}": number})
            await client.flush()
            rows = await storage.load("room")
            assert len(rows) < 500
            await other.flush()
            assert other.content == client.content
        assert server.rooms.get("room") is not None


async def test_a_compaction_that_fails_is_told_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(FaultyStorage):
        async def compact(self, room: str) -> int | None:
            await super().compact(room)
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


# Other processes


class Bridge:
    """Joins the rooms of two servers of this process, as a broker joins those of two machines."""

    def __init__(self) -> None:
        self.rooms: dict[str, list[Room]] = {}
        self.ends: dict[Room, Any] = {}

    async def join(self, room: Room) -> None:
        others = self.rooms.setdefault(room.name, [])
        for other in others:
            room.document.apply(other.document.diff(room.document.state_vector()), origin=self)

        def pass_on(update: bytes, origin: object) -> None:
            if origin is not self:
                for other in self.rooms[room.name]:
                    if other is not room:
                        other.document.apply(update, origin=self)

        self.ends[room] = room.document.subscribe(pass_on)
        others.append(room)

    async def leave(self, room: Room) -> None:
        self.ends.pop(room)()
        self.rooms[room.name].remove(room)


async def test_a_broadcast_joins_the_rooms_of_two_servers() -> None:
    bridge = Bridge()
    storages = [MemoryRoomStorage(), MemoryRoomStorage()]
    async with (
        serving(storage=storages[0], broadcast=bridge) as left,
        serving(storage=storages[1], broadcast=bridge) as right,
    ):
        async with YClient(left.url, "room") as one:
            await one.set(before=1)
            await one.flush()
            async with YClient(right.url, "room") as two:
                await two.wait_for(before=1)
                await two.set(x=2)
                await one.wait_for(x=2)
                await one.set(y=3)
                await two.wait_for(y=3)
                await two.flush()
        await eventually(lambda: bridge.rooms == {"room": []})
        assert len(await storages[1].load("room")) == 3


async def test_a_broadcast_that_fails_refuses_and_leaves_no_room() -> None:
    class Failing:
        async def join(self, room: Room) -> None:
            raise OSError("no broker")

        async def leave(self, room: Room) -> None:
            raise OSError("no broker")

    async with serving(broadcast=Failing()) as server:
        async with YClient(server.url, "room") as client:
            assert await client.wait_closed() in {1011, 1013}
        assert len(server.rooms) == 0
