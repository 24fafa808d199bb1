"""Clients of TinyBase's protocol: what they may say, what is refused, and how they are let go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from support.servers import FaultyStorage, eventually, serving
from support.tableclient import TableClient, new_id
from weft.documents.mergeable import encode_hlc
from weft.limits import Limits, ServerLimits
from weft.protocols.tinybase import Message, MessageType
from weft.server.auth import Allow, Deny, Request
from weft.server.tinybase.room import storage_name
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from weft.server.fronts.websocket import Server

CHANNELS = [Subprotocol("tinybase")]
# What TinyBase's own server (10.0.1) answered to frames made by hand.
CASES = json.loads((Path(__file__).parent / "ws_cases.json").read_text())


def room_of(server: Server, name: str = "room") -> Any:
    room = server.mergeable.rooms.get(storage_name(name))
    assert room is not None
    return room


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["frames"][-1][:40]))
async def test_what_is_malformed_ends_its_client_as_at_tinybases_server(case: dict[str, Any]) -> None:
    options: dict[str, Any] = {} if case["protocol"] is None else {"subprotocols": CHANNELS}
    async with (
        serving() as server,
        TableClient(server.url, "m") as honest,
        connect(f"{server.url}{case['path']}", **options) as socket,
    ):
        answers: list[str | bytes] = []
        for frame in case["frames"]:
            await socket.send(frame)
            if len(answers) < len(case["answers"]):
                answers.append(await socket.recv())
        assert answers == case["answers"]
        if case["close"] is not None:
            await socket.wait_closed()
            assert [socket.close_code, socket.close_reason] == case["close"]
        await honest.set(a=1)
        await honest.flush()


async def test_fragments_are_joined_and_the_others_get_it_whole() -> None:
    text = "héllo wörld 😀 " * 30
    async with (
        serving() as server,
        TableClient(server.url, "room", fragment_size=60) as one,
        TableClient(server.url, "room") as two,
    ):
        await one.set(note=text)
        await two.wait_for(note=text)


async def test_what_is_larger_than_may_be_sent_leaves_in_parts() -> None:
    async with (
        serving(limits=Limits(max_sent=1000)) as server,
        TableClient(server.url, "room") as one,
        TableClient(server.url, "room") as two,
    ):
        await one.set(note="x" * 10_000)
        await two.wait_for(note="x" * 10_000)
        assert max(map(len, two.frames)) < 1100


async def test_parts_that_never_become_whole_are_bounded() -> None:
    async with (
        serving(limits=Limits(max_message=10_000)) as server,
        connect(f"{server.url}/room") as socket,
    ):
        for _ in range(11):
            await socket.send(f"\n{new_id(16)}\n0\n2\n{'x' * 1000}")
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1013, "tinybase:15:fragments")
        assert server.stats().refused["fragments"] == 1


async def test_channels_and_clients_without_them_are_in_one_room() -> None:
    async with (
        serving() as server,
        TableClient(server.url, "base", channel="one") as first,
        TableClient(server.url, "base/one") as second,
        TableClient(server.url, "", channel="base/one") as third,
        TableClient(server.url, "base", channel="two") as elsewhere,
    ):
        await first.set(a=1)
        await second.set(b=2)
        for client in (first, second, third):
            await client.wait_for(a=1, b=2)
        await elsewhere.flush()
        assert elsewhere.document.get_living() == ({}, {})


async def test_the_path_is_not_decoded_and_may_be_empty() -> None:
    async with (
        serving() as server,
        TableClient(server.url, "a%20b?x=1") as one,
        TableClient(server.url, "a%20b") as two,
        TableClient(server.url, "") as nameless,
        TableClient(server.url, "?token=1") as another,
    ):
        await one.set(a=1)
        await two.wait_for(a=1)
        await nameless.set(b=1)
        await another.wait_for(b=1)
        names = {room.name for room in server.mergeable.rooms}
        assert names == {storage_name("a%20b"), storage_name("")}


async def test_a_channel_is_left_alone_and_can_be_entered_again() -> None:
    async with serving() as server, TableClient(server.url, "base", channel="one") as client:
        await client.flush()
        await client.socket.send('S\n[null,-1,[2,"one"]]')
        await eventually(lambda: len(server.mergeable.rooms) == 0)
        await client.socket.send('S\n["0123456789abcdef",-1,[1,"one"]]')
        await eventually(lambda: len(server.mergeable.rooms) == 1)
        assert server.connections == 1


async def test_more_channels_than_may_be_end_the_connection() -> None:
    async with (
        serving() as server,
        connect(f"{server.url}/base", subprotocols=CHANNELS, max_queue=None) as socket,
    ):
        await socket.send('S\n["0123456789abcdef",-1,[0,1]]')
        for number in range(101):
            await socket.send(f'S\n["0123456789abcdef",-1,[1,"{number}"]]')
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1013, "tinybase:15:channels")


# Who may enter


async def test_the_hook_is_asked_about_each_channel() -> None:
    asked: list[Request] = []

    def auth(request: Request) -> Allow | Deny:
        asked.append(request)
        return Deny() if "closed" in request.room else Allow(user="ada")

    async with (
        serving(auth=auth) as server,
        connect(f"{server.url}/base", subprotocols=CHANNELS) as socket,
    ):
        await socket.send('S\n["0123456789abcdef",-1,[0,1]]')
        await socket.send('S\n["one0000000000000",-1,[1,"closed"]]')
        await socket.send('S\n["two0000000000000",-1,[1,"open"]]')
        answers = [await socket.recv() for _ in range(2)]
        # What is denied is not confirmed, which is all that there is to say.
        assert answers == ['S\n["0123456789abcdef",-1,[0,1]]', 'S\n["two0000000000000",-1,[1,"open"]]']
        await eventually(lambda: len(server.mergeable.rooms) == 1)
    assert [(request.room, request.protocol) for request in asked] == [
        ("base/closed", "tinybase"),
        ("base/open", "tinybase"),
    ]


async def test_who_is_denied_learns_code_and_reason() -> None:
    def auth(request: Request) -> Allow | Deny:
        return Deny("not yours", 4403) if request.protocol == "tinybase" else Allow()

    storage = FaultyStorage()
    async with serving(auth=auth, storage=storage) as server, TableClient(server.url, "room") as client:
        assert await client.wait_closed() == (4403, "not yours")
        assert client.frames == []
        assert storage.loads == {}


async def test_who_may_only_read_reads_and_what_it_writes_stays_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def auth(request: Request) -> Allow:
        return Allow(read_only="reader" in request.query)

    async with serving(auth=auth) as server, TableClient(server.url, "room") as writer:
        reader = TableClient(server.url, "room?reader=1")
        reader.document.set_cell("t", "r", "offline", 1)
        async with reader:
            await writer.set(a=1)
            await reader.wait_for(a=1)
            await reader.set(b=2)
            await reader.set(b=3)
            await reader.flush()
            await writer.set(c=1)
            await reader.wait_for(c=1)
            await writer.flush()
            document = room_of(server).document
            said = Message("x" * 11, MessageType.CONTENT_HASHES, [1, 2])  # as TinyBase when it has begun
            await reader.send_message(said)
            await reader.wait(
                lambda: [1 for each in reader.received if each.type is MessageType.CONTENT_HASHES]
            )
            for one in (document, writer.document):
                assert one.get_cell("t", "r", "b") is UNDEFINED
                assert one.get_cell("t", "r", "offline") is UNDEFINED
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "may only read" in caplog.text


async def test_a_clock_that_is_far_ahead_is_refused_whole() -> None:
    async with (
        serving() as server,
        TableClient(server.url, "room") as honest,
        TableClient(server.url, "room") as bad,
    ):
        await bad.flush()
        late = encode_hlc(2**41, 0, "client")
        changes = [[{"t": [{"r": [{"good": [1, "OFU9Mk-----FnHIC"], "late": [1, late]}]}]}], [{}], 1]
        await bad.send_message(Message(None, MessageType.CONTENT_DIFF, changes))
        code, reason = await bad.wait_closed()
        assert (code, (reason or "")[:12]) == (1007, "tinybase:14:")
        assert "more than five minutes ahead" in (reason or "")
        await honest.set(a=1)
        await honest.flush()
        assert room_of(server).document.get_cell("t", "r", "good") is UNDEFINED
        assert honest.document.get_cell("t", "r", "good") is UNDEFINED


async def test_a_clock_that_is_far_ahead_is_refused_in_answers_too() -> None:
    async with serving() as server:
        bad = TableClient(server.url, "room")
        bad.document.set_cell("t", "r", "late", 1, encode_hlc(2**41, 0, "client"))
        async with bad:
            code, _ = await bad.wait_closed()
        assert code == 1007


# Bounds


async def test_what_comes_before_the_room_is_open_waits() -> None:
    storage = FaultyStorage()
    storage.loading.clear()
    async with serving(storage=storage) as server, TableClient(server.url, "room") as client:
        await client.set(a=1)
        await eventually(lambda: storage.loads != {})
        for number in range(20):
            await client.set(b=number)
        storage.loading.set()
        await client.flush()
        await client.wait(lambda: room_of(server).document.get_cell("t", "r", "b") == 19)


async def test_who_sends_much_before_its_room_is_open_is_read_no_further() -> None:
    storage = FaultyStorage()
    storage.loading.clear()
    limits = Limits(max_outbound=10_000)
    async with serving(storage=storage, limits=limits) as server, TableClient(server.url, "room") as client:
        for number in range(100):
            await client.set(b=f"{number}" * 500)
        await eventually(lambda: server.stats().refused.get("max_openings"))
        storage.loading.set()
        await client.flush()
        await client.wait(lambda: room_of(server).document.get_cell("t", "r", "b") == "99" * 500)


async def test_who_reads_slowly_comes_for_what_it_misses() -> None:
    async with (
        serving(limits=Limits(max_outbound=100_000)) as server,
        TableClient(server.url, "room") as writer,
        TableClient(server.url, "room") as slow,
    ):
        await slow.flush()
        slow.socket.transport.pause_reading()
        for number in range(400):
            await writer.set(**{f"k{number % 10}": f"{number:<20000}"})
            await writer.flush()
        assert server.stats().refused["max_outbound"] == 1
        slow.socket.transport.resume_reading()
        await slow.wait_for(**{f"k{number % 10}": f"{number:<20000}" for number in range(390, 400)})
        await slow.wait(
            lambda: slow.document.get_content_hashes() == room_of(server).document.get_content_hashes()
        )


async def test_who_asks_too_fast_is_read_more_slowly() -> None:
    limits = ServerLimits(question_rate=100, rate_burst=0.1)
    async with serving(server_limits=limits) as server, TableClient(server.url, "room") as client:
        for _ in range(30):
            await client.flush()
        assert server.stats().refused["question_rate"] > 0


async def test_a_room_that_storage_cannot_keep_up_with_is_not_read() -> None:
    storage = FaultyStorage()
    limits = ServerLimits(max_unsaved=10_000)
    async with (
        serving(storage=storage, server_limits=limits) as server,
        TableClient(server.url, "room") as client,
        TableClient(server.url, "other") as other,
    ):
        await client.flush()
        storage.writing.clear()
        for number in range(20):
            await client.set(a="x" * 1000 + str(number))
        await eventually(lambda: server.stats().refused.get("max_unsaved"))
        await other.set(a=1)
        storage.writing.set()
        await client.flush()
        await other.flush()


async def test_too_many_connections_or_rooms_of_a_user_are_refused() -> None:
    limits = ServerLimits(max_connections_per_user=1, max_rooms_per_user=2)

    def auth(_: Request) -> Allow:
        return Allow(user="ada")

    async with (
        serving(auth=auth, server_limits=limits) as server,
        TableClient(server.url, "base", channel="one") as client,
    ):
        async with TableClient(server.url, "room") as another:
            assert await another.wait_closed() == (1013, "too many connections of this user")
        await client.socket.send('S\n["0123456789abcdef",-1,[1,"two"]]')
        await client.socket.send('S\n["0123456789abcdef",-1,[1,"three"]]')
        assert await client.wait_closed() == (1013, "tinybase:15:channels")


async def test_a_message_that_is_too_large_is_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(limits=Limits(max_message=1000)) as server, TableClient(server.url, "room") as client:
        await client.set(a="x" * 2000)
        code, _ = await client.wait_closed()
        assert code == 1009
        await eventually(lambda: server.connections == 0)
    assert "max_message" in caplog.text


async def test_nothing_is_left_when_all_are_gone() -> None:
    async with serving() as server:
        for number in range(5):
            async with TableClient(server.url, "base", channel="one") as client:
                await client.set(a=number)
                await client.flush()
            async with TableClient(server.url, "base/one") as client:
                await client.wait_for(a=number)
                client.cut()
        await eventually(lambda: server.connections == 0 and len(server.mergeable.rooms) == 0)
