"""Replicas that were edited offline, in rooms with JavaScript clients: the fault they are there against.

A row and a cell that were deleted offline are gone at everybody after the restart, and what was edited is
edited; a Store beside a provider, saved on its own, would have brought the deleted ones back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

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
        if self._kind == "automerge":
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
        what = "am.edit" if self._kind == "automerge" else "doc.edit"
        await self._js(what, name=self._name, edits=[["set", self._path(*path), value]])

    async def wait(self, value: object, *path: str) -> None:
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
                if kind == "automerge":
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
