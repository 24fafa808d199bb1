"""A server killed or stopped while clients write: nothing that was acknowledged may be missing."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map

from support.ledger import Ledger
from support.serving import WeftServe
from support.writers import join
from support.yclient import YClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEED = 20260
KILLS = 20
WRITERS = 4
KINDS = ["yjs", "automerge", "mergeable"]
CRASH_SERVER = Path(__file__).parents[1] / "support" / "crash_server.py"


async def write(kind: str, url: str, room: str, name: str, rng: random.Random, ledger: Ledger) -> None:
    """Write cells of its own for ever, asking now and then whether the server has them."""
    with contextlib.suppress(ConnectionError, OSError):
        async with join(kind, url, room) as client:
            await client.begin()
            open_cells: dict[str, int] = {}
            for number in range(1_000_000):
                cells = {f"{name}.{number}.{at}": number for at in range(rng.randint(1, 3))}
                cells["shared"] = number
                await client.put(**cells)
                del cells["shared"]
                ledger.sent.update(cells)
                open_cells.update(cells)
                if rng.random() < 0.3:
                    await client.settle()
                    ledger.acknowledge(open_cells)
                    open_cells = {}


async def watch(url: str, room: str, ledger: Ledger) -> None:
    """Read until the connection ends, and note what came."""
    with contextlib.suppress(ConnectionError, OSError):
        async with YClient(url, room) as client:
            await client.synced()
            with contextlib.suppress(ConnectionError):
                await client.wait(lambda: False)
            ledger.seen.update(client.content)


async def read_room(kind: str, url: str, room: str) -> dict[str, Any]:
    async with join(kind, url, room) as client:
        await client.begin()
        return client.content()


def read_file(path: Path, room: str) -> dict[str, Any]:
    """The room as the file has it, round all of weft's code."""
    doc: Doc[Any] = Doc()
    root = doc.get("m", type=Map)
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute(
            "SELECT data FROM updates JOIN rooms ON rooms.id = room WHERE name = ? ORDER BY seq", (room,)
        )
        for (update,) in rows:
            doc.apply_update(update)
    return dict(root.to_py() or {})


@contextlib.contextmanager
def serving(path: Path, program: Sequence[str] = ("-m", "weft")) -> Iterator[WeftServe]:
    with WeftServe(path, program=program) as server:
        try:
            yield server
        finally:
            server.kill()


async def run_until_killed(
    kind: str, server: WeftServe, ledger: Ledger, seed: str, rng: random.Random
) -> None:
    ledger.count_down(rng.randint(1, 60))
    tasks = [
        asyncio.create_task(
            write(kind, server.url, room, f"{seed}.{at}", random.Random(f"{seed}.{at}"), ledger)
        )
        for at, room in enumerate(["a", "a", "b", "b"][:WRITERS])
    ]
    try:
        await ledger.reached()
        server.kill()
    finally:
        await asyncio.gather(*tasks)


async def kill_again_and_again(
    kind: str, path: Path, program: Sequence[str], kills: int
) -> tuple[Ledger, set[str]]:
    """Kill and restart the server while clients write; the cells that were acknowledged and are gone."""
    ledger = Ledger()
    rng = random.Random(SEED)  # draws when the kill comes; what it interrupts is the machine's to choose
    missing: set[str] = set()
    for kill in range(kills + 1):
        with serving(path, program) as server:
            content = await read_room(kind, server.url, "a") | await read_room(kind, server.url, "b")
            missing = {key for key, value in ledger.acknowledged.items() if content.get(key) != value}
            invented = [
                key
                for key, value in content.items()
                if key != "shared" and key.split(".")[-2] != f"{value:.0f}"
            ]
            assert not invented
            if missing or kill == kills:
                break
            await run_until_killed(kind, server, ledger, f"{SEED}.{kill}", rng)
    return ledger, missing


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "program", [("-m", "weft"), (str(CRASH_SERVER), "compacting")], ids=["appending", "compacting"]
)
async def test_kill_9_while_clients_write_loses_nothing_acknowledged(
    tmp_path: Path, program: Sequence[str], kind: str
) -> None:
    ledger, missing = await kill_again_and_again(kind, tmp_path / "weft.sqlite3", program, KILLS // 4)
    assert not missing
    assert len(ledger.acknowledged) > KILLS


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_acknowledges_too_early_is_caught(tmp_path: Path, kind: str) -> None:
    """The proof that the test above can fail."""
    _, missing = await kill_again_and_again(kind, tmp_path / "weft.sqlite3", (str(CRASH_SERVER), "lying"), 1)
    assert missing


async def test_sigterm_under_load_loses_nothing_that_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "weft.sqlite3"
    ledger = Ledger()
    for round_ in range(3):
        with serving(path) as server:
            ledger.count_down(100)
            tasks = [
                asyncio.create_task(
                    write("yjs", server.url, "a", f"{round_}.0.{at}", random.Random(at), ledger)
                )
                for at in range(WRITERS)
            ]
            tasks.append(asyncio.create_task(watch(server.url, "a", ledger)))
            await ledger.reached()
            await asyncio.to_thread(server.stop)  # asserts exit code 0
            await asyncio.gather(*tasks)
        content = read_file(path, "a")
        assert len(ledger.acknowledged) > 100
        # Not only what was acknowledged and what a peer has seen: the closing handshake comes after all that
        # a client sent before it heard of the end.
        assert ledger.sent.items() <= content.items()
        assert (ledger.seen.keys() - {"shared"}) <= content.keys()


async def test_a_kill_leaves_a_file_that_opens_and_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "weft.sqlite3"
    ledger = Ledger()
    with serving(path) as server:
        await run_until_killed("yjs", server, ledger, "x", random.Random(1))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    content = read_file(path, "a") | read_file(path, "b")
    assert ledger.acknowledged.items() <= content.items()
