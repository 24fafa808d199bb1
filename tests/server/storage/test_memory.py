from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.storage_suite import CompactionSuite
from weft.server.storage import MemoryRoomStorage
from weft.testing.storage import SharedStorageSuite

if TYPE_CHECKING:
    from weft.server.storage import RoomStorage


class TestMemoryRoomStorage(CompactionSuite, SharedStorageSuite):
    @pytest.fixture(autouse=True)
    def _place(self) -> None:
        self.storage = MemoryRoomStorage()

    def make(self) -> RoomStorage:
        return MemoryRoomStorage(self.storage)


async def test_memory_gives_a_list_of_its_own_to_each_who_loads() -> None:
    storage = MemoryRoomStorage()
    storage.append("room", b"x")
    (await storage.load("room")).rows.append(b"y")
    assert (await storage.load("room")).rows == [b"x"]


async def test_looking_for_a_room_does_not_make_it() -> None:
    storage = MemoryRoomStorage()
    await storage.load("room")
    assert not storage.kept
