"""Clients of two languages write to a room; connections break, the server is killed: all is there.

In the end all are equal, stamps and hashes too, and what each cell holds is the write with the latest stamp
of all that were made. What a flush had confirmed is in storage after ``kill -9``. More of it::

    WEFT_FUZZ_SEED=7 python -m pytest -m long tests/interop/test_tinybase_partitions.py
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from support.fuzzing import fuzz_seed
from support.tinybase_world import NodeHost, WeftHost, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.node import JsPeer
    from support.tinybase_world import Host

pytestmark = pytest.mark.interop

_HOSTS: dict[str, Callable[[Path], Host]] = {"weft": WeftHost, "tinybase": NodeHost}


async def rounds(js: JsPeer, folder: Path, host: str, count: int) -> World:
    """So many rounds in one room."""
    async with AsyncExitStack() as stack:
        world = World(fuzz_seed(f"partitions/{host}"), js, _HOSTS[host](folder), stack)
        await world.begin()
        for turn in range(count):
            print(f"round {turn}")
            await world.round()
    return world


@pytest.mark.parametrize("host", _HOSTS)
async def test_nothing_is_lost_under_partitions_and_kills(js_peer: JsPeer, tmp_path: Path, host: str) -> None:
    await rounds(js_peer, tmp_path, host, 5)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("host", _HOSTS)
async def test_nothing_is_lost_in_three_hundred_rounds(js_peer: JsPeer, tmp_path: Path, host: str) -> None:
    world = await rounds(js_peer, tmp_path, host, 300)
    print(f"{world.written} writes, {world.kills} kills, JavaScript connected again {world.rejoined} times")
    assert world.kills > 20
