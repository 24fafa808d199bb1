"""Rooms in a real PostgreSQL, which is restarted, and whose connections are cut."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from support.postgres_suite import run
from support.storage_suite import CompactionSuite
from weft.errors import StorageError
from weft.server.storage import PostgresRoomStorage
from weft.server.storage.contract import DELETED
from weft.testing.persisters import until
from weft.testing.storage import SharedStorageSuite, StorageKillSuite, join_updates
from weft.testing.storage.hooks import read_updates, write_updates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.postgres import PostgresServer
    from weft.server.storage import RoomStorage


@pytest.fixture
async def dsn(postgres: PostgresServer) -> str:
    """A database with weft's tables, and nothing in them."""
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    await PostgresRoomStorage(postgres.dsn).init()
    return postgres.dsn


class TestPostgresRoomStorage(CompactionSuite, StorageKillSuite, SharedStorageSuite):
    @pytest.fixture(autouse=True)
    def place(self, dsn: str) -> None:
        self.dsn = dsn

    def make(self) -> RoomStorage:
        return PostgresRoomStorage(self.dsn)

    def child_source(self) -> str:
        return (
            "from weft.server import PostgresRoomStorage\n"
            f"def make():\n    return PostgresRoomStorage({self.dsn!r})\n"
        )


def impatient(dsn: str) -> PostgresRoomStorage:
    return PostgresRoomStorage(dsn, patience=0.0)


class Load:
    """Writers of several rooms, as fast as they can, who go on after each failure as a server's rooms do."""

    def __init__(self, storage: RoomStorage) -> None:
        self.storage = storage
        self.confirmed: dict[str, int] = dict.fromkeys("abc", 0)  # updates of each room, from the first on
        self.sent: dict[str, int] = dict.fromkeys("abc", 0)
        self.failures = 0
        self._ends = False
        self._tasks = [asyncio.create_task(self._write(room)) for room in "abc"]

    async def _write(self, room: str) -> None:
        while not self._ends:
            for update in write_updates(7, self.sent[room]):
                ticket = self.storage.append(room, update)
            self.sent[room] += 7
            count = self.sent[room]
            while True:
                try:
                    await self.storage.stored(ticket)
                    break
                except StorageError:
                    self.failures += 1
                    await asyncio.sleep(0.01)
            self.confirmed[room] = count

    async def progress(self, count: int = 100) -> None:
        """Wait until more is confirmed in each room."""
        wanted = {room: done + count for room, done in self.confirmed.items()}
        await until(lambda: all(self.confirmed[room] >= wanted[room] for room in wanted))

    async def end(self) -> None:
        self._ends = True
        await asyncio.gather(*self._tasks)

    async def check(self) -> None:
        """Everything is there, once, and in order."""
        for room, count in self.sent.items():
            stored = await self.storage.load(room)
            assert read_updates(stored.rows) == write_updates(count)
            assert stored.head == count


@pytest.mark.parametrize("patience", [0.0, 50.0])
@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
async def test_a_restart_under_load_loses_and_doubles_nothing(
    dsn: str, postgres: PostgresServer, how: str, patience: float
) -> None:
    ways: dict[str, Callable[[], None]] = {
        "fast": postgres.stop,
        "immediate": partial(postgres.stop, immediate=True),
        "kill": postgres.kill,
    }
    async with PostgresRoomStorage(dsn, patience=patience) as storage:
        load = Load(storage)
        for _ in range(3):
            await load.progress()
            await asyncio.to_thread(ways[how])
            await asyncio.to_thread(postgres.start)
        await load.progress()
        await load.end()
        assert bool(load.failures) == (patience == 0)  # who is patient goes on as if nothing had been
        await load.check()


async def test_connections_that_are_cut_under_load_lose_and_double_nothing(dsn: str) -> None:
    async with PostgresRoomStorage(dsn) as storage:
        load = Load(storage)
        for _ in range(30):
            await load.progress(20)
            await run(
                dsn,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = 'postgres'",
            )
        await load.end()
        assert load.failures == 0
        await load.check()


