"""What is TinyBase's own about its provider: stores of servers, channels, parts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from support.live import until
from support.provided import TinyBasePeer
from support.serverdouble import MemoryServing, SocketServing
from support.syncserver import SyncServer
from support.tinybase_server import TinyBaseServer
from weft.documents.mergeable import MergeableDocument, encode_hlc
from weft.errors import (
    ConnectError,
    ConnectionClosedError,
    LocalProtocolError,
    ProviderClosedError,
    ProviderError,
    SyncTimeoutError,
)
from weft.limits import Limits
from weft.providers import TinyBaseProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Serving = MemoryServing[TinyBaseServer] | SocketServing[TinyBaseServer]


@pytest_asyncio.fixture(params=[MemoryServing, SocketServing], ids=["memory", "sockets"])
async def serving(request: pytest.FixtureRequest) -> AsyncIterator[Serving]:
    async with request.param(TinyBaseServer()) as serving:
        yield serving


# --- what is told


async def test_what_one_turn_wrote_is_one_message_and_nothing_is_sent_back(serving: Serving) -> None:
    room = serving.server.room()
    async with TinyBasePeer(serving) as one, TinyBasePeer(serving) as other:
        one.write("a", "1")
        await other.until_cells(a="1")
        await other.provider.flush()
        room.received.clear()
        for number in range(100):
            one.write(f"c{number}", "x")
        await other.until_cells(c99="x")
        await other.provider.flush()
        assert room.counts() == {"CONTENT_DIFF": 1, "GET_CONTENT_HASHES": 1}


async def test_a_newcomer_with_nothing_new_asks_for_hashes_only(serving: Serving) -> None:
    room = serving.server.room()
    async with TinyBasePeer(serving) as one:
        one.write("a", "1")
        await one.provider.flush()
        async with TinyBasePeer(serving, document=MergeableDocument()) as two:
            await two.provider.wait_synced()
            again = two.document
        room.received.clear()
        async with TinyBasePeer(serving, document=again) as two:
            await two.provider.wait_synced()
        assert set(room.counts()) == {"GET_CONTENT_HASHES", "RESPONSE"}


async def test_two_providers_of_one_document_join_two_rooms(serving: Serving) -> None:
    async with TinyBasePeer(serving, "one") as one, TinyBasePeer(serving, "two", document=one.document):
        serving.server.room("one").write("a", "1")
        await serving.server.room("two").until_cells(a="1")


async def test_a_document_is_a_mergeable_one() -> None:
    with pytest.raises(TypeError, match="MergeableStore"):
        TinyBaseProvider(object(), "ws://host/room")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="document first"):
        TinyBaseProvider("ws://host/room", MergeableDocument())  # type: ignore[arg-type]

    class Holder:
        document = MergeableDocument()

    provider = TinyBaseProvider(Holder(), "ws://host/room")
    assert provider.document is Holder.document
    provider.expects_connect = False


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "60"])
async def test_a_size_of_parts_is_a_number(size: Any) -> None:
    with pytest.raises(ValueError, match="fragment_size"):
        TinyBaseProvider(MergeableDocument(), "ws://host/room", fragment_size=size)


# --- the server's store


async def test_a_flush_at_a_server_that_only_relays_fails_and_says_why() -> None:
    async with (
        MemoryServing(TinyBaseServer(has_store=False)) as serving,
        TinyBasePeer(serving, request_timeout=0.01) as peer,
    ):
        peer.write("a", "1")
        with pytest.raises(
            SyncTimeoutError, match=r"within 0 s \(.* is connected\).* no store of its own yet"
        ):
            await peer.provider.flush(0)
        with pytest.raises(ProviderError, match="only relays"):
            await peer.provider.flush(10)
        await peer.provider.wait_synced(10)
        assert peer.provider.unconfirmed == 1
        async with TinyBasePeer(serving, request_timeout=0.01) as other:
            await other.until_cells(a="1")
            await other.provider.wait_synced(10)


async def test_an_edit_that_the_server_lost_is_brought_before_a_flush_ends(serving: Serving) -> None:
    room = serving.server.room()
    async with TinyBasePeer(serving, request_timeout=0.1) as peer:
        await peer.provider.flush()
        room.has_store = False  # it does not hear of it
        peer.write("a", "1")
        await room.until(lambda: room.counts()["CONTENT_DIFF"] == 1)
        room.has_store = True
        assert room.content() == {}
        await peer.provider.flush()
        assert room.content() == {"a": "1"}


async def test_what_is_too_far_ahead_is_reported_and_the_connection_stays(serving: Serving) -> None:
    room = serving.server.room()
    async with TinyBasePeer(serving) as one, TinyBasePeer(serving) as other:
        await one.provider.wait_synced()
        await other.provider.wait_synced()
        hlc = encode_hlc(one.document.clock.now + 3_600_000, 0, "x")
        visit = next(visit for visit in serving.server.visits)
        visit.queue.put_nowait(f'other\n["x",3,[[{{"t":[{{"r":[{{"a":["1","{hlc}"]}}]}}]}}],[{{}}],1]]')
        await one.until_error()
        assert "five minutes ahead" in str(one.errors[0])
        assert one.provider.status == "connected"
        other.write("b", "2")
        await one.until_cells(b="2")
        assert "a" not in one.cells()
    assert room.content() == {"b": "2"}


async def test_who_waits_is_told_that_the_servers_clock_is_far_ahead(serving: Serving) -> None:
    room = serving.server.room()
    now = room.document.clock.now
    room.document.set_cell("t", "r", "a", "1", encode_hlc(now + 3_600_000, 0, "x"))
    async with TinyBasePeer(serving) as peer:
        with pytest.raises(ProviderError, match="five minutes ahead"):
            await peer.provider.wait_synced(10)
        assert not peer.provider.synced
    assert peer.cells() == {}


# --- parts and channels


@pytest.mark.parametrize("channel", [None, "a/b"])
async def test_messages_go_both_ways_in_parts(channel: str | None) -> None:
    text = "héllo wörld 😀 " * 200
    async with (
        SocketServing(TinyBaseServer(fragment_size=100)) as serving,
        TinyBasePeer(serving, channel=channel, fragment_size=60) as one,
        TinyBasePeer(serving, channel=channel) as other,
    ):
        one.write("a", text)
        await one.provider.flush()
        await other.until_cells(a=text)
        assert one.provider.unconfirmed == 0


async def test_channels_share_a_websocket_and_meet_clients_without(serving: Serving) -> None:
    two = MergeableDocument()
    async with (
        TinyBasePeer(serving, "base", channel="one") as peer,
        TinyBasePeer(serving, "base/two") as other,
    ):
        channel = peer.provider.add(two, "two")
        await channel.wait_synced()
        await peer.provider.wait_synced()
        assert channel.synced
        assert (channel.channel, channel.document) == ("two", two)
        two.set_cell("t", "r", "a", "1")
        peer.write("b", "2")
        assert (channel.unconfirmed, peer.provider.unconfirmed) == (1, 2)
        await peer.provider.flush()
        assert peer.provider.unconfirmed == 0
        await other.until_cells(a="1")
        assert serving.server.room("base/one").content() == {"b": "2"}
        assert len(serving.server.visits) == 2
        channel.close()
        channel.close()
        with pytest.raises(ProviderClosedError, match="removed"):
            await channel.flush()
        await serving.server.room("base/two").until(lambda: len(serving.server.room("base/two").members) == 1)
        again = peer.provider.add(two, "two")
        other.write("c", "3")
        await until(lambda: two.get_cell("t", "r", "c") == "3", two.subscribe, "the cell")
        assert repr(again).startswith("<TinyBaseChannel two")


async def test_channels_come_again_with_the_connection(serving: Serving) -> None:
    two = MergeableDocument()
    async with TinyBasePeer(serving, "base", channel="one") as peer:
        channel = peer.provider.add(two, "two")
        await peer.provider.wait_synced()
        await serving.drop_all()
        await peer.until_status("disconnected")
        two.set_cell("t", "r", "a", "1")
        peer.write("b", "2")
        await peer.provider.flush()
        assert channel.synced
        assert serving.server.room("base/two").content() == {"a": "1"}
        assert serving.server.room("base/one").content() == {"b": "2"}


async def test_channels_are_refused_where_there_are_none(serving: Serving) -> None:
    async with TinyBasePeer(serving) as peer:
        with pytest.raises(LocalProtocolError, match="no channels"):
            peer.provider.add(MergeableDocument(), "one")
    with pytest.raises(ValueError, match="channel"):
        TinyBaseProvider(MergeableDocument(), "ws://host", "a//b")
    with pytest.raises(ValueError, match="subprotocol"):
        TinyBaseProvider(MergeableDocument(), "ws://host", "a", subprotocols=["x"])
    async with TinyBasePeer(serving, channel="one") as peer:
        with pytest.raises(ValueError, match="already"):
            peer.provider.add(MergeableDocument(), "one")
        for number in range(99):
            peer.provider.add(MergeableDocument(), str(number))
        with pytest.raises(LocalProtocolError, match="100"):
            peer.provider.add(MergeableDocument(), "more")
        await peer.provider.wait_synced()


async def test_a_server_without_channels_is_found_out() -> None:
    async with SocketServing(TinyBaseServer(has_channels=False)) as serving:
        async with TinyBasePeer(serving, channel="one") as peer:
            await peer.until_error()
        assert isinstance(peer.errors[0], ConnectError)
        assert "no channels" in str(peer.errors[0])


async def test_a_control_frame_that_is_not_answered_ends_the_connection() -> None:
    async with MemoryServing(TinyBaseServer()) as serving:
        serving.server.resumed.clear()
        async with TinyBasePeer(serving, channel="one", request_timeout=0.01) as peer:
            await peer.until_error()
            assert "HELLO" in str(peer.errors[0])
            serving.server.resumed.set()
            await peer.provider.wait_synced()


# --- bounds


async def test_what_a_slow_server_was_not_sent_arrives_all_the_same() -> None:
    async with MemoryServing(TinyBaseServer()) as serving:
        room = serving.server.room()
        async with TinyBasePeer(serving, limits=Limits(max_outbound=2000)) as peer:
            await peer.provider.flush()
            serving.server.resumed.clear()
            for number in range(60):
                peer.write(f"c{number}", "x" * 5000)
                await asyncio.sleep(0)
            serving.server.resumed.set()
            await peer.provider.flush()
            assert len(room.content()) == 60


async def test_a_server_that_takes_no_large_frame_gets_parts() -> None:
    async with MemoryServing(TinyBaseServer()) as serving:
        async with TinyBasePeer(serving) as peer:
            await peer.provider.flush()
            peer.write("a", "x" * 300_000)
            await peer.provider.flush()
            await serving.drop_all(1009, "too large")
            await peer.until_status("disconnected")
            peer.write("a", "y" * 5_000_000)
            await peer.provider.flush()
        assert serving.server.room().content() == {"a": "y" * 5_000_000}


@pytest.mark.parametrize("text", ["nonsense", "S\nnot json", 'S\n["x",99,""]', 'x\n["x",3,[[{}]]]'])
async def test_malformed_frames_end_the_connection_and_it_comes_again(serving: Serving, text: str) -> None:
    async with TinyBasePeer(serving) as peer:
        await peer.provider.wait_synced()
        serving.server.visits[0].queue.put_nowait(text)
        await peer.until_error()
        await peer.provider.wait_synced()
        peer.write("a", "1")
        await peer.provider.flush()


async def test_a_server_of_another_protocol_is_named() -> None:
    async with SocketServing(SyncServer()) as serving:
        provider = TinyBaseProvider(
            MergeableDocument(), f"{serving.url}/room", transport=serving.transport, on_error=lambda _: None
        )
        serving.server.kind = str
        async with provider:
            with pytest.raises(ConnectionClosedError, match="YWebsocketProvider"):
                await provider.wait_synced(10)


async def test_frames_for_a_channel_that_was_left_are_passed_over(serving: Serving) -> None:
    async with TinyBasePeer(serving, channel="one") as peer:
        await peer.provider.wait_synced()
        serving.server.visits[0].queue.put_nowait('M\ntwo\nS\n["x",1,""]')
        peer.write("a", "1")
        await peer.provider.flush()
    assert peer.errors == []
