"""Documents that have outgrown a message: they come and go in parts, whoever is at the other end.

The limits are 64 KiB here in the place of 16 MiB; the last tests have documents of 20 and 25 MB.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Array, Doc, Map, Text

from support.serving import WeftServe
from weft._codecs.automerge import columns, cut, saved_document
from weft._codecs.yjs.cut import cut_update
from weft._codecs.yjs.state import decode_state_vector
from weft.documents.automerge import AutomergeDocument
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.documents.yjs import create_doc
from weft.errors import ConnectionClosedError, RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.providers import AutomergeWebsocketProvider, Backoff, YWebsocketProvider
from weft.server import MemoryRoomStorage, Server, SqliteRoomStorage, allow_all

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import JsPeer, NodeServer

SMALL = Limits(max_message=64 * 1024)
SOON = Backoff(initial=0.01, maximum=0.01)


def provider(doc: Doc[Any], url: str, limits: Limits = SMALL, **options: Any) -> YWebsocketProvider:
    return YWebsocketProvider(doc, url, "room", limits=limits, backoff=SOON, **options)


def serving(path: Path | None = None) -> Server:
    storage = MemoryRoomStorage() if path is None else SqliteRoomStorage(path)
    return Server(auth=allow_all, storage=storage, port=0, limits=SMALL)


def write(doc: Doc[Any], count: int, size: int) -> None:
    """Write cells one by one, a text in pieces that the binding joins, and a list."""
    cells, text, values = doc.get("m", type=Map), doc.get("t", type=Text), doc.get("l", type=Array)
    for number in range(count):
        cells[f"k{number}"] = f"{number}" * size
        text += "é" * (size // 2)
        values.append("v" * size)


def content(doc: Doc[Any]) -> list[Any]:
    return [
        doc.get("m", type=Map).to_py(),
        str(doc.get("t", type=Text)),
        doc.get("l", type=Array).to_py(),
    ]


def of(cells: int, size: int) -> AutomergeDocument:
    """An Automerge document of so many changes."""
    document = AutomergeDocument()
    for number in range(cells):
        with document.transaction() as transaction:
            # Bytes that no compression makes less of.
            transaction.put(ROOT, f"k{number}", ScalarType.Bytes, random.Random(number).randbytes(size))
            transaction.put(ROOT, "last", ScalarType.Int, number)
    return document


async def test_yjs_peers_with_the_same_limits_meet_in_a_room_that_has_outgrown_them() -> None:
    large, late = create_doc(), create_doc()
    write(large, 40, 8_000)
    assert len(large.get_update()) > 10 * SMALL.max_message
    async with serving() as server:
        # Up in parts, to an empty room ...
        async with provider(large, server.url) as first:
            await first.flush(timeout=20)
        # ... and down in parts, where all is there when the provider says so.
        async with provider(late, server.url) as second:
            await second.wait_synced(timeout=20)
            assert content(late) == content(large)
            assert second.last_error is None
            # One transaction that is larger than a message, while the connection stands.
            with late.transaction():
                write(late, 20, 8_000)
            await second.flush(timeout=20)
        async with provider(large, server.url) as first:
            await first.wait_synced(timeout=20)
            assert content(large) == content(late)


async def test_a_room_that_has_outgrown_its_messages_is_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server._core.room_log._IDLE_ROWS", 2)
    large, late = create_doc(), create_doc()
    write(large, 40, 8_000)
    path = tmp_path / "rooms.sqlite3"
    for _ in range(2):
        async with serving(path) as server, provider(large, server.url) as first:
            await first.flush(timeout=20)
    async with SqliteRoomStorage(path) as storage:  # compacted into one row
        assert max(map(len, (await storage.load("room")).rows)) > 10 * SMALL.max_message
    async with serving(path) as server, provider(late, server.url) as second:
        await second.wait_synced(timeout=20)
        assert content(late) == content(large)


async def test_automerge_peers_with_the_same_limits_meet_in_a_document_that_has_outgrown_them() -> None:
    large, late = of(40, 8_000), AutomergeDocument(limits=SMALL)
    async with serving() as server:
        async with AutomergeWebsocketProvider(large, server.url, limits=SMALL, backoff=SOON) as first:
            await first.flush(timeout=20)
            url = first.document_url
        async with AutomergeWebsocketProvider(late, server.url, url, limits=SMALL, backoff=SOON) as second:
            await second.wait_synced(timeout=20)
            assert late.heads == large.heads
            assert second.last_error is None
            with late.transaction() as transaction:
                transaction.put(ROOT, "last", ScalarType.Int, 1)
            await second.flush(timeout=20)
        async with AutomergeWebsocketProvider(large, server.url, url, limits=SMALL, backoff=SOON) as first:
            await first.wait_synced(timeout=20)
            assert late.heads == large.heads


async def test_one_value_that_is_too_large_ends_the_provider_and_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    doc = create_doc()
    async with serving() as server, provider(doc, server.url, DEFAULT_LIMITS) as one:
        await one.wait_synced(timeout=20)
        doc.get("m", type=Map)["k"] = "x" * 20_000_000
        with pytest.raises(ConnectionClosedError) as caught:
            await one.flush(timeout=20)
        assert one.status == "closed"
    assert caught.value.permanent
    said = str(caught.value)
    assert "exceeds limit of 65536 bytes" in said
    assert "cannot be sent in smaller parts" in said
    assert "a message of 200000" in said
    levels = {record.name: record.levelno for record in caplog.records}
    assert levels["weft.providers"] == levels["weft.server"] == logging.ERROR


async def test_a_change_that_is_too_large_ends_the_provider_and_says_why() -> None:
    document = of(1, 100_000)
    async with (
        serving() as server,
        AutomergeWebsocketProvider(document, server.url, backoff=SOON, limits=SMALL) as one,
    ):
        with pytest.raises(ConnectionClosedError, match="cannot be sent in smaller parts"):
            await one.flush(timeout=20)
        assert one.status == "closed"


def text_of(changes: int, characters: int) -> AutomergeDocument:
    """A document with one text, of which each character is an operation, and that compresses to nothing."""
    document = AutomergeDocument()
    with document.transaction() as transaction:
        text = transaction.put_object(ROOT, "text", ObjType.Text)
    for _ in range(changes):
        with document.transaction() as transaction:
            transaction.splice_text(text, 0, 0, "a" * characters)
    return document


async def test_a_document_of_more_operations_than_one_chunk_may_have_can_be_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With bounds of 20,000 and 5,000 in the place of 8 million and 262,144."""
    monkeypatch.setattr(saved_document, "_MAX_DOCUMENT_OPS", 20_000)
    monkeypatch.setattr(cut, "_PART_OPS", 5_000)
    large, late, third = text_of(25, 1_000), AutomergeDocument(), AutomergeDocument()
    with pytest.raises(RemoteProtocolError, match="too many operations; send its changes instead"):
        late.apply_changes([large.save()])
    async with serving() as server:
        async with AutomergeWebsocketProvider(large, server.url, backoff=SOON) as first:
            await first.flush(timeout=20)
            url = first.document_url
            async with AutomergeWebsocketProvider(late, server.url, url, backoff=SOON) as second:
                await second.wait_synced(timeout=20)
                assert late.heads == large.heads
                assert first.last_error is second.last_error is None
        async with AutomergeWebsocketProvider(third, server.url, url, backoff=SOON) as provider:
            await provider.wait_synced(timeout=20)
            assert third.heads == large.heads


