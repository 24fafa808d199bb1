"""Client ids without end, sent to a real server that has 512 MiB, beside honest clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.abused import abused, honest_pair
from support.attacks import far_too_many_clients
from support.logclient import LogClient, read_room
from support.yclient import step1_frame, update_frame, varuint
from support.ywriter import key_item, section, update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)


def one_by_one(first: int, count: int) -> Iterator[bytes]:
    for client in range(first, first + count):
        yield update(section(client, 0, key_item(f"k{client}")))


def at_once(first: int, count: int) -> Iterator[bytes]:
    yield update(
        *(section(client, 0, key_item(f"k{client}")) for client in reversed(range(first, first + count)))
    )


@pytest.mark.parametrize("made", [one_by_one, at_once])
async def test_a_connection_brings_only_so_many_and_a_room_holds_only_so_many(
    tmp_path: Path, made: Callable[[int, int], Iterator[bytes]]
) -> None:
    with abused(tmp_path / "weft.sqlite3", "--max-new-clients", "10", "--max-clients", "25") as server:
        async with honest_pair(server.url), LogClient(server.url, "room", client_id=7) as beside:
            await beside.synced()
            await beside.write("before")
            for turn in range(4):  # ten of each are taken in while there is room for them
                async with LogClient(server.url, "room") as attacker:
                    await attacker.send_all(made(1_000 * (turn + 1), 10))
                    if turn < 2:
                        await attacker.flush()
                        await attacker.send_all(made(100_000, 1))
                        expected = "max_new_clients"
                    else:
                        expected = "max_clients"
                    assert await attacker.wait_closed() == 1007
                    assert expected in (attacker.close_reason or "")
            await beside.write("afterwards")  # who is known already goes on
            await beside.flush()
        state = (await read_room(server.url, "room")).state()
        assert state[7] == 2
        assert len(state) <= 25


@pytest.mark.parametrize("count", [200_001, 7_000_000])
async def test_a_state_vector_is_refused_before_it_is_walked(tmp_path: Path, count: int) -> None:
    """One of seven million took six seconds."""
    frame = step1_frame(varuint(count) + b"\x01\x01" * count)
    with abused(tmp_path / "weft.sqlite3") as server:
        async with honest_pair(server.url):
            for _ in range(3):
                async with LogClient(server.url, "room") as attacker:
                    await attacker.send(frame)
                    assert await attacker.wait_closed() == 1007
                    assert "max_clients" in (attacker.close_reason or "")


async def test_an_update_of_a_million_clients_is_refused_before_it_is_walked(tmp_path: Path) -> None:
    """It took 11 seconds, or the memory."""
    (found,) = far_too_many_clients()
    frame = update_frame(found)
    with abused(tmp_path / "weft.sqlite3") as server:
        async with honest_pair(server.url), LogClient(server.url, "room") as attacker:
            await attacker.send(frame)
            assert await attacker.wait_closed() == 1007
        assert "MemoryError" not in server.log
