"""A replica: on disk before it is sent, the same after a restart, and honest about the server."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import sqlite3
import threading
import tracemalloc
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from support.replicas import KINDS, apply_pending, connected, joined, mirrored
from support.servers import eventually, serving
from weft import Replica, Store
from weft.documents import Compacted
from weft.errors import (
    DocumentClosedError,
    LocalProtocolError,
    ReplicaInUseError,
    StorageError,
    SyncTimeoutError,
    WriteDeniedError,
    WrongThreadError,
)
from weft.mirrors import YjsMirror
from weft.providers import YWebsocketProvider
from weft.server import Allow
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


pytestmark = pytest.mark.parametrize("kind", KINDS)


def author_of(replica: Replica) -> object:
    document = replica.document
    match replica.kind:
        case "yjs":
            return document.client_id
        case "automerge":
            return document.actor
        case _:
            return document.clock.client_id


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM updates").fetchone()[0])


@pytest.mark.parametrize("durable", ["now", "soon"])
async def test_what_was_written_is_there_at_the_next_start(tmp_path: Path, kind: str, durable: Any) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, kind, durable=durable) as (replica, store):
        assert replica.last_synced_at is None
        store.set_cell("readings", "1", "t", 21.5)
        store.set_value("name", "farm")
        await replica.saved()
        author = author_of(replica)
    async with mirrored(path, kind) as (replica, store):
        assert store.get_content() == ({"readings": {"1": {"t": 21.5}}}, {"name": "farm"})
        assert author_of(replica) == author
        assert replica.pending.updates == 2 + (kind == "automerge")  # which has a beginning of its own
        assert replica.pending.bytes > 0


async def test_what_was_written_is_on_disk_when_the_next_await_returns(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, kind) as (_, store):
        for number in range(5):
            store.set_cell("readings", str(number), "t", number)
            await asyncio.sleep(0)
            shutil.copytree(
                tmp_path, copy := tmp_path / f"copy{number}", ignore=shutil.ignore_patterns("copy*")
            )
            async with mirrored(copy / "farm.weft", kind) as (_, other):
                assert len(other.get_row_ids("readings")) == number + 1


async def test_the_server_gets_what_was_written_offline_and_confirms_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, kind) as (replica, store):
        store.set_cell("readings", "1", "t", 1)
        store.set_cell("readings", "2", "t", 2)
    async with serving() as server:
        async with connected(path, server.url, kind) as (replica, store, provider):
            await eventually(lambda: not replica.pending)
            assert replica.last_synced_at is not None
            store.del_row("readings", "1")
            store.set_cell("readings", "3", "t", 3)
            assert replica.pending.updates == 2
            await provider.flush()
            assert not replica.pending
        async with mirrored(path, kind) as (replica, store):
            assert not replica.pending
            assert replica.last_synced_at is not None
            store.del_row("readings", "2")
        async with connected(tmp_path / "other.weft", server.url, kind, like=replica) as (other, theirs, _):
            assert theirs.get_tables() == {"readings": {"2": {"t": 2}, "3": {"t": 3}}}
            async with connected(path, server.url, kind):
                await eventually(lambda: theirs.get_tables() == {"readings": {"3": {"t": 3}}})
            assert not other.pending


async def test_a_deletion_alone_is_pending_until_it_is_confirmed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "farm.weft"
    async with serving() as server:
        async with connected(path, server.url, kind) as (replica, store, provider):
            store.set_cell("readings", "1", "t", 1)
            await provider.flush()
        async with mirrored(path, kind) as (replica, store):
            store.del_cell("readings", "1", "t")
            assert replica.pending
        async with mirrored(path, kind) as (replica, _):
            assert replica.pending
        async with connected(path, server.url, kind) as (replica, _, provider):
            await eventually(lambda: not replica.pending)


async def test_a_server_that_has_lost_everything_makes_it_pending_again(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "farm.weft"
    async with serving() as server, connected(path, server.url, kind) as (replica, store, provider):
        store.set_cell("readings", "1", "t", 1)
        await provider.flush()
        assert not replica.pending
    async with serving() as server, mirrored(path, kind) as (replica, _):
        assert not replica.pending
        async with joined(replica, server.url) as provider:
            if (
                kind != "mergeable"
            ):  # where the server takes all that it lacks before it is asked for its word
                await eventually(lambda: replica.pending)
            await provider.flush()
            assert not replica.pending
        async with connected(tmp_path / "other.weft", server.url, kind, like=replica) as (_, theirs, _):
            assert theirs.get_tables() == {"readings": {"1": {"t": 1}}}


async def test_what_a_server_denies_stays_pending(tmp_path: Path, kind: str) -> None:
    async with (
        serving(auth=lambda _: Allow(user="reader", read_only=True)) as server,
        connected(tmp_path / "farm.weft", server.url, kind) as (replica, store, provider),
    ):
        store.set_cell("readings", "1", "t", 1)
        if kind == "mergeable":  # whose protocol has no word for it
            with pytest.raises(SyncTimeoutError):
                await provider.flush(0.3)
            await provider.close(settle=False)
        else:
            with pytest.raises(WriteDeniedError, match="does not allow"):
                await provider.flush()
        assert replica.pending


async def test_one_file_is_open_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "farm.weft"
    async with Replica(path) as replica:
        with pytest.raises(ReplicaInUseError, match="open already"):
            await Replica(path).open()
        with pytest.raises(LocalProtocolError, match="open already"):
            await replica.open()
    async with replica:  # it can be opened again
        pass
    await replica.close()


async def test_a_second_closing_waits_for_the_first(tmp_path: Path, kind: str) -> None:
    async with mirrored(tmp_path / "farm.weft", kind, durable="soon") as (replica, store):
        store.set_cell("readings", "1", "t", 1)
        first = asyncio.create_task(replica.close())
        await asyncio.sleep(0)  # it has begun
        assert not first.done()
        await replica.close()
        assert first.done()
        await first
    async with mirrored(tmp_path / "farm.weft", kind) as (_, store):
        assert store.get_tables() == {"readings": {"1": {"t": 1}}}


async def test_where_every_row_has_to_stay_the_file_stays_as_it_is(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "farm.weft"
    called: list[int] = []

    def keep_all(data: Sequence[bytes]) -> Compacted:
        called.append(len(data))
        return Compacted(b"", frozenset(range(len(data))))

    async with mirrored(path, kind) as (replica, store):
        monkeypatch.setattr(replica.content, "compactor", lambda _last: keep_all)
        for number in range(1_100):
            store.set_cell("readings", "1", "t", number)
        await replica.saved()
    gc.collect()  # of a task whose error nobody took
    assert called and rows(path) >= 1_100  # noqa: PT018 - one is of no use without the other
    assert not caplog.records
    async with mirrored(path, kind) as (_, store):
        assert store.get_cell("readings", "1", "t") == 1_099


async def test_a_closed_document_refuses_to_be_written(tmp_path: Path, kind: str) -> None:
    store = Store()
    async with Replica(tmp_path / "farm.weft") as replica:
        mirror = YjsMirror(store, replica.document).start()
    with pytest.raises(DocumentClosedError, match="open it again"):
        store.set_cell("readings", "1", "t", 1)
    mirror.stop()


async def test_it_belongs_to_the_thread_that_opened_it(tmp_path: Path, kind: str) -> None:
    errors: list[Exception] = []

    def write() -> None:
        try:
            asyncio.run(replica.saved())
        except WrongThreadError as error:
            errors.append(error)

    async with Replica(tmp_path / "farm.weft") as replica:
        thread = threading.Thread(target=write)
        thread.start()
        await asyncio.to_thread(thread.join)
    assert len(errors) == 1


async def test_a_replica_has_one_provider_at_a_time(tmp_path: Path, kind: str) -> None:
    async with Replica(tmp_path / "farm.weft") as replica, serving() as server:
        async with YWebsocketProvider(replica, server.url, "a"):
            with pytest.raises(LocalProtocolError, match="a provider already"):
                async with YWebsocketProvider(replica, server.url, "a"):
                    pass
        async with YWebsocketProvider(replica, server.url, "a"):
            pass


async def test_a_file_of_something_else_or_of_a_newer_weft_is_left_alone(tmp_path: Path, kind: str) -> None:
    other, newer, noise = tmp_path / "other.db", tmp_path / "newer.weft", tmp_path / "noise"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE t (x)")
    async with Replica(newer):
        pass
    with closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version = 9")
    noise.write_bytes(b"no database at all" * 100)
    for path, reason in ((other, "not weft's"), (newer, "newer weft"), (noise, "not a database")):
        before = path.read_bytes()
        with pytest.raises(StorageError, match=reason):
            await Replica(path).open()
        assert path.read_bytes() == before


async def test_a_damaged_row_is_an_error_that_names_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, kind) as (_, store):
        store.set_cell("readings", "1", "t", 1)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE updates SET data = x'00'")
        db.commit()
    with pytest.raises(StorageError, match=r"do not match their checksums \(\d"):
        await Replica(path).open()


async def test_it_compacts_itself_and_loses_neither_content_nor_what_is_pending(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, kind) as (replica, store):
        for number in range(1_100):
            store.set_cell("readings", "1", "t", number)
        store.del_row("readings", "1")
        store.set_cell("readings", "2", "t", 2)
        await replica.saved()
    assert rows(path) < 1_100
    async with mirrored(path, kind) as (replica, store):
        assert store.get_tables() == {"readings": {"2": {"t": 2}}}
        assert replica.pending.updates == 1_102 + (kind == "automerge")
        async with serving() as server, joined(replica, server.url) as provider:
            await provider.flush()
            assert not replica.pending
            async with connected(tmp_path / "other.weft", server.url, kind, like=replica) as (_, theirs, _):
                assert theirs.get_tables() == {"readings": {"2": {"t": 2}}}
    async with mirrored(path, kind) as (replica, store):
        assert not replica.pending


@pytest.mark.parametrize("way", ["copied", "copied with all", "replaced by an older one"])
async def test_a_copy_and_an_older_file_get_a_client_id_of_their_own(
    tmp_path: Path, kind: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "weft.replica")
    path, backup = tmp_path / "farm.weft", tmp_path / "backup.weft"
    async with mirrored(path, kind) as (replica, store):
        store.set_cell("readings", "1", "t", 1)
        author = author_of(replica)
    if way == "replaced by an older one":
        shutil.copy(path, backup)
        async with mirrored(path, kind) as (_, store):
            store.set_cell("readings", "2", "t", 2)
        shutil.copyfile(backup, path)  # in place: the inode stays
        copy = path
    else:
        (tmp_path / "other").mkdir()
        copy = tmp_path / "other" / "farm.weft"
        shutil.copy(path, copy)
        if way == "copied with all":
            shutil.copy(f"{path}-id", f"{copy}-id")
    assert "under a new" not in caplog.text
    async with mirrored(copy, kind) as (replica, store):
        assert store.get_tables() == {"readings": {"1": {"t": 1}}}
        assert author_of(replica) != author
        assert replica.pending
        other = author_of(replica)
    assert "under a new" in caplog.text
    async with Replica(copy) as replica:
        assert author_of(replica) == other


async def test_storage_of_the_server_before_a_confirmation(tmp_path: Path, kind: str) -> None:
    """A server that restarts with less than it had told of."""
    path, storage = tmp_path / "farm.weft", MemoryRoomStorage()
    async with (
        serving(storage=storage) as server,
        connected(path, server.url, kind) as (replica, store, provider),
    ):
        store.set_cell("readings", "1", "t", 1)
        await provider.flush()
    async with serving(storage=storage) as server, connected(path, server.url, kind) as (replica, _, _):
        assert not replica.pending


async def test_what_is_pending_is_what_the_server_lacks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "farm.weft"
    async with serving() as server:
        async with connected(path, server.url, kind) as (replica, store, provider):
            store.set_tables({"t": {"gone": {"a": 1}, "kept": {"a": 1, "b": 2}}})
            await provider.flush()
        async with mirrored(path, kind) as (_, store):
            store.del_row("t", "gone")
            store.del_cell("t", "kept", "b")
            for number in range(1_100):  # it is compacted
                store.set_cell("t", "kept", "a", number)
        async with mirrored(path, kind) as (replica, store):
            store.set_cell("t", "new", "a", 1)
            pending, wanted = replica.pending_content(), store.get_tables()
        async with connected(tmp_path / "other.weft", server.url, kind, like=replica) as (other, theirs, _):
            assert theirs.get_tables() == {"t": {"gone": {"a": 1}, "kept": {"a": 1, "b": 2}}}
            apply_pending(other, pending)
            assert theirs.get_tables() == wanted
        async with connected(path, server.url, kind) as (replica, _, provider):
            await provider.flush()
            assert not replica.pending_content().strip(b"\0")


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_an_opening_that_is_cancelled_leaves_the_file_free(
    tmp_path: Path, kind: str, turns: int
) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, kind):
        pass
    replica = Replica(path)
    opening = asyncio.create_task(replica.open())
    for _ in range(1 + turns):
        await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with mirrored(path, kind):
        pass
    async with replica:  # and it can be opened again
        pass


async def test_what_is_compacted_offline_leaves_memory(tmp_path: Path, kind: str) -> None:
    async with mirrored(tmp_path / "farm.weft", kind, durable="soon") as (replica, store):
        store.set_cell("t", "r", "c", "")
        await replica.saved()
        tracemalloc.start()
        try:
            for number in range(1_100):
                store.set_cell("t", "r", "c", f"{number} " * 500)
            await replica.saved()
            # Of 2 MB that were overwritten, in a document that nobody asks for anything.
            await eventually(lambda: tracemalloc.get_traced_memory()[0] < 1_000_000)
        finally:
            tracemalloc.stop()
        assert replica.pending.updates >= 1_100
