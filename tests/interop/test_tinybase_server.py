"""Providers in rooms of TinyBase's own servers, with JavaScript clients of three versions: real sockets."""

from __future__ import annotations

import itertools
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from support.live import until
from support.node import NodeServer
from weft.errors import ProviderError
from weft.mergeable import MergeableStore
from weft.providers import Backoff, TinyBaseProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.node import JsPeer

pytestmark = pytest.mark.interop

SOON = Backoff(initial=0.02, maximum=0.1)


@pytest.fixture
def serve(_node: None, tmp_path: Path) -> Iterator[Callable[..., NodeServer]]:
    """Start one of TinyBase's servers; one with stores keeps them in files."""
    servers: list[NodeServer] = []

    def start(kind: str = "store", *options: str, port: int | None = None) -> NodeServer:
        where = [str(tmp_path)] if kind == "store" else []
        servers.append(NodeServer(port, "tinybase_server.mjs", kind, *where, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Client:
    """A MergeableStore, and its provider."""

    def __init__(self, url: str, channel: str | None = None, **options: Any) -> None:
        self.store = MergeableStore()
        self.errors: list[Exception] = []
        self.provider = TinyBaseProvider(
            self.store, url, channel, backoff=SOON, on_error=self.errors.append, **options
        )

    async def __aenter__(self) -> Client:
        await self.provider.__aenter__()
        await self.provider.wait_synced(20)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.provider.close(settle=False)

    async def until_tables(self, tables: dict[str, Any]) -> None:
        await until(
            lambda: self.store.get_tables() == tables,
            self.store.document.subscribe,
            f"{tables}; there is {self.store.get_tables()}",
        )

    def hashes(self) -> list[int]:
        return self.store.get_mergeable_content_hashes()


def hear(clients: list[Client], check: Callable[..., None]) -> Callable[[], object]:
    ends = [client.store.document.subscribe(check) for client in clients]
    return lambda: [end() for end in ends]


async def joined(js: JsPeer, url: str, name: str, version: int = 10, **options: Any) -> str:
    tables = options.pop("tables", {})
    await js("sync.create", name=name, version=version, tables=tables)
    await js("sync.connect", name=name, url=url, **options)
    return name


async def all_have(js: JsPeer, names: list[str], clients: list[Client], tables: dict[str, Any]) -> None:
    for name in names:
        await js("store.wait", name=name, method="getTables", equals=tables)
    for client in clients:
        await client.until_tables(tables)
    hashes = [await js("sync.hashes", name=name) for name in names]
    assert [client.hashes() for client in clients] + hashes == [hashes[0]] * (len(names) + len(clients))


async def wrote(js: JsPeer, name: str, row: str, cell: str, value: Any) -> None:
    await js("store.call", name=name, method="setCell", args=["t", row, cell, value])


async def test_three_versions_and_channels_meet_in_one_room(js_peer: JsPeer, serve: Any) -> None:
    server = serve()
    url = f"{server.url}/base/one"
    names = [
        await joined(js_peer, url, "ten", tables={"t": {"r": {"ten": 10}}}),
        await joined(js_peer, url, "eight", 8, tables={"t": {"r": {"eight": 8}}}),
        await joined(js_peer, url, "six", 6, tables={"t": {"r": {"six": 6}}}),
        await joined(js_peer, f"{server.url}/base", "channel", channel="one"),
    ]
    async with Client(url) as plain, Client(f"{server.url}/base", "one") as channel:
        plain.store.set_cell("t", "r", "plain", 1.5)
        channel.store.set_cell("t", "r", "channel", True)
        await wrote(js_peer, "channel", "r", "js", -0.25)
        row = {"ten": 10, "eight": 8, "six": 6, "plain": 1.5, "channel": True, "js": -0.25}
        await all_have(js_peer, names, [plain, channel], {"t": {"r": row}})
        channel.store.del_cell("t", "r", "eight")
        await js_peer("store.call", name="six", method="delCell", args=["t", "r", "ten"])
        del row["eight"], row["ten"]
        await all_have(js_peer, names, [plain, channel], {"t": {"r": row}})
        for client in (plain, channel):
            await client.provider.flush(10)
            assert client.errors == []


async def test_parts_go_all_ways(js_peer: JsPeer, serve: Any) -> None:
    # TinyBase reads parts from version 9 on; an older client's process ends when one comes.
    server = serve("store", "300")
    url = f"{server.url}/base/one"
    text = "héllo wörld 😀 " * 20
    names = [
        await joined(js_peer, url, "whole", tables={"t": {"r": {"whole": text}}}),
        await joined(js_peer, url, "parts", fragmentSize=60),
        await joined(js_peer, f"{server.url}/base", "channel", channel="one", fragmentSize=60),
    ]
    async with (
        Client(url, fragment_size=60) as parts,
        Client(f"{server.url}/base", "one", fragment_size=60) as channel,
    ):
        parts.store.set_cell("t", "r", "python", text)
        channel.store.set_cell("t", "r", "channel", text)
        await wrote(js_peer, "parts", "r", "js", text)
        row = dict.fromkeys(("whole", "python", "channel", "js"), text)
        await all_have(js_peer, names, [parts, channel], {"t": {"r": row}})
        await parts.provider.flush(10)
        assert parts.errors == channel.errors == []


@pytest.mark.parametrize("count", [3, 5])
async def test_all_of_a_room_write_at_once(js_peer: JsPeer, serve: Any, count: int) -> None:
    url = f"{serve().url}/room"
    versions = itertools.cycle((10, 8, 6))
    names = [await joined(js_peer, url, f"j{n}", next(versions)) for n in range(count // 2)]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(url)) for _ in range(count - len(names))]
        for turn in range(10):
            for number, client in enumerate(clients):
                client.store.set_cell("t", f"p{number}", f"k{turn}", turn)
                client.store.set_cell("t", "all", "last", f"p{number} {turn}")
            for name in names:
                await wrote(js_peer, name, name, f"k{turn}", turn)
        for client in clients:
            await client.provider.flush(10)
        cells = {f"k{turn}": turn for turn in range(10)}
        rows = dict.fromkeys([*names, *(f"p{n}" for n in range(len(clients)))], cells)
        await until(
            lambda: all(client.hashes() == clients[0].hashes() for client in clients),
            lambda check: hear(clients, check),
            "equal hashes",
        )
        last = clients[0].store.get_cell("t", "all", "last")  # of one millisecond, anybody's
        await all_have(js_peer, names, clients, {"t": {**rows, "all": {"last": last}}})


async def test_a_killed_server_loses_nothing_that_was_confirmed(js_peer: JsPeer, serve: Any) -> None:
    server = serve()
    async with Client(f"{server.url}/room") as one, Client(f"{server.url}/room") as other:
        one.store.set_cell("t", "r", "before", 1)
        await one.provider.flush(10)
        await other.until_tables({"t": {"r": {"before": 1}}})
        server.kill()
        await until(
            lambda: one.provider.status != "connected", one.provider.add_status_listener, "a lost connection"
        )
        one.store.set_cell("t", "r", "away", 2)
        other.store.set_cell("t", "r", "too", 3)
        serve(port=server.port)
        await one.provider.flush(20)
        await other.provider.flush(20)
        await joined(js_peer, f"{server.url}/room", "js")
        await all_have(js_peer, ["js"], [one, other], {"t": {"r": {"before": 1, "away": 2, "too": 3}}})


@pytest.mark.parametrize("kind", ["relay", "simple"])
async def test_servers_that_only_relay(js_peer: JsPeer, serve: Any, kind: str) -> None:
    url = f"{serve(kind).url}/room"
    await joined(js_peer, url, "js", tables={"t": {"r": {"js": 1}}})
    async with Client(url, request_timeout=0.1) as one, Client(url, request_timeout=0.1) as other:
        one.store.set_cell("t", "r", "python", 2)
        await all_have(js_peer, ["js"], [one, other], {"t": {"r": {"js": 1, "python": 2}}})
        with pytest.raises(ProviderError, match="only relays"):
            await one.provider.flush(10)


@pytest.mark.parametrize("kind", ["store", "simple"])
async def test_malformed_traffic_of_others_does_no_harm(js_peer: JsPeer, serve: Any, kind: str) -> None:
    url = f"{serve(kind).url}/room"
    async with Client(url, request_timeout=0.1) as one, Client(url, request_timeout=0.1) as other:
        for text in (
            "nonsense",
            "\nnonsense",
            '\n["x",99,""]',
            '\n["x",3,[[{"t":[{"r":[5]}]}],[{}],1]]',
            "\n",
        ):
            async with connect(url, compression=None, proxy=None) as socket:
                await socket.send(text)
                await socket.send("\n" + "[" * 20_000)
        for number in range(5):
            one.store.set_cell("t", "r", f"c{number}", number)
        await other.until_tables({"t": {"r": {f"c{number}": number for number in range(5)}}})
        assert one.hashes() == other.hashes()


async def test_half_a_character_is_kept_and_not_shown(js_peer: JsPeer, serve: Any) -> None:
    url = f"{serve().url}/room"
    await joined(js_peer, url, "js")
    async with Client(url) as client:
        await js_peer("store.calls", name="js", calls=[["setCell", "t", "r", "cut", "\ud83d"]])
        await wrote(js_peer, "js", "r", "whole", 1)
        await client.until_tables({"t": {"r": {"whole": 1}}})
        await client.provider.wait_synced()
        assert client.store.document.get_cell("t", "r", "cut") == "\ud83d"
        hashes = await js_peer("store.calls", name="js", calls=[["getMergeableContentHashes"]])
        assert client.hashes() == hashes[-1]
