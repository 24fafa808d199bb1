"""A replica's mergeable document: its stamps, its author, and what it knows of a server that knows none."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from support.replicas import connected, joined, mirrored
from support.servers import eventually, serving
from weft import Replica
from weft.documents.mergeable import decode_hlc, encode_hlc
from weft.errors import LocalProtocolError, ReplicaRoomError, StorageError
from weft.limits import DEFAULT_LIMITS
from weft.mergeable import MergeableStore
from weft.providers import TinyBaseProvider, YWebsocketProvider
from weft.providers.replica.mergeable import MergeableReplicaContent
from weft.providers.replica.meta import Meta
from weft.server import Allow

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3_600_000


def latest_stamp(replica: Replica) -> str:
    stamp: str = replica.document.get_latest_hlc()
    return stamp


def data_of(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as db:
        return [data for (data,) in db.execute("SELECT data FROM updates ORDER BY seq")]


async def test_a_row_is_the_body_of_message_3(tmp_path: Path) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, "mergeable") as (replica, store):
        store.set_cell("t", "r", "c", [1])
        store.del_cell("t", "r", "c")
        end = replica.document.clock.client_id
    first, second = data_of(path)
    assert first.startswith(b'[[{"t":[{"r":[{"c":["\xef\xbf\xbd[1]","')
    assert second.startswith('[[{"t":[{"r":[{"c":["\ufffc","'.encode())
    assert all(row.endswith(f'{end}"]}}]}}]}}],[{{}}],1]'.encode()) for row in (first, second))


async def test_the_clock_goes_on_from_the_file_when_the_machines_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, "mergeable") as (replica, store):
        store.set_cell("t", "r", "c", 1)
        before = latest_stamp(replica)
    earlier = decode_hlc(before)[0] - HOUR
    monkeypatch.setattr("weft.documents.mergeable.clock._system_time", lambda: earlier)
    async with mirrored(path, "mergeable") as (replica, store):
        store.set_cell("t", "r", "c", 2)
        assert latest_stamp(replica) > before
        assert decode_hlc(latest_stamp(replica))[0] == decode_hlc(before)[0]
    async with mirrored(path, "mergeable") as (_, store):
        assert store.get_cell("t", "r", "c") == 2


@pytest.mark.parametrize("writes", [1, 1_100])  # the second of them is compacted
async def test_content_that_was_replaced_is_replaced_at_the_next_start(tmp_path: Path, writes: int) -> None:
    path, other = tmp_path / "farm.weft", MergeableStore()
    other.set_cell("t", "theirs", "c", 1)
    async with mirrored(path, "mergeable") as (replica, store):
        for number in range(writes):
            store.set_cell("t", "mine", "c", number)
        await replica.saved()
        replica.document.set_content(other.document.get_content())
        store.set_cell("t", "later", "c", 2)
        wanted = replica.document.get_content()
    for _ in range(2):
        async with mirrored(path, "mergeable") as (replica, store):
            assert replica.document.get_content() == wanted
            assert replica.pending.updates == writes + 2


async def test_a_server_that_has_what_was_never_written_here_takes_the_client_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine that was set back: nothing on it tells."""
    path = tmp_path / "farm.weft"
    async with serving() as server:
        async with connected(path, server.url, "mergeable") as (replica, store, provider):
            store.set_cell("t", "r", "c", 1)
            await provider.flush()
            author = replica.document.clock.client_id
            hlc = encode_hlc(decode_hlc(latest_stamp(replica))[0] + 1, 0, "")[:11] + author
            twin = MergeableStore()
            async with TinyBaseProvider(twin, f"{server.url}/farm") as other:
                twin.document.set_cell("t", "r", "twin", 1, hlc)
                await other.flush()
                await eventually(lambda: store.has_cell("t", "r", "twin"))
            store.set_cell("t", "r", "after", 1)
            assert (after := latest_stamp(replica)[11:]) != author
            assert f"client id {author} is used by another: it goes on under {after}" in caplog.text
            await replica.saved()
        async with mirrored(path, "mergeable") as (replica, store):
            store.set_cell("t", "r", "later", 1)
            assert latest_stamp(replica)[11:] == after


async def test_a_server_that_has_lost_something_and_does_not_take_it_makes_it_pending(tmp_path: Path) -> None:
    path = tmp_path / "farm.weft"
    async with serving() as server, connected(path, server.url, "mergeable") as (replica, store, provider):
        store.set_cell("t", "r", "c", 1)
        store.set_value("v", 1)
        await provider.flush()
        assert not replica.pending
    async with serving(auth=lambda _: Allow(user="reader", read_only=True)) as server:
        async with (
            mirrored(path, "mergeable") as (replica, store),
            joined(replica, server.url, close_timeout=0.0) as provider,
        ):
            await provider.wait_synced()
            await eventually(lambda: replica.pending)
        async with mirrored(path, "mergeable") as (replica, store):
            assert replica.pending.updates == 1
            assert replica.pending_paths() == ({("t", "t", "r", "c"), ("v", "v")}, set())
            assert latest_stamp(replica).encode() in replica.pending_content()
    async with serving() as server, connected(path, server.url, "mergeable") as (replica, _, provider):
        await provider.flush()
        assert not replica.pending


