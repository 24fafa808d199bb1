"""One y-websocket client: its slowness, its rights and its time, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Map
from websockets.asyncio.client import connect

from support.servers import eventually, peers_in, serving
from support.storage_suite import write_updates
from support.yclient import YClient, awareness_frame, step1_frame, step2_frame, update_frame
from weft.documents.yjs.document import create_doc
from weft.errors import ProviderError, ReadOnlyError, WriteDeniedError
from weft.limits import Limits
from weft.providers import YWebsocketProvider
from weft.server._core.send_queue import AcknowledgedQueue
from weft.server._core.settings import RoomSettings
from weft.server.auth import Allow, Request
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from weft.server._core.batch import Batch


async def stalled(server: Any, room: str) -> YClient:
    """A client that has synced and then reads nothing any more."""
    client = await YClient(server.url, room).__aenter__()
    await client.synced()
    client.socket.transport.pause_reading()
    return client


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
            most = max(most, *(peer.queue.size for peer in peers_in(room)))
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


async def test_a_read_only_client_that_deletes_is_told() -> None:
    storage = MemoryRoomStorage()
    async with (
        serving(auth=lambda request: Allow(read_only="guest" in request.query), storage=storage) as server,
        YClient(server.url, "room") as writer,
    ):
        await writer.set(x=1, y=2)
        await writer.flush()
        stored = await storage.load("room")
        doc = create_doc()
        errors: list[Exception] = []
        async with YWebsocketProvider(
            doc, server.url, "room", params={"guest": "1"}, on_error=errors.append
        ) as provider:
            await provider.wait_synced()
            await provider.flush()  # there was nothing to refuse
            del doc.get("m", type=Map)["x"]
            with pytest.raises(ProviderError, match="read-only"):
                await provider.flush()
        await writer.set(y=3)
        await writer.flush()
        assert writer.content == {"x": 1, "y": 3}
        rows = (await storage.load("room")).rows
        assert rows[:-1] == stored.rows


@pytest.mark.parametrize("overwrites", [False, True])
async def test_a_read_only_client_that_has_edited_offline_is_told(overwrites: bool) -> None:
    async with (
        serving(auth=lambda request: Allow(read_only="guest" in request.query)) as server,
        YClient(server.url, "room") as writer,
    ):
        await writer.set(x=1, y=2)
        await writer.flush()
        doc = create_doc()
        guest = YWebsocketProvider(doc, server.url, "room", params={"guest": "1"})
        async with guest:
            await guest.wait_synced()
        if overwrites:
            doc.get("m", type=Map)["x"] = 7
        else:
            del doc.get("m", type=Map)["x"]
        errors: list[Exception] = []
        async with YWebsocketProvider(
            doc, server.url, "room", params={"guest": "1"}, on_error=errors.append
        ) as provider:
            with pytest.raises(ReadOnlyError, match="read-only"):
                await provider.flush()
            assert isinstance(provider.last_error, WriteDeniedError)
        assert writer.content == {"x": 1, "y": 2}


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


LARGE = "x" * 500_000


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
        await eventually(lambda: len(room.clients) == 2)
        await reader.wait_for(large=f"29{LARGE}")
        stuck.socket.transport.resume_reading()
        assert await stuck.wait_closed() in {1013, 1006}
        await stuck.__aexit__(None, None, None)


async def test_questions_without_reading_the_answers_are_not_all_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SyncStep1 is an amplifier: a few bytes ask for the whole document."""
    answered = 0
    real = AcknowledgedQueue.put_answer

    def count(self: AcknowledgedQueue, batch: Batch, ticket: int) -> None:
        nonlocal answered
        answered += 1
        real(self, batch, ticket)

    async with (
        serving(limits=Limits(max_outbound=1_000_000)) as server,
        YClient(server.url, "room") as writer,
    ):
        await writer.set(large=LARGE)
        await writer.flush()
        slow = await stalled(server, "room")
        monkeypatch.setattr(AcknowledgedQueue, "put_answer", count)
        for _ in range(500):
            await slow.send(step1_frame(b"\0"))
        room = server.rooms.get("room")
        assert room is not None
        await eventually(lambda: any(peer.queue.has_too_many_answers for peer in peers_in(room)))
        for _ in range(5):
            await writer.flush()
        assert answered < 60
        assert max(peer.queue.size for peer in peers_in(room)) < 4_000_000
        slow.socket.transport.resume_reading()
        await slow.wait(lambda: slow.step2 == 501)
        await slow.__aexit__(None, None, None)


