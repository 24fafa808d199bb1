"""`weft db backup` of servers that run and are written to."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING, Any

import pytest

from support.databases import Database, new_postgres, new_sqlite
from support.servers import eventually
from support.serving import WeftServe
from support.storage_suite import read
from support.yclient import YClient
from weft.errors import RoomDeletedError, StorageError
from weft.server.storage import storage_at
from weft.server.storage.address import reading
from weft.server.storage.backup import back_up, new_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["locked", "shared", "postgres"])
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Database, list[str]]:
    """A database, and the options with which it is served."""
    if request.param == "postgres":
        return await new_postgres(request.getfixturevalue("postgres")), []
    return await new_sqlite(tmp_path), ["--shared"] if request.param == "shared" else []


async def content_of(path: str, room: str) -> dict[str, Any]:
    async with reading(path) as reader:
        found = await reader.read(room)
        return {} if found is None else read([row.data for row in found.rows])


async def test_backups_under_load_have_all_that_was_confirmed(
    served: tuple[Database, list[str]], tmp_path: Path
) -> None:
    place, options = served
    confirmed = {"a": 0, "b": 0, "c": 0}
    is_over = False

    async def write(url: str, room: str) -> None:
        async with YClient(url, room) as client:
            await client.synced()
            while not is_over:
                number = confirmed[room]
                await client.set(**{f"k{number % 50}": number, "filler": "x" * 2_000})
                await client.flush()
                confirmed[room] = number + 1

    with WeftServe(place.address, *options) as server:
        async with asyncio.TaskGroup() as writers:
            for room in confirmed:
                writers.create_task(write(server.url, room))
            for number in range(3):
                wanted = {room: count + 20 for room, count in confirmed.items()}
                await eventually(
                    lambda wanted=wanted: all(confirmed[room] >= wanted[room] for room in wanted)
                )
                before = dict(confirmed)
                copy = tmp_path / f"copy{number}.sqlite3"
                done = await asyncio.to_thread(place.db, "backup", str(copy))
                assert (done.returncode, done.stderr) == (0, "")
                for room, count in before.items():
                    content = await content_of(str(copy), room)
                    assert max(value for value in content.values() if not isinstance(value, str)) >= count - 1
                checked = await asyncio.to_thread(Database(str(copy)).db, "check")
                assert checked.returncode == 0, checked.stdout
            is_over = True
        server.kill()
    with WeftServe(tmp_path / "copy2.sqlite3") as server:
        async with YClient(server.url, "a") as client:
            await client.synced()
            assert client.content == await content_of(str(tmp_path / "copy2.sqlite3"), "a")


async def test_a_backup_has_numbers_settings_and_the_names_of_deleted_rooms(
    served: tuple[Database, list[str]], tmp_path: Path
) -> None:
    place, _ = served
    await place.fill(farm=4, barn=2, gone=1, automerge=3)
    async with storage_at(place.address) as storage:
        await storage.configure("barn", {"gc": False})
        await storage.delete("gone")
    place.db("compact", "farm")
    copy = str(tmp_path / "copy.sqlite3")
    await back_up(place.address, copy)
    async with storage_at(place.address) as storage, storage_at(copy) as copied:
        names = [info.name for info in await storage.rooms()]
        assert [info.name for info in await copied.rooms()] == names
        for name in names:
            assert await copied.load(name) == await storage.load(name)
        with pytest.raises(RoomDeletedError):
            await copied.load("gone")


async def test_damage_is_not_copied_as_if_it_were_right(
    served: tuple[Database, list[str]], tmp_path: Path
) -> None:
    place, _ = served
    await place.fill(farm=4)
    await place.change("UPDATE updates SET data = x'00' WHERE number = 2")
    copy = tmp_path / "copy.sqlite3"
    done = place.db("backup", str(copy))
    if place.is_postgres:
        assert done.returncode == 1
        assert "room 'farm': row 2: the data does not match its checksum; see weft db check" in done.stderr
        assert not list(tmp_path.iterdir())
    else:  # byte for byte, so that the copy says it too
        assert Database(str(copy)).db("check").returncode == 1


async def test_a_backup_may_be_read_by_whom_the_file_may(tmp_path: Path) -> None:
    place = await new_sqlite(tmp_path)
    await place.fill(farm=1)
    (tmp_path / "rooms.sqlite3").chmod(0o640)
    await back_up(place.address, str(tmp_path / "copy.sqlite3"))
    assert stat.S_IMODE((tmp_path / "copy.sqlite3").stat().st_mode) == 0o640


async def test_nothing_is_overwritten_and_nothing_is_left(tmp_path: Path) -> None:
    place = await new_sqlite(tmp_path)
    await place.fill(farm=1)
    target = tmp_path / "copy.sqlite3"
    target.write_text("mine")
    with pytest.raises(StorageError, match=r"copy\.sqlite3 is there already"):
        await back_up(place.address, str(target))
    assert target.read_text() == "mine"
    with pytest.raises(StorageError, match="no such file"):
        await back_up(str(tmp_path / "nowhere"), str(tmp_path / "other"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.sqlite3", "rooms.sqlite3"]


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "x"
    with pytest.raises(StorageError, match="is there already"), new_file(str(target)):
        target.write_text("mine")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert target.read_text() == "mine"
