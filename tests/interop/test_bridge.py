"""TinyBase in JavaScript, on Yjs, automerge-repo and alone, and Python on all three, in one bridged room."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from support.bridged import KINDS, ROOM, Tables
from support.bridged_js import cut, join, rejoin
from support.serving import WeftServe
from weft.server import Server, SqliteRoomStorage, allow_all
from weft.server.storage.address import reading

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import JsPeer

pytestmark = pytest.mark.interop


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
            is_cut = rng.choice(KINDS) if rng.random() < 0.4 else None
            if is_cut is not None:
                await cut(js_peer, is_cut)
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
            if is_cut == "tinybase":
                await rejoin(js_peer, server.url)
        for kind in KINDS:
            await js_peer("store.wait", name=kind, method="getTables", equals=expected)
            assert await js_peer("store.ignoredErrors", name=kind) == []
        for tables in python:
            await tables.until((expected, {}))


async def heads(path: Path) -> dict[str, int]:
    """How many rows each side has had."""
    async with reading(str(path)) as reader:
        return {room.name: room.head for room in await reader.rooms()}


async def test_a_server_is_killed_while_everybody_writes_and_no_edit_comes_twice(
    tmp_path: Path, js_peer: JsPeer
) -> None:
    path = tmp_path / "rooms.sqlite3"
    options = ("--bridge", ROOM, "--shared")
    expected: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        server = stack.enter_context(WeftServe(path, *options))
        python = [await stack.enter_async_context(Tables(server.url, kind)) for kind in KINDS]
        for kind in KINDS:
            await join(js_peer, kind, server.url)

        async def everybody_writes(number: int, when: str) -> None:
            table = f"{when}{number}"
            for at, tables in enumerate(python):
                tables.store.set_cell(table, f"python {at}", "c", number)
            for kind in KINDS:
                await js_peer("store.transaction", name=kind, calls=[["setCell", table, kind, "c", number]])
            expected[table] = {row: {"c": number} for row in (*KINDS, *(f"python {at}" for at in range(3)))}

        async def everybody_has_it() -> None:
            for kind in KINDS:
                await js_peer("store.wait", name=kind, method="getTables", equals=expected)
            for tables in python:
                await tables.until((expected, {}))
                await tables.flush()

        for number in range(2):
            await everybody_writes(number, "before")
            server.kill()
            await everybody_writes(number, "away")
            server = stack.enter_context(WeftServe(path, *options, port=server.port))
            await rejoin(js_peer, server.url)
            await everybody_has_it()
        for kind in KINDS:
            before = await heads(path)
            assert len(before) == 3
            await js_peer("store.transaction", name=kind, calls=[["setCell", "one", "row", "c", kind]])
            expected["one"] = {"row": {"c": kind}}
            await everybody_has_it()
            assert await heads(path) == {name: head + 1 for name, head in before.items()}
        for kind in KINDS:
            assert await js_peer("store.ignoredErrors", name=kind) == []
