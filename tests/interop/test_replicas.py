"""Replicas that were edited offline, in rooms with JavaScript clients: the fault they are there against.

A row and a cell that were deleted offline are gone at everybody after the restart, and what was edited is
edited; a Store beside a provider, saved on its own, would have brought the deleted ones back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.node import NodeServer
from support.replicas import KINDS, connected, joined, mirrored
from support.servers import eventually, serving

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import JsPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

EMPTY = object()


class JsClient:
    """A JavaScript client of the room, which sees cells in the layout of their kind."""

    def __init__(self, js: JsPeer, kind: str, url: str) -> None:
        self._js, self._kind, self._url = js, kind, url

    async def join(self, name: str, document: str) -> None:
        self._name = name
        if self._kind == "mergeable":
            await self._js("sync.create", name=name)
            await self._js("sync.connect", name=name, url=f"{self._url}/farm")
        elif self._kind == "automerge":
            await self._js("repo.create", name=f"{name} repo")
            await self._js("repo.connect", name=f"{name} repo", url=self._url)
            await self._js("repo.peers.wait", name=f"{name} repo", count=1)
            await self._js("repo.find", name=name, repo=f"{name} repo", url=document)
        else:
            await self._js("live.join", name=name, url=self._url, room="farm")
            await self._js("socket.wait", name=name, condition="synced")

    def _path(self, *path: str) -> list[str]:
        return ["tinybase", "\x1f".join(path)] if self._kind == "flat" else ["tinybase", "t", *path]

    async def edit(self, value: int, *path: str) -> None:
        if self._kind == "mergeable":
            await self._js("store.call", name=self._name, method="setCell", args=[*path, value])
            return
        what = "am.edit" if self._kind == "automerge" else "doc.edit"
        await self._js(what, name=self._name, edits=[["set", self._path(*path), value]])

    async def wait(self, value: object, *path: str) -> None:
        if self._kind == "mergeable":
            method = ("getTable", "getRow", "getCell")[len(path) - 1]
            await self._js("store.wait", name=self._name, method=method, args=path, equals=value)
            return
        equals: dict[str, Any] = {} if value is EMPTY else {"equals": value}
        what = "am.wait" if self._kind == "automerge" else "doc.wait"
        await self._js(what, name=self._name, path=self._path(*path), **equals)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_deleted_and_edited_offline_is_so_at_everybody_after_a_restart(
    tmp_path: Path, js_peer: JsPeer, kind: str
) -> None:
    path = tmp_path / "farm.weft"
    async with serving() as server:
        js = JsClient(js_peer, kind, server.url)
        async with connected(path, server.url, kind) as (replica, store, provider):
            store.set_tables({"t": {"gone": {"a": 1}, "kept": {"a": 1, "b": 2, "c": 3}}})
            await provider.flush()
            await js.join("js", replica.url)
            await js.wait(3, "t", "kept", "c")
        async with mirrored(path, kind) as (replica, store):  # a start without a network
            store.del_row("t", "gone")
            store.del_cell("t", "kept", "b")
            store.set_cell("t", "kept", "a", 5)
        await js.edit(7, "t", "kept", "c")
        async with mirrored(path, kind) as (replica, store):
            assert replica.pending
            assert store.get_tables() == {"t": {"kept": {"a": 5, "c": 3}}}
            async with joined(replica, server.url) as provider:
                await js.wait(5, "t", "kept", "a")
                if kind in {"automerge", "mergeable"}:
                    await js.wait({"kept": {"a": 5, "c": 7}}, "t")
                else:
                    await js.wait(EMPTY, "t", "kept", "b")
                    await js.wait(EMPTY, *(("t", "gone", "a") if kind == "flat" else ("t", "gone")))
                await provider.flush()
                await eventually(lambda: store.get_tables() == {"t": {"kept": {"a": 5, "c": 7}}})
                assert not replica.pending


async def test_what_javascript_wrote_leaves_a_replica_as_it_was_written(
    tmp_path: Path, js_peer: JsPeer
) -> None:
    """Halves of emoji, BigInt and -0, given to a server that has nothing, by way of the replica alone."""
    path, base = tmp_path / "farm.weft", "x😀y"
    async with serving() as server:
        await js_peer("live.join", name="a", url=server.url, room="farm")
        async with connected(path, server.url) as (_, store, provider):
            await js_peer("live.values", name="a")
            for step in ("write", "cut", "after"):
                await js_peer("live.cut", name="a", step=step, base=base)
            store.set_value("started", 1)
            await js_peer("doc.wait", name="a", path=["tinybase", "v", "started"], equals=1)
            await js_peer("doc.edit", name="a", edits=[["set", ["tinybase", "v", "done"], 1]])
            await eventually(lambda: store.get_value("done") == 1)
            await provider.flush()
        wanted = await js_peer("live.seen", name="a")
        await js_peer("live.leave", name="a")
    async with serving() as server, connected(path, server.url) as (_, _, provider):
        await provider.flush()
        await js_peer("live.join", name="late", url=server.url, room="farm")
        await js_peer("socket.wait", name="late", condition="synced")
        assert await js_peer("live.seen", name="late") == wanted
        assert '"big":4611686018427387904n' in wanted
        assert '"zero":-0' in wanted


async def test_what_was_written_offline_reaches_tinybases_own_server(tmp_path: Path, js_peer: JsPeer) -> None:
    """That is killed between: what it had confirmed and had not saved is pending again, and sent again."""
    file, folder = tmp_path / "farm.weft", tmp_path / "server"
    folder.mkdir()
    async with weft.connect(
        "tinybase+ws://127.0.0.1:9/farm", offline=file, on_error=lambda error: None
    ) as store:
        store.set_tables({"t": {"gone": {"a": 1}, "kept": {"a": 1, "tags": ["x", {"y": 1}]}}})
    with NodeServer(None, "tinybase_server.mjs", "store", str(folder)) as server:
        address = f"tinybase+{server.url}/farm"
        async with weft.connect(address, offline=file) as store:
            assert store.sync.pending.updates == 1
            await store.sync.flush(timeout=20)
            assert not store.sync.pending
        js = JsClient(js_peer, "mergeable", server.url)
        await js.join("js", "")
        await js.wait({"gone": {"a": 1}, "kept": {"a": 1, "tags": ["x", {"y": 1}]}}, "t")
        with weft.open(file) as store:  # offline
            store.del_row("t", "gone")
            store.set_cell("t", "kept", "a", 5)
        await js.edit(7, "t", "kept", "c")
        await js.edit(2, "t", "gone", "b")
        async with weft.connect(address, offline=file, connect=False) as store:
            assert store.sync.pending.updates == 2
            summary = await store.sync.sync(timeout=20)
            assert (summary.sent, summary.received) == (2, 2)
            tables = {"gone": {"b": 2}, "kept": {"a": 5, "tags": ["x", {"y": 1}], "c": 7}}
            assert store.get_tables() == {"t": tables}
            hashes = store.sync.document.get_content_hashes()
        await js.wait(tables, "t")
        assert await js_peer("sync.hashes", name="js") == hashes
        await js_peer("sync.disconnect", name="js")
        server.kill()
    for path in folder.iterdir():
        path.unlink()
    with NodeServer(None, "tinybase_server.mjs", "store", str(folder)) as server:
        async with weft.connect(f"tinybase+{server.url}/farm", offline=file) as store:
            await store.sync.flush(timeout=20)
            assert not store.sync.pending
        late = JsClient(js_peer, "mergeable", server.url)
        await late.join("late", "")
        await late.wait(tables, "t")
        assert await js_peer("sync.hashes", name="late") == hashes
