"""A room's way to storage, without a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.servers import FaultyStorage, eventually
from weft.documents.compaction import Compacted
from weft.errors import RoomDeletedError, StorageError
from weft.server._core.counters import RoomCounters
from weft.server._core.room_log import RoomLog
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from collections.abc import Sequence


def join(updates: Sequence[bytes]) -> Compacted:
    return Compacted(b"".join(updates), frozenset())


async def test_what_is_appended_is_stored_in_order_and_counted() -> None:
    storage = MemoryRoomStorage()
    failures: list[Exception] = []
    log = RoomLog("room", [], storage=storage, compactor=lambda: join, failed=failures.append)
    assert log.append(b"a")
    assert log.append(b"b")
    await log.settle()
    assert (await storage.load("room")).rows == [b"a", b"b"]
    assert (log.rows, log.is_behind, failures) == (2, False, [])
    await log.stored(log.ticket)


async def test_the_room_says_how_its_rows_are_compacted() -> None:
    storage = MemoryRoomStorage()
    counters = RoomCounters()
    log = RoomLog(
        "room", [], storage=storage, compactor=lambda: join, failed=lambda error: None, counters=counters
    )
    for _ in range(100):
        log.append(b"x")
    await log.settle()
    assert (await storage.load("room")).rows == [b"x" * 100]
    assert log.rows == 1
    assert counters == RoomCounters(updates=100, update_bytes=100, compactions=1)
    assert log.unsaved == 0


async def test_a_storage_that_fails_is_told_once_and_takes_nothing_more() -> None:
    storage = FaultyStorage()
    storage.refuse_writes = StorageError("disk")
    failures: list[Exception] = []
    log = RoomLog("room", [], storage=storage, compactor=lambda: join, failed=failures.append)
    log.append(b"a")
    with pytest.raises(StorageError, match="disk"):
        await log.settle()
    await eventually(lambda: failures)
    await log.catch_up()
    assert not log.append(b"b")
    assert [str(error) for error in failures] == ["disk"]


async def test_a_closed_log_blames_nobody() -> None:
    failures: list[Exception] = []
    log = RoomLog("room", [], storage=MemoryRoomStorage(), compactor=lambda: join, failed=failures.append)
    log.close()
    assert not log.append(b"a")
    assert failures == []


async def test_a_compactor_that_fails_is_told_and_not_tried_again_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = 0

    def broken(updates: Sequence[bytes]) -> Compacted:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise SystemExit  # nothing else would end it
        raise IndexError("of a list")

    storage = MemoryRoomStorage()
    log = RoomLog("room", [], storage=storage, compactor=lambda: broken, failed=lambda error: None)
    for _ in range(100):
        log.append(b"x")
    await log.settle()
    assert calls == 1
    assert "room 'room' could not be compacted" in caplog.text
    assert len((await storage.load("room")).rows) == 100


async def test_what_storage_did_not_take_in_is_never_stored() -> None:
    storage = MemoryRoomStorage()
    log = RoomLog("room", [], storage=storage, compactor=lambda: join, failed=lambda error: None)
    log.append(b"a")
    await storage.delete("room")
    assert not log.append(b"b")
    with pytest.raises(RoomDeletedError):
        await log.stored(log.ticket)