async def test_what_is_pending_is_confirmed_while_others_write(tmp_path: Path) -> None:
    """By its stamps, as the hashes of the whole are never equal."""
    async with (
        serving() as server,
        connected(tmp_path / "farm.weft", server.url, "mergeable") as (replica, store, provider),
    ):
        await provider.flush()
        theirs = MergeableStore()
        async with TinyBaseProvider(theirs, f"{server.url}/farm") as other:
            await other.wait_synced()
            for number in range(5):
                theirs.set_cell("t", "theirs", "c", number)
                store.set_cell("t", "mine", "c", number)
                assert replica.pending.updates == 1
                await provider.flush()
                assert not replica.pending
            await other.flush()


async def test_a_replica_belongs_to_one_room(tmp_path: Path) -> None:
    path = tmp_path / "farm.weft"
    async with serving() as server, mirrored(path, "mergeable") as (replica, _):
        async with TinyBaseProvider(replica, server.url) as provider:  # a room, too
            await provider.wait_synced()
        with pytest.raises(ReplicaRoomError, match="'/'"):
            TinyBaseProvider(replica, f"{server.url}/farm")
        with pytest.raises(ReplicaRoomError, match="'/a'"):
            TinyBaseProvider(replica, server.url, "a")
    async with mirrored(path, "mergeable", merge=True) as (replica, store), serving() as server:
        store.set_cell("t", "r", "c", 1)
        async with TinyBaseProvider(replica, f"{server.url}/farm", "pets/1") as provider:
            await provider.flush()
            assert not replica.pending
    async with mirrored(path, "mergeable") as (replica, _):
        provider = TinyBaseProvider(replica, "ws://127.0.0.1:9/farm/pets/1")  # the same, without channels
        await provider.close()


async def test_each_channel_may_have_a_replica(tmp_path: Path) -> None:
    async with serving() as server:
        async with (
            mirrored(tmp_path / "a.weft", "mergeable") as (first, one),
            mirrored(tmp_path / "b.weft", "mergeable") as (second, two),
            TinyBaseProvider(first, f"{server.url}/farm", "a") as provider,
        ):
            channel = provider.add(second, "b")
            one.set_cell("t", "r", "c", 1)
            two.set_cell("t", "r", "c", 2)
            await provider.flush()
            assert not first.pending
            assert not second.pending
            two.set_cell("t", "r", "c", 3)
            await eventually(lambda: not second.pending)
            channel.close()
            two.set_cell("t", "r", "c", 4)
            assert second.pending
        late = MergeableStore()
        async with TinyBaseProvider(late, f"{server.url}/farm/b") as provider:
            await provider.wait_synced()
            assert late.get_tables() == {"t": {"r": {"c": 3}}}


async def test_a_replica_of_another_kind_is_refused(tmp_path: Path) -> None:
    async with Replica(tmp_path / "y.weft") as replica:
        with pytest.raises(LocalProtocolError, match="yjs> is no mergeable"):
            TinyBaseProvider(replica, "ws://127.0.0.1:9/farm")
    async with Replica(tmp_path / "m.weft", kind="mergeable") as replica:
        with pytest.raises(LocalProtocolError, match="mergeable> is no Yjs"):
            YWebsocketProvider(replica, "ws://127.0.0.1:9", "farm")
    with pytest.raises(LocalProtocolError, match="not open"):
        TinyBaseProvider(Replica(tmp_path / "m.weft"), "ws://127.0.0.1:9/farm")


async def test_rows_that_are_no_changes_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "farm.weft"
    async with Replica(path, kind="mergeable") as replica:
        replica._session.append(b'["no", "changes"]', True)  # type: ignore[union-attr]
    with pytest.raises(StorageError, match="its rows are no document"):
        await Replica(path).open()


async def test_a_new_client_id_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "farm.weft"
    caplog.set_level(logging.INFO, "weft.replica")
    async with mirrored(path, "mergeable") as (_, store):
        store.set_cell("t", "r", "c", 1)
    path.rename(path.with_name("moved.weft"))
    async with mirrored(path.with_name("moved.weft"), "mergeable"):
        assert "under a new client id" in caplog.text


def test_what_is_confirmed_while_the_log_is_compacted_is_not_pending_after_it() -> None:
    rows: list[bytes] = []

    def append(data: bytes, _is_own: bool) -> int:
        rows.append(data)
        return len(rows)

    meta = Meta("mergeable", "abcde")
    content = MergeableReplicaContent([], meta, append=append, changed=lambda _: None, limits=DEFAULT_LIMITS)
    for number in range(3):
        content.doc.set_cell("t", str(number), "c", number)
    compact = content.compactor(3)
    assert compact(rows) is not None  # on another thread, while this goes on
    content.doc.set_cell("t", "later", "c", 1)
    content.confirmed(2)
    meta = content.note(meta)
    assert (meta.accounted, meta.folded, list(meta.places)) == (3, 1, [("t", "t", "2", "c")])
    assert content.pending().updates == 2
    assert content.pending_paths() == ({("t", "t", "2", "c"), ("t", "t", "later", "c")}, set())
    content.confirmed(4)
    assert not content.pending()
    assert content.pending_paths() == (set(), set())
