from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weft.server import MemoryRoomStorage, PostgresRoomStorage, RoomStorage, SqliteRoomStorage
from weft.server.storage import storage_at

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("address", "kind", "place"),
    [
        ("memory:", MemoryRoomStorage, "memory"),
        (
            "postgresql://weft:secret@[::1]:6543/rooms?sslmode=disable",
            PostgresRoomStorage,
            "postgresql://::1:6543/rooms",
        ),
        ("postgres:///rooms", PostgresRoomStorage, "postgresql:///rooms"),
        ("rooms.sqlite3", SqliteRoomStorage, "rooms.sqlite3"),
        ("C:\\rooms", SqliteRoomStorage, "C:\\rooms"),
    ],
)
def test_an_address_says_which_storage(address: str, kind: type[RoomStorage], place: str) -> None:
    storage = storage_at(address)
    assert type(storage) is kind
    assert storage.place == place


@pytest.mark.parametrize("address", ["mysql://host/rooms", "https://user:secret@example.com"])
def test_another_kind_is_refused_without_its_secrets(address: str) -> None:
    with pytest.raises(ValueError, match="is not known") as raised:
        storage_at(address)
    assert "secret" not in str(raised.value)


async def test_a_file_may_be_shared(tmp_path: Path) -> None:
    path = str(tmp_path / "weft.sqlite3")
    async with storage_at(path, exclusive=False) as one:
        await one.stored(one.append("room", b"x"))
