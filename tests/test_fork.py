"""After ``fork``, what has a thread, a connection or a client id says so in the child, and does not hang."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

import pytest
from pycrdt import Map

from support.foreign import in_child, in_own_loop
from support.mirrors import KINDS, Kind, make_peer
from support.servers import serving
from weft import Store
from weft._aio.thread import WorkerThread
from weft.documents.automerge.document import AutomergeDocument
from weft.documents.yjs.document import YDocument, create_doc
from weft.mirrors.yjs import YjsMirror
from weft.persisters import (
    FilePersister,
    LmdbPersister,
    Persister,
    SqliteJsonPersister,
    YjsPersister,
    blocking,
)
from weft.persisters.sqlite.driver import StdlibDriver
from weft.providers import YWebsocketProvider
from weft.server import SqliteRoomStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FORKED = f"was made in process {os.getpid()} and used in process"

PERSISTERS: dict[str, Callable[[Store, Path], Persister]] = {
    "file": lambda store, path: FilePersister(store, path / "store.json"),
    "sqlite": lambda store, path: SqliteJsonPersister(store, path / "store.db"),
    "lmdb": lambda store, path: LmdbPersister(store, path / "store.lmdb"),
    "yjs": lambda store, _: YjsPersister(store, create_doc()),
}


@pytest.mark.parametrize("kind", PERSISTERS)
@pytest.mark.parametrize("verb", ["save", "load", "start_auto_save", "stop_auto_save", "close"])
async def test_a_persister_says_so(kind: str, verb: str, tmp_path: Path) -> None:
    store = Store().set_cell("t", "r", "c", 1)
    persister = PERSISTERS[kind](store, tmp_path)
    await persister.start_auto_persisting()
    assert FORKED in in_child(in_own_loop(getattr(persister, verb)))
    assert FORKED in in_child(lambda: store.set_cell("t", "r", "c", 2))  # it would never be saved

    def copy() -> None:
        raise AssertionError(store.copy().set_cell("t", "r", "c", 2).get_content())

    assert "{'c': 2}" in in_child(copy)
    store.set_cell("t", "r", "c", 3)  # the parent goes on
    await persister.close()


@pytest.mark.parametrize("kind", ["file", "sqlite", "lmdb"])
async def test_a_persister_of_the_childs_own_works_beside_it(kind: str, tmp_path: Path) -> None:
    store = Store().set_cell("t", "r", "c", 1)
    async with PERSISTERS[kind](store, tmp_path) as persister:
        await persister.save()

        async def load() -> None:
            own = Store()
            async with PERSISTERS[kind](own, tmp_path) as loader:
                await loader.load()
            raise AssertionError(own.get_content())

        assert "{'c': 1}" in in_child(in_own_loop(load))
        await persister.save()


def test_a_blocking_persister_says_so(tmp_path: Path) -> None:
    with blocking(FilePersister(Store(), tmp_path / "store.json")) as persister:
        persister.save()
        for call in (persister.save, persister.load, persister.close):
            assert FORKED in in_child(call)
        persister.save()


async def test_a_worker_thread_says_so() -> None:
    thread = WorkerThread("weft-test")
    assert await thread.run(lambda: 1) == 1
    assert FORKED in in_child(in_own_loop(lambda: thread.run(lambda: 1)))
    assert FORKED in in_child(in_own_loop(thread.close))
    await thread.close()


async def test_a_driver_says_so_to_a_persister_of_the_child(tmp_path: Path) -> None:
    driver = StdlibDriver(tmp_path / "store.db")
    async with SqliteJsonPersister(Store(), driver) as persister:
        await persister.save()
        assert FORKED in in_child(in_own_loop(lambda: SqliteJsonPersister(Store(), driver).save()))
    sqlite3.connect(tmp_path / "store.db").close()


@pytest.mark.parametrize("kind", KINDS)
def test_documents_mirrors_and_stores_in_them_say_so(kind: Kind) -> None:
    other = make_peer(kind)
    updates = other.updates()
    other.store.set_cell("t", "r", "c", 1)
    peer = make_peer(kind)
    peer.store.set_cell("t", "r", "mine", 1)
    calls: list[Callable[[], object]] = [
        lambda: peer.store.set_cell("t", "r", "mine", 2),
        lambda: peer.apply(updates[-1]),
        peer.mirror.stop,
        peer.mirror.flush,
        peer.updates,
    ]
    for call in calls:
        assert FORKED in in_child(call)
    peer.store.set_cell("t", "r", "mine", 3)
    assert peer.agrees()


def test_a_document_that_nobody_listens_to_says_so_too() -> None:
    doc = create_doc()
    document = YDocument.of(doc)
    assert FORKED in in_child(lambda: document.apply(b"\0\0", origin=None))
    assert FORKED in in_child(lambda: YjsMirror(Store(), doc).start())
    automerge = AutomergeDocument()
    assert FORKED in in_child(lambda: automerge.transaction().__enter__())

    def write() -> None:
        try:
            doc.get("m", type=Map)["k"] = 1
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    assert FORKED in in_child(write)


async def test_a_provider_and_a_server_say_so(tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "rooms.db")
    async with serving(storage=storage) as server, server.open("room") as store:
        doc = create_doc()
        async with YWebsocketProvider(doc, server.url, "room") as provider:
            await provider.wait_synced()
            calls = (provider.connect, provider.disconnect, provider.close, provider.flush)
            for call in (*calls, provider.wait_synced):
                assert FORKED in in_child(in_own_loop(call))
            for call in (server.close, server.serve_forever, storage.close, server.rooms.close):
                assert FORKED in in_child(in_own_loop(call))
            assert FORKED in in_child(in_own_loop(lambda: server.rooms.use("room").__aenter__()))
            assert FORKED in in_child(lambda: store.set_cell("t", "r", "c", 1))
            await provider.flush()


def test_a_store_alone_is_the_childs_own() -> None:
    store = Store().set_cell("t", "r", "c", 1)
    mirror = YjsMirror(store, create_doc()).start()
    mirror.stop()

    def write() -> None:
        YjsMirror(store, create_doc()).start()
        raise AssertionError(store.set_cell("t", "r", "c", 2).get_content())

    assert "{'c': 2}" in in_child(write)
