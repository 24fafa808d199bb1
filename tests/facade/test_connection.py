"""A Store with ``offline=``: it starts from the disk, and what was written there reaches the others later."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.live import until
from support.servers import serving
from support.wire import ABSENT
from weft.errors import MirrorError, ReplicaRoomError, StorageError
from weft.server import Server, allow_all
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import JsPeer

NOWHERE = "ws://127.0.0.1:9/farm"


@pytest.mark.interop
async def test_what_was_done_offline_reaches_a_javascript_peer_after_a_restart(
    tmp_path: Path, js_peer: JsPeer
) -> None:
    file = tmp_path / "farm.weft"
    async with serving() as server:
        address = f"{server.url}/farm"
        await js_peer("doc.create", name="js")
        await js_peer("socket.connect", name="js", url=server.url, room="farm")
        async with weft.connect(address, offline=file) as store:
            store.set_table("pets", {"fido": {"price": 5}, "felix": {"price": 6}})
            await store.sync.flush(timeout=20)
            synced_at = store.sync.last_synced_at
        await js_peer("doc.wait", name="js", path=["tinybase", "t", "pets", "felix", "price"], equals=6)
        await js_peer("doc.edit", name="js", edits=[["set", ["tinybase", "t", "pets", "fido", "age"], 7]])

        # Two sessions without a network: what is edited and deleted is not lost to what the server has.
        async with weft.connect(NOWHERE, offline=file, on_error=lambda error: None) as store:
            assert store.get_row("pets", "felix") == {"price": 6}
            assert synced_at is not None
            assert store.sync.last_synced_at is not None
            assert store.sync.last_synced_at >= synced_at
            store.set_cell("pets", "fido", "price", 50)
        async with weft.open(file) as store:
            assert store.sync.status == "local"
            assert store.sync.pending.updates == 1
            store.del_row("pets", "felix")
            await store.sync.flush(timeout=20)  # to the disk
            assert store.sync.pending.updates == 2

        async with weft.connect(address, offline=file, connect=False) as store:
            assert str(await store.sync.sync(timeout=20)) == "sent 2 edits, received 1"
            assert store.get_tables() == {"pets": {"fido": {"price": 50, "age": 7}}}
        await js_peer("doc.wait", name="js", path=["tinybase", "t", "pets", "fido", "price"], equals=50)
        await js_peer("doc.wait", name="js", path=["tinybase", "t", "pets", "felix"], equals=ABSENT)


@pytest.mark.parametrize("scheme", ["", "automerge+", "tinybase+"])
async def test_offline_restart_online(tmp_path: Path, scheme: str) -> None:
    storage = MemoryRoomStorage()
    file = tmp_path / "farm.weft"
    async with Server(auth=allow_all, storage=storage, port=0) as server:
        port, address = server.port, f"{scheme}{server.url}" + ("" if scheme == "automerge+" else "/farm")
        async with weft.connect(address) as other:
            address = other.sync.address
            other.set_table("pets", {"fido": {"price": 5}, "felix": {"price": 6}})
            await other.sync.flush(timeout=20)
            async with weft.connect(address, offline=file) as store:
                await until_equal(store, other)
                assert store.sync.address == address
    async with weft.connect(address, offline=file, on_error=lambda error: None) as store:
        store.set_cell("pets", "fido", "price", 50)
        row = store.add_row("pets", {"price": 1})
        store.del_row("pets", "felix")
        assert store.sync.pending.updates >= 3
        content = store.get_content()
    # Killed here, it would be the same: nothing was said to any server.
    async with (
        Server(auth=allow_all, storage=storage, port=port),
        weft.connect(address, offline=file) as store,
        weft.connect(address) as other,
    ):
        assert store.get_content() == content
        await store.sync.flush(timeout=20)
        assert not store.sync.pending
        await other.sync.wait_synced(timeout=20)
        assert other.get_content() == content
        assert row in other.get_row_ids("pets")


async def until_equal(store: Any, other: Any) -> None:
    def hear(changed: Any) -> Any:
        listener = store.add_did_finish_transaction_listener(changed)
        return lambda: store.del_listener(listener)

    await until(lambda: bool(store.same_content(other)), hear, "the same content")


async def test_the_end_does_not_wait_for_a_server_that_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "farm.weft"
    caplog.set_level(logging.INFO, logger="weft")
    async with weft.connect(NOWHERE, offline=file, close_timeout=50, on_error=lambda error: None) as store:
        failed = asyncio.Event()
        store.sync.on_change(lambda sync: failed.set() if sync.last_error else None)
        store.set_value("v", 1)
        await failed.wait()
    assert "kept in the replica" in caplog.text
    with weft.open(file) as store:
        assert store.get_value("v") == 1


async def test_a_file_in_use_or_of_another_kind_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "farm.weft"
    async with weft.open(file) as store:
        store.set_value("v", 1)
        with pytest.raises(StorageError, match=r"farm\.weft"):
            await weft.connect(NOWHERE, offline=file).start()
    (tmp_path / "text.weft").write_text("no replica")
    with pytest.raises(StorageError), weft.open(tmp_path / "text.weft"):
        pass
    assert (tmp_path / "text.weft").read_text() == "no replica"


async def test_an_opening_that_fails_lets_everything_go(tmp_path: Path) -> None:
    file = tmp_path / "farm.weft"
    async with weft.open(file, layout="flat") as store:
        store.set_cell("t", "r", "c", 1)
    with pytest.raises(MirrorError):
        await weft.connect(NOWHERE, offline=file).start()
    async with weft.open(file, layout="flat") as store:
        assert store.get_cell("t", "r", "c") == 1
    with pytest.raises(ValueError, match="layout is 'round'"), weft.open(file, layout="round"):
        pass


def test_without_an_event_loop(tmp_path: Path) -> None:
    file = tmp_path / "farm.weft"
    options: Any = {"offline": file, "on_error": lambda error: None}
    with weft.sync.connect(NOWHERE, **options) as store:
        store.set_value("v", 1)
        assert store.sync.pending.updates == 1
    with weft.sync.open(file) as store:
        assert (store.get_value("v"), store.sync.pending.updates) == (1, 1)


async def test_a_new_automerge_document_is_the_files_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "farm.weft"
    async with serving() as server:
        async with weft.connect(f"automerge+{NOWHERE.removesuffix('/farm')}", offline=file) as store:
            store.set_value("v", 1)
            made = store.sync.address.partition("#")[2]
        async with weft.connect(f"automerge+{server.url}", offline=file) as store:
            assert store.sync.address == f"automerge+{server.url}#{made}"
            await store.sync.flush(timeout=20)
        async with weft.connect(f"automerge+{server.url}#{made}") as other:
            await other.sync.wait_synced(timeout=20)
            assert other.get_value("v") == 1
        async with weft.open(file) as store:
            assert store.get_value("v") == 1
        with pytest.raises(StorageError, match="automerge"):
            await weft.connect(f"{server.url}/farm", offline=file).start()


@pytest.mark.parametrize("scheme", ["", "automerge+", "tinybase+"])
async def test_a_file_of_another_room_is_refused_unless_they_are_to_be_merged(
    tmp_path: Path, scheme: str
) -> None:
    file = tmp_path / "farm.weft"
    async with serving() as server, serving() as moved:
        a, b = f"{scheme}{server.url}/a", f"{scheme}{server.url}/b"
        if scheme == "automerge+":
            a = b = f"{scheme}{server.url}"
        async with weft.connect(b) as theirs:
            theirs.set_value("b", 1)
            await theirs.sync.flush(timeout=20)
            b = theirs.sync.address
            async with weft.connect(a, offline=file) as store:
                store.set_value("a", 1)
                await store.sync.flush(timeout=20)
                a = store.sync.address
            with pytest.raises(
                ReplicaRoomError, match=r"belongs to .* Take another file .*merge=True"
            ) as found:
                await weft.connect(b, offline=file).start()
            own = a.partition("#")[2] or ("/a" if scheme else "a")
            assert (found.value.path, found.value.belongs_to) == (str(file), own)
            async with weft.connect(a.replace(server.url, moved.url), offline=file) as store:
                await store.sync.flush(timeout=20)  # the same room on another host
            assert theirs.get_values() == {"b": 1}

            async with weft.connect(b, offline=file, merge=True) as store:
                await store.sync.wait_synced(timeout=20)
                await store.sync.flush(timeout=20)
                assert store.get_values() == {"a": 1, "b": 1}
                await until_equal(theirs, store)
            async with weft.connect(b, offline=file):
                pass
            with pytest.raises(ReplicaRoomError):
                await weft.connect(a, offline=file).start()


async def test_a_file_of_before_takes_the_first_room_it_meets(tmp_path: Path) -> None:
    file = tmp_path / "farm.weft"
    async with serving() as server:
        async with weft.connect(f"{server.url}/a%20b/c", offline=file) as store:
            store.set_value("a", 1)
            await store.sync.flush(timeout=20)
        with closing(sqlite3.connect(file)) as db, db:
            (data,) = db.execute("SELECT data FROM meta").fetchone()
            meta = json.loads(data)
            assert meta.pop("room") == "a b/c"
            data = json.dumps(meta)
            db.execute("UPDATE meta SET crc = ?, data = ?", (zlib.crc32(data.encode()), data))
        for room in ("c", "b/c"):  # to open it, and never to have been connected, is not yet to belong there
            await (await weft.connect(f"{NOWHERE}/{room}", offline=file, connect=False).start()).sync.close()
        async with weft.connect(f"{server.url}/d", offline=file) as store:
            await store.sync.flush(timeout=20)
        with pytest.raises(ReplicaRoomError, match="belongs to 'd', and not to 'a b/c'"):
            await weft.connect(f"{server.url}/a%20b/c", offline=file).start()
