"""A bridging server killed while clients of all kinds write: what was confirmed is stored on all sides."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

from support.bridged import KINDS, ROOM, Tables
from support.ledger import Ledger
from support.serving import WeftServe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = 20261
KILLS = 5


async def write(url: str, kind: str, name: str, rng: random.Random, ledger: Ledger) -> None:
    """Write cells of its own for ever, asking now and then whether the server has them."""
    with contextlib.suppress(ConnectionError):
        async with Tables(url, kind) as client:
            open_cells: dict[str, int] = {}
            for number in range(1_000_000):
                cells = {f"{name}.{number}.{at}": number for at in range(rng.randint(1, 3))}
                with client.store.transaction():
                    for cell, value in cells.items():
                        client.store.set_cell("t", "own", cell, value)
                    client.store.set_cell("t", "all", "shared", number)
                ledger.sent.update(cells)
                open_cells.update(cells)
                if rng.random() < 0.3:
                    await client.flush()
                    ledger.acknowledge(open_cells)
                    open_cells = {}
                await asyncio.sleep(0)


@contextlib.contextmanager
def serving(path: Path, *options: str) -> Iterator[WeftServe]:
    with WeftServe(path, *options) as server:
        try:
            yield server
        finally:
            server.kill()


async def contents(server: WeftServe) -> dict[str, dict[str, Any]]:
    """What each side holds."""
    found = {}
    for kind in KINDS:
        async with Tables(server.url, kind) as client:
            found[kind] = client.content[0].get("t", {}).get("own", {})
    return found


async def test_kill_9_leaves_on_all_sides_what_was_confirmed_on_one(tmp_path: Path) -> None:
    """The seed of the writers and of when the kill comes is ``SEED``."""
    path = tmp_path / "weft.sqlite3"
    ledger = Ledger()
    rng = random.Random(SEED)
    for kill in range(KILLS):
        with serving(path, "--bridge", ROOM) as server:
            async with asyncio.timeout(40):
                ledger.count_down(rng.randint(1, 60))
                tasks = [
                    asyncio.create_task(
                        write(server.url, kind, f"{kill}.{at}", random.Random(f"{SEED}.{kill}.{at}"), ledger)
                    )
                    for at, kind in enumerate(KINDS * 2)
                ]
                await ledger.reached()
                server.kill()
            for task in tasks:
                task.cancel()
            for end in await asyncio.gather(*tasks, return_exceptions=True):
                assert end is None or isinstance(end, asyncio.CancelledError), end
        with serving(path) as server:  # without a bridge: each side as it was stored
            found = await contents(server)
            assert found["yjs"] == found["automerge"] == found["tinybase"]
            for kind, content in found.items():
                missing = ledger.acknowledged.keys() - content.keys()
                assert not missing, f"seed {SEED}, kill {kill}: {kind} lacks {sorted(missing)[:5]}"
                assert content.items() <= ledger.sent.items()
    with serving(path, "--bridge", ROOM) as server:
        healed = await contents(server)
        assert healed["yjs"] == healed["automerge"] == healed["tinybase"]
    for writer in range(2 * len(KINDS)):
        assert any(cell.split(".")[1] == str(writer) for cell in ledger.acknowledged), (
            "a writer wrote nothing"
        )
