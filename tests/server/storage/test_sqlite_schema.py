from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.storage_suite import KINDS
from weft.documents.compaction import Compacted
from weft.errors import RoomDeletedError
from weft.server.storage import SqliteRoomStorage

# Made by the last version that wrote format 1: rooms of both protocols, one with a gap, one compacted.
OLD = Path(__file__).with_name("format1.db")
AUTOMERGE = "\x1fautomerge:2JtZRpFVJp1FworAZN2Dm72ukMKy"
ROWS = {"farm": 12, "other é": 8, AUTOMERGE: 1, "gap": 4, "compacted": 8}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(OLD, tmp_path / "weft.sqlite3"))


def raw(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as db:
        return [data for (data,) in db.execute("SELECT data FROM updates ORDER BY seq")]


async def test_a_database_of_format_1_opens_as_it_is(path: Path) -> None:
    before = raw(path)
    for _ in range(2):
        async with SqliteRoomStorage(path) as storage:
            for room, count in ROWS.items():
                stored = await storage.load(room)
                assert (stored.numbers, stored.head) == (list(range(1, count + 1)), count)
            assert {room.name: room.rows for room in await storage.rooms()} == ROWS
            assert await storage.heads(ROWS) == ROWS
            farm = await storage.load("farm")
            assert KINDS["yjs"].read(farm.rows) == {f"k{number}": number for number in range(12)}
            assert (await storage.since("farm", 10)).rows == farm.rows[10:]
    assert raw(path) == before


async def test_its_rooms_go_on_with_the_next_number(path: Path) -> None:
    async with SqliteRoomStorage(path) as storage:
        for room, count in ROWS.items():
            await storage.stored(storage.append(room, b"x"))
            assert (await storage.since(room, count)).numbers == [count + 1]
            assert (await storage.load(room)).numbers == list(range(1, count + 2))


async def test_its_rooms_can_be_compacted(path: Path) -> None:
    async with SqliteRoomStorage(path) as storage:
        before = await storage.load("compacted")
        assert KINDS["yjs"].read(before.rows) == {f"k{number}": number for number in range(10)}
        assert await storage.compact("compacted", KINDS["yjs"].compactor) is not None
    async with SqliteRoomStorage(path) as storage:
        after = await storage.load("compacted")
        assert (after.numbers, after.head) == ([8], 8)
        assert KINDS["yjs"].read(after.rows) == KINDS["yjs"].read(before.rows)


async def test_rows_that_stay_keep_the_number_that_they_had_by_their_order(path: Path) -> None:
    async with SqliteRoomStorage(path) as storage:
        rows = (await storage.load("farm")).rows
        await storage.compact("farm", lambda _: Compacted(b"snapshot", frozenset({2, 5, 11})))
        stored = await storage.load("farm")
        assert (stored.numbers, stored.head) == ([3, 6, 11, 12], 12)
        assert stored.rows == [rows[2], rows[5], b"snapshot", rows[11]]


async def test_its_rooms_can_be_renamed_and_deleted(path: Path) -> None:
    async with SqliteRoomStorage(path) as storage:
        before = (await storage.load("farm")).rows
        await storage.rename("farm", "barn")
        await storage.delete("gap")
        assert (await storage.load("barn")).rows == before
        with pytest.raises(RoomDeletedError):
            await storage.load("gap")
