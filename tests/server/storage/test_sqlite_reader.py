"""Reading a file that a server has locked."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from weft.errors import StorageError
from weft.server.storage import SqliteRoomStorage, sqlite_reader
from weft.server.storage.sqlite_reader import copy_in_use, is_in_use, read_sqlite

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "rooms.sqlite3")


async def rows_of(path: str, room: str = "room") -> list[bytes]:
    async with read_sqlite(path) as reader:
        found = await reader.read(room)
        assert found is not None
        assert all(row.is_intact for row in found.rows)
        return [row.data for row in found.rows]


async def test_a_file_is_read_whether_or_not_it_is_locked(path: str) -> None:
    async with SqliteRoomStorage(path) as storage:
        await storage.stored(storage.append("room", b"a"))
        assert is_in_use(path)
        assert await rows_of(path) == [b"a"]
        await storage.stored(storage.append("room", b"b"))
        assert await rows_of(path) == [b"a", b"b"]
    assert not is_in_use(path)
    assert await rows_of(path) == [b"a", b"b"]


async def test_a_reader_has_one_moment_s_view(path: str) -> None:
    async with SqliteRoomStorage(path, exclusive=False) as storage:
        await storage.stored(storage.append("room", b"a"))
        async with read_sqlite(path) as reader:
            await storage.stored(storage.append("room", b"b"))
            found = await reader.read("room")
            assert found is not None
            assert [row.data for row in found.rows] == [b"a"]
            assert [(info.name, info.rows) for info in await reader.rooms()] == [("room", 1)]


async def test_a_link_to_a_locked_file_has_its_log_beside_the_file(path: str, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.sqlite3"
    link.parent.mkdir()
    link.symlink_to(path)
    async with SqliteRoomStorage(path) as storage:
        await storage.stored(storage.append("room", b"a"))
        assert await rows_of(str(link)) == [b"a"]


async def test_whatever_is_written_meanwhile_a_copy_is_of_one_moment(path: str, tmp_path: Path) -> None:
    # Rows of 30 kB: the log is begun anew after some 130 of them, and a checkpoint is often under way.
    copy = str(tmp_path / "copy.sqlite3")
    async with SqliteRoomStorage(path, synchronous="NORMAL") as storage:
        confirmed, is_over = 1, False
        await storage.stored(max(storage.append("one", b"1"), storage.append("two", b"1")))

        async def write() -> None:
            nonlocal confirmed
            while not is_over:
                first = storage.append("one", b"%d" % (confirmed + 1) + bytes(30_000))
                await storage.stored(max(first, storage.append("two", b"%d" % (confirmed + 1))))
                confirmed += 1

        writing = asyncio.create_task(write())
        for _ in range(25):
            before = confirmed
            await asyncio.to_thread(copy_in_use, path, copy)
            one, two = await rows_of(copy, "one"), await rows_of(copy, "two")
            assert [row.rstrip(b"\0") for row in one] == two  # written in one transaction
            assert two == [b"%d" % number for number in range(1, len(two) + 1)]
            assert len(two) >= before
        is_over = True
        await writing


async def test_a_log_that_was_begun_anew_meanwhile_is_copied_again(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = 0

    def copyfile(source: str, target: str) -> None:
        nonlocal copies
        copies += 1
        copy(source, target)

    headers = iter([b"one", b"two", b"two", b"two"])
    copy = shutil.copyfile
    async with SqliteRoomStorage(path) as storage:
        await storage.stored(storage.append("room", b"a"))
        monkeypatch.setattr(shutil, "copyfile", copyfile)
        monkeypatch.setattr(sqlite_reader, "_log_header", lambda _: next(headers))
        copy_in_use(path, str(tmp_path / "copy.sqlite3"))
        assert copies == 4
        endless = iter(range(1, 1000))
        monkeypatch.setattr(sqlite_reader, "_log_header", lambda _: b"%d" % next(endless))
        with pytest.raises(StorageError, match="served with --shared"):
            copy_in_use(path, str(tmp_path / "copy.sqlite3"))
