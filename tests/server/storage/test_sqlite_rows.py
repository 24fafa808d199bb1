"""Rooms are read and compacted in slices, and others are served in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.storage_suite import KINDS
from weft.errors import RoomDeletedError, StorageError
from weft.server.storage import MemoryRoomStorage, SqliteRoomStorage
from weft.testing.storage import join_updates
from weft.testing.storage.hooks import read_updates, write_updates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

ROWS = 200


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sqlite_rows", "replacement"):
        monkeypatch.setattr(f"weft.server.storage.{module}.SLICE_ROWS", 10)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteRoomStorage]:
    async with SqliteRoomStorage(tmp_path / "weft.sqlite3") as storage:
        yield storage


async def fill(storage: SqliteRoomStorage, updates: list[bytes], room: str = "room") -> None:
    for update in updates:
        ticket = storage.append(room, update)
    await storage.stored(ticket)


def at_call(
    storage: SqliteRoomStorage,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    at: int,
    do: Callable[[], object],
) -> list[int]:
    """Do something before that call of a method, on the storage's thread; gives the calls there were."""
    original = getattr(storage._rooms, method)
    calls: list[int] = []

    def called(*arguments: Any, **keywords: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == at:
            do()
        return original(*arguments, **keywords)

    monkeypatch.setattr(storage._rooms, method, called)
    return calls


def soon(
    work: Callable[[], Coroutine[Any, Any, Any]],
) -> tuple[Callable[[], object], list[asyncio.Task[Any]]]:
    """What begins a task from another thread, and where that is put."""
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[Any]] = []
    return lambda: loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(work()))), tasks


@pytest.mark.parametrize(
    ("method", "slices"), [("read_on", 2 * ROWS // 10 + 3), ("delete_absorbed", ROWS // 10)]
)
async def test_updates_of_other_rooms_are_acknowledged_between_two_slices(
    storage: SqliteRoomStorage, monkeypatch: pytest.MonkeyPatch, method: str, slices: int
) -> None:
    await fill(storage, write_updates(ROWS))
    acknowledged: list[int] = []

    async def write() -> None:
        await fill(storage, [b"x;"], "other")
        acknowledged.append(len(calls))

    begin, tasks = soon(write)
    calls = at_call(storage, monkeypatch, method, 1, begin)
    assert await storage.compact("room", join_updates) == sum(map(len, write_updates(ROWS)))
    assert read_updates((await storage.load("room")).rows) == write_updates(ROWS)
    await tasks[0]
    assert acknowledged[0] < 8
    assert len(calls) <= slices


@pytest.mark.parametrize("kind", KINDS)
async def test_a_compaction_that_is_cut_off_leaves_a_room_that_lacks_nothing(
    storage: SqliteRoomStorage, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    room = KINDS[kind]
    updates = room.write(ROWS)
    await fill(storage, updates)

    def cut_off() -> None:
        raise StorageError("no space")

    with monkeypatch.context() as patch:
        at_call(storage, patch, "delete_absorbed", 8, cut_off)
        with pytest.raises(StorageError, match="no space"):
            await storage.compact("room", room.compactor)
    stored = await storage.load("room")
    assert stored.numbers == list(range(71, ROWS + 1))
    assert room.read(stored.rows) == room.read(updates)
    late = await storage.since("room", 150)
    assert room.read([*updates[:150], *late.rows]) == room.read(updates)
    assert await storage.compact("room", room.compactor) is not None
    stored = await storage.load("room")
    assert stored.numbers == [ROWS]
    assert room.read(stored.rows) == room.read(updates)


async def test_rows_are_not_deleted_when_what_stands_for_them_is_gone(
    storage: SqliteRoomStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(storage, write_updates(ROWS))
    rooms = storage._rooms
    with monkeypatch.context() as patch:
        faults = {ROWS: "cannot be read"}
        at_call(storage, patch, "delete_absorbed", 8, lambda: rooms.set_aside("room", faults))
        await storage.compact("room", join_updates)
    stored = await storage.load("room")
    assert stored.rows == write_updates(ROWS)[70:-1]
    assert [row.number for row in await storage.quarantined("room")] == [ROWS]


async def test_a_room_that_is_compacted_while_it_is_read_is_read_anew(
    storage: SqliteRoomStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(storage, write_updates(ROWS))
    begin, tasks = soon(lambda: storage.compact("room", join_updates))
    at_call(storage, monkeypatch, "read_on", 3, begin)
    while not (tasks and tasks[0].done()):
        stored = await storage.load("room")
        assert set(read_updates(stored.rows)) == set(write_updates(ROWS))
        assert stored.numbers == sorted(set(stored.numbers))
    await tasks[0]
    assert (await storage.load("room")).numbers == [ROWS]


async def test_a_room_that_is_deleted_while_it_is_read_is_deleted(
    storage: SqliteRoomStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(storage, write_updates(ROWS))
    rooms = storage._rooms
    at_call(storage, monkeypatch, "read_on", 3, lambda: rooms.delete("room"))
    with pytest.raises(RoomDeletedError):
        await storage.load("room")


async def test_rows_of_many_bytes_are_read_a_few_at_a_time(
    storage: SqliteRoomStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server.storage.sqlite_rows.SLICE_BYTES", 3000)
    rows = [bytes([number]) * 1000 for number in range(10)]
    await fill(storage, rows)
    calls = at_call(storage, monkeypatch, "read_on", 0, list)
    assert (await storage.load("room")).rows == rows
    assert len(calls) == 4


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
async def test_nothing_is_kept_in_memory_of_rooms_that_nobody_holds(
    storage: SqliteRoomStorage, kind: str
) -> None:
    memory = MemoryRoomStorage()
    used = storage if kind == "sqlite" else memory
    for number in range(20):
        name = f"room {number}"
        await used.load(name)
        await used.stored(used.append(name, b"x"))
        used.release(name)
    assert not storage._rooms._ids
    assert not memory._held


async def test_rooms_are_listed_a_few_at_a_time(
    storage: SqliteRoomStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server.storage.sqlite_rooms._COUNTED_ROWS", 20)
    names = [f"room {number:02}" for number in range(30)]
    for name in names:
        await fill(storage, write_updates(5), name)
    calls = at_call(storage, monkeypatch, "rooms", 0, list)
    assert [(room.name, room.rows) for room in await storage.rooms(limit=25)] == [(n, 5) for n in names[:25]]
    assert len(calls) == 7
    assert [room.name for room in await storage.rooms(after=names[24])] == names[25:]
