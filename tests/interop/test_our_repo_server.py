"""automerge-repo clients in Node on our server, beside a Python client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.node import WRITES_WHILE_CLOSING
from support.repoclient import RepoClient, numbered_id, put, read
from support.serving import WeftServe
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.limits import Limits
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo import document_url, parse_document_url
from weft.server import Allow, Deny, Request, Server, SqliteRoomStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.node import JsPeer

pytestmark = pytest.mark.interop


async def join(js: JsPeer, repo: str, url: str) -> None:
    await js("repo.create", name=repo)
    await js("repo.connect", name=repo, url=url)
    await js("repo.peers.wait", name=repo, count=1)


async def make(js: JsPeer, name: str, repo: str, /, **content: Any) -> str:
    """Make a document in JavaScript; its URL."""
    url: str = (await js("repo.make", name=name, repo=repo, initial=content))["url"]
    return url


async def test_two_javascript_clients_and_a_python_one_edit_one_document(
    weft_server: Server, js_peer: JsPeer, new_js_peer: Callable[[], Any]
) -> None:
    other = await new_js_peer()
    await join(js_peer, "one", weft_server.url)
    await join(other, "two", weft_server.url)
    url = await make(js_peer, "a", "one", js=1)
    document_id = parse_document_url(url)
    await other("repo.find", name="b", repo="two", url=url)
    await other("am.wait", name="b", path=["js"], equals=1)
    async with RepoClient(weft_server.url, document_id) as python:
        await python.synced(document_id)
        await python.put(document_id, python=2)
        await other("am.edit", name="b", edits=[["set", ["two"], 3]])
        await python.wait_cells(document_id, js=1, two=3)
        for js, name in ((js_peer, "a"), (other, "b")):
            await js("am.wait", name=name, path=["python"], equals=2)
            await js("am.wait", name=name, path=["two"], equals=3)
            assert tuple(await js("am.heads", name=name)) == python.documents[document_id].heads
        # A late one gets everything.
        await js_peer("repo.create", name="late")
        await js_peer("repo.connect", name="late", url=weft_server.url)
        await js_peer("repo.find", name="c", repo="late", url=url)
        await js_peer("am.wait", name="c", path=[], equals={"js": 1, "python": 2, "two": 3})


async def test_what_is_said_is_heard_by_the_others_in_the_document(
    weft_server: Server, js_peer: JsPeer
) -> None:
    for repo in ("one", "two"):
        await join(js_peer, repo, weft_server.url)
    url = await make(js_peer, "a", "one", x=1)
    await js_peer("repo.find", name="b", repo="two", url=url)
    await js_peer("am.wait", name="b", path=["x"], equals=1)
    await js_peer("ephemeral.send", name="a", message={"cursor": [1, "é😀"]})
    await js_peer("ephemeral.wait", name="b", equals={"cursor": [1, "é😀"]})
    await js_peer("ephemeral.send", name="b", message="hello")
    await js_peer("ephemeral.wait", name="a", equals="hello")
    assert [said for _, said in await js_peer("ephemeral.heard", name="a")] == ["hello"]


async def test_an_unknown_document_is_unavailable_and_arrives_when_somebody_makes_it(
    weft_server: Server, js_peer: JsPeer
) -> None:
    await join(js_peer, "one", weft_server.url)
    document_id = numbered_id(7)
    await js_peer("repo.find", name="a", repo="one", url=document_url(document_id))
    await js_peer("repo.state.wait", name="a", state="unavailable")
    async with RepoClient(weft_server.url) as python:
        document = AutomergeDocument()
        put(document, n=1)
        await python.open(document_id, document)
        await js_peer("am.wait", name="a", path=["n"], equals=1)


async def test_a_server_that_is_killed_and_restarted_meets_the_edits_of_both_sides(
    tmp_path: Path, js_peer: JsPeer
) -> None:
    js_peer.complaint = WRITES_WHILE_CLOSING
    with WeftServe(tmp_path / "weft.sqlite3") as first:
        await join(js_peer, "one", first.url)
        url = await make(js_peer, "a", "one", x=1)
        document_id = parse_document_url(url)
        async with RepoClient(first.url, document_id) as python:
            await python.synced(document_id)
            await python.flush(document_id)
            port = first.port
            first.kill()
            await python.wait_closed()
        await js_peer("repo.peers.wait", name="one", count=0)
    await js_peer("am.edit", name="a", edits=[["set", ["js"], 2]])
    put(python.documents[document_id], python=3)
    with WeftServe(tmp_path / "weft.sqlite3", port=port) as second:
        await js_peer("repo.peers.wait", name="one", count=1)  # it has come back by itself
        async with python:
            await js_peer("am.wait", name="a", path=[], equals={"x": 1, "js": 2, "python": 3})
            await python.wait_cells(document_id, x=1, js=2, python=3)
            assert tuple(await js_peer("am.heads", name="a")) == python.documents[document_id].heads
        await asyncio.to_thread(second.stop)  # which expects it to end in good order
    await js_peer("repo.disconnect", name="one")


@pytest.mark.parametrize("end", ["close", "cut"])
async def test_lost_connections_with_edits_on_both_sides_lose_nothing(
    weft_server: Server, js_peer: JsPeer, end: str
) -> None:
    """``close`` says goodbye, ``cut`` does not."""
    js_peer.complaint = WRITES_WHILE_CLOSING
    await join(js_peer, "one", weft_server.url)
    url = await make(js_peer, "a", "one", x=1)
    document_id = parse_document_url(url)
    async with RepoClient(weft_server.url, document_id) as python:
        await python.synced(document_id)
        for number in range(1, 4):
            await js_peer(f"repo.{end}", name="one")
            await js_peer("am.edit", name="a", edits=[["set", [f"js{number}"], number]])
            await python.put(document_id, **{f"python{number}": number})
            await js_peer("am.wait", name="a", path=[f"python{number}"], equals=number)
            await python.wait_cells(document_id, **{f"js{number}": number})
        assert tuple(await js_peer("am.heads", name="a")) == python.documents[document_id].heads


@pytest.mark.timeout(240)
async def test_a_document_of_100_000_cells_goes_through_the_server(
    weft_server: Server, js_peer: JsPeer
) -> None:
    document = AutomergeDocument()
    with document.transaction() as transaction:
        for row in range(10_000):
            cells = transaction.put_object(ROOT, f"r{row}", ObjType.Map)
            for cell in range(10):
                transaction.put(cells, f"c{cell}", ScalarType.Int, row * 10 + cell)
    document_id = numbered_id(100)
    url = document_url(document_id)
    for repo in ("one", "two"):
        await join(js_peer, repo, weft_server.url)
    # From JavaScript to the server, from there to Python and to JavaScript, and an edit all the way back.
    await js_peer("repo.make", name="a", repo="one", data=document.save(), url=url, timeout=40)
    async with RepoClient(weft_server.url, document_id) as python:
        copy = python.documents[document_id]
        await python.wait(lambda: copy.heads == document.heads)
        await js_peer("repo.find", name="b", repo="two", url=url, timeout=40)
        await js_peer("am.wait", name="b", path=["r9999", "c9"], equals=99_999, timeout=40)
        await python.put(document_id, edited=1)
        for name in ("a", "b"):
            await js_peer("am.wait", name=name, path=["edited"], equals=1, timeout=40)
        heads = copy.heads
        await js_peer("am.edit", name="b", edits=[["set", ["edited"], 2]])
        await python.wait(lambda: copy.heads != heads)
        assert tuple(await js_peer("am.heads", name="b")) == copy.heads


async def test_readers_and_strangers(tmp_path: Path, js_peer: JsPeer) -> None:
    secret = numbered_id(1)

    def auth(request: Request) -> Allow | Deny:
        if request.room == secret:
            return Deny()
        return Allow(read_only="reader" in request.query)

    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with Server(auth=auth, storage=storage, port=0) as server:
        await join(js_peer, "writer", server.url)
        await join(js_peer, "reader", f"{server.url}/?reader=yes")
        url = await make(js_peer, "a", "writer", x=1)
        await js_peer("repo.find", name="b", repo="reader", url=url)
        await js_peer("am.wait", name="b", path=["x"], equals=1)
        await js_peer("am.edit", name="b", edits=[["set", ["mine"], 1]])
        await js_peer("ephemeral.send", name="b", message="written")
        await js_peer("ephemeral.wait", name="a", equals="written")
        await js_peer("am.edit", name="a", edits=[["set", ["x"], 2]])
        await js_peer("am.wait", name="b", path=["x"], equals=2)
        assert await js_peer("am.content", name="a") == {"x": 2}
        await js_peer("repo.find", name="c", repo="writer", url=document_url(secret))
        await js_peer("repo.state.wait", name="c", state="unavailable")


async def test_a_hundred_documents_of_one_client_are_found_by_another(
    weft_server: Server, js_peer: JsPeer
) -> None:
    await join(js_peer, "one", weft_server.url)
    urls = [await make(js_peer, f"a{number}", "one", n=number) for number in range(1, 101)]
    ids = [parse_document_url(url) for url in urls]
    async with RepoClient(weft_server.url, *ids) as python:
        for number, document_id in enumerate(ids, 1):
            await python.wait_cells(document_id, n=number)
            assert read(python.documents[document_id]) == {"n": number}


async def test_a_repo_with_a_document_too_many_goes_on_with_the_others(
    js_peer: JsPeer, tmp_path: Path
) -> None:
    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    limits = Limits(max_documents=2)
    async with Server(auth=lambda _: Allow(), storage=storage, port=0, limits=limits) as server:
        await join(js_peer, "one", server.url)
        urls = [await make(js_peer, name, "one", js=1) for name in "abc"]
        ids = [parse_document_url(url) for url in urls]
        async with RepoClient(server.url, *ids[:2]) as first, RepoClient(server.url, ids[2]) as second:
            for document_id in ids[:2]:
                await first.synced(document_id)
            await second.unavailable(ids[2])
            await first.put(ids[1], python=2)
            await js_peer("am.wait", name="b", path=["python"], equals=2)
            await js_peer("am.edit", name="a", edits=[["set", ["later"], 3]])
            await first.wait_cells(ids[0], later=3)
