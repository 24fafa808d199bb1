"""Attackers by name, one after the other on a server with 512 MiB, beside honest clients in two rooms.

``python -m benchmarks abuse`` tells what each of them costs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.abused import HonestPair, abused, honest_pair
from support.attackers import ATTACKS, ROOM
from support.logclient import LogClient, read_room

if TYPE_CHECKING:
    from support.serving import WeftServe

_TESTS = Path(__file__).parents[1]
_SECONDS = "0.7"
_LONGEST_S = 60.0
_MIB = 1024 * 1024

# Those of one line share a server.
GROUPS = {
    "small": ("tiny_frames", "pings", "unread_pings"),
    "large": ("halves", "choked"),
    "joins": ("half_open", "joins_and_leaves", "unread_joins", "awareness_to_unread"),
    "repo": ("cbor", "many_heads", "wrongly_numbered_changes", "waiting_changes", "tiny_updates"),
}
LONG = {
    "frames": ("empty_frames", "text_frames", "questions", "unread_questions"),
    "documents": ("many_documents",),
}
# What many rooms or structs have left between what is still in use: Python's own allocator gives back
# only what is free as a whole.
_LEFT = {"joins": 32 * _MIB, "repo": 32 * _MIB, "documents": 160 * _MIB}


def test_each_attack_is_tried() -> None:
    tried = {name for names in (*GROUPS.values(), *LONG.values()) for name in names}
    updates = {name for name in ATTACKS if name not in tried}
    # Of these each has a server of its own in test_updates.py.
    assert updates == {
        "one_key_by_many", "one_key_at_once", "many_clients", "gaps_across_clients", "backwards",
        "far_too_many_clients",
    }  # fmt: skip


def resident(server: WeftServe) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


async def _attack(server: WeftServe, name: str) -> None:
    attacker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "support.attackers", name, server.url, _SECONDS,
        cwd=_TESTS, env={**os.environ, "PYTHONPATH": str(_TESTS)},
    )  # fmt: skip
    try:
        assert await asyncio.wait_for(attacker.wait(), _LONGEST_S) == 0
    finally:
        if attacker.returncode is None:
            attacker.kill()
            await attacker.wait()


async def _go_on(pair: HonestPair) -> None:
    """The pair elsewhere writes some more."""
    before = pair.writes
    async with asyncio.timeout(30):
        while pair.writes < before + 2:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("group", [*GROUPS, *(pytest.param(group, marks=pytest.mark.long) for group in LONG)])
async def test_honest_clients_go_on_and_memory_comes_back(tmp_path: Path, group: str) -> None:
    names = (GROUPS | LONG)[group]
    path = tmp_path / "weft.sqlite3"
    written = 0
    with abused(path, "--unload-delay", "1") as server:
        async with honest_pair(server.url) as pair:
            await _go_on(pair)
            before = resident(server)
            for name in names:
                async with LogClient(server.url, ROOM, client_id=2**31) as beside:
                    await beside.synced()
                    attack = asyncio.create_task(_attack(server, name))
                    await beside.write(f"{name}, while they come")
                    await _go_on(pair)
                    await attack
                    await beside.write(f"{name}, when they have gone")
                    await beside.flush()
                    written += 2
                await _go_on(pair)
            most = 1.1 * before + _LEFT.get(group, _MIB)
            with suppress(TimeoutError):
                async with asyncio.timeout(40):
                    while resident(server) > most:  # noqa: ASYNC110 - of another process
                        await asyncio.sleep(0.1)
            assert resident(server) <= most, f"there were {before} bytes, now there are {resident(server)}"
        server.stop()  # with code 0
        for said in ("Traceback", "never retrieved", "never awaited", "internal error"):
            assert said not in server.log, server.log
    with abused(path) as server:
        assert (await read_room(server.url, ROOM)).state()[2**31] == written
