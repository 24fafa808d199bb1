"""What is y-websocket's own about its provider: rooms, updates, awareness. The rest: test_provider.py."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from pycrdt import Map

from support.live import until
from support.provided import YPeer
from support.serverdouble import MemoryServing, SocketServing
from support.syncserver import SyncServer
from weft import Store
from weft.documents.yjs.document import YDocument, create_doc
from weft.errors import (
    LocalProtocolError,
    ProviderError,
    WriteDeniedError,
)
from weft.limits import Limits
from weft.mirrors.yjs import YjsMirror
from weft.protocols.awareness import Awareness
from weft.providers import YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Serving = MemoryServing[SyncServer] | SocketServing[SyncServer]


@pytest_asyncio.fixture(params=[MemoryServing, SocketServing], ids=["memory", "sockets"])
async def serving(request: pytest.FixtureRequest) -> AsyncIterator[Serving]:
    async with request.param(SyncServer()) as serving:
        yield serving


# --- synchronising


async def test_what_was_received_is_not_sent_back(serving: Serving) -> None:
    room = serving.server.room()
    async with YPeer(serving) as peer:
        await peer.provider.flush()
        before = room.counts()
        for number in range(10):
            room.map[f"k{number}"] = "x"
        await peer.until_cells(k9="x")
        await peer.provider.flush()  # whatever was sent back would have arrived before its question
        assert room.counts() - before == {"step1": 1}


@pytest.mark.parametrize("room", ["a/b", "a b", "日本", "a%20b"])
async def test_a_room_may_have_any_name_a_url_can_carry(serving: Serving, room: str) -> None:
    async with YPeer(serving, room) as peer:
        peer.map["x"] = "1"
        await peer.provider.flush()
    (path, _) = serving.requests[0]
    assert path.isascii()
    assert serving.server.room(room.replace("%20", " ")).content() == {"x": "1"}


async def test_a_ydocument_may_be_given_for_the_document(serving: Serving) -> None:
    doc = create_doc()
    async with YWebsocketProvider(
        YDocument.of(doc), serving.url, "room", transport=serving.transport
    ) as provider:
        assert provider.doc is doc
        doc.get("m", type=Map)["x"] = "1"
        await provider.flush()
    assert serving.server.room().content() == {"x": "1"}


async def test_what_a_listener_writes_while_an_update_is_received_goes_out_too(
    serving: Serving,
) -> None:
    room = serving.server.room()
    author = Store()
    author_doc = create_doc()
    reader = Store()
    reader.add_cell_listener(
        "orders",
        None,
        "net",
        lambda store, table, row, cell, new, old, *_: store.set_cell(table, row, "vat", new * 2),
        True,
    )
    peer = YPeer(serving)
    with YjsMirror(author, author_doc), YjsMirror(reader, peer.doc):
        async with peer, YPeer(serving, document=author_doc) as other:
            author.set_cell("orders", "1", "net", 10)
            await until(
                lambda: author.get_cell("orders", "1", "vat", default=None) == 20,
                other.hub.subscribe,
                "the derived cell",
            )
    assert room.doc.get("tinybase", type=Map)["t"]["orders"]["1"]["vat"] == 20.0


# --- interruptions


async def test_it_comes_again_and_what_was_written_meanwhile_arrives(serving: Serving) -> None:
    room = serving.server.room()
    async with YPeer(serving) as peer:
        await peer.provider.flush()
        serving.refuse()
        await serving.drop_all()
        await peer.until_status("disconnected")
        assert not peer.provider.synced
        sent = room.counts()
        for number in range(100):
            peer.map[f"offline{number}"] = "x"
        room.map["meanwhile"] = "y"
        serving.admit()
        await peer.provider.wait_synced()
        assert peer.map["meanwhile"] == "y"
        await room.until_cells(offline0="x", offline99="x")
        # Nothing had been queued: one answer to the server's question has it all.
        assert (room.counts() - sent)["update"] == 0
        assert (room.counts() - sent)["step2"] == 1
    assert peer.errors
    assert all(isinstance(error, ProviderError) for error in peer.errors)


async def test_a_server_that_does_not_let_write_is_told_by_flush(serving: Serving) -> None:
    room = serving.server.room()
    room.map["there"] = "1"
    async with YPeer(serving) as peer:
        await peer.provider.wait_synced()
        room.visits[0].session.read_only = True
        peer.map["x"] = "1"
        with pytest.raises(ProviderError, match="does not allow"):
            await peer.provider.flush()
        assert peer.map["there"] == "1"
        assert "x" not in room.content()
    assert type(peer.errors[0]) is WriteDeniedError


# --- leaving


# --- awareness


async def test_awareness_states_are_seen_by_the_others_and_taken_back_on_leaving(
    serving: Serving,
) -> None:
    async with YPeer(serving) as one:
        one.provider.set_local_state({"name": "one"})
        async with YPeer(serving) as other:
            other.provider.set_local_field("name", "other")
            await one.until_others({"name": "other"})
            await other.until_others({"name": "one"})
            one.provider.set_local_field("cursor", 3)
            await other.until_others({"name": "one", "cursor": 3})
            one.provider.set_local_state(None)
            await other.until_others()
        await one.until_others()
    assert serving.server.room().awareness.states == {}


async def test_a_state_is_announced_again_after_a_reconnect_under_a_higher_clock(
    serving: Serving,
) -> None:
    room = serving.server.room()
    async with YPeer(serving) as one, YPeer(serving) as other:
        one.provider.set_local_state({"name": "one"})
        other.provider.set_local_state({"name": "other"})
        await one.until_others({"name": "other"})
        await other.until_others({"name": "one"})
        await serving.drop_all()
        # Whom one knows only through a connection is gone with it.
        await one.until_others()
        await other.until_others()
        await one.until_others({"name": "other"})
        await other.until_others({"name": "one"})
        await room.until(lambda: len(room.awareness.states) == 2)


async def test_a_state_is_kept_over_a_disconnect_and_taken_from_the_others(
    serving: Serving,
) -> None:
    async with YPeer(serving) as one, YPeer(serving) as other:
        one.provider.set_local_state({"name": "one"})
        await other.until_others({"name": "one"})
        await one.provider.disconnect()
        await other.until_others()
        await one.provider.connect()
        await other.until_others({"name": "one"})


async def test_awareness_can_be_left_out(serving: Serving) -> None:
    room = serving.server.room()
    async with YPeer(serving, awareness=False) as peer, YPeer(serving) as other:
        other.provider.set_local_state({"name": "other"})
        assert peer.provider.awareness is None
        with pytest.raises(LocalProtocolError):
            peer.provider.set_local_state({"name": "peer"})
        peer.map["x"] = "1"
        await other.until_cells(x="1")
    assert room.content() == {"x": "1"}


@pytest.mark.parametrize("state", [{"x": float("nan")}, {"x": object()}, {"x": "y" * 5000}])
async def test_a_state_that_cannot_be_sent_is_refused(serving: Serving, state: dict[str, object]) -> None:
    async with YPeer(serving) as peer:
        peer.provider.set_local_state({"name": "kept"})
        with pytest.raises((TypeError, ValueError)):
            peer.provider.set_local_state(state)
        assert peer.provider.awareness is not None
        assert peer.provider.awareness.local_state == {"name": "kept"}


# --- two servers


async def test_updates_do_not_go_round_in_a_ring_of_two_servers_and_two_bridges(
    serving: Serving,
) -> None:
    async with type(serving)(SyncServer()) as second:
        rooms = serving.server.room(), second.server.room()
        for room in rooms:
            room.echo = True
        left, right = create_doc(), create_doc()
        async with (
            YPeer(serving, document=left) as a,
            YPeer(second, document=left) as b,
            YPeer(serving, document=right) as c,
            YPeer(second, document=right) as d,
        ):
            peers = (a, b, c, d)
            await asyncio.gather(*(peer.provider.flush() for peer in peers))
            for number in range(20):
                a.map[f"a{number}"] = "x"
                d.map[f"d{number}"] = "x"
            for room in rooms:
                await room.until(lambda room=room: len(room.content()) == 40)  # type: ignore[misc]
            # Two rounds of flushes: what was under way before the first has been answered after the second.
            for _ in range(2):
                await asyncio.gather(*(peer.provider.flush() for peer in peers))
            settled = [room.counts()["update"] for room in rooms]
            for _ in range(2):
                await asyncio.gather(*(peer.provider.flush() for peer in peers))
            assert [room.counts()["update"] for room in rooms] == settled
            # Each update reaches each server by each bridge at most once.
            assert all(40 <= count <= 80 for count in settled)


async def test_providers_may_share_an_awareness_and_relay_it(serving: Serving) -> None:
    async with type(serving)(SyncServer()) as second:
        doc = create_doc()
        awareness = Awareness(doc.client_id)
        async with (
            YPeer(serving, document=doc, awareness=awareness) as one,
            YPeer(second, document=doc, awareness=awareness),
            YPeer(serving) as near,
            YPeer(second) as far,
        ):
            one.provider.set_local_state({"name": "bridge"})
            await near.until_others({"name": "bridge"})
            await far.until_others({"name": "bridge"})
            near.provider.set_local_state({"name": "near"})
            await far.until_others({"name": "bridge"}, {"name": "near"})
            await near.provider.disconnect()
            await far.until_others({"name": "bridge"})


# --- bounds


async def test_what_waits_for_a_slow_server_is_bounded_and_nothing_is_lost(
    serving: Serving,
) -> None:
    room = serving.server.room()
    bound = 200_000
    async with YPeer(serving, limits=Limits(max_outbound=bound)) as peer:
        await peer.provider.flush()
        serving.server.resumed.clear()
        queue = peer.provider._reconnect_loop.queue
        assert queue is not None
        payload = "x" * 50_000
        forgot = 0
        for number in range(200):  # 10 MB, more than the sockets' buffers take
            peer.map[f"k{number}"] = payload
            await asyncio.sleep(0)
            assert queue.size <= bound
            forgot += queue.forgot
        assert forgot
        flush = asyncio.create_task(peer.provider.flush())
        peer.provider.set_local_state({"name": "peer"})
        peer.map["last"] = "y"
        await asyncio.sleep(0)
        assert not flush.done()
        serving.server.resumed.set()
        await flush
        assert {f"k{number}" for number in range(200)} <= room.content().keys()
        await peer.provider.flush()
        assert room.content() == dict(peer.map.items())
        assert room.awareness.states == {peer.doc.client_id: {"name": "peer"}}
        assert len(serving.requests) == 1
    assert peer.errors == []


async def test_an_own_state_that_servers_drop_is_reported_once() -> None:
    errors: list[Exception] = []
    doc = create_doc()
    awareness = Awareness(doc.client_id, limits=Limits(max_awareness_state=100_000))
    async with (
        MemoryServing(SyncServer()) as serving,
        YPeer(serving, document=doc, awareness=awareness, on_error=errors.append) as peer,
    ):
        await peer.provider.wait_synced()
        for number in range(3):
            peer.provider.set_local_state({"bio": "x" * 5_000, "number": number})
    (error,) = errors
    assert "one's own awareness state has 5" in str(error)
    assert "larger than 4096 (limits.max_awareness_state)" in str(error)
    small = Awareness(1)
    with pytest.raises(ValueError, match="an awareness state of 5010 bytes of JSON; 4096 are allowed"):
        small.set_local_state({"bio": "x" * 5_000}, 0.0)


@pytest.mark.parametrize(
    ("url", "room"),
    [
        ("ws://host/farm", "farm"),
        ("ws://host/farm/", "farm"),
        ("ws://host/a/my%20farm", "my farm"),
        ("ws://host/a/b", "a/b"),
    ],
)
def test_a_room_that_is_named_twice_is_warned_of(url: str, room: str) -> None:
    with pytest.warns(UserWarning, match="ends with the room's name"):
        provider = YWebsocketProvider(create_doc(), url, room)
    assert provider.status == "disconnected"
    provider.expects_connect = False


@pytest.mark.parametrize("url", ["ws://host", "ws://farm", "ws://host/myfarm", "ws://host/farm/rooms"])
def test_an_address_that_does_not_name_the_room_is_not_warned_of(url: str) -> None:
    YWebsocketProvider(create_doc(), url, "farm").expects_connect = False
