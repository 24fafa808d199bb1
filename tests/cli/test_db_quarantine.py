"""`weft db quarantine`, beside a server that has set rows aside, and after it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.databases import AUTOMERGE, AUTOMERGE_URL, Database, new_postgres, new_sqlite
from support.repoclient import RepoClient, numbered_id
from support.serving import WeftServe
from support.yclient import YClient
from weft.documents import compact_updates
from weft.errors import RoomDamagedError
from weft.server.storage import storage_at

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgres"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return await new_sqlite(tmp_path)
    return await new_postgres(request.getfixturevalue("postgres"))


OF_FARM = "room = (SELECT id FROM rooms WHERE name = 'farm')"


async def test_bad_rows_are_set_aside_by_a_server_listed_shown_and_put_back(
    place: Database, tmp_path: Path
) -> None:
    written = await place.fill(farm=3, automerge=2)
    async with storage_at(place.address) as storage:
        await storage.stored(storage.append(AUTOMERGE, b"rubbish"))
    await place.change(f"UPDATE updates SET data = x'beef' WHERE number = 3 AND {OF_FARM}")
    assert place.db("quarantine list").stdout == "0 rows are set aside.\n"
    document_id, other_id = AUTOMERGE_URL.removeprefix("automerge:"), numbered_id(1)
    with WeftServe(place.address) as server:
        async with (
            YClient(server.url, "farm") as client,
            RepoClient(server.url, document_id, other_id) as repo,
        ):
            await client.wait_for(k0=0, k1=1)
            await repo.put(other_id, a=1)
            await repo.flush(other_id)
            await repo.synced(document_id)
            listed = place.db("quarantine list").stdout.splitlines()  # while it runs
    assert listed[0].startswith(f"room {AUTOMERGE_URL}: row 3, 7 bytes: ")
    assert listed[1:] == [
        "room farm: row 3, 2 bytes: the data does not match its checksum",
        "2 rows are set aside.",
    ]
    as_json = [json.loads(line) for line in place.db("quarantine list", "--json").stdout.splitlines()]
    assert as_json[1] == {
        "room": "farm",
        "row": 3,
        "bytes": 2,
        "reason": "the data does not match its checksum",
    }
    checked = place.db("check")
    assert "room farm: row 3 was set aside: the data does not match its checksum\n" in checked.stdout
    assert checked.returncode == 0
    copy = tmp_path / "copy.sqlite3"
    assert place.db("backup", str(copy)).returncode == 0
    assert Database(str(copy)).db("quarantine list").stdout.splitlines() == listed

    assert place.db("quarantine show", "farm", "3").stdout == "beef\n"
    assert place.db("quarantine show", "farm", "3", "--file", str(tmp_path / "row")).returncode == 0
    assert (tmp_path / "row").read_bytes() == b"\xbe\xef"
    restored = place.db("quarantine restore", AUTOMERGE_URL, "3")
    assert restored.stdout == f"Row 3 of room {AUTOMERGE_URL} is row 4 of it now.\n"
    assert (await place.rows())[AUTOMERGE] == [*written[AUTOMERGE], b"rubbish"]
    for command in ("show", "restore"):
        refused = place.db(f"quarantine {command}", "farm", "1")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.endswith("no row 1 of room 'farm' was set aside\n")


async def test_rows_are_discarded_when_it_is_said_twice(place: Database) -> None:
    await place.fill(farm=5, barn=2)
    async with storage_at(place.address) as storage:
        await storage.set_aside("farm", dict.fromkeys((2, 3, 5), "bad"))
        await storage.set_aside("barn", {1: "bad"})
    refused = place.db("quarantine discard", "farm", "7", "--yes")
    assert (refused.returncode, refused.stdout) == (1, "")
    refused = place.db("quarantine discard", "farm", stdin=subprocess.DEVNULL)
    assert (refused.returncode, refused.stderr) == (
        1,
        "weft db quarantine discard: this is for good: say --yes\n",
    )
    assert [line.partition(",")[0] for line in refused.stdout.splitlines()] == [
        f"room farm: row {number}" for number in (2, 3, 5)
    ]
    assert place.db("quarantine list").stdout.endswith("4 rows are set aside.\n")
    done = place.db("quarantine discard", "farm", "3", "--yes")
    assert done.stdout.endswith(" bytes: bad\n1 rows are deleted.\n")
    assert place.db("quarantine discard", "farm", "--yes").stdout.endswith("2 rows are deleted.\n")
    assert place.db("quarantine list").stdout.startswith("room barn: row 1, ")
    assert place.db("check").stdout.endswith("2 rooms, 3 rows: all is well.\n")


async def test_a_room_of_which_rows_are_missing_opens_when_that_is_accepted(place: Database) -> None:
    await place.fill(farm=5, barn=2)
    await place.change(f"DELETE FROM updates WHERE number IN (3, 5) AND {OF_FARM}")
    refused = place.db("accept", "farm", stdin=subprocess.DEVNULL)
    assert (refused.returncode, refused.stderr) == (1, "weft db accept: this is for good: say --yes\n")
    assert refused.stdout.startswith("room farm: it has 3 rows, and should have 5\n")
    async with storage_at(place.address) as storage:
        with pytest.raises(RoomDamagedError):
            await storage.load("farm")
    done = place.db("accept", "farm", "--yes")
    assert (done.returncode, done.stdout) == (0, refused.stdout + "Room farm opens as it is from now on.\n")
    assert "room 'farm': it opens from now on without 2 rows that are missing" in done.stderr
    assert place.db("check").stdout == "2 rooms, 5 rows: all is well.\n"
    again = place.db("accept", "farm", "--yes")
    assert (again.stdout, again.stderr) == ("No row of room farm is missing.\n", "")
    assert place.db("accept", "nowhere", "--yes").stderr.endswith("there is no room 'nowhere'\n")
    async with storage_at(place.address) as storage:
        stored = await storage.load("farm")
        assert (stored.numbers, stored.head) == ([1, 2, 4], 5)
        await storage.stored(storage.append("farm", stored.rows[0]))
        assert (await storage.since("farm", 4)).numbers == [6]
        assert await storage.compact("farm", compact_updates) is not None
        assert (await storage.load("farm")).numbers[-1] == 6


@pytest.mark.parametrize("counts", ["head = 2", "head = 9, absorbed = 1", "absorbed = 4"])
async def test_counts_that_are_wrong_are_set_right(place: Database, counts: str) -> None:
    written = await place.fill(farm=5)
    await place.change(f"UPDATE rooms SET {counts} WHERE name = 'farm'")
    assert place.db("accept", "farm", "--yes").returncode == 0
    assert (await place.rows())["farm"] == written["farm"]
    assert place.db("check").returncode == 0
