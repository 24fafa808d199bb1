"""TinyBase in JavaScript, on Yjs and on automerge-repo, and Python on both, in one bridged room."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from support.bridged import DOCUMENT, KINDS, ROOM, Tables
from weft.protocols.automerge_repo import document_url
from weft.server import Server, SqliteRoomStorage, allow_all

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import JsPeer

pytestmark = pytest.mark.interop


async def join(js: JsPeer, kind: str, url: str) -> None:
    """A TinyBase Store that is kept in the room, under the name of its kind."""
    if kind == "yjs":
        await js("store.create", name=kind, autoLoad=False, autoSave=False)
        await js("socket.connect", name=kind, url=url, room=ROOM)
        await js("socket.wait", name=kind, condition="synced")
        await js("persister.call", name=kind, method="startAutoPersisting")
    else:
        await js("repo.create", name="repo")
        await js("repo.connect", name="repo", url=url)
        await js("repo.find", name=kind, repo="repo", url=document_url(DOCUMENT))
        await js("repo.state.wait", name=kind, state="ready")
        await js("am.store", name=kind)


async def cut(js: JsPeer, kind: str) -> None:
    if kind == "yjs":
        await js("socket.cut", name=kind)
    else:
        await js("repo.cut", name="repo")


CELLS: list[Any] = [3, 0, -1, 2.5, "text", "é😀", "", True, False, None, [1, {"a": None}], {"b": "c"}]


@pytest.mark.parametrize("seed", [1, 2])
async def test_everybody_in_a_bridged_room_comes_to_the_same(
    tmp_path: Path, js_peer: JsPeer, seed: int
) -> None:
    """The seed is the test's parameter."""
    rng = random.Random(seed)
    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with (
        Server(auth=allow_all, storage=storage, port=0, bridge=[ROOM]) as server,
        AsyncExitStack() as stack,
    ):
        python = [await stack.enter_async_context(Tables(server.url, kind)) for kind in KINDS]
        for kind in KINDS:
            await join(js_peer, kind, server.url)
        expected: dict[str, Any] = {"start": {"row": {"cell": 1}}}
        python[0].store.set_cell("start", "row", "cell", 1)
        for number in range(8):
            for kind in KINDS:  # nobody writes into what it has not seen: TinyBase would take it for its own
                await js_peer("store.wait", name=kind, method="getTables", equals=expected)
            for tables in python:
                await tables.until((expected, {}))
            if rng.random() < 0.4:
                await cut(js_peer, rng.choice(KINDS))
            for at, tables in enumerate(python):
                cell = rng.choice(CELLS)
                tables.store.set_cell(f"t{number}", f"python {at}", "c", cell)
                expected.setdefault(f"t{number}", {})[f"python {at}"] = {"c": cell}
            for kind in KINDS:
                cell = rng.choice(CELLS)
                calls = [["setCell", f"t{number}", kind, "c", cell]]
                if number and rng.random() < 0.5:
                    calls.append(["delRow", f"t{number - 1}", kind])
                    del expected[f"t{number - 1}"][kind]
                await js_peer("store.transaction", name=kind, calls=calls)
                expected[f"t{number}"][kind] = {"c": cell}
        for kind in KINDS:
            await js_peer("store.wait", name=kind, method="getTables", equals=expected)
            assert await js_peer("store.ignoredErrors", name=kind) == []
        for tables in python:
            await tables.until((expected, {}))