async def test_a_state_that_is_too_large_is_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    async with serving() as server, YClient(server.url, "room") as one, YClient(server.url, "room") as other:
        for clock in range(1, 4):
            await one.send(awareness_frame({7: (clock, {"bio": "x" * 5_000})}))
        await one.send(awareness_frame({8: (1, {"name": "Ada"})}))
        await other.wait(lambda: 8 in other.awareness)
        assert 7 not in other.awareness
    (record,) = caplog.records
    assert "max_awareness_state (4096 bytes of JSON)" in record.getMessage()


async def test_who_asks_and_does_not_read_is_not_answered_in_parts_without_bound() -> None:
    limits = Limits(max_message=64_000, max_outbound=500_000)
    async with serving(limits=limits) as server, YClient(server.url, "room") as writer:
        await writer.synced()
        for number in range(20):
            await writer.set(**{f"k{number}": f"{number}" * 20_000})
        await writer.flush()
        slow = await stalled(server, "room")
        room = server.rooms.get("room")
        assert room is not None
        for _ in range(50):
            await slow.send(step1_frame(b"\0"))
        await writer.set(last=1)
        await writer.flush()
        await eventually(lambda: any(each.queue.has_too_many_answers for each in peers_in(room)))
        assert max(each.queue.size for each in peers_in(room)) < 3_000_000
        slow.socket.transport.resume_reading()
        await slow.wait_for(last=1)
        await slow.__aexit__(None, None, None)


async def test_who_asks_for_awareness_and_does_not_read_costs_bounded_memory() -> None:
    """64 states of 4 kB, and a byte for each question: without a bound 943 MB."""
    limits = Limits(max_outbound=500_000)
    async with serving(limits=limits) as server, YClient(server.url, "room") as writer:
        states = {number: (1, {"bio": "x" * 4_000}) for number in range(1, 65)}
        await writer.send(awareness_frame(states))
        slow = await stalled(server, "room")
        room = server.rooms.get("room")
        assert room is not None
        asking = asyncio.create_task(ask(slow, 2_000))
        await eventually(lambda: any(peer.queue.has_too_many_answers for peer in peers_in(room)))
        for _ in range(5):
            await writer.flush()
        assert max(peer.queue.size for peer in peers_in(room)) < 2_000_000
        slow.cut()
        await asking
        await slow.__aexit__(None, None, None)


async def ask(client: YClient, times: int) -> None:
    with contextlib.suppress(ConnectionError):
        for _ in range(times):
            await client.send(b"\3")


async def test_states_for_who_does_not_read_are_bounded_and_the_last_ones_come_at_last() -> None:
    limits = Limits(max_outbound=100_000)
    async with serving(limits=limits) as server, YClient(server.url, "room") as writer:
        await writer.synced()
        slow = await stalled(server, "room")
        room = server.rooms.get("room")
        assert room is not None
        for clock in range(1, 101):
            ids = range(1, 51)
            await writer.send(awareness_frame({each: (clock, {"x": "x" * 4_000}) for each in ids}))
            await writer.flush()
        assert max(peer.queue.size for peer in peers_in(room)) < 500_000
        await writer.send(awareness_frame({1: (101, {"name": "fido"})}))
        await writer.flush()
        slow.socket.transport.resume_reading()
        await slow.wait(lambda: slow.awareness.get(1) == {"name": "fido"})
        await slow.__aexit__(None, None, None)


async def test_pings_of_who_does_not_read_are_not_all_answered() -> None:
    async with serving() as server, YClient(server.url, "room") as writer:
        await writer.set(large=LARGE * 20)
        await writer.flush()
        slow = await stalled(server, "room")
        await slow.send(step1_frame(b"\0"))
        room = server.rooms.get("room")
        assert room is not None
        await eventually(lambda: any(peer.queue.size > 0 for peer in peers_in(room)))
        before = max(peer.queue.size for peer in peers_in(room))
        slow.socket.transport.write(b"\x89\xfd\0\0\0\0" + bytes(125))
        for _ in range(100):
            slow.socket.transport.write(b"\x89\xfd\0\0\0\0".join([b"", *[bytes(125)] * 100]))
            await writer.flush()
        assert max(peer.queue.size for peer in peers_in(room)) <= before
        slow.cut()
        await slow.__aexit__(None, None, None)


async def test_what_a_room_keeps_of_what_a_client_says_counts_as_held_for_it() -> None:
    states: dict[int, tuple[int, Any]] = {at: (1, {"name": "x" * 3000}) for at in range(40)}
    async with serving() as server, YClient(server.url, "room") as client:
        await client.send(awareness_frame(states))
        await client.flush()
        (link,) = server._connections.served
        assert sum(size for _, size in link.held()) > 120_000
        await client.send(awareness_frame(dict.fromkeys(range(40), (2, None))))
        await client.flush()
        assert sum(size for _, size in link.held()) < 1_000
