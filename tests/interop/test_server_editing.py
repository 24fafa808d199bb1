"""Rooms edited in the server's process while JavaScript clients edit them, and a kill after each block."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.editing_server import EditingServer
from support.ports import free_port
from support.repoclient import numbered_id
from support.serving import WeftServe
from weft.protocols.automerge_repo import document_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.node import JsPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

ROOMS = {"yjs": "farm", "automerge": document_url(numbered_id(5))}
ROWS = 20


async def join(js: JsPeer, kind: str, url: str, name: str) -> None:
    """A TinyBase client of the room."""
    if kind == "yjs":
        await js("store.create", name=name, autoLoad=False, autoSave=False)
        await js("socket.connect", name=name, url=url, room=ROOMS[kind])
        await js("socket.wait", name=name, condition="synced")
        await js("persister.call", name=name, method="startAutoPersisting")
    else:
        await js("repo.create", name=f"repo {name}")
        await js("repo.connect", name=f"repo {name}", url=url)
        await js("repo.find", name=name, repo=f"repo {name}", url=ROOMS[kind])
        await js("repo.state.wait", name=name, state="ready")
        await js("am.store", name=name)


@pytest.mark.parametrize("kind", sorted(ROOMS))
async def test_what_a_block_wrote_and_saw_outlives_a_kill_right_after_it(
    tmp_path: Path, js_peer: JsPeer, new_js_peer: Callable[[], Any], kind: str
) -> None:
    path = tmp_path / "weft.sqlite3"
    expected: dict[str, dict[str, Any]] = {}
    port = free_port()
    for turn in range(3):
        with EditingServer(path, port) as server:
            names = ["one", "two"]
            ours: list[list[Any]] = [[f"python {turn}", f"r{row}", "n", row] for row in range(ROWS)]
            theirs = [[f"js {turn}", name, "text", "é😀"] for name in names]
            editing = asyncio.create_task(server.edit(ROOMS[kind], ours, theirs))
            for table, row, cell, value in ours:
                expected.setdefault(table, {})[row] = {cell: value}
            for name, written in zip(names, theirs, strict=True):
                if not turn:
                    await join(js_peer, kind, server.url, name)
                # What was there, and what the block has written; TinyBase writes only into what it has seen.
                await js_peer("store.wait", name=name, method="getTables", equals=expected)
                await js_peer("store.call", name=name, method="setCell", args=written)
                expected.setdefault(written[0], {})[written[1]] = {written[2]: written[3]}
            assert await editing == expected
            server.kill()
    with WeftServe(path, port=port) as server:
        fresh = await new_js_peer()
        await join(fresh, kind, server.url, "fresh")
        await fresh("store.wait", name="fresh", method="getTables", equals=expected)
        for name in names:
            await js_peer("store.wait", name=name, method="getTables", equals=expected)


async def test_a_plain_yjs_client_edits_texts_beside_a_block(tmp_path: Path, js_peer: JsPeer) -> None:
    """What the block's document cannot keep as it is, it does not write: JavaScript sees its own."""
    path = tmp_path / "weft.sqlite3"
    port = free_port()
    with EditingServer(path, port) as server:
        for name in ("a", "b"):
            await js_peer("live.join", name=name, url=server.url, room="texts")
        editing = asyncio.create_task(
            server.edit("texts", [["pets", "fido", "species", "dog"]], [["pets", "fido", "age", 3]])
        )
        cell = ["tinybase", "t", "pets", "fido"]
        await js_peer("doc.wait", name="a", path=[*cell, "species"], equals="dog")
        await js_peer("live.values", name="a")
        await js_peer("live.cut", name="a", step="write", base="x😀y")
        await js_peer("live.cut", name="a", step="cut", base="x😀y")
        await js_peer("doc.edit", name="a", edits=[["set", [*cell, "age"], 3]])
        assert await editing == {"pets": {"fido": {"species": "dog", "age": 3}}}
        server.kill()
    with WeftServe(path, port=port) as second:
        for name in ("a", "b"):
            await js_peer("socket.wait", name=name, condition="synced")
        await js_peer("live.join", name="late", url=second.url, room="texts")
        await js_peer("socket.wait", name="late", condition="synced")
        seen = [await js_peer("live.seen", name=name) for name in ("a", "b", "late")]
        assert seen[0] == seen[1] == seen[2]
        assert '"big":4611686018427387904n' in seen[2]
        await js_peer("doc.wait", name="late", path=[*cell, "species"], equals="dog")
