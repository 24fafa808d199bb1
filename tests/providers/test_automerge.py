"""What is automerge-repo's own about its provider: documents and broadcasts. The rest: test_provider.py."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from support.live import until
from support.provided import AutomergePeer
from support.reposerver import RepoServer, cells, id_of, put
from support.serverdouble import MemoryServing, SocketServing
from weft.errors import (
    ConnectionClosedError,
    DocumentUnavailableError,
    LocalProtocolError,
    ProviderClosedError,
    ProviderError,
    RemoteProtocolError,
    SyncTimeoutError,
)
from weft.limits import Limits
from weft.mirrors import AutomergeDocument
from weft.mirrors._amcore import ROOT, ScalarType
from weft.protocols._cbor import decode, encode
from weft.protocols.automerge_repo import document_url, parse_document_url
from weft.providers import AutomergeWebsocketProvider
from weft.testing.memory import MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Serving = MemoryServing[RepoServer] | SocketServing[RepoServer]

FOR_NOW = 0.05  # seconds, where a wait is meant to fail
MISSING = r"the server has not got automerge:\w+, so far"


@pytest_asyncio.fixture(params=[MemoryServing, SocketServing], ids=["memory", "sockets"])
async def serving(request: pytest.FixtureRequest) -> AsyncIterator[Serving]:
    async with request.param(RepoServer()) as serving:
        yield serving


@pytest_asyncio.fixture
async def memory() -> AsyncIterator[MemoryServing[RepoServer]]:
    async with MemoryServing(RepoServer()) as serving:
        yield serving


def kinds(server: RepoServer) -> list[str]:
    """What the clients have sent since the last time."""
    received = [decode(message) for message in server.received]
    server.received.clear()
    return [message["type"] for message in received if isinstance(message, dict)]


# --- changes


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
        outbox = peer.provider._engine.outbox
        assert outbox is not None
        for number in range(100):  # 5 MB
            peer.write(f"k{number}", f"{number}" * 50_000)
            await asyncio.sleep(0)
            assert outbox.size < 300_000
        flush = asyncio.create_task(peer.provider.flush())
        await asyncio.sleep(0)
        assert memory.server.room().content() == {}
        memory.network.links[0].release("up")
        await flush
        assert memory.server.room().content() == peer.cells()
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


# --- documents


async def test_documents_share_a_connection_and_each_has_its_own_waits(serving: Serving) -> None:
    async with AutomergePeer(serving, "first") as peer:
        await peer.provider.wait_synced()
        second = AutomergeDocument()
        handle = peer.provider.add(second, document_url(id_of("second")))
        assert not peer.provider.synced
        assert handle.document is second
        await handle.wait_synced()
        await peer.provider.wait_synced()
        put(second, "x", "1")
        peer.write("y", "2")
        await handle.flush()
        await peer.provider.flush()
        assert serving.server.room("second").content() == {"x": "1"}
        assert serving.server.room("first").content() == {"y": "2"}
        serving.server.room("second").write("z", "3")
        await until(lambda: "z" in cells(second), second.subscribe, "the server's edit")
        await serving.drop_all()
        await peer.until_status("disconnected")
        assert not handle.synced
        put(second, "w", "4")
        await peer.provider.wait_synced()
        await peer.provider.flush()
        assert serving.server.room("second").content() == {"x": "1", "z": "3", "w": "4"}
        assert len(serving.requests) == 2


async def test_a_removed_document_is_left_alone_and_who_waits_for_it_is_told(serving: Serving) -> None:
    serving.server.has_all = False
    async with AutomergePeer(serving, "first") as peer:
        second = AutomergeDocument()
        handle = peer.provider.add(second, id_of("second"))
        wait = asyncio.create_task(handle.wait_synced())
        while not handle.unavailable:
            peer.errors.clear()
            await peer.until_error()
        put(second, "x", "1")
        handle.remove()
        handle.remove()
        with pytest.raises(ProviderClosedError, match="was removed"):
            await wait
        # What was written before is on its way; what comes after is not.
        await serving.server.room("second").until_cells(x="1")
        put(second, "x", "2")
        serving.server.room("second").write("y", "3")
        peer.write("z", "4")
        await peer.provider.flush()
        assert serving.server.room("second").content() == {"x": "1", "y": "3"}
        assert cells(second) == {"x": "2"}
        for wait_for in (handle.wait_synced, handle.flush):
            with pytest.raises(ProviderClosedError, match="was removed"):
                await wait_for()
        with pytest.raises(ProviderClosedError, match="was removed"):
            handle.broadcast("hello")
        # To take it up again takes a new connection: the server goes on where it was.
        peer.errors.clear()
        peer.provider.add(second, id_of("second"))
        put(second, "z", "5")
        await peer.provider.flush()
        await peer.provider.wait_synced()
        assert [str(error) for error in peer.errors] == [
            f"{handle.url} was added again; the connection is made anew"
        ]
        await until(lambda: "y" in cells(second), second.subscribe, "what the server had")
        assert serving.server.room("second").content() == {"x": "2", "y": "3", "z": "5"} == cells(second)


async def test_who_waits_for_a_flush_of_a_removed_document_is_told(memory: MemoryServing[RepoServer]) -> None:
    async with AutomergePeer(memory, "first") as peer:
        second = AutomergeDocument()
        handle = peer.provider.add(second, id_of("second"))
        await peer.provider.wait_synced()
        memory.server.resumed.clear()
        put(second, "x", "1")
        flush = asyncio.create_task(handle.flush())
        for _ in range(10):
            await asyncio.sleep(0)
        assert memory.network.links[0].waiting("up")  # the question
        handle.remove()
        with pytest.raises(ProviderClosedError, match="was removed"):
            await flush
        # Added again and removed at once: the connection need not be made anew.
        peer.provider.add(second, id_of("second")).remove()
        memory.server.resumed.set()
        peer.write("y", "2")
        await peer.provider.flush()
        assert len(memory.requests) == 1
        assert memory.server.room("second").content() == {"x": "1"}
    assert peer.errors == []


async def test_a_document_may_be_removed_by_who_hears_of_its_content(
    memory: MemoryServing[RepoServer],
) -> None:
    memory.server.room("second").write("x", "1")
    async with AutomergePeer(memory, "first") as peer:
        second = AutomergeDocument()
        handle = peer.provider.add(second, id_of("second"))
        second.subscribe(lambda event: handle.remove())
        await peer.provider.wait_synced()
        assert cells(second) == {"x": "1"}
        assert not handle.synced
    assert peer.errors == []


async def test_a_new_document_gets_an_id_and_is_in_sync_without_anybody_having_it(serving: Serving) -> None:
    serving.server.has_all = False
    async with AutomergePeer(serving, None) as peer, AutomergePeer(serving, None) as other:
        assert peer.provider.document_url != other.provider.document_url
        await peer.provider.wait_synced()
        peer.write("x", "1")
        await peer.provider.flush()
        document_id = parse_document_url(peer.provider.document_url)
        assert peer.provider.handle.document_id == document_id
        assert serving.server.by_id(document_id).content() == {"x": "1"}
    assert peer.errors == []


async def test_a_document_nobody_has_is_reported_once_and_waited_for(serving: Serving) -> None:
    serving.server.has_all = False
    async with AutomergePeer(serving, "later") as peer:
        handle = peer.provider.handle
        await peer.until_error()
        for wait in (peer.provider.wait_synced, handle.wait_synced):
            with pytest.raises(SyncTimeoutError, match=MISSING):
                await wait(FOR_NOW)
        assert handle.unavailable
        assert repr(handle).endswith("unavailable>")
        (error,) = peer.errors
        assert isinstance(error, DocumentUnavailableError)
        assert error.url == peer.provider.document_url
        await peer.provider.flush()  # there is nothing to be had
        async with AutomergePeer(serving, "later") as other:
            other.write("x", "1")
            await other.provider.wait_synced()
            await peer.provider.wait_synced()
        assert peer.cells() == {"x": "1"}
        assert repr(handle).endswith(" synced>")
        assert peer.provider.last_error is None


async def test_a_flush_of_what_the_server_will_not_have_says_why(serving: Serving) -> None:
    serving.server.denied.add(id_of("secret"))
    async with AutomergePeer(serving, "secret", close_timeout=FOR_NOW) as peer:
        peer.write("x", "1")
        await peer.until_error()
        with pytest.raises(SyncTimeoutError, match=f"not confirmed.*{MISSING}"):
            await peer.provider.flush(FOR_NOW)


async def test_a_document_that_may_only_be_read_is_in_sync_and_never_flushed(serving: Serving) -> None:
    serving.server.read_only.add(id_of("room"))
    serving.server.room().write("x", "1")
    async with AutomergePeer(serving, close_timeout=FOR_NOW) as peer:
        await peer.provider.wait_synced()
        assert peer.cells() == {"x": "1"}
        peer.write("y", "2")
        with pytest.raises(SyncTimeoutError, match="not confirmed"):
            await peer.provider.flush(FOR_NOW)
        assert serving.server.room().content() == {"x": "1"}


async def test_what_is_no_document_url_or_was_added_before_is_refused() -> None:
    document = AutomergeDocument()
    for url in ("automerge:", "automerge:0", "http://here", "", id_of("x")[:-1] + "x"):
        with pytest.raises(ValueError, match="document id"):
            AutomergeWebsocketProvider(document, "ws://here", url)
    provider = AutomergeWebsocketProvider(document, "ws://here", id_of("x"))
    with pytest.raises(ValueError, match="added before"):
        provider.add(AutomergeDocument(), document_url(id_of("x")))
    with document.transaction(), pytest.raises(LocalProtocolError, match="transaction is open"):
        provider.add(document)
    with pytest.raises(ValueError, match="url must"):
        AutomergeWebsocketProvider(document, "here")


# --- broadcasts


async def test_what_is_broadcast_is_heard_by_the_others_of_the_document(serving: Serving) -> None:
    async with (
        AutomergePeer(serving, peer_id="one") as one,
        AutomergePeer(serving) as other,
        AutomergePeer(serving, "elsewhere") as elsewhere,
        AutomergePeer(serving) as silent,
    ):
        await silent.provider.wait_synced()  # where nobody listens
        heard: asyncio.Queue[tuple[object, str]] = asyncio.Queue()
        for peer in (one, other, elsewhere):
            await peer.provider.wait_synced()
            peer.provider.add_ephemeral_listener(lambda *said: heard.put_nowait(said))
        for message in ("hello", {"cursor": [1, 0.5, None, True]}, b"\0\xff", 0):
            assert one.provider.broadcast(message)
            assert await asyncio.wait_for(heard.get(), 10) == (message, "one")
        assert heard.empty()
        assert silent.errors == []
        assert one.provider.document is one.document


async def test_what_listeners_raise_and_what_cannot_be_read_is_reported(
    memory: MemoryServing[RepoServer],
) -> None:
    async with AutomergePeer(memory) as one, AutomergePeer(memory) as other:
        heard: list[object] = []

        def fail(message: object, peer_id: str) -> None:
            raise KeyError(message)

        other.provider.add_ephemeral_listener(fail)
        other.provider.add_ephemeral_listener(lambda message, peer_id: heard.append(message))
        await one.provider.wait_synced()
        await other.provider.wait_synced()
        (visit,) = (visit for visit in memory.server.visits if visit.session.other == other.provider.peer_id)
        fields = {"documentId": id_of("room"), "senderId": "x", "sessionId": "y", "targetId": "z"}
        for count, data in enumerate([b"\xff", encode("a")[:-1], encode([1])]):
            visit.queue.put_nowait(encode({**fields, "type": "ephemeral", "count": count, "data": data}))
        await until(lambda: bool(heard), other.provider.handle.add_ephemeral_listener, "a message")
        assert heard == [[1]]
        assert [type(error) for error in other.errors] == [RemoteProtocolError, RemoteProtocolError, KeyError]
        assert other.provider.status == "connected"


async def test_what_cannot_be_broadcast_is_refused(memory: MemoryServing[RepoServer]) -> None:
    async with AutomergePeer(memory, limits=Limits(max_ephemeral=100)) as peer:
        assert not peer.provider.broadcast("nobody is connected yet")
        await peer.provider.wait_synced()
        assert peer.provider.broadcast("x" * 90)
        for bad in (object(), {1: 2}, "x" * 100, 1 << 70):
            with pytest.raises((TypeError, ValueError)):
                peer.provider.broadcast(bad)


async def test_broadcasts_are_lost_while_the_connection_is_slow(memory: MemoryServing[RepoServer]) -> None:
    async with AutomergePeer(memory) as peer:
        await peer.provider.wait_synced()
        memory.network.links[0].hold("up")
        told = [peer.provider.broadcast("x" * 60_000) for _ in range(10)]
        assert told[0]
        assert not told[-1]
        peer.write("x", "1")
        memory.network.links[0].release("up")
        await peer.provider.flush()


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


async def test_when_answers_pile_up_the_connection_is_made_anew_and_nothing_is_lost(
    memory: MemoryServing[RepoServer],
) -> None:
    memory.network._buffer = 100
    async with AutomergePeer(memory, limits=Limits(max_outbound=1_000)) as peer:
        await peer.provider.wait_synced()
        memory.network.links[0].hold("up")
        room = memory.server.room()
        for number in range(100):
            room.write(f"k{number}", "x")
            await peer.until_cells(**{f"k{number}": "x"})
        peer.write("mine", "y")
        memory.network.links[0].release("up")
        await peer.until_status("disconnected")
        (error,) = peer.errors
        assert type(error) is ProviderError
        assert "1000 bytes" in str(error)
        await peer.provider.flush()
        assert room.content() == peer.cells()
        assert len(peer.cells()) == 101


async def test_it_names_itself_and_says_where_it_stands() -> None:
    provider = AutomergeWebsocketProvider(AutomergeDocument(), "ws://here/repo", id_of("x"), peer_id="me")
    assert provider.peer_id == "me"
    assert repr(provider) == "<AutomergeWebsocketProvider ws://here/repo disconnected>"
    assert repr(provider.handle) == f"<DocHandle automerge:{id_of('x')} not synced>"