async def test_a_change_of_too_many_operations_ends_the_provider_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a bound of 20,000 in the place of 2 million, which take 10 KB: the content is refused."""
    monkeypatch.setattr(columns, "MAX_OPS", 20_000)
    monkeypatch.setattr(saved_document, "_MAX_DOCUMENT_OPS", 20_000)
    document = text_of(1, 20_001)
    async with (
        serving() as server,
        AutomergeWebsocketProvider(document, server.url, backoff=SOON) as one,
    ):
        with pytest.raises(ConnectionClosedError) as caught:
            await one.flush(timeout=20)
        assert one.status == "closed"
    assert caught.value.permanent
    said = str(caught.value)
    assert "refused 6 times in a row" in said
    assert "an Automerge change has more than 2,097,152 operations: write in several transactions" in said
    levels = [record.levelno for record in caplog.records if record.name == "weft.providers"]
    assert levels[-1] == logging.ERROR


async def test_a_server_that_takes_less_is_sent_less() -> None:
    """A document of 600 kB, by a provider with default limits, to a server that takes 64 KiB at once."""
    large, late = create_doc(), create_doc()
    write(large, 40, 8_000)
    errors: list[Exception] = []
    async with serving() as server:
        async with provider(large, server.url, DEFAULT_LIMITS, on_error=errors.append) as first:
            await first.flush(timeout=20)
        async with provider(late, server.url, DEFAULT_LIMITS) as second:
            await second.wait_synced(timeout=20)
            assert content(late) == content(large)
    assert {getattr(error, "code", None) for error in errors} == {1009}


@pytest.mark.interop
async def test_a_server_that_sends_more_than_may_be_received_ends_the_provider_and_says_why(
    y_websocket_server: NodeServer,
) -> None:
    large = create_doc()
    write(large, 20, 8_000)
    async with provider(large, y_websocket_server.url, DEFAULT_LIMITS) as first:
        await first.flush(timeout=20)
        async with provider(create_doc(), y_websocket_server.url) as second:
            with pytest.raises(ConnectionClosedError, match="give the provider limits with more"):
                await second.wait_synced(timeout=20)
            assert second.status == "closed"


@pytest.mark.interop
async def test_a_javascript_client_takes_the_parts_and_is_synced_when_all_are_there(js_peer: JsPeer) -> None:
    large = create_doc()
    write(large, 40, 8_000)
    async with serving() as server, provider(large, server.url) as first:
        await first.flush(timeout=20)
        await js_peer("doc.create", name="js")
        await js_peer("socket.connect", name="js", url=server.url, room="room")
        await js_peer("socket.wait", name="js", condition="synced")
        update = await js_peer("doc.encode", name="js")
        copy: Doc[Any] = Doc()
        copy.apply_update(update)
        assert content(copy) == content(large)
        assert copy.get_state() == large.get_state()
        await js_peer("doc.edit", name="js", edits=[["set", ["m", "js"], 1]])
        await js_peer("doc.wait", name="js", path=["m", "js"], equals=1)


@pytest.mark.interop
@pytest.mark.parametrize("seed", range(3))
async def test_yjs_lets_no_part_wait_for_one_after_it(js_peer: JsPeer, seed: int) -> None:
    rng = random.Random(seed)
    docs = [create_doc() for _ in range(3)]
    for _ in range(80):
        doc = rng.choice(docs)
        doc.apply_update(rng.choice(docs).get_update(doc.get_state()))
        text, cells = doc.get("t", type=Text), doc.get("m", type=Map)
        text.insert(rng.randint(0, len(text)), "abc" * rng.randint(1, 9))
        if len(text) > 20 and rng.random() < 0.4:
            del text[5:12]
        cells[f"row{rng.randrange(4)}"] = Map({"cell": "y" * rng.randint(1, 60)})
    for doc in docs[1:]:
        docs[0].apply_update(doc.get_update())
    update = docs[0].get_update()
    await js_peer("doc.create", name="js")
    for part in cut_update(update, 256):
        await js_peer("doc.apply", name="js", update=part)
        assert await js_peer("doc.pending", name="js") == {"structs": False, "deletes": False}
    copy: Doc[Any] = Doc()
    copy.apply_update(await js_peer("doc.encode", name="js"))
    assert content(copy) == content(docs[0])
    assert decode_state_vector(copy.get_state()) == decode_state_vector(docs[0].get_state())


@pytest.mark.interop
async def test_a_javascript_repo_takes_the_parts(js_peer: JsPeer) -> None:
    large = of(40, 8_000)
    async with (
        serving() as server,
        AutomergeWebsocketProvider(large, server.url, limits=SMALL, backoff=SOON) as first,
    ):
        await first.flush(timeout=20)
        await js_peer("repo.create", name="repo")
        await js_peer("repo.connect", name="repo", url=server.url)
        await js_peer("repo.peers.wait", name="repo", count=1)
        await js_peer("repo.find", name="js", repo="repo", url=first.document_url)
        await js_peer("am.wait", name="js", path=["last"], equals=39)
        assert tuple(await js_peer("am.heads", name="js")) == large.heads


async def test_a_document_of_20_mb_made_of_writes_of_5_mb_can_be_joined(tmp_path: Path) -> None:
    doc, late = create_doc(), create_doc()
    with WeftServe(tmp_path / "rooms.sqlite3") as server:
        async with YWebsocketProvider(doc, server.url, "room") as first:
            await first.wait_synced(timeout=20)
            for number in range(4):
                doc.get("m", type=Map)[f"k{number}"] = f"{number}" * 5_000_000
                doc.get("t", type=Text).insert(0, "t" * 1_000_000)
                await first.flush(timeout=20)
        async with YWebsocketProvider(late, server.url, "room") as second:
            await second.wait_synced(timeout=20)
            assert content(late) == content(doc)


async def test_a_peer_with_25_mb_meets_an_empty_room(tmp_path: Path) -> None:
    doc, late = create_doc(), create_doc()
    for number in range(5):
        doc.get("m", type=Map)[f"k{number}"] = f"{number}" * 5_000_000
    document, found = of(5, 5_000_000), AutomergeDocument()
    with WeftServe(tmp_path / "rooms.sqlite3") as server:
        async with YWebsocketProvider(doc, server.url, "room") as first:
            await first.flush(timeout=20)
        async with YWebsocketProvider(late, server.url, "room") as second:
            await second.wait_synced(timeout=20)
            assert content(late) == content(doc)
        async with AutomergeWebsocketProvider(document, server.url) as third:
            await third.flush(timeout=40)
            async with AutomergeWebsocketProvider(found, server.url, third.document_url) as fourth:
                await fourth.wait_synced(timeout=40)
                assert found.heads == document.heads
