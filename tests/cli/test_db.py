"""`weft db`, run as its users run it, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pycrdt import Map

from support.commands import first_lines, weft
from support.databases import AUTOMERGE, AUTOMERGE_URL, Database, new_postgres, new_sqlite
from support.postgres_suite import run
from support.serving import WeftServe
from support.storage_suite import read, read_changes, read_rows, write_changes, write_rows, write_updates
from support.yclient import YClient
from weft.documents.yjs.document import create_doc
from weft.errors import RoomDeletedError
from weft.protocols.automerge_repo import document_url
from weft.server.bridge_id import bridge_document_id
from weft.server.storage import storage_at

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import PostgresServer


@pytest.fixture
async def dsn(postgres: PostgresServer) -> str:
    """An empty database, by an address with a password."""
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return postgres.dsn.replace("weft@", "weft:secret@")


async def test_rooms_in_postgresql_survive_the_server(dsn: str, tmp_path: Path) -> None:
    place = dsn.replace("weft:secret@", "")
    refused = await asyncio.to_thread(weft, "serve", "--port", "0", "--db", dsn)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"weft serve: {place}: weft's tables are not there; make them with: weft db init {place}\n"
    )
    for _ in range(2):
        done = await asyncio.to_thread(weft, "db", "init", dsn)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{place} is ready.\n", "")
    for number in range(2):
        with WeftServe(dsn) as server:
            async with YClient(server.url, "farm") as client:
                await client.synced()
                assert client.content == {f"k{at}": at for at in range(number)}
                await client.set(**{f"k{number}": number})
                await client.flush()
    (greeting,) = await asyncio.to_thread(first_lines, tmp_path, 1, "--db", dsn)
    assert greeting.endswith(f" and keeps the rooms in {place}\n")


def test_a_file_is_made_and_memory_needs_nothing(tmp_path: Path) -> None:
    done = weft("db", "init", "rooms.sqlite3", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "rooms.sqlite3 is ready.\n", "")
    assert (tmp_path / "rooms.sqlite3").is_file()
    assert weft("db", "init", "memory:").returncode == 0


@pytest.mark.parametrize("arguments", [("db", "init"), ("serve", "--db")])
def test_another_kind_of_address_is_misuse(arguments: tuple[str, ...]) -> None:
    done = weft(*arguments, "mysql://host/rooms")
    assert done.returncode == 2
    assert "mysql:// is not known: give a path, memory:, or postgresql://" in done.stderr


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['asyncpg'] = None;"
        "from weft.cli import main; sys.exit(main(['db', 'init', 'postgresql://host/rooms']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "weft: asyncpg is missing; install it with: pip install 'weft[postgres]'\n"


@pytest.fixture(params=["sqlite", "postgres"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return await new_sqlite(tmp_path)
    return await new_postgres(request.getfixturevalue("postgres"))


async def test_rooms_are_listed_with_their_sizes_page_by_page(place: Database) -> None:
    rows = await place.fill(barn=3, farm=1, field=2, automerge=2)
    done = place.db("rooms")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines == [
        ["bytes", "rows", "head", "kind", "name"],
        *(
            [str(sum(map(len, rows[name]))), str(len(rows[name])), str(len(rows[name])), kind, shown]
            for name, kind, shown in [
                (AUTOMERGE, "automerge", AUTOMERGE_URL),
                ("barn", "yjs", "barn"),
                ("farm", "yjs", "farm"),
                ("field", "yjs", "field"),
            ]
        ),
    ]

    assert [json.loads(line) for line in place.db("rooms", "--json", "--limit", "1").stdout.splitlines()] == [
        {
            "name": AUTOMERGE_URL,
            "kind": "automerge",
            "bytes": sum(map(len, rows[AUTOMERGE])),
            "rows": len(rows[AUTOMERGE]),
            "head": len(rows[AUTOMERGE]),
        }
    ]

    def names(*options: str) -> list[str]:
        return [line.split()[4] for line in place.db("rooms", *options).stdout.splitlines()[1:]]

    assert names("--prefix", "f") == ["farm", "field"]
    assert names("--prefix", "automerge:") == [AUTOMERGE_URL]
    assert names("--limit", "2") == [AUTOMERGE_URL, "barn"]
    assert names("--after", "barn", "--limit", "1") == ["farm"]


async def test_a_deleted_room_s_name_stays_taken_unless_it_is_freed(place: Database) -> None:
    await place.fill(farm=2, barn=1)
    done = place.db("delete", "farm", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (1, "weft db delete: this is for good: say --yes\n")
    done = place.db("delete", "farm", "--yes")
    assert (done.returncode, done.stdout) == (0, "Room farm is deleted, and its name stays taken.\n")
    assert list(await place.rows()) == ["barn"]
    done = place.db("delete", "farm", "--yes")
    assert (done.returncode, done.stderr) == (1, "weft db delete: there is no room 'farm', it was deleted\n")
    assert place.db("delete", "nowhere", "--yes").stderr == "weft db delete: there is no room 'nowhere'\n"
    done = place.db("delete", "barn", "--yes", "--free")
    assert done.stdout == "Room barn is deleted; its name may be used again.\n"
    async with storage_at(place.address) as storage:
        assert (await storage.load("barn")).head == 0
        with pytest.raises(RoomDeletedError):
            await storage.load("farm")


async def test_of_a_bridged_room_the_other_sides_are_named(place: Database) -> None:
    await place.fill(farm=2, barn=1)
    other = document_url(bridge_document_id("farm"))
    sides = ["farm", other, "mergeable:farm"]
    async with storage_at(place.address) as storage:
        await storage.stored(storage.append(f"\x1f{other}", write_changes(1)[0]))
        await storage.stored(storage.append("\x1fmergeable:farm", b"[[{}],[{}],1]"))
    for name in sides:
        done = place.db("delete", name, stdin=subprocess.DEVNULL)
        partners = " and ".join(side for side in sides if side != name)
        assert done.stdout.startswith(
            f"There is {partners}, too, with which weft serve --bridge keeps it equal"
        )
    assert place.db("delete", "barn", "--yes").stdout.startswith("Room barn is deleted")
    for name in ("farm", "mergeable:farm"):
        assert place.db("delete", name, "--yes").returncode == 0
    assert place.db("delete", other, "--yes").stdout.startswith(f"Room {other} is deleted")


async def test_compaction_keeps_what_a_room_is_to_keep(place: Database) -> None:
    doc = create_doc()
    updates = write_updates(doc, 1, prefix="secret-")
    subscription = doc.observe(lambda event: updates.append(event.update))
    del doc.get("m", type=Map)["secret-0"]
    doc.unobserve(subscription)
    updates += write_updates(doc, 3)
    async with storage_at(place.address) as storage:
        for name in ("kept", "given up"):
            for update in updates:
                storage.append(name, update)
        await storage.configure("kept", {"gc": False})
    await place.fill(automerge=20, small=1)
    before = await place.rows()
    done = place.db("compact")
    assert done.returncode == 0
    assert "room small: nothing to gain\n" in done.stdout
    after = await place.rows()
    for name in ("kept", "given up"):
        assert read(after[name]) == {"k0": 0, "k1": 1, "k2": 2}
        assert len(after[name]) == 1
    assert len(after["kept"][0]) > len(after["given up"][0])
    assert read_changes(after[AUTOMERGE]) == read_changes(before[AUTOMERGE])
    assert len(after[AUTOMERGE]) == 1
    assert place.db("compact", "small", AUTOMERGE_URL).returncode == 0
    assert place.db("compact", "nowhere").stderr == "weft db compact: there is no room 'nowhere'\n"
    done = place.db("check")
    assert (done.returncode, done.stdout) == (0, "4 rooms, 4 rows: all is well.\n")


async def test_rooms_of_tinybase_s_clients_are_seen_to_like_others(place: Database, tmp_path: Path) -> None:
    rows, name = write_rows(20), "mergeable:a%20farm"
    async with storage_at(place.address) as storage:
        for row in [*rows, b"rubbish"]:
            await storage.stored(storage.append(f"\x1f{name}", row))
    assert place.db("rooms").stdout.splitlines()[1].split()[1:] == ["21", "21", "mergeable", name]
    done = place.db("check")
    assert done.returncode == 1
    assert f"room {name}: row 21: no mergeable changes: not strict JSON: " in done.stdout
    async with storage_at(place.address) as storage:
        await storage.set_aside(f"\x1f{name}", {21: "rubbish"})
    assert place.db("compact", name).returncode == 0
    file = str(tmp_path / "rooms.jsonl")
    assert place.db("export", file).returncode == 0
    assert place.db("delete", name, "--yes", "--free").returncode == 0
    assert place.db("import", file).returncode == 0
    ((key, left),) = (await place.rows()).items()
    assert (key, len(left)) == (f"\x1f{name}", 1)
    assert read_rows(left) == read_rows(rows)


@pytest.mark.parametrize("command", ["check", "rooms", "export", "backup", "delete", "compact"])
def test_what_is_not_there_is_not_made(command: str, tmp_path: Path) -> None:
    more = {"export": ["x.jsonl"], "backup": ["x.sqlite3"], "delete": ["farm", "--yes"]}
    done = weft("db", command, "nowhere.sqlite3", *more.get(command, ()), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"weft db {command}: nowhere.sqlite3: there is no such file\n"
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_memory_is_its_server_s_alone() -> None:
    done = weft("db", "check", "memory:")
    assert done.returncode == 2
    assert done.stderr.startswith("weft db check: invalid value for 'ADDRESS': memory: is its server's alone")


async def test_beside_a_server_with_a_locked_file_it_reads_and_writes_nothing(tmp_path: Path) -> None:
    place = await new_sqlite(tmp_path)
    await place.fill(farm=3)
    with WeftServe(place.address) as server:
        async with YClient(server.url, "barn") as client:
            await client.set(x=1)
            await client.flush()
            done = await asyncio.to_thread(place.db, "check")
            assert (done.returncode, done.stdout) == (0, "2 rooms, 4 rows: all is well.\n")
            assert "barn" in (await asyncio.to_thread(place.db, "rooms")).stdout
            for command in (["delete", "farm", "--yes"], ["compact"], ["import", "-"]):
                done = await asyncio.to_thread(place.db, *command)
                assert done.returncode == 1
                assert done.stderr.endswith("stop the server, or have it serve with --shared\n")


async def test_a_room_is_deleted_beside_a_server(place: Database) -> None:
    options = () if place.is_postgres else ("--shared",)
    with WeftServe(place.address, *options) as server:
        async with YClient(server.url, "farm") as client, YClient(server.url, "barn") as other:
            await client.set(x=1)
            await client.flush()
            await other.set(y=1)
            await other.flush()
            assert (await asyncio.to_thread(place.db, "delete", "farm", "--yes")).returncode == 0
            await client.set(x=2)
            assert await client.wait_closed() == 4404
            await other.set(y=2)
            await other.flush()
    assert list(await place.rows()) == ["barn"]
