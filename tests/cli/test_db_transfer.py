"""`weft db export` and `import`, run as their users run them."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from support.databases import AUTOMERGE, AUTOMERGE_URL, Database, new_postgres, new_sqlite
from support.ports import free_port
from support.serving import WeftServe
from support.storage_suite import read, write_updates
from support.yclient import YClient
from weft.documents.yjs.document import create_doc
from weft.server.storage import storage_at

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import PostgresServer


@pytest.fixture
async def place(tmp_path: Path) -> Database:
    return await new_sqlite(tmp_path)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_rooms_go_from_one_database_to_the_other_and_back(
    place: Database, postgres: PostgresServer, tmp_path: Path
) -> None:
    rows = await place.fill(farm=3, barn=2, automerge=2)
    async with storage_at(place.address) as storage:
        await storage.configure("barn", {"gc": False})
    other = await new_postgres(postgres)
    file = str(tmp_path / "rooms.jsonl")
    assert place.db("export", file).stdout == f"3 rooms are in {file}.\n"
    done = other.db("import", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "room farm: 3 rows added, 0 were there\n" in done.stdout
    assert f"room {AUTOMERGE_URL}: 2 rows added, 0 were there\n" in done.stdout
    assert await other.rows() == rows
    async with storage_at(other.address) as storage:
        assert (await storage.load("barn")).settings == {"gc": False}
    piped = other.db("export", "-")
    fresh = await new_sqlite(tmp_path / ".")
    fresh.address = str(tmp_path / "fresh.sqlite3")
    done = fresh.db("import", "-", input=piped.stdout)
    assert done.returncode == 0
    assert await fresh.rows() == rows
    assert fresh.db("check").returncode == 0


async def test_the_format_is_what_the_page_says(place: Database, tmp_path: Path) -> None:
    rows = await place.fill(farm=2, barn=1)
    file = tmp_path / "rooms.jsonl"
    place.db("export", str(file), "--room", "farm")
    first, room, *updates, last = lines_of(file)
    assert first == {"weft": "rooms", "format": 1}
    assert room == {"room": "farm", "head": 2, "rows": 2, "settings": {}}
    assert last == {"rooms": 1}
    for number, (line, row) in enumerate(zip(updates, rows["farm"], strict=True), 1):
        assert line == {
            "number": number,
            "crc32": zlib.crc32(row),
            "update": base64.b64encode(row).decode(),
        }


async def test_an_import_adds_and_takes_nothing(place: Database, tmp_path: Path) -> None:
    await place.fill(farm=2)
    file = str(tmp_path / "rooms.jsonl")
    place.db("export", file)
    doc = create_doc()
    async with storage_at(place.address) as storage:
        for update in write_updates(doc, 3, prefix="mine-"):
            await storage.stored(storage.append("farm", update))
    done = place.db("import", file)
    assert done.stdout == "room farm: 0 rows added, 2 were there\n"
    place.db("compact")
    assert place.db("import", file).stdout == "room farm: 2 rows added, 0 were there\n"
    content = read((await place.rows())["farm"])
    assert content == {"k0": 0, "k1": 1, "mine-0": 0, "mine-1": 1, "mine-2": 2}


async def test_servers_with_a_broker_see_what_is_imported(
    place: Database, postgres: PostgresServer, tmp_path: Path
) -> None:
    await place.fill(farm=2)
    file = str(tmp_path / "rooms.jsonl")
    place.db("export", file)
    other = await new_postgres(postgres)
    # One that is away, even: what was stored is found in the database.
    with WeftServe(other.address, "--broker", f"redis://127.0.0.1:{free_port()}") as server:
        async with YClient(server.url, "farm") as client:
            await client.set(x=1)
            await client.flush()
            assert (await asyncio.to_thread(other.db, "import", file)).returncode == 0
            await client.wait_for(k0=0, k1=1, x=1)


async def test_a_room_that_was_deleted_stays_so(place: Database, tmp_path: Path) -> None:
    await place.fill(barn=1, farm=2)
    file = str(tmp_path / "rooms.jsonl")
    place.db("export", file)
    place.db("delete", "barn", "--yes")
    done = place.db("import", file)
    assert done.returncode == 1
    assert "room barn: left out, as a room of this name was deleted\n" in done.stdout
    assert "room farm: 0 rows added, 2 were there\n" in done.stdout
    assert list(await place.rows()) == ["farm"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "the file ends too early"),
        (lambda lines: lines[:3], "the file ends too early"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 4: a row was to be here"),
        (lambda lines: ['{"weft":"rooms","format":2}\n', *lines[1:]], "no export of weft's"),
        (lambda _: ["rubbish\n"], "no export of weft's"),
        (lambda _: [], "no export of weft's"),
        (
            lambda lines: [*lines[:2], lines[2].replace('"update":"A', '"update":"B'), *lines[3:]],
            "line 3: the update does not match its checksum",
        ),
        (lambda lines: [lines[0], *lines[2:]], "line 2: a room was to begin here"),
        (
            lambda lines: [lines[0], lines[1].replace("farm", "a/../b"), *lines[2:]],
            "room 'a/../b': the room name has a dot segment",
        ),
    ],
)
async def test_a_damaged_file_is_said_and_nothing_of_its_room_is_stored(
    place: Database, tmp_path: Path, change: Any, said: str
) -> None:
    await place.fill(farm=2)
    file = tmp_path / "rooms.jsonl"
    place.db("export", str(file))
    file.write_text("".join(change(file.read_text().splitlines(keepends=True))))
    empty = Database(str(tmp_path / "empty.sqlite3"))
    done = empty.db("import", str(file))
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    was_whole = len(file.read_text().splitlines()) == 4 and "too early" in said
    assert list(await empty.rows()) == (["farm"] if was_whole else [])


async def test_what_no_server_could_load_is_not_imported(place: Database, tmp_path: Path) -> None:
    async with storage_at(place.address) as storage:
        await storage.stored(storage.append("farm", b"rubbish"))
        await storage.stored(storage.append(AUTOMERGE, b"rubbish"))
    for name, said in (("farm", "not a Yjs update"), (AUTOMERGE_URL, "no Automerge changes")):
        file, empty = tmp_path / f"{said}.jsonl", Database(str(tmp_path / "empty.sqlite3"))
        place.db("export", str(file), "--room", name)
        done = empty.db("import", str(file))
        assert done.returncode == 1
        assert f"room {name!r}: row 1: {said}" in done.stderr
        assert await empty.rows() == {}


async def test_damaged_rooms_are_not_exported_and_others_are(place: Database, tmp_path: Path) -> None:
    await place.fill(farm=2, barn=1)
    await place.change(
        "UPDATE updates SET data = x'00' WHERE room = (SELECT id FROM rooms WHERE name = 'farm')"
    )
    file = tmp_path / "rooms.jsonl"
    done = place.db("export", str(file))
    assert done.returncode == 1
    assert "room 'farm': row 1: the data does not match its checksum; see weft db check" in done.stderr
    assert names_in(tmp_path) == ["rooms.sqlite3"]
    assert place.db("export", str(file), "--room", "barn").returncode == 0
    done = place.db("export", str(file), "--room", "barn")
    assert (done.returncode, done.stderr) == (1, f"weft db export: {file} is there already\n")
    assert "there is no room 'nowhere'" in place.db("export", "-", "--room", "nowhere").stderr
