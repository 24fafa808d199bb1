"""Updates that once stopped or spoiled a server, sent to a real one that has 512 MiB, beside honest clients.

The room that is abused can be read and written all the while, afterwards, and after a restart; nobody in
another room notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.abused import abused, honest_pair
from support.attacks import KEPT, REFUSED, far_too_many_clients
from support.logclient import LogClient, read_room

if TYPE_CHECKING:
    from pathlib import Path

    from weft.documents import UpdateLog

pytestmark = pytest.mark.timeout(240)


def same(log: UpdateLog, other: UpdateLog) -> bool:
    return log.state() == other.state() and log.deletes() == other.deletes()


@pytest.mark.parametrize("name", sorted(KEPT))
async def test_what_is_taken_in_harms_nobody(tmp_path: Path, name: str) -> None:
    path = tmp_path / "weft.sqlite3"
    with abused(path) as server:
        async with honest_pair(server.url), LogClient(server.url, "room", client_id=2**31) as beside:
            await beside.synced()
            await beside.write("before")
            async with LogClient(server.url, "room") as attacker:
                await attacker.send_all(KEPT[name]())
                await beside.write("meanwhile")
                await attacker.flush()
            await beside.write("afterwards")
            await beside.flush()
        there = await read_room(server.url, "room")
        assert there.state()[2**31] == 3
        assert same(there, beside.log)
        server.kill()
    with abused(path) as server:
        assert same(await read_room(server.url, "room"), there)


@pytest.mark.parametrize("name", sorted(REFUSED))
async def test_what_is_refused_costs_its_sender_the_connection_and_nobody_else(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "weft.sqlite3"
    with abused(path) as server:
        async with honest_pair(server.url), LogClient(server.url, "room", client_id=2**31) as beside:
            await beside.synced()
            for _ in range(3):
                async with LogClient(server.url, "room") as attacker:
                    await attacker.send_all(REFUSED[name]())
                    assert await attacker.wait_closed() == 1007
            await beside.write("afterwards")
            await beside.flush()
        there = await read_room(server.url, "room")
        assert there.state()[2**31] == 1
    with abused(path) as server:
        assert same(await read_room(server.url, "room"), there)


async def test_what_memory_does_not_suffice_for_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "weft.sqlite3"
    with abused(path, "--max-clients", "2000000", "--max-new-clients", "2000000") as server:
        # By its own bounds it refuses that many at once; who raises them has everybody wait meanwhile.
        async with LogClient(server.url, "room", client_id=2**31) as beside:
            await beside.synced()
            await beside.write("before")
            async with LogClient(server.url, "room") as attacker:
                await attacker.send_all(far_too_many_clients())
                assert await attacker.wait_closed() in {
                    1007,
                    1011,
                }  # refused, or for want of memory to look at it
            await beside.write("afterwards")
            await beside.flush()
        there = await read_room(server.url, "room")
        assert there.state() == {2**31: 2}
        assert "MemoryError" in server.log
        server.kill()
    with abused(path) as server:
        assert same(await read_room(server.url, "room"), there)
