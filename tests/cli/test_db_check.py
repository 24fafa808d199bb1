"""`weft db check`, on databases that are damaged in every way it knows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from support.databases import AUTOMERGE, AUTOMERGE_URL, Database, new_postgres, new_sqlite
from weft.cli.db_check import update_problems
from weft.server.storage import storage_at
from weft.server.storage.reading import ReadRow

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgres"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return await new_sqlite(tmp_path)
    return await new_postgres(request.getfixturevalue("postgres"))


OF_FARM = "room = (SELECT id FROM rooms WHERE name = 'farm')"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            f"UPDATE updates SET data = x'00' WHERE {OF_FARM} AND number = 2",
            "room farm: row 2: the data does not match its checksum",
        ),
        (
            f"DELETE FROM updates WHERE {OF_FARM} AND number = 2",
            "room farm: it has 2 rows, and should have 3\nroom farm: row 2: it is missing",
        ),
        (
            f"UPDATE updates SET number = 4 WHERE {OF_FARM} AND number = 2",
            "room farm: row 4: the last has the number 3",
        ),
        ("UPDATE rooms SET head = 5 WHERE name = 'farm'", "room farm: it has 3 rows, and should have 5"),
        (
            "UPDATE rooms SET settings = '{' WHERE name = 'farm'",
            "room farm: the settings cannot be read: '{'",
        ),
        ("DELETE FROM rooms WHERE name = 'farm'", "3 rows are of room number "),
    ],
)
async def test_damage_is_said_by_room_and_row(place: Database, statement: str, said: str) -> None:
    await place.fill(farm=3, barn=2, automerge=2)
    assert place.db("check").stdout == "3 rooms, 7 rows: all is well.\n"
    await place.change(statement)
    done = place.db("check")
    assert (done.returncode, done.stderr) == (1, "")
    assert said in done.stdout
    assert "barn" not in done.stdout
    assert "problems." in done.stdout.splitlines()[-1]


async def test_rows_that_mean_nothing_are_named(place: Database) -> None:
    await place.fill(farm=2, automerge=2)
    async with storage_at(place.address) as storage:
        await storage.stored(storage.append("farm", b"rubbish"))
        await storage.stored(storage.append(AUTOMERGE, b"rubbish"))
    done = place.db("check")
    assert done.returncode == 1
    assert "room farm: row 3: not a Yjs update: " in done.stdout
    assert f"room {AUTOMERGE_URL}: row 3: no Automerge changes: " in done.stdout
    assert done.stdout.endswith("2 rooms, 6 rows: 2 problems.\n")


async def test_rows_of_a_deleted_room_are_damage(place: Database) -> None:
    await place.fill(farm=2, barn=1)
    place.db("delete", "barn", "--yes")
    assert place.db("check").stdout == "1 rooms, 2 rows: all is well.\n"
    room = "(SELECT id FROM rooms WHERE name = 'barn')"
    await place.change(f"UPDATE updates SET room = {room} WHERE number = 1 AND {OF_FARM}")
    done = place.db("check")
    assert done.returncode == 1
    assert "room barn: it was deleted, and has 1 rows" in done.stdout


async def test_settings_of_a_file_are_looked_at(tmp_path: Path) -> None:
    place = await new_sqlite(tmp_path)
    await place.fill(farm=1)
    async with storage_at(place.address) as storage:
        await storage.configure("farm", {"gc": False})
    assert place.db("check").returncode == 0
    await place.change("UPDATE rooms SET settings = replace(settings, 'gc', 'gb')")
    done = place.db("check")
    assert done.returncode == 1
    assert "the settings of room 'farm' do not match their checksum" in done.stdout


async def test_names_and_pages_of_a_file_are_looked_at(tmp_path: Path) -> None:
    place = await new_sqlite(tmp_path)
    await place.fill(farm=300)
    await place.change("UPDATE rooms SET name = 'form'")
    assert "'form', does not match its checksum" in place.db("check").stdout
    await place.change("UPDATE rooms SET name = 'farm'")
    assert place.db("check").returncode == 0
    with closing(sqlite3.connect(place.address)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "rooms.sqlite3"
    data = bytearray(path.read_bytes())
    data[3 * 4096 : 3 * 4096 + 64] = b"\xff" * 64
    path.write_bytes(data)
    done = place.db("check")
    assert done.returncode == 1
    assert done.stdout + done.stderr != ""


async def test_a_file_of_the_first_format_is_checked_and_stays_as_it_is(tmp_path: Path) -> None:
    from pathlib import Path as Place

    old = Place(__file__).parents[1] / "server" / "storage" / "format1.db"
    path = tmp_path / "rooms.sqlite3"
    path.write_bytes(old.read_bytes())
    done = Database(str(path)).db("check")
    assert done.returncode == 0, done.stdout
    assert path.read_bytes() == old.read_bytes()


def test_a_stranger_s_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear database, " * 100)
    done = Database(str(path)).db("check")
    assert (done.returncode, done.stderr) == (1, f"weft db check: {path}: file is not a database\n")


def test_rows_that_cannot_be_told_apart_are_said_together() -> None:
    assert update_problems("farm", []) == []
    assert update_problems(AUTOMERGE, [ReadRow(1, b"", True)]) == []
