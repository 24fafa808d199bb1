"""Our automerge-repo provider on a Node repo with a websocket server, beside Node's clients and Stores."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from support.live import LiveRepoPeer, until
from support.ports import free_port
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.errors import DocumentUnavailableError, SyncTimeoutError
from weft.mirrors import AutomergeDocument
from weft.providers import AutomergeWebsocketProvider, Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from support.node import JsPeer

pytestmark = pytest.mark.interop

QUICK = Backoff(initial=0.02, maximum=0.1)


@pytest_asyncio.fixture
async def url(js_peer: JsPeer) -> AsyncIterator[str]:
    """A Node repo that listens, named ``server``; it tells clients of no document they did not ask for."""
    await js_peer("repo.create", name="server", peerId="the-server", announce=False)
    port = (await js_peer("repo.listen", name="server"))["port"]
    yield f"ws://127.0.0.1:{port}"


async def store(js: JsPeer, name: str, repo: str = "server", url: str | None = None) -> str:
    """A TinyBase Store on a document of a Node repo, which is made or found; its URL."""
    if url is None:
        await js("repo.make", name=name, repo=repo)
    else:
        await js("repo.find", name=name, repo=repo, url=url)
        await js("repo.state.wait", name=name, state="ready")
    made: str = (await js("am.store", name=name))["url"]
    return made


async def content(js: JsPeer, name: str, tables: Any, values: Any) -> None:
    await js("store.wait", name=name, method="getContent", equals=[tables, values])


async def test_a_document_made_in_python_is_found_in_javascript(url: str, js_peer: JsPeer) -> None:
    async with LiveRepoPeer(url) as python:
        python.store.set_cell("pets", "fido", "species", "dog")
        await python.provider.flush(timeout=20)
        await store(js_peer, "js", url=python.provider.document_url)
        await content(js_peer, "js", {"pets": {"fido": {"species": "dog"}}}, {})
        await js_peer("store.call", name="js", method="setCell", args=["pets", "fido", "age", 3])
        await python.until_content(({"pets": {"fido": {"species": "dog", "age": 3}}}, {}))
        python.store.set_value("open", True)
        await content(js_peer, "js", {"pets": {"fido": {"species": "dog", "age": 3}}}, {"open": True})
        assert python.provider.last_error is None


async def test_a_document_made_in_javascript_is_found_in_python(url: str, js_peer: JsPeer) -> None:
    made = await store(js_peer, "js")
    await js_peer(
        "store.call", name="js", method="setCell", args=["pets", "fido", "tags", ["good", {"é": 1}]]
    )
    await js_peer("settle")
    async with LiveRepoPeer(url, made) as python:
        await python.provider.wait_synced(timeout=20)
        assert python.content() == ({"pets": {"fido": {"tags": ["good", {"é": 1}]}}}, {})
        python.store.set_cell("pets", "felix", "species", "cat")
        await python.provider.flush(timeout=20)
        await js_peer(
            "store.wait", name="js", method="getRow", args=["pets", "felix"], equals={"species": "cat"}
        )


async def test_several_store_transactions_in_one_tick_all_arrive(url: str, js_peer: JsPeer) -> None:
    made = await store(js_peer, "js")
    async with LiveRepoPeer(url, made) as python:
        await python.provider.wait_synced(timeout=20)
        for cell, number in [("a", 1), ("b", 2), ("a", 3)]:
            python.store.set_cell("t", "r", cell, number)
        await js_peer("store.wait", name="js", method="getRow", args=["t", "r"], equals={"a": 3, "b": 2})


async def test_what_a_listener_derives_from_a_received_cell_goes_back(url: str, js_peer: JsPeer) -> None:
    made = await store(js_peer, "js")
    async with LiveRepoPeer(url, made) as python:

        def add_tax(_store: object, _table: str, row: str, _cell: str, net: Any, *_: object) -> None:
            python.store.set_cell("orders", row, "gross", net * 2)

        python.store.add_cell_listener("orders", None, "net", add_tax, mutator=True)
        await python.provider.wait_synced(timeout=20)
        await js_peer("store.call", name="js", method="setCell", args=["orders", "1", "net", 21])
        await js_peer(
            "store.wait", name="js", method="getRow", args=["orders", "1"], equals={"net": 21, "gross": 42}
        )


@pytest.mark.parametrize("end", ["close", "cut", "unlisten"])
async def test_edits_of_both_sides_while_apart_meet_again(url: str, js_peer: JsPeer, end: str) -> None:
    """``close`` says goodbye, ``cut`` does not, and with ``unlisten`` the server is away for a while."""
    made = await store(js_peer, "js")
    async with LiveRepoPeer(url, made, backoff=QUICK, on_error=lambda error: None) as python:
        await python.provider.wait_synced(timeout=20)
        python.store.set_cell("t", "r", "before", 1)
        await python.provider.flush(timeout=20)
        expected: dict[str, int] = {"before": 1}
        for turn in range(3):
            async with _disconnecting(python.provider):
                await js_peer(f"repo.{end}", name="server")
            python.store.set_cell("t", "r", f"python{turn}", turn)
            await js_peer("store.call", name="js", method="setCell", args=["t", "r", f"js{turn}", turn])
            if end == "unlisten":
                await js_peer("repo.listen", name="server", port=int(url.rpartition(":")[2]))
            expected |= {f"python{turn}": turn, f"js{turn}": turn}
            await python.provider.wait_synced(timeout=20)
            await python.provider.flush(timeout=20)
            await python.until_content(({"t": {"r": expected}}, {}))
            await js_peer("store.wait", name="js", method="getRow", args=["t", "r"], equals=expected)


async def test_edits_made_before_the_first_connection_and_after_leaving_meet_too(
    url: str, js_peer: JsPeer
) -> None:
    made = await store(js_peer, "js")
    await js_peer("store.call", name="js", method="setCell", args=["t", "r", "js", 1])
    async with LiveRepoPeer(url, made) as python:
        python.store.set_cell("t", "r", "python", 2)
        await python.provider.wait_synced(timeout=20)
        await python.until_content(({"t": {"r": {"js": 1, "python": 2}}}, {}))
        await python.provider.disconnect()
        await js_peer("repo.peers.wait", name="server", count=0)
        python.store.set_cell("t", "r", "python", 3)
        await js_peer("store.call", name="js", method="setCell", args=["t", "r", "js", 4])
        await python.provider.connect()
        await python.until_content(({"t": {"r": {"js": 4, "python": 3}}}, {}))
        await content(js_peer, "js", {"t": {"r": {"js": 4, "python": 3}}}, {})


async def test_a_server_that_forgot_gets_everything_back(
    js_peer: JsPeer, new_js_peer: Callable[[], Any]
) -> None:
    first = await new_js_peer()
    await first("repo.create", name="server")
    port = free_port()
    await first("repo.listen", name="server", port=port)
    async with LiveRepoPeer(f"ws://127.0.0.1:{port}", backoff=QUICK, on_error=lambda error: None) as python:
        python.store.set_cell("t", "r", "before", 1)
        await python.provider.flush(timeout=20)
        async with _disconnecting(python.provider):
            first.kill()
        python.store.set_cell("t", "r", "meanwhile", 2)
        await js_peer("repo.create", name="server")
        await js_peer("repo.listen", name="server", port=port)
        await python.provider.flush(timeout=20)
        await store(js_peer, "js", url=python.provider.document_url)
        await content(js_peer, "js", {"t": {"r": {"before": 1, "meanwhile": 2}}}, {})


async def test_several_documents_go_over_one_connection(url: str, js_peer: JsPeer) -> None:
    made = [await store(js_peer, f"js{number}") for number in range(3)]
    documents = [AutomergeDocument() for _ in range(6)]
    async with AutomergeWebsocketProvider(documents[0], url, made[0]) as provider:
        handles = [provider.handle]
        handles += [
            provider.add(document, one) for document, one in zip(documents[1:3], made[1:], strict=True)
        ]
        handles += [provider.add(document) for document in documents[3:]]
        await provider.wait_synced(timeout=20)
        for number, document in enumerate(documents):
            _put(document, "python", number)
        await provider.flush(timeout=20)
        assert await js_peer("repo.peers", name="server") == [provider.peer_id]
        for number, handle in enumerate(handles):
            name = f"js{number}"
            if number >= 3:
                await js_peer("repo.find", name=name, repo="server", url=handle.url)
            assert await js_peer("am.content", name=name, path=["python"]) == number
        handles[4].close()
        _put(documents[4], "python", 100)
        await js_peer("am.edit", name="js3", edits=[["set", ["js"], 1]])
        await until(lambda: "js" in documents[3].core.keys(ROOT), documents[3].subscribe, "the other's edit")
        assert await js_peer("am.content", name="js4", path=["python"]) == 4


async def test_documents_that_the_server_announced_unasked_are_taken_up_later(js_peer: JsPeer) -> None:
    await js_peer("repo.create", name="server", announce=True)
    port = (await js_peer("repo.listen", name="server"))["port"]
    made = [await store(js_peer, f"js{number}") for number in range(2)]
    saved = await js_peer("am.save", name="js1")
    for number in range(2):
        await js_peer("store.call", name=f"js{number}", method="setCell", args=["t", "r", "c", number])
    async with AutomergeWebsocketProvider(AutomergeDocument(), f"ws://127.0.0.1:{port}") as provider:
        await provider.wait_synced(timeout=20)
        # By now it has heard of both, and of their changes, and answered nothing.
        await js_peer("store.call", name="js1", method="setCell", args=["t", "r", "d", 2])
        handles = [
            provider.add(AutomergeDocument(data), url) for data, url in zip((b"", saved), made, strict=True)
        ]
        await provider.wait_synced(timeout=20)
        for number, handle in enumerate(handles):
            _put(handle.document, "python", number)
            await handle.flush(timeout=20)
            assert list(handle.document.heads) == await js_peer("am.heads", name=f"js{number}")


async def test_what_is_broadcast_is_heard_on_both_sides(url: str, js_peer: JsPeer) -> None:
    made = await store(js_peer, "js")
    heard: list[tuple[object, str]] = []
    async with LiveRepoPeer(url, made) as python, LiveRepoPeer(url, made) as other:
        for peer in (python, other):
            await peer.provider.wait_synced(timeout=20)
        spoken = asyncio.Event()

        def hear(message: object, peer_id: str) -> None:
            heard.append((message, peer_id))
            spoken.set()

        other.provider.add_ephemeral_listener(hear)
        said = {"cursor": [1, "é😀", None, 0.5], "raw": b"\0\xff"}
        assert python.provider.broadcast(said)
        await js_peer("ephemeral.wait", name="js", equals=said)
        await asyncio.wait_for(spoken.wait(), 20)
        assert heard == [
            (said, python.provider.peer_id)
        ]  # the server passed it on, and it does not come back
        spoken.clear()
        await js_peer("ephemeral.send", name="js", message={"hello": [1.5, {"x": None}]})
        await asyncio.wait_for(spoken.wait(), 20)
        assert heard[1:] == [({"hello": [1.5, {"x": None}]}, "the-server")]


async def test_presence_is_told_both_ways_and_ends_with_the_peer(url: str, js_peer: JsPeer) -> None:
    made = await store(js_peer, "js")
    async with LiveRepoPeer(url, made, peer_id="python") as python:
        await python.provider.wait_synced(timeout=20)
        await js_peer("presence.start", name="js", state={"name": "Ada"})
        presence = python.provider.handle.presence({"name": "Python"})
        await js_peer("presence.wait", name="js", equals={"python": {"name": "Python"}})
        await js_peer("presence.set", name="js", channel="cursor", value=[1, 0.5, None])
        ada = {"name": "Ada", "cursor": [1, 0.5, None]}
        await until(lambda: presence.states == {"the-server": ada}, presence.add_listener, f"{ada}")
        presence.set("cursor", {"row": "é😀"})
        await js_peer(
            "presence.wait", name="js", equals={"python": {"name": "Python", "cursor": {"row": "é😀"}}}
        )
        await js_peer("presence.stop", name="js")
        await until(lambda: presence.states == {}, presence.add_listener, "nobody")
        await js_peer("presence.start", name="js", state={"name": "Ada"})
        await until(lambda: "the-server" in presence.states, presence.add_listener, "Ada again")
        await js_peer(
            "presence.wait", name="js", equals={"python": {"name": "Python", "cursor": {"row": "é😀"}}}
        )
        await python.provider.close()
        await js_peer("presence.wait", name="js", equals={})


async def test_a_document_nobody_has_is_reported_and_arrives_when_somebody_makes_it(
    url: str, js_peer: JsPeer, new_js_peer: Callable[[], Any]
) -> None:
    elsewhere = await new_js_peer()
    await elsewhere("repo.create", name="late")
    made = await store(elsewhere, "js", "late")
    await elsewhere("store.call", name="js", method="setCell", args=["t", "r", "c", 1])
    errors: asyncio.Queue[Exception] = asyncio.Queue()
    async with LiveRepoPeer(url, made, on_error=errors.put_nowait) as python:
        assert isinstance(await asyncio.wait_for(errors.get(), 20), DocumentUnavailableError)
        with pytest.raises(SyncTimeoutError, match=f"the server has not got {made}, so far"):
            await python.provider.wait_synced(timeout=0.05)
        assert errors.empty()
        assert python.provider.handle.unavailable
        await elsewhere("repo.connect", name="late", url=url)
        await python.provider.wait_synced(timeout=20)
        assert python.content() == ({"t": {"r": {"c": 1}}}, {})
        assert not python.provider.handle.unavailable


async def test_a_new_document_is_in_sync_before_anything_is_in_it(url: str, js_peer: JsPeer) -> None:
    async with AutomergeWebsocketProvider(AutomergeDocument(), url) as provider:
        await provider.wait_synced(timeout=20)
        await provider.flush(timeout=20)
        _put(provider.document, "x", 1)
        await provider.flush(timeout=20)
        await js_peer("repo.find", name="js", repo="server", url=provider.document_url)
        await js_peer("am.wait", name="js", path=["x"], equals=1)
        assert provider.last_error is None


async def test_documents_saved_on_one_side_are_loaded_on_the_other(url: str, js_peer: JsPeer) -> None:
    made = await store(js_peer, "js")
    await js_peer("store.call", name="js", method="setCell", args=["t", "r", "js", "text"])
    await js_peer("settle")
    data = await js_peer("am.save", name="js")
    async with LiveRepoPeer(url, made, data=data) as python:
        assert python.content() == ({"t": {"r": {"js": "text"}}}, {})
        python.store.set_cell("t", "r", "python", ["x", 1])
        await python.provider.flush(timeout=20)
        await js_peer("repo.create", name="other")
        await js_peer("repo.make", name="loaded", repo="other", data=python.document.save())
        await js_peer("am.store", name="loaded")
        await content(js_peer, "loaded", {"t": {"r": {"js": "text", "python": ["x", 1]}}}, {})


async def test_a_python_and_a_javascript_client_meet_on_the_server(
    url: str, js_peer: JsPeer, new_js_peer: Callable[[], Any]
) -> None:
    client = await new_js_peer()
    await client("repo.create", name="client")
    await client("repo.connect", name="client", url=url)
    made = await store(client, "js", "client")
    async with LiveRepoPeer(url, made) as python:
        await python.provider.wait_synced(timeout=20)
        python.store.set_cell("t", "r", "python", 1)
        await client("store.wait", name="js", method="getRow", args=["t", "r"], equals={"python": 1})
        await client("store.call", name="js", method="setCell", args=["t", "r", "js", 2])
        await python.until_cell("t", "r", "js", 2)


async def test_every_cell_crosses_in_both_directions(url: str, js_peer: JsPeer) -> None:
    numbers = [0, 1, -1, 3, -4, 0.5, -0.25, 2**31, -(2**31), 2**53 - 2, 5e-324, 0.1]
    # These JavaScript's Automerge writes wrong, or reads back as BigInt (automerge#1222, #1169).
    edges = [2**53 - 1, -(2**53 - 1), 2.0**53, 1e20, -1e20, 1e300, 1.7976931348623157e308]
    others = [
        "",
        "text",
        "é😀",
        "\0",
        "\u2028",
        "x" * 5000,
        True,
        False,
        None,
        [],
        [1, [None, "x"]],
        {"a": {"b": [0.5]}},
    ]
    cells = {f"c{number}": cell for number, cell in enumerate([*numbers, *others])}
    more = {f"e{number}": cell for number, cell in enumerate(edges)}
    odd_ids = {"toString": 1, "constructor": "x", "prototype": 2, "__proto__": 3, "\0": 4, "": 5, "é😀": 6}
    made = await store(js_peer, "js")
    async with LiveRepoPeer(url, made) as python:
        await python.provider.wait_synced(timeout=20)
        python.store.set_row("python", "r", {**cells, **more})
        python.store.set_row("python", "ids", odd_ids)
        python.store.set_values(cells)
        await js_peer(
            "store.wait",
            name="js",
            method="getTable",
            args=["python"],
            equals={"r": {**cells, **more}, "ids": odd_ids},
        )
        await js_peer("store.wait", name="js", method="getValues", equals=cells)
        await js_peer("store.call", name="js", method="setTable", args=["js", {"r": cells, "ids": odd_ids}])
        await python.until_content(
            (
                {"python": {"r": {**cells, **more}, "ids": odd_ids}, "js": {"r": cells, "ids": odd_ids}},
                cells,
            )
        )
        # JavaScript took nothing for invalid, so it deleted nothing.
        assert await js_peer("store.ignoredErrors", name="js") == []


@pytest.mark.timeout(240)
async def test_a_document_of_100_000_cells_goes_both_ways(url: str, js_peer: JsPeer) -> None:
    table = {f"r{row}": {f"c{cell}": row * cell for cell in range(5)} for row in range(20_000)}
    async with LiveRepoPeer(url) as python:
        python.store.set_table("t", table)
        await python.provider.flush(timeout=100)
        made = python.provider.document_url
        async with LiveRepoPeer(url, made) as other:
            await other.provider.wait_synced(timeout=100)
            assert other.store.get_table("t") == table
            await js_peer("repo.find", name="js", repo="server", url=made, timeout=60)
            path = ["tinybase", "t", "t", "r19999", "c4"]
            await js_peer("am.wait", name="js", path=path, equals=79_996, timeout=60)
            await js_peer("am.edit", name="js", edits=[["set", path, 1]], timeout=60)
            for peer in (python, other):
                await peer.until_cell("t", "r19999", "c4", 1)


async def test_1_000_small_changes_of_one_tick_all_arrive(url: str, js_peer: JsPeer) -> None:
    made = await store(js_peer, "js")
    async with LiveRepoPeer(url, made) as python:
        await python.provider.wait_synced(timeout=20)
        for number in range(1_000):
            python.store.set_cell("t", f"r{number}", "c", number)
        await python.provider.flush(timeout=20)
        await js_peer("store.wait", name="js", method="getRowCount", args=["t"], equals=1_000)


@asynccontextmanager
async def _disconnecting(provider: AutomergeWebsocketProvider) -> AsyncIterator[None]:
    """What the block does ends the connection. The next may stand before anybody looks."""
    gone = asyncio.Event()

    def changed(status: str, _synced: bool) -> None:
        if status == "disconnected":
            gone.set()

    unsubscribe = provider.add_status_listener(changed)
    yield
    async with asyncio.timeout(20):
        await gone.wait()
    unsubscribe()


def _put(document: AutomergeDocument, key: str, value: int) -> None:
    with document.transaction() as transaction:
        transaction.put(ROOT, key, ScalarType.Int, value)