class Cutting:
    """A way to the server that loses what comes back, from some moment on, while all that is sent arrives."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.swallows = asyncio.Event()
        self.swallowed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self.swallows.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, behind}

        async def back() -> None:
            while data := await behind_reader.read(65536):
                if self.swallows.is_set():
                    self.swallowed.set()
                else:
                    writer.write(data)
            writer.close()

        returning = asyncio.create_task(back())
        try:
            while data := await reader.read(65536):
                behind.write(data)
        except ConnectionError:
            pass
        finally:
            behind.close()
            writer.close()
            await asyncio.gather(returning, return_exceptions=True)


async def test_a_batch_whose_answer_was_lost_is_not_written_again_and_is_told(
    dsn: str, postgres: PostgresServer
) -> None:
    way = Cutting(postgres.port)
    heard: list[tuple[str, int, list[bytes]]] = []
    async with way as port:
        storage = PostgresRoomStorage(dsn.replace(str(postgres.port), str(port)))
        storage.on_commit(lambda room, number, updates: heard.append((room, number, list(updates))))
        async with storage:
            await storage.stored(storage.append("room", b"1;"))
            way.swallows.set()
            for update in (b"2;", b"3;"):
                ticket = storage.append("room", update)
            waiting = asyncio.create_task(storage.stored(ticket))
            await way.swallowed.wait()  # it was committed
            assert not waiting.done()
            way.cut()
            await waiting
            assert (await storage.load("room")).rows == [b"1;", b"2;", b"3;"]
    assert heard == [("room", 1, [b"1;"]), ("room", 2, [b"2;", b"3;"])]


async def test_a_statement_that_is_still_under_way_when_its_connection_is_lost_comes_once(dsn: str) -> None:
    """It waits for a lock: the next connection waits for it, and finds that it was committed."""
    async with PostgresRoomStorage(dsn) as storage, PostgresRoomStorage(dsn) as other:
        await storage.stored(storage.append("room", b"1;"))
        locking = await asyncpg.connect(dsn)
        lock = locking.transaction()
        await lock.start()
        await locking.execute("SELECT id FROM weft_rooms FOR UPDATE")
        waiting = asyncio.create_task(storage.stored(storage.append("room", b"2;")))
        await until(lambda: _is_waiting_for_a_lock(dsn))
        storage._writer._connection.terminate()
        await lock.rollback()
        await locking.close()
        await waiting
        assert (await other.load("room")).rows == [b"1;", b"2;"]


async def _is_waiting_for_a_lock(dsn: str) -> bool:
    return bool(await run(dsn, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def test_a_statement_of_an_epoch_that_is_over_does_nothing(dsn: str) -> None:
    async with PostgresRoomStorage(dsn) as storage:
        await storage.stored(storage.append("room", b"1;"))
        await run(dsn, "UPDATE weft_writers SET epoch = epoch + 1")
        await storage.stored(storage.append("room", b"2;"))  # with the next epoch
        await run(dsn, "DELETE FROM weft_writers")
        await storage.stored(storage.append("room", b"3;"))  # as a writer that is new
        stored = await storage.load("room")
        assert (stored.rows, stored.numbers) == ([b"1;", b"2;", b"3;"], [1, 2, 3])
    assert await run(dsn, "SELECT * FROM weft_writers") == []


async def test_writers_of_the_same_rooms_in_any_order_do_not_lock_each_other_out(dsn: str) -> None:
    rooms = [f"room {number}" for number in range(20)]
    storages = [PostgresRoomStorage(dsn, patience=0.0) for _ in range(3)]
    for storage in storages:
        await storage.open()

    async def write(storage: RoomStorage, order: list[str]) -> None:
        for _ in range(40):
            for room in order:
                ticket = storage.append(room, b"x;")
            await storage.stored(ticket)

    orders = (rooms, rooms[::-1], rooms[10:] + rooms[:10])
    await asyncio.gather(*map(write, storages, orders))
    assert await storages[0].heads(rooms) == dict.fromkeys(rooms, 120)
    for storage in storages:
        await storage.close()


# -- what is refused, and how it is said -----------------------------------------------------------------


async def test_missing_tables_are_an_error_that_says_what_to_do(postgres: PostgresServer) -> None:
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    storage = PostgresRoomStorage(postgres.dsn.replace("weft@", "weft:secret@"))
    with pytest.raises(StorageError, match=r"weft db init postgresql://127\.0\.0\.1:\d+/postgres$") as raised:
        await storage.open()
    assert "secret" not in str(raised.value)
    await storage.init()
    await storage.init()
    async with storage:
        await storage.stored(storage.append("room", b"x"))
        await run(postgres.dsn, "DROP TABLE weft_updates, weft_rooms")
        ticket = storage.append("room", b"y")
        for use in (storage.stored(ticket), storage.heads(["room"]), storage.load("room")):
            with pytest.raises(StorageError, match="weft db init"):
                await use
        await storage.init()
        await storage.load("other")


async def test_a_newer_format_is_refused(dsn: str) -> None:
    await run(dsn, "COMMENT ON TABLE weft_rooms IS 'weft rooms, format 2'")
    with pytest.raises(StorageError, match="newer"):
        await PostgresRoomStorage(dsn).open()
    with pytest.raises(StorageError, match="newer"):
        await PostgresRoomStorage(dsn).init()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE weft_updates SET data = '\\x00ff' WHERE seq = 3", "row 3: the data does not match"),
        ("DELETE FROM weft_updates WHERE seq = 5", "it has 4 rows, and should have 5"),
        ("UPDATE weft_updates SET room = 2 WHERE seq = 5", "it has 4 rows, and should have 5"),
    ],
)
async def test_what_was_damaged_is_noticed(dsn: str, damage: str, says: str) -> None:
    async with PostgresRoomStorage(dsn) as storage:
        for update in write_updates(5):
            await storage.stored(storage.append("room", update))
        await run(dsn, damage)
        with pytest.raises(StorageError, match=f"room 'room'.*{says}"):
            await storage.load("room")
        with pytest.raises(StorageError, match=says):
            await storage.compact("room", join_updates)


@pytest.mark.parametrize("name", ["a\0b", "x" * 2049, "\ud800"])
async def test_a_name_that_it_cannot_carry_is_refused_and_spoils_nothing(dsn: str, name: str) -> None:
    async with impatient(dsn) as storage:
        ticket = storage.append("room", b"x")
        with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
            storage.append(name, b"x")
        await storage.stored(ticket)
        storage.append("x" * 2048, b"x")


async def test_what_the_server_refuses_for_good_is_told_at_once(dsn: str) -> None:
    async with PostgresRoomStorage(dsn, patience=60.0) as storage:
        await run(dsn, "ALTER TABLE weft_updates ADD CONSTRAINT small CHECK (octet_length(data) < 10)")
        ticket = storage.append("room", b"more than ten bytes")
        for _ in range(2):
            with pytest.raises(StorageError, match="small"):
                await storage.stored(ticket)
        await run(dsn, "ALTER TABLE weft_updates DROP CONSTRAINT small")
        await storage.stored(ticket)
        assert (await storage.load("room")).head == 1


async def test_a_server_that_is_away_is_an_error_and_nothing_that_was_taken_in_is_lost(
    dsn: str, postgres: PostgresServer
) -> None:
    storage = impatient(dsn)
    await storage.open()
    await storage.stored(storage.append("room", b"1;"))
    await asyncio.to_thread(postgres.stop)
    ticket = storage.append("room", b"2;")
    uses: list[Callable[[], Awaitable[Any]]] = [
        lambda: storage.stored(ticket),
        lambda: storage.load("room"),
        lambda: storage.heads(["room"]),
        lambda: storage.delete("room"),
        lambda: storage.compact("room", join_updates),
        impatient(dsn).open,
        impatient(dsn).init,
    ]
    try:
        for use in uses:
            with pytest.raises(StorageError, match=r"postgresql://127\.0\.0\.1:"):
                await use()
    finally:
        await asyncio.to_thread(postgres.start)
    await storage.stored(ticket)
    assert (await storage.load("room")).rows == [b"1;", b"2;"]
    await asyncio.to_thread(postgres.stop)
    try:
        storage.append("room", b"3;")
        with pytest.raises(StorageError):
            await storage.close()
        await storage.close()
    finally:
        await asyncio.to_thread(postgres.start)


async def test_every_commit_is_on_disk_whatever_the_default_of_the_server(dsn: str) -> None:
    await run(dsn, "ALTER DATABASE postgres SET synchronous_commit = off")
    try:
        async with PostgresRoomStorage(dsn) as storage:
            await storage.stored(storage.append("room", b"x"))
            assert await storage._writer._connection.fetchval("SHOW synchronous_commit") == "on"
    finally:
        await run(dsn, "ALTER DATABASE postgres RESET synchronous_commit")


async def test_nothing_can_be_asked_of_a_closed_storage(dsn: str) -> None:
    storage = PostgresRoomStorage(dsn)
    with pytest.raises(StorageError, match="not open"):
        await storage.load("room")
    await storage.open()
    with pytest.raises(StorageError, match="already open"):
        await storage.open()
    await storage.close()
    await storage.close()
    with pytest.raises(StorageError, match="not open"):
        await storage.heads(["room"])
    with pytest.raises(StorageError, match="not open"):
        await storage.stored(storage.append("room", b"x"))


@pytest.mark.parametrize("dsn", [b"postgresql://x", 5])
def test_what_is_no_address_is_refused(dsn: Any) -> None:
    with pytest.raises(TypeError, match="DSN"):
        PostgresRoomStorage(dsn)


async def test_an_address_that_cannot_be_read_is_an_error_that_quotes_nothing_of_it() -> None:
    with pytest.raises(StorageError, match="percent-encoded") as raised:
        await PostgresRoomStorage("postgresql://weft:se/cret@host:port/db").open()
    assert "cret" not in str(raised.value)


async def test_a_room_that_is_new_while_it_is_asked_for_was_not_deleted(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with PostgresRoomStorage(dsn) as storage:
        again = storage._again

        async def slowly(work: Callable[..., Any]) -> Any:
            found = await again(work)
            await storage.stored(storage.append("room", b"first"))
            return found

        with monkeypatch.context() as patch:
            patch.setattr(storage, "_again", slowly)
            assert await storage.heads(["room"]) == {}
        await storage.delete("room")
        assert await storage.heads(["room"]) == {"room": DELETED}


async def test_long_rooms_are_read_and_compacted_in_slices(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("postgres_rooms", "replacement"):
        monkeypatch.setattr(f"weft.server.storage.{module}.SLICE_ROWS", 10)
    rows = write_updates(75)
    async with PostgresRoomStorage(dsn) as storage, PostgresRoomStorage(dsn) as other:
        for row in rows:
            ticket = storage.append("room", row)
        await storage.stored(ticket)
        assert (await storage.load("room")).rows == rows
        assert (await storage.since("room", 13)).rows == rows[13:]
        assert (await storage.since("room", 65)).numbers == list(range(66, 76))
        # A compaction that is cut off leaves a room that lacks nothing.
        await run(
            dsn,
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END'",
            "CREATE TRIGGER cut_off BEFORE DELETE ON weft_updates FOR EACH ROW WHEN (old.seq > 42)"
            " EXECUTE FUNCTION fail()",
        )
        with pytest.raises(StorageError):
            await storage.compact("room", join_updates)
        stored = await other.load("room")
        assert stored.numbers == list(range(41, 76))
        assert set(read_updates(stored.rows)) == set(rows)
        await run(dsn, "DROP TRIGGER cut_off ON weft_updates")
        assert await other.compact("room", join_updates) == sum(map(len, rows))
        stored = await storage.load("room")
        assert (stored.rows, stored.numbers) == ([b"".join(stored_once(rows))], [75])
        await run(dsn, "UPDATE weft_rooms SET absorbed = absorbed - 1")
        with pytest.raises(StorageError, match="it has 1 rows, and should have 2"):
            await storage.load("room")


def stored_once(rows: list[bytes]) -> list[bytes]:
    """In the order in which a compaction after one that was cut off finds them."""
    return [*rows[40:74], *rows[:40], rows[74]]


async def test_nothing_is_kept_in_memory_of_rooms_that_nobody_holds(dsn: str) -> None:
    async with PostgresRoomStorage(dsn) as storage:
        for number in range(20):
            await storage.stored(storage.append(f"room {number}", b"x"))
            storage.release(f"room {number}")
        assert not storage._ids


async def test_a_place_that_cannot_be_written_is_said_at_once(dsn: str) -> None:
    await run(dsn, "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
    address = dsn.replace("weft@", "reader@")
    try:
        await run(
            dsn,
            "GRANT USAGE ON SCHEMA public TO reader",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON weft_rooms, weft_writers TO reader",
            "GRANT SELECT ON weft_updates, weft_quarantine TO reader",
        )
        with pytest.raises(
            StorageError, match=r"may not read and write weft_updates, weft_quarantine; GRANT"
        ):
            await PostgresRoomStorage(address).open()
        await run(
            dsn,
            "GRANT SELECT, INSERT, UPDATE, DELETE ON weft_updates, weft_quarantine TO reader",
            "ALTER ROLE reader SET default_transaction_read_only = on",
        )
        with pytest.raises(StorageError, match="it cannot be written, it is a standby or set to read-only"):
            await PostgresRoomStorage(address).open()
        await run(
            dsn,
            "ALTER ROLE reader RESET ALL",
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE disk_full USING MESSAGE = ''No space left on device''; END'",
            "CREATE TRIGGER full_disk BEFORE INSERT ON weft_writers EXECUTE FUNCTION full_disk()",
        )
        with pytest.raises(StorageError, match="No space left on device"):
            await PostgresRoomStorage(address).open()
        await run(dsn, "DROP TRIGGER full_disk ON weft_writers")
        async with PostgresRoomStorage(address) as storage:
            await storage.stored(storage.append("room", b"x"))
    finally:
        await run(dsn, "DROP OWNED BY reader", "DROP ROLE reader")
