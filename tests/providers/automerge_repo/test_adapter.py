"""The automerge-repo adapter: what is said when, and a server played by hand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from support.provided import AutomergePeer
from support.reposerver import RepoServer, cells, id_of, put
from support.serverdouble import MemoryServing, SocketServing
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.errors import (
    ConnectionClosedError,
    ProviderError,
    RemoteProtocolError,
)
from weft.limits import Limits
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo.cbor import decode, encode
from weft.testing.clock import ManualClock
from weft.testing.memory import MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Serving = MemoryServing[RepoServer] | SocketServing[RepoServer]

FOR_NOW = 0.05  # seconds, where a wait is meant to fail
MISSING = r"the server has not got automerge:\w+, so far"


def kinds(server: RepoServer) -> list[str]:
    """What the clients have sent since the last time."""
    received = [decode(message) for message in server.received]
    server.received.clear()
    return [message["type"] for message in received if isinstance(message, dict)]


async def test_the_changes_of_one_tick_are_one_message(memory: MemoryServing[RepoServer]) -> None:
    async with AutomergePeer(memory) as peer:
        await peer.provider.wait_synced()
        peer.write("first", "x")
        await peer.provider.flush()
        kinds(memory.server)
        for number in range(1_000):
            peer.write(f"k{number}", "x")
        await peer.provider.flush()
        assert len(memory.server.room().content()) == 1_001
        assert kinds(memory.server) == ["sync"]


async def test_what_was_received_is_acknowledged_and_not_sent_back(memory: MemoryServing[RepoServer]) -> None:
    room = memory.server.room()
    async with AutomergePeer(memory) as peer:
        await peer.provider.wait_synced()
        kinds(memory.server)
        for number in range(10):
            room.write(f"k{number}", "x" * 1_000)
        await peer.until_cells(k9="x" * 1_000)
        await peer.provider.flush()
        assert sum(map(len, memory.server.received)) < 10_000


async def test_what_is_written_while_the_socket_is_busy_waits_in_the_document(
    memory: MemoryServing[RepoServer],
) -> None:
    async with AutomergePeer(memory) as peer:
        await peer.provider.wait_synced()
        memory.network.links[0].hold("up")
        kinds(memory.server)
        for number in range(100):  # 10 MB
            peer.write(f"k{number}", f"{number}" * 50_000)
            await asyncio.sleep(0)
        flush = asyncio.create_task(peer.provider.flush())
        await asyncio.sleep(0)
        assert memory.server.room().content() == {}
        memory.network.links[0].release("up")
        await flush
        assert memory.server.room().content() == peer.cells()
        assert len(kinds(memory.server)) < 10
        assert len(memory.requests) == 1
    assert peer.errors == []


async def test_a_transaction_that_is_held_open_holds_back_what_was_written_and_loses_nothing(
    memory: MemoryServing[RepoServer],
) -> None:
    async with AutomergePeer(memory) as peer:
        await peer.provider.wait_synced()
        peer.write("before", "1")
        flush = asyncio.create_task(peer.provider.flush())
        with peer.document.transaction() as transaction:
            transaction.put(ROOT, "within", ScalarType.Str, "2")
            for _ in range(10):
                await asyncio.sleep(0)
            assert memory.server.room().content() == {}
        await flush
        await memory.server.room().until_cells(before="1", within="2")
        # Nothing is written in this one, so nothing tells of its end.
        peer.write("last", "3")
        with peer.document.transaction():
            await asyncio.sleep(0)
        await memory.server.room().until_cells(last="3")
    assert peer.errors == []


async def test_what_was_written_in_the_tick_of_an_exception_is_sent(
    memory: MemoryServing[RepoServer],
) -> None:
    peer = AutomergePeer(memory)
    await peer.provider.__aenter__()
    await peer.provider.wait_synced()
    peer.write("x", "1")
    await peer.provider.__aexit__(KeyError, KeyError(), None)
    await memory.server.room().until_cells(x="1")
    assert kinds(memory.server)[-1] == "leave"


async def test_what_is_written_before_the_server_has_answered_is_one_message(
    memory: MemoryServing[RepoServer],
) -> None:
    async with AutomergePeer(memory, clock=ManualClock()) as peer:
        await peer.provider.wait_synced()
        peer.write("first", "x")
        await peer.provider.flush()
        memory.server.resumed.clear()
        kinds(memory.server)
        for number in range(200):
            peer.write(f"k{number}", "x")
            await asyncio.sleep(0)
        memory.server.resumed.set()
        await peer.provider.flush()
        assert len(memory.server.room().content()) == 201
        assert kinds(memory.server) == ["sync", "sync"]


async def test_a_server_that_does_not_answer_is_told_more_after_a_while(
    memory: MemoryServing[RepoServer],
) -> None:
    clock = ManualClock()
    async with AutomergePeer(memory, clock=clock, close_timeout=FOR_NOW) as peer:
        await peer.provider.wait_synced()
        peer.write("first", "x")
        await peer.provider.flush()
        memory.network.links[0].hold("down")
        for number in range(20):
            peer.write(f"k{number}", "x")
            await asyncio.sleep(0)
        await clock.wait_for_sleepers()
        room = memory.server.room()
        await room.until_cells(k0="x")
        assert "k19" not in room.content()
        clock.advance(0.05)
        await room.until_cells(k19="x")


# --- a server by hand


@asynccontextmanager
async def by_hand(
    *, buffer: int = 1 << 20, **options: Any
) -> AsyncIterator[tuple[MemoryNetwork, AutomergePeer]]:
    async with MemoryNetwork(buffer=buffer) as network:
        serving: Any = MemoryServing(RepoServer())
        serving.transport = network
        async with AutomergePeer(serving, close_timeout=FOR_NOW, **options) as peer:
            yield network, peer


async def test_a_server_that_refuses_the_handshake_is_reported_and_told_to_who_waits() -> None:
    async with by_hand() as (network, peer):
        peer.write("x", "1")
        flush = asyncio.create_task(peer.provider.flush())
        link = await network.accept()
        assert decode(await link.server.recv())["type"] == "join"  # type: ignore[arg-type,index]
        await link.server.send("text is ignored")
        await link.server.send(encode({"type": "error", "senderId": "s", "message": "go away"}))
        with pytest.raises(ProviderError, match="go away"):
            await flush
        link.drop(1002)
        await peer.until_status("disconnected")
    assert [type(error) for error in peer.errors[:2]] == [ProviderError, ConnectionClosedError]


async def test_a_server_that_speaks_another_version_is_left() -> None:
    async with by_hand() as (network, peer):
        link = await network.accept()
        await link.server.send(encode({"type": "peer", "senderId": "s", "selectedProtocolVersion": "2"}))
        await peer.until_status("disconnected")
        assert isinstance(peer.errors[0], RemoteProtocolError)


async def test_of_answers_to_a_server_that_takes_none_none_is_dropped(
    memory: MemoryServing[RepoServer],
) -> None:
    memory.network._buffer = 100
    async with AutomergePeer(memory, limits=Limits(max_outbound=500)) as peer:
        await peer.provider.wait_synced()
        memory.network.links[0].hold("up")
        room = memory.server.room()
        for number in range(100):
            room.write(f"k{number}", "x")
            await peer.until_cells(**{f"k{number}": "x"})
        peer.write("mine", "y" * 1_000)
        memory.network.links[0].release("up")
        await peer.provider.flush()
        assert room.content() == peer.cells()
        assert len(memory.requests) == 1
    assert peer.errors == []


async def test_more_documents_than_the_outbox_holds_are_greeted_one_by_one(
    memory: MemoryServing[RepoServer],
) -> None:
    memory.network._buffer = 100
    async with AutomergePeer(memory, limits=Limits(max_outbound=500), connect=False) as peer:
        documents = [AutomergeDocument() for _ in range(20)]
        for number, document in enumerate(documents):
            peer.provider.add(document, id_of(f"{number}"))
            put(document, "x", f"{number}" * 1_000)
        await peer.provider.connect()
        await peer.provider.wait_synced()
        await peer.provider.flush()
        for number, document in enumerate(documents):
            assert memory.server.room(f"{number}").content() == cells(document)
        assert len(memory.requests) == 1
    assert peer.errors == []


async def test_a_server_that_asks_and_does_not_read_costs_bounded_memory() -> None:
    async with by_hand(buffer=100, limits=Limits(max_outbound=1_000)) as (network, peer):
        link = await network.accept()
        link.hold("up")
        await link.server.send(encode({"type": "peer", "senderId": "s", "selectedProtocolVersion": "1"}))
        for number in range(100):
            request = {"type": "request", "senderId": "s", "documentId": id_of(f"{number}"), "data": b"?"}
            await link.server.send(encode(request))
        queue = peer.provider._reconnect_loop.queue
        assert queue is not None
        assert queue.size < 1_500
        link.release("up")
        put(peer.document, "x", "1")
        while decode(await link.server.recv())["type"] != "sync":  # type: ignore[arg-type,index]
            pass
        assert peer.errors == []
