"""`weft db quarantine`, beside a server that has set rows aside, and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.databases import AUTOMERGE, AUTOMERGE_URL, Database, new_postgres, new_sqlite
from support.repoclient import RepoClient, numbered_id
from support.serving import WeftServe
from support.yclient import YClient
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
