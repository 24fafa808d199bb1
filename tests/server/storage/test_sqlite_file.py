"""The file is removed, replaced or robbed of its log while a storage has it open."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from support.storage_suite import read, write_updates
from weft.documents.yjs.document import create_doc
from weft.errors import StorageError
from weft.server.storage.backup import back_up
from weft.server.storage.sqlite import SqliteRoomStorage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=[True, False], ids=["exclusive", "shared"])
def storage(tmp_path: Path, request: pytest.FixtureRequest) -> SqliteRoomStorage:
    return SqliteRoomStorage(tmp_path / "weft.sqlite3", exclusive=request.param)


UPDATES = write_updates(create_doc(), 3)


async def rows_after_a_kill(folder: Path, spare: Path) -> list[bytes]:
    """What another process finds when the one that has the file open ends here and now."""
    shutil.copytree(folder, spare, ignore=shutil.ignore_patterns("*-shm"))
    async with SqliteRoomStorage(spare / "weft.sqlite3") as copy:
        return (await copy.load("room")).rows


def files(folder: Path, names: str) -> list[Path]:
    return sorted(folder.glob(names))


@pytest.mark.parametrize("names", ["weft.sqlite3", "weft.sqlite3*"])
async def test_what_is_confirmed_after_the_file_was_removed_is_there(
    storage: SqliteRoomStorage,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    names: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await storage.open()
    os.chmod(storage.path, 0o640)  # noqa: PTH101
    await storage.stored(storage.append("room", UPDATES[0]))
    await storage.close()
    await storage.open()
    for path in files(tmp_path, names):
        path.unlink()
    for update in UPDATES[1:]:
        await storage.stored(storage.append("room", update))
    assert await rows_after_a_kill(tmp_path, tmp_path_factory.mktemp("spare") / "all") == UPDATES
    assert (await storage.load("room")).rows == UPDATES
    await storage.close()
    assert [path.name for path in files(tmp_path, "*")] == ["weft.sqlite3"]
    assert stat.S_IMODE((tmp_path / "weft.sqlite3").stat().st_mode) == 0o640
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == [
        f"{storage.path} was removed while it was open; all that it held has been written again"
    ]


async def test_a_file_that_was_removed_is_there_after_closing(
    storage: SqliteRoomStorage, tmp_path: Path
) -> None:
    await storage.open()
    await storage.stored(storage.append("room", UPDATES[0]))
    (tmp_path / "weft.sqlite3").unlink()
    await storage.close()
    async with storage:
        assert (await storage.load("room")).rows == UPDATES[:1]


async def test_in_a_file_that_was_replaced_nothing_is_confirmed_and_nothing_changed(
    storage: SqliteRoomStorage, tmp_path: Path
) -> None:
    backup = SqliteRoomStorage(tmp_path / "backup.sqlite3")
    async with backup:
        await backup.stored(backup.append("room", UPDATES[2]))
    await storage.open()
    await storage.stored(storage.append("room", UPDATES[0]))
    (tmp_path / "backup.sqlite3").replace(storage.path)
    before = (tmp_path / "weft.sqlite3").read_bytes()
    for _ in range(2):
        with pytest.raises(StorageError, match="was replaced by another file while it was open; all that it"):
            await storage.stored(storage.append("room", UPDATES[1]))
        with pytest.raises(StorageError, match="was replaced"):
            await storage.load("another room")
    with pytest.raises(StorageError, match="was replaced"):
        await storage.close()
    assert (tmp_path / "weft.sqlite3").read_bytes() == before
    (kept,) = files(tmp_path, "*-kept-*")
    async with SqliteRoomStorage(kept) as rescued:
        assert (await rescued.load("room")).rows == UPDATES[:2]  # what was refused too, and once only


async def test_a_log_that_was_removed_costs_nothing_that_was_confirmed(
    storage: SqliteRoomStorage, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await storage.open()
    await storage.stored(storage.append("room", UPDATES[0]))
    (tmp_path / "weft.sqlite3-wal").unlink()
    for update in UPDATES[1:]:
        await storage.stored(storage.append("room", update))
    assert await rows_after_a_kill(tmp_path, tmp_path_factory.mktemp("spare") / "all") == UPDATES
    await storage.close()


async def test_a_log_beside_the_file_that_a_link_leads_to_is_noticed_as_well(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.sqlite3").symlink_to(tmp_path / "disk" / "weft.sqlite3")
    async with SqliteRoomStorage(tmp_path / "link.sqlite3") as storage:
        await storage.stored(storage.append("room", UPDATES[0]))
        (tmp_path / "disk" / "weft.sqlite3-wal").unlink()
        await storage.stored(storage.append("room", UPDATES[1]))
        (tmp_path / "spare").mkdir()
        assert await rows_after_a_kill(tmp_path / "disk", tmp_path / "spare" / "all") == UPDATES[:2]


async def test_where_the_file_cannot_be_written_again_nothing_is_confirmed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    storage = SqliteRoomStorage(folder / "weft.sqlite3")
    await storage.open()
    await storage.stored(storage.append("room", UPDATES[0]))
    shutil.rmtree(folder)
    with pytest.raises(StorageError, match="was removed while it was open, and could not be written again"):
        await storage.stored(storage.append("room", UPDATES[1]))
    folder.mkdir()
    await storage.stored(storage.append("room", UPDATES[2]))
    assert read((await storage.load("room")).rows) == {"k0": 0, "k1": 1, "k2": 2}
    await storage.close()


async def test_a_place_without_a_file_is_none_that_could_be_lost() -> None:
    async with SqliteRoomStorage(":memory:") as storage:
        await storage.stored(storage.append("room", UPDATES[0]))
        assert (await storage.load("room")).rows == UPDATES[:1]


async def test_a_copy_without_its_log_is_told_from_one_that_was_closed(
    storage: SqliteRoomStorage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = "-wal is not beside it"
    await storage.open()
    await storage.stored(storage.append("room", UPDATES[0]))
    for names in ("weft.sqlite3-wal", "none"):  # what a kill leaves behind, and the file alone
        folder = tmp_path / f"without {names}"
        folder.mkdir()
        shutil.copy(storage.path, folder)
        for path in files(tmp_path, names):
            shutil.copy(path, folder)
        async with SqliteRoomStorage(folder / "weft.sqlite3") as copy:
            assert len((await copy.load("room")).rows) == (names != "none")
        assert (missing in caplog.text) == (names == "none")
    caplog.clear()
    await back_up(storage.path, str(tmp_path / "backup.sqlite3"))
    await storage.close()
    for name in ("weft.sqlite3", "backup.sqlite3"):
        async with SqliteRoomStorage(tmp_path / name) as again:
            assert (await again.load("room")).rows == UPDATES[:1]
    assert missing not in caplog.text
