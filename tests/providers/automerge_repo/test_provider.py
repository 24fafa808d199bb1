"""What is automerge-repo's own about its provider: documents. The rest is in test_provider.py."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.automerge_chunks import cbor_flood
from support.live import until
from support.provided import AutomergePeer
from support.reposerver import RepoServer, cells, id_of, put
from weft.errors import (
    DocumentUnavailableError,
    LocalProtocolError,
    ProviderClosedError,
    ProviderError,
    SyncTimeoutError,
)
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo import document_url, parse_document_url
from weft.providers import AutomergeWebsocketProvider

if TYPE_CHECKING:
    from support.serverdouble import MemoryServing, SocketServing

    Serving = MemoryServing[RepoServer] | SocketServing[RepoServer]

FOR_NOW = 0.05  # seconds, where a wait is meant to fail
MISSING = r"the server has not got automerge:\w+, so far"


async def test_documents_share_a_connection_and_each_has_its_own_waits(repos: Serving) -> None:
    async with AutomergePeer(repos, "first") as peer:
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
        assert repos.server.room("second").content() == {"x": "1"}
        assert repos.server.room("first").content() == {"y": "2"}
        repos.server.room("second").write("z", "3")
        await until(lambda: "z" in cells(second), second.subscribe, "the server's edit")
        await repos.drop_all()
        await peer.until_status("disconnected")
        assert not handle.synced
        put(second, "w", "4")
        await peer.provider.wait_synced()
        await peer.provider.flush()
        assert repos.server.room("second").content() == {"x": "1", "z": "3", "w": "4"}
        assert len(repos.requests) == 2


@pytest.mark.parametrize("kind", ["peer", "sync", "of a later version"])
async def test_a_message_that_would_hold_up_all_costs_the_connection(repos: Serving, kind: str) -> None:
    async with AutomergePeer(repos, "first") as peer:
        await peer.provider.wait_synced()
        repos.server.visits[0].queue.put_nowait(cbor_flood(kind, 3_000_000))
        await peer.until_status("disconnected")
        assert "too many items" in str(peer.errors[-1])
        await peer.provider.wait_synced()
        peer.write("y", "2")
        await peer.provider.flush()


async def test_a_removed_document_is_left_alone_and_who_waits_for_it_is_told(repos: Serving) -> None:
    repos.server.has_all = False
    async with AutomergePeer(repos, "first") as peer:
        second = AutomergeDocument()
        handle = peer.provider.add(second, id_of("second"))
        wait = asyncio.create_task(handle.wait_synced())
        while not handle.unavailable:
            peer.errors.clear()
            await peer.until_error()
        put(second, "x", "1")
        handle.close()
        handle.close()
        with pytest.raises(ProviderClosedError, match="was removed"):
            await wait
        # What was written before is on its way; what comes after is not.
        await repos.server.room("second").until_cells(x="1")
        put(second, "x", "2")
        repos.server.room("second").write("y", "3")
        peer.write("z", "4")
        await peer.provider.flush()
        assert repos.server.room("second").content() == {"x": "1", "y": "3"}
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
        assert repos.server.room("second").content() == {"x": "2", "y": "3", "z": "5"} == cells(second)


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
        handle.close()
        with pytest.raises(ProviderClosedError, match="was removed"):
            await flush
        # Added again and removed at once: the connection need not be made anew.
        with peer.provider.add(second, id_of("second")):
            pass
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
        second.subscribe(lambda event: handle.close())
        await peer.provider.wait_synced()
        assert cells(second) == {"x": "1"}
        assert not handle.synced
    assert peer.errors == []


async def test_a_new_document_gets_an_id_and_is_in_sync_without_anybody_having_it(repos: Serving) -> None:
    repos.server.has_all = False
    async with AutomergePeer(repos, None) as peer, AutomergePeer(repos, None) as other:
        assert peer.provider.document_url != other.provider.document_url
        await peer.provider.wait_synced()
        peer.write("x", "1")
        await peer.provider.flush()
        document_id = parse_document_url(peer.provider.document_url)
        assert peer.provider.handle.document_id == document_id
        assert repos.server.by_id(document_id).content() == {"x": "1"}
    assert peer.errors == []


async def test_a_document_nobody_has_is_reported_once_and_waited_for(repos: Serving) -> None:
    repos.server.has_all = False
    async with AutomergePeer(repos, "later") as peer:
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
        async with AutomergePeer(repos, "later") as other:
            other.write("x", "1")
            await other.provider.wait_synced()
            await peer.provider.wait_synced()
        assert peer.cells() == {"x": "1"}
        assert repr(handle).endswith(" synced>")
        assert peer.provider.last_error is None


async def test_a_flush_of_what_the_server_will_not_have_says_why(repos: Serving) -> None:
    repos.server.denied.add(id_of("secret"))
    async with AutomergePeer(repos, "secret", close_timeout=FOR_NOW) as peer:
        peer.write("x", "1")
        await peer.until_error()
        with pytest.raises(SyncTimeoutError, match=f"not confirmed.*{MISSING}"):
            await peer.provider.flush(FOR_NOW)


async def test_a_document_that_may_only_be_read_is_in_sync_and_never_flushed(repos: Serving) -> None:
    repos.server.read_only.add(id_of("room"))
    repos.server.room().write("x", "1")
    async with AutomergePeer(repos, close_timeout=FOR_NOW) as peer:
        await peer.provider.wait_synced()
        assert peer.cells() == {"x": "1"}
        peer.write("y", "2")
        for _ in range(2):
            with pytest.raises(ProviderError, match="may not be written"):
                await peer.provider.flush()
        assert len(peer.errors) == 1
        assert repos.server.room().content() == {"x": "1"}


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
    await provider.close()
    with pytest.raises(ValueError, match="url must"):
        AutomergeWebsocketProvider(document, "here")


async def test_it_names_itself_and_says_where_it_stands() -> None:
    provider = AutomergeWebsocketProvider(AutomergeDocument(), "ws://here/repo", id_of("x"), peer_id="me")
    assert provider.peer_id == "me"
    assert repr(provider) == "<AutomergeWebsocketProvider ws://here/repo never connected>"
    assert repr(provider.handle) == f"<DocHandle automerge:{id_of('x')} not synced>"
    await provider.close()
    assert repr(provider) == "<AutomergeWebsocketProvider ws://here/repo closed>"
