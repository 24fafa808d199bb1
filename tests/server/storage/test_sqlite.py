from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from support.storage_suite import CompactionSuite, read, write_updates
from weft.documents import compact_updates
from weft.documents.compaction import Compacted
from weft.documents.yjs.document import create_doc
from weft.errors import StorageError
from weft.server.storage.sqlite import SqliteRoomStorage
from weft.testing.storage import StorageKillSuite, StorageSuite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from weft.server.storage import RoomStorage


class TestSqliteRoomStorage(CompactionSuite, StorageKillSuite, StorageSuite):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "weft.sqlite3"

    def make(self) -> RoomStorage:
        return SqliteRoomStorage(self.path)

    def child_source(self) -> str:
        return (
            "from weft.server import SqliteRoomStorage\n"
            f"def make():\n    return SqliteRoomStorage({str(self.path)!r})\n"
        )


class TestSqliteRoomStorageUnlocked(TestSqliteRoomStorage):
    kills = 2

    def make(self) -> RoomStorage:
        return SqliteRoomStorage(self.path, synchronous="NORMAL", exclusive=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weft.sqlite3"


def change(path: Path, *statements: str) -> list[Any]:
    """Go round the code under test."""
    with closing(sqlite3.connect(path)) as db, db:
        return [db.execute(statement).fetchall() for statement in statements][-1]


async def fill(path: Path, *updates: bytes, room: str = "room") -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    for update in updates:
        storage.append(room, update)
    await storage.close()


def raw(path: Path) -> bytes:
    return path.read_bytes()


async def on_thread(storage: SqliteRoomStorage, work: Callable[[sqlite3.Connection], Any]) -> Any:
    return await storage._run(lambda: work(storage._file.connection))


async def limit_pages(storage: SqliteRoomStorage, more: int | None) -> None:
    """Make SQLite run out of space for real; ``None`` gives it back."""

    def limit(db: sqlite3.Connection) -> None:
        pages = 2**30 if more is None else db.execute("PRAGMA page_count").fetchone()[0] + more
        db.execute(f"PRAGMA max_page_count = {pages}")

    await on_thread(storage, limit)


async def test_appends_of_one_turn_share_a_transaction(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    commits: list[str] = []
    await on_thread(storage, lambda db: db.set_trace_callback(commits.append))
    tickets = [storage.append("room", b"x") for _ in range(500)]
    await storage.stored(tickets[-1])
    assert commits.count("COMMIT") == 1
    await on_thread(storage, lambda db: db.set_trace_callback(None))
    await storage.close()


async def test_a_transaction_takes_so_many_bytes_at_most(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    commits: list[str] = []

    def trace(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(statement)

    await on_thread(storage, lambda db: db.set_trace_callback(trace))
    megabyte = bytes(1 << 20)
    for _ in range(20):
        storage.append("room", megabyte)
    assert (await storage.load("room")).rows == [megabyte] * 20
    assert len(commits) == 2  # 16 of one turn, and the rest
    await on_thread(storage, lambda db: db.set_trace_callback(None))
    await storage.close()


async def test_what_was_appended_in_one_turn_is_written_together(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server.storage.group_commit._BATCH_BYTES", 10)
    monkeypatch.setattr("weft.server.storage.group_commit._ROW_BYTES", 0)
    storage = SqliteRoomStorage(path)
    await storage.open()
    batches: list[int] = []
    insert = storage._rooms.insert

    def note(batch: Mapping[str, Sequence[bytes]]) -> dict[str, int]:
        batches.append(sum(map(len, batch.values())))
        return insert(batch)

    monkeypatch.setattr(storage._rooms, "insert", note)
    gate = threading.Event()
    busy = asyncio.create_task(on_thread(storage, lambda db: gate.wait()))
    for number in range(9):
        for room in ("one side", "other side", "more"):
            storage.append(room, b"%d bytes" % number)
        await asyncio.sleep(0)
    gate.set()
    await busy
    await storage.stored(27)
    assert sum(batches) == 27
    assert len(batches) > 5
    assert all(size % 3 == 0 for size in batches)
    await storage.close()


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", 2), ("NORMAL", 1)])
async def test_every_commit_is_synced_unless_asked_otherwise(
    path: Path, synchronous: Any, level: int
) -> None:
    storage = SqliteRoomStorage(path, synchronous=synchronous)
    await storage.open()
    assert await on_thread(storage, lambda db: db.execute("PRAGMA synchronous").fetchone()[0]) == level
    assert await on_thread(storage, lambda db: db.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"
    await storage.close()


def test_another_level_of_synchronisation_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="synchronous"):
        SqliteRoomStorage(path, synchronous="OFF")  # type: ignore[arg-type]


async def test_the_file_is_held_against_a_second_process(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    program = f"""
import asyncio, sys
from weft.errors import StorageError
from weft.server.storage.sqlite import SqliteRoomStorage
try:
    asyncio.run(SqliteRoomStorage({str(path)!r}, busy_timeout=0.05).open())
except StorageError as error:
    sys.exit("another process is using it" in str(error) and "refused")
"""
    done = await asyncio.to_thread(
        partial(subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=False)
    )
    assert done.stderr.strip() == "refused"
    await storage.close()


async def test_the_file_can_be_read_by_others_when_it_is_not_exclusive(path: Path) -> None:
    storage = SqliteRoomStorage(path, exclusive=False)
    await storage.open()
    await storage.stored(storage.append("room", b"x"))
    assert change(path, "SELECT data FROM updates") == [(b"x",)]
    await storage.close()


async def test_a_closed_storage_leaves_one_file(path: Path) -> None:
    await fill(path, b"x")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


async def test_a_corrupt_row_is_named_and_nothing_is_overwritten(path: Path) -> None:
    updates = write_updates(create_doc(), 5)
    await fill(path, *updates)
    change(path, "UPDATE updates SET data = X'00FF' WHERE seq = 3")
    before = change(path, "SELECT * FROM updates")
    storage = SqliteRoomStorage(path)
    await storage.open()
    with pytest.raises(StorageError, match="room 'room': row 3"):
        await storage.load("room")
    with pytest.raises(StorageError, match="room 'room': row 3"):
        await storage.compact("room", compact_updates)
    await storage.close()
    assert change(path, "SELECT * FROM updates") == before


async def test_a_corrupt_row_harms_its_room_only(path: Path) -> None:
    await fill(path, b"one", room="bad")
    await fill(path, b"two", room="good")
    change(path, "UPDATE updates SET crc = crc + 1 WHERE seq = 1")
    storage = SqliteRoomStorage(path)
    await storage.open()
    with pytest.raises(StorageError):
        await storage.load("bad")
    assert (await storage.load("good")).rows == [b"two"]
    await storage.stored(storage.append("good", b"three"))
    await storage.close()


async def test_a_row_moved_to_another_room_is_corrupt(path: Path) -> None:
    await fill(path, b"one", room="a")
    await fill(path, b"two", b"three", room="b")
    change(path, "DELETE FROM updates WHERE seq = 2", "UPDATE updates SET room = 2")
    storage = SqliteRoomStorage(path)
    await storage.open()
    with pytest.raises(StorageError, match="room 'b': row 1"):
        await storage.load("b")
    await storage.close()


async def test_a_row_that_is_gone_is_missed(path: Path) -> None:
    await fill(path, *write_updates(create_doc(), 5))
    change(path, "DELETE FROM updates WHERE seq = 5")
    async with SqliteRoomStorage(path) as storage:
        for use in (storage.load("room"), storage.compact("room", compact_updates)):
            with pytest.raises(StorageError, match="room 'room': it has 4 rows, and should have 5"):
                await use


async def test_a_room_whose_name_cannot_be_read_is_not_taken_for_a_new_one(path: Path) -> None:
    await fill(path, b"x", room="other")
    await fill(path, b"x", room="farm")
    places = [match.start() for match in re.finditer(b"farm", raw(path))]  # in the table, and in its index
    refused = 0
    for at in places:
        damaged = bytearray(raw(path))
        damaged[at + 3] ^= 1
        other = path.with_name(f"damaged-{at}")
        other.write_bytes(damaged)
        async with SqliteRoomStorage(other) as storage:
            assert (await storage.load("other")).rows == [b"x"]
            found = []
            with suppress(StorageError):
                found = (await storage.load("farm")).rows
            if found == []:
                refused += 1
                with pytest.raises(StorageError, match="room 'farm' is not there, and the "):
                    await storage.load("farm")
    assert len(places) == 2
    assert refused


async def test_a_row_that_is_no_update_stops_the_compaction_and_stays(path: Path) -> None:
    await fill(path, *write_updates(create_doc(), 3), b"no update")
    storage = SqliteRoomStorage(path)
    await storage.open()
    with pytest.raises(StorageError, match="not an update"):
        await storage.compact("room", compact_updates)
    assert len((await storage.load("room")).rows) == 4
    await storage.close()


async def test_damage_below_the_rows_is_a_storage_error(path: Path) -> None:
    await fill(path, *[bytes(5000) for _ in range(50)])
    with path.open("r+b") as file:
        file.seek(4096 * 10)  # behind the roots of the tables
        file.write(b"\xaa" * 4096 * 20)
    storage = SqliteRoomStorage(path)
    await storage.open()
    with pytest.raises(StorageError, match=r"weft\.sqlite3"):
        await storage.load("room")
    await storage.close()


@pytest.mark.parametrize(
    "content", [b"this is not a database, it is a letter" * 100, b"SQLite format 3\0" * 90]
)
def test_a_file_that_is_no_database_is_refused_and_kept(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StorageError):
        asyncio.run(SqliteRoomStorage(path).open())
    assert path.read_bytes() == content


async def test_a_database_of_somebody_else_is_refused_and_kept(path: Path) -> None:
    change(path, "CREATE TABLE theirs (x)")
    before = raw(path)
    with pytest.raises(StorageError, match="not weft's"):
        await SqliteRoomStorage(path).open()
    assert raw(path) == before


@pytest.mark.parametrize("table", ["rooms", "updates"])
async def test_missing_tables_are_noticed_at_once(path: Path, table: str) -> None:
    await fill(path, b"x")
    change(path, f"DROP TABLE {table}")
    with pytest.raises(StorageError, match=f"no such table: {table}"):
        await SqliteRoomStorage(path).open()


async def test_other_rooms_are_written_while_one_is_compacted(path: Path) -> None:
    async with SqliteRoomStorage(path) as storage:
        for update in write_updates(create_doc(), 3):
            storage.append("room", update)
        begun, ends = threading.Event(), threading.Event()

        def compactor(updates: Sequence[bytes]) -> Compacted | None:
            begun.set()
            assert ends.wait(20)
            return compact_updates(updates)

        compaction = asyncio.create_task(storage.compact("room", compactor))
        await asyncio.to_thread(begun.wait, 20)
        await storage.stored(storage.append("other", b"x"))
        await storage.delete("other")
        ends.set()
        assert await compaction is not None


@pytest.mark.parametrize("reused", [False, True])
async def test_a_room_that_was_deleted_while_it_was_compacted_stays_deleted(path: Path, reused: bool) -> None:
    async with SqliteRoomStorage(path) as storage:
        storage.append("room", b"x")
        storage.append("room", b"y")
        begun, ends = threading.Event(), threading.Event()

        def compactor(_: Sequence[bytes]) -> Compacted:
            begun.set()
            assert ends.wait(20)
            return Compacted(b"xy", frozenset())

        compaction = asyncio.create_task(storage.compact("room", compactor))
        await asyncio.to_thread(begun.wait, 20)
        await storage.delete("room")
        if reused:
            await storage.free("room")
            await storage.load("room")
            for update in (b"new", b"newer"):
                await storage.stored(storage.append("room", update))
        ends.set()
        with pytest.raises(StorageError, match=r"changed by somebody else" if reused else "was deleted"):
            await compaction
    assert change(path, "SELECT data FROM updates") == [(b"new",), (b"newer",)] * reused


async def test_a_newer_format_is_refused(path: Path) -> None:
    await fill(path, b"x")
    change(path, "PRAGMA user_version = 3")
    with pytest.raises(StorageError, match="newer"):
        await SqliteRoomStorage(path).open()


async def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"there is no directory .*missing"):
        await SqliteRoomStorage(tmp_path / "missing" / "weft.sqlite3").open()
    with pytest.raises(StorageError, match="it is a directory"):
        await SqliteRoomStorage(tmp_path).open()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="util-linux is not installed")
def test_a_file_system_that_is_read_only_is_said(path: Path) -> None:
    asyncio.run(fill(path, b"x"))
    folder = path.parent
    source = (
        "import asyncio; from weft.server import SqliteRoomStorage\n"
        f'asyncio.run(SqliteRoomStorage("{path}").open())'
    )
    mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} || exit 99; exec $0 -c '{source}'", sys.executable],
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("there are no mounts of its own for a process here")
    assert f"{folder} cannot be written, where SQLite makes a log beside its file" in done.stderr


async def test_what_did_not_fit_is_kept_and_written_when_there_is_room_again(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    await storage.stored(storage.append("room", b"before"))
    await limit_pages(storage, 1)
    ticket = storage.append("room", bytes(100_000))
    other = storage.append("other", b"waits behind it")
    with pytest.raises(StorageError, match="full"):
        await storage.stored(ticket)
    with pytest.raises(StorageError, match="full"):
        await storage.stored(other)
    with pytest.raises(StorageError, match="full"):
        await storage.load("room")  # would show less than was appended
    await limit_pages(storage, None)
    await storage.stored(ticket)
    assert (await storage.load("room")).rows == [b"before", bytes(100_000)]
    assert (await storage.load("other")).rows == [b"waits behind it"]
    await storage.close()


async def test_the_next_append_tries_again_what_did_not_fit(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    await limit_pages(storage, 0)
    with pytest.raises(StorageError):
        await storage.stored(storage.append("room", bytes(100_000)))
    await limit_pages(storage, None)
    storage.append("room", b"next")
    await storage.close()
    storage = SqliteRoomStorage(path)
    await storage.open()
    assert (await storage.load("room")).rows == [bytes(100_000), b"next"]
    await storage.close()


async def test_a_room_of_a_failed_transaction_can_be_written_later(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    await limit_pages(storage, 0)
    with pytest.raises(StorageError):
        await storage.stored(storage.append("new room", bytes(100_000)))
    await limit_pages(storage, None)
    assert (await storage.load("new room")).rows == [bytes(100_000)]
    assert (await storage.load("newer room")).rows == []
    await storage.close()


async def test_closing_says_what_could_not_be_written(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    await limit_pages(storage, 0)
    storage.append("room", bytes(100_000))
    with pytest.raises(StorageError, match="full"):
        await storage.close()
    await storage.close()


async def test_a_close_that_is_cancelled_twice_lets_go_of_the_file(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    assert storage._thread is not None
    thread, gate = await storage._thread.run(threading.current_thread), threading.Event()
    held = asyncio.create_task(storage._thread.run(gate.wait))
    storage.append("room", b"not confirmed")
    close = asyncio.create_task(storage.close())
    for _ in range(2):
        await asyncio.sleep(0)
        close.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await close
    assert await held
    await asyncio.to_thread(thread.join)
    storage = SqliteRoomStorage(path)
    await storage.open()
    await storage.close()


async def test_a_compaction_that_fails_at_its_last_step_changes_nothing(path: Path) -> None:
    updates = write_updates(create_doc(), 20)
    await fill(path, *updates)
    change(
        path,
        "CREATE TRIGGER broken BEFORE UPDATE ON updates WHEN new.number = 20"
        " BEGIN SELECT RAISE(ABORT, 'no space for a snapshot'); END",
    )
    storage = SqliteRoomStorage(path)
    await storage.open()
    with pytest.raises(StorageError, match="no space for a snapshot"):
        await storage.compact("room", compact_updates)
    assert (await storage.load("room")).rows == updates
    await storage.stored(storage.append("room", b"later"))
    await storage.close()
    assert change(path, "SELECT count(*) FROM updates") == [(21,)]


async def test_a_compaction_keeps_what_waits_for_a_gap_to_close(path: Path) -> None:
    updates = write_updates(create_doc(), 20)
    await fill(path, *updates[:10], *updates[11:])
    storage = SqliteRoomStorage(path)
    await storage.open()
    left = await storage.compact("room", compact_updates)
    loaded = (await storage.load("room")).rows
    assert left == sum(map(len, loaded))
    assert loaded[1:] == updates[11:]
    assert len(loaded) == 10
    storage.append("room", updates[10])
    assert read((await storage.load("room")).rows) == {f"k{number}": number for number in range(20)}
    assert await storage.compact("room", compact_updates) is not None
    assert len((await storage.load("room")).rows) == 1
    await storage.close()


async def test_nothing_can_be_asked_of_a_closed_storage(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    with pytest.raises(StorageError, match="not open"):
        await storage.load("room")
    await storage.open()
    with pytest.raises(StorageError, match="already open"):
        await storage.open()
    await storage.close()
    await storage.close()
    with pytest.raises(StorageError, match="not open"):
        await storage.load("room")
    with pytest.raises(StorageError, match="not open"):
        await storage.stored(storage.append("room", b"x"))


async def test_a_ticket_nobody_gave_out_is_refused(path: Path) -> None:
    storage = SqliteRoomStorage(path)
    await storage.open()
    with pytest.raises(ValueError, match="never given out"):
        await storage.stored(1)
    await storage.close()
