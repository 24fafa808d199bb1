"""What is attached belongs to one thread: in others every write raises there, before anything changes."""

from __future__ import annotations

import _thread
import asyncio
import gc
import json
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Map

from support.foreign import in_thread
from support.mirrors import KINDS, Kind, Peer, make_peer
from support.reposerver import RepoServer
from support.serverdouble import MemoryServing
from support.servers import FaultyStorage, eventually, peers_in, serving
from support.yclient import YClient
from weft import Store
from weft.documents.automerge.document import AutomergeDocument
from weft.documents.yjs.document import YDocument, create_doc
from weft.errors import DocumentClosedError, StorageError, WrongThreadError
from weft.mirrors.automerge import AutomergeMirror
from weft.mirrors.yjs import YjsMirror
from weft.persisters import FilePersister, blocking
from weft.protocols.awareness import Awareness
from weft.providers import AutomergeWebsocketProvider, YWebsocketProvider
from weft.server._core.settings import RoomSettings
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRITES: dict[str, Callable[[Store], object]] = {
    "a cell that is there": lambda store: store.set_cell("pets", "fido", "species", "cat"),
    "a new cell": lambda store: store.set_cell("pets", "fido", "legs", 4),
    "a cell of another kind": lambda store: store.set_cell("pets", "fido", "species", ["a", "list"]),
    "a new row": lambda store: store.set_row("pets", "tom", {"species": "cat"}),
    "a row without an id": lambda store: store.add_row("pets", {"species": "cat"}),
    "a value": lambda store: store.set_value("open", False),
    "a view": lambda store: store.tables["pets"]["fido"].update(species="cat"),
    "the end of a cell": lambda store: store.del_cell("pets", "fido", "species"),
    "the end of all": lambda store: store.del_tables(),
    "content": lambda store: store.set_content(({}, {})),
    "changes": lambda store: store.apply_changes(({"pets": {"tom": {"species": "cat"}}}, {}, 1)),
    "a schema": lambda store: store.set_tables_schema({"pets": {"species": {"type": "string"}}}),
    "a transaction": lambda store: store.start_transaction(),
    "a transaction of a function": lambda store: store.transaction(lambda: None),
    "the end of a transaction": lambda store: store.finish_transaction(),
}


def filled() -> Store:
    return Store().set_content(({"pets": {"fido": {"species": "dog"}}}, {"open": True}))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_store_that_nothing_is_attached_to_is_free(write: Callable[[Store], object]) -> None:
    store = filled()
    in_thread(lambda: write(store))
    write(store)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_mirrored_store_refuses_other_threads(kind: Kind, write: Callable[[Store], object]) -> None:
    peer = make_peer(kind)
    peer.store.set_content(filled().get_content())
    before, told = peer.content, peer.updates()
    with pytest.raises(WrongThreadError, match=r"the Store .*'MainThread'.*'stranger'.*call_soon_threadsafe"):
        in_thread(lambda: write(peer.store))
    assert peer.content == before == peer.project()
    assert not told

    peer.store.set_cell("pets", "fido", "species", "cow")  # its own thread goes on
    with peer.store.transaction():  # and so with a transaction open
        with pytest.raises(WrongThreadError):
            in_thread(lambda: write(peer.store))
        peer.store.set_cell("pets", "fido", "legs", 3)
    assert (
        peer.content == peer.project() == ({"pets": {"fido": {"species": "cow", "legs": 3}}}, {"open": True})
    )
    assert not peer.errors

    peer.mirror.stop()
    in_thread(lambda: write(peer.store))  # it is free again


@pytest.mark.parametrize("kind", KINDS)
def test_a_listener_of_the_owner_does_not_let_another_thread_write(kind: Kind) -> None:
    peer = make_peer(kind)
    raised: list[BaseException] = []

    def listen(*_: object) -> None:
        try:
            in_thread(lambda: peer.store.set_cell("t", "r", "d", 2))
        except WrongThreadError as error:
            raised.append(error)

    peer.store.add_cell_listener(None, None, None, listen)
    peer.store.set_cell("t", "r", "c", 1)
    assert len(raised) == 1  # not a ReadOnlyError, as the Store was calling listeners
    assert peer.content == peer.project() == ({"t": {"r": {"c": 1}}}, {})


@pytest.mark.parametrize("kind", KINDS)
def test_mirrors_and_documents_refuse_other_threads(kind: Kind) -> None:
    other = make_peer(kind)
    updates = other.updates()
    other.store.set_cell("t", "r", "c", "other")
    peer = make_peer(kind)
    peer.store.set_cell("t", "r", "mine", 1)
    before = peer.content
    calls: list[Callable[[], object]] = [
        peer.mirror.stop,
        peer.mirror.flush,
        peer.mirror.start,
        lambda: peer.apply(updates[-1]),
        peer.updates,
    ]
    for call in calls:
        with pytest.raises(WrongThreadError, match="'stranger'"):
            in_thread(call)
    assert peer.mirror.running
    assert peer.content == peer.project() == before
    for update in updates:
        peer.apply(update)
    assert peer.content == peer.project() == ({"t": {"r": {"c": "other", "mine": 1}}}, {})

    # A second mirror on the same document, begun elsewhere.
    second = type(peer)(kind, peer.doc, start=False)
    with pytest.raises(WrongThreadError, match="the document"):
        in_thread(second.mirror.start)
    assert not second.mirror.running
    second.store.set_cell("t", "r", "x", 1)  # nor was its Store taken
    in_thread(lambda: second.store.set_cell("t", "r", "x", 2))


def test_an_automerge_transaction_is_refused_before_it_begins() -> None:
    document = AutomergeDocument()
    in_thread(lambda: document.transaction().__enter__())  # nobody listens: free
    document = AutomergeDocument()
    heard: list[Any] = []
    end = document.subscribe(heard.append)
    for call in (document.transaction().__enter__, document.save, document.new_change):
        with pytest.raises(WrongThreadError):
            in_thread(call)
    assert not document.in_transaction
    assert not document.heads
    end()
    in_thread(document.save)


def test_a_raw_transaction_elsewhere_gets_the_error_and_loses_nothing() -> None:
    doc = create_doc()
    store = Store()
    store.set_cell("t", "r", "c", 1).set_cell("t", "r", "d", 1)
    told: list[bytes] = []
    with YjsMirror(store, doc) as mirror:
        YDocument.of(doc).subscribe(lambda update, _origin: told.append(update))

        def write() -> None:
            row = _row(doc)
            with doc.transaction():
                row["c"] = 2
                del row["d"]
                row["e"] = 3

        with pytest.raises(ExceptionGroup) as raised:
            in_thread(write)
        assert isinstance(raised.value.exceptions[0], WrongThreadError)
        assert "it stands" in raised.value.exceptions[0].__notes__[0]
        assert not told
        assert store.get_row("t", "r") == {"c": 1, "d": 1}  # nothing is written in a foreign thread
        YDocument.of(doc).flush()  # what a running event loop does at its next turn
        assert len(told) == 1
        assert store.get_row("t", "r") == {"c": 2, "e": 3}
        store.set_cell("t", "r", "c", 4)
        assert _row(doc).to_py() == {"c": 4, "e": 3}
        assert mirror.running


@pytest.mark.parametrize("kind", ["tinybase", "flat"])
def test_raw_updates_applied_elsewhere_reach_the_store_in_its_thread(kind: Kind) -> None:
    peer, other = make_peer(kind), make_peer(kind)
    peer.store.set_content(({"t": {"r": {"c": 1, "d": 1}, "gone": {"c": 1}}}, {"v": 1, "w": 1}))
    other.doc.apply_update(peer.doc.get_update())
    other.store.set_cell("t", "r", "c", 2).del_cell("t", "r", "d").del_row("t", "gone")
    other.store.set_cell("t2", "r", "c", [1]).set_value("v", 2).del_value("w")
    update = other.doc.get_update(peer.doc.get_state())
    with pytest.raises(ExceptionGroup):
        in_thread(lambda: peer.doc.apply_update(update))
    with peer.store.transaction():  # an open transaction is waited for, as ever
        peer.store.set_cell("t", "r", "mine", 1)
        YDocument.of(peer.doc).flush()
        assert peer.store.get_cell("t", "r", "c") == 1
    assert peer.content == ({"t": {"r": {"c": 2, "mine": 1}}, "t2": {"r": {"c": [1]}}}, {"v": 2})
    assert peer.agrees()
    assert not peer.errors


def _row(doc: Any) -> Any:
    return doc.get("tinybase", type=Map)["t"]["t"]["r"]


def test_what_an_ended_thread_attached_is_taken_over() -> None:
    store, doc = Store(), create_doc()
    mirror = YjsMirror(store, doc)
    in_thread(mirror.start)
    store.set_cell("t", "r", "c", 1)
    with pytest.raises(WrongThreadError):  # now it is this one's
        in_thread(lambda: store.set_cell("t", "r", "c", 2))
    mirror.stop()


def test_what_an_ended_event_loop_attached_is_taken_over(tmp_path: Path) -> None:
    store = Store()

    async def work() -> None:
        await FilePersister(store, tmp_path / "a.json").start_auto_save()
        with pytest.raises(WrongThreadError):
            in_thread(lambda: store.set_cell("t", "r", "c", 1))

    asyncio.run(work())
    in_thread(lambda: store.set_cell("t", "r", "c", 1))
    assert store.get_cell("t", "r", "c") == 1


# Persisters


async def test_a_write_beside_auto_save_is_refused_and_can_be_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    store = Store()
    loop = asyncio.get_running_loop()
    async with FilePersister(store, path) as persister:
        await persister.start_auto_persisting()
        with pytest.raises(WrongThreadError):
            await asyncio.to_thread(store.set_cell, "t", "r", "c", 1)
        assert store.get_content() == ({}, {})
        for call in (persister.save, persister.load, persister.close, persister.stop_auto_save):
            with pytest.raises(WrongThreadError):
                await asyncio.to_thread(lambda call=call: asyncio.run(call()))  # type: ignore[misc]
        assert persister.is_auto_saving()
        await asyncio.to_thread(loop.call_soon_threadsafe, store.set_cell, "t", "r", "c", 2)
        await until(lambda: path.exists() and json.loads(path.read_text())[0] == {"t": {"r": {"c": 2}}})
    await asyncio.to_thread(store.set_cell, "t", "r", "c", 3)  # closed: free


def test_a_blocking_persister_is_for_all_threads(tmp_path: Path) -> None:
    store = Store()
    with blocking(FilePersister(store, tmp_path / "store.json")) as persister:
        persister.save()
        for number in range(3):
            in_thread(lambda number=number: store.set_cell("t", "r", "c", number))  # type: ignore[misc]
            in_thread(persister.save)
            store.set_cell("t", "r", "d", number)
            persister.save()
        # At the same time: the calls wait for one another.
        failed: list[BaseException] = []

        def save() -> None:
            try:
                for _ in range(5):
                    persister.save()
            except BaseException as error:  # noqa: BLE001 - shown below
                failed.append(error)

        threads = [threading.Thread(target=save) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        in_thread(persister.close)
    assert json.loads((tmp_path / "store.json").read_text()) == [{"t": {"r": {"c": 2, "d": 2}}}, {}]


def test_a_store_is_the_callers_during_a_blocking_call(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    path.write_text('[{"t": {"r": {"c": 1}}}, {}]')
    store = Store()
    raised: list[BaseException] = []

    def listen(*_: object) -> None:
        try:
            in_thread(lambda: store.set_cell("t", "r", "c", 2))
        except WrongThreadError as error:
            raised.append(error)

    store.add_tables_listener(listen)
    with blocking(FilePersister(store, path)) as persister:
        in_thread(persister.load, "caller")
    assert len(raised) == 1
    assert "belongs to thread 'caller'" in str(raised[0])


def test_what_was_attached_without_an_event_loop_says_where_to_attach_it() -> None:
    """As where a mirror is started at import, and used by a server that runs in a thread."""
    store, found = Store(), list[str]()

    async def endpoint() -> None:
        with pytest.raises(WrongThreadError) as raised:
            store.set_value("open", True)
        assert not raised.value.has_loop
        found.append(str(raised.value))

    with YjsMirror(store, create_doc()):
        in_thread(lambda: asyncio.run(endpoint()), "server")
    assert "belongs to thread 'MainThread', which attached it, and was used in thread 'server'" in found[0]
    assert "No event loop ran where it was attached (at import, perhaps): start the mirror" in found[0]
    assert "in the application's lifespan" in found[0]

    async def lifespan() -> None:
        with YjsMirror(store, create_doc()):
            store.set_value("open", True)
            with pytest.raises(WrongThreadError) as raised:
                await asyncio.to_thread(store.set_value, "open", False)
            assert raised.value.has_loop
            assert str(raised.value).endswith(
                "Hand the call over with loop.call_soon_threadsafe(...) or "
                "asyncio.run_coroutine_threadsafe(...)"
            )

    in_thread(lambda: asyncio.run(lifespan()), "server")
    assert store.get_value("open") is True


def test_awareness_that_nobody_observes_is_free() -> None:
    awareness = Awareness(1)
    in_thread(lambda: awareness.set_local_state({"name": "x"}, 0.0))
    end = awareness.observe(lambda *_: None)
    with pytest.raises(WrongThreadError):
        in_thread(lambda: awareness.renew(1.0))
    end()
    end()
    in_thread(lambda: awareness.renew(1.0))


# Providers and rooms


async def test_a_provider_refuses_other_threads_and_sends_what_is_handed_over() -> None:
    loop = asyncio.get_running_loop()
    async with serving() as server, YClient(server.url, "room") as client:
        store, doc = Store(), create_doc()
        async with YWebsocketProvider(doc, server.url, "room") as provider:
            with YjsMirror(store, doc):
                await provider.wait_synced()
                with pytest.raises(WrongThreadError):
                    await asyncio.to_thread(store.set_cell, "t", "r", "c", 1)
                assert store.get_content() == ({}, {})
                calls = (provider.connect, provider.disconnect, provider.close, provider.flush)
                for call in (*calls, provider.wait_synced):
                    with pytest.raises(WrongThreadError, match="the provider of"):
                        await asyncio.to_thread(lambda call=call: asyncio.run(call()))  # type: ignore[misc]
                with pytest.raises(WrongThreadError):
                    await asyncio.to_thread(provider.set_local_state, {"name": "x"})
                awareness = provider.awareness
                assert awareness is not None
                with pytest.raises(WrongThreadError, match=r"the awareness belongs to thread 'MainThread'"):
                    await asyncio.to_thread(awareness.set_local_state, {"name": "x"}, 0.0)
                assert awareness.local_state is None
                assert provider.status == "connected"
                loop.call_soon_threadsafe(store.set_cell, "t", "r", "c", 2)
                await eventually(lambda: store.has_cell("t", "r", "c"))
                await provider.flush()
                await client.flush()
                await client.wait(lambda: _row(client.doc).to_py() == {"c": 2})
            with pytest.raises(WrongThreadError):  # the document is the provider's still
                await asyncio.to_thread(YDocument.of(doc).apply, b"\0\0", origin=None)


async def test_a_repo_provider_refuses_other_threads() -> None:
    async with MemoryServing(RepoServer()) as serving_repo:
        document = AutomergeDocument()
        async with AutomergeWebsocketProvider(
            document, serving_repo.url, transport=serving_repo.transport
        ) as provider:
            presence = provider.handle.presence({"name": "Ada"})
            for call in (
                lambda: provider.add(AutomergeDocument()),
                lambda: provider.broadcast("hello"),
                lambda: presence.set("name", "Bob"),
                provider.handle.close,
                document.save,
            ):
                with pytest.raises(WrongThreadError):
                    await asyncio.to_thread(call)
            assert provider.handle.document is document
            assert presence.local_state == {"name": "Ada"}


async def test_an_endpoint_in_a_worker_thread_costs_nobody_the_room() -> None:
    storage = FaultyStorage()
    async with (
        serving(storage=storage) as server,
        YClient(server.url, "room") as client,
        server.open_document("room") as doc,
    ):
        await client.synced()
        store = Store()
        somebody = Awareness(1)
        somebody.set_local_state({"name": "x"}, 0.0)
        other = somebody.encode()
        room = server.rooms.get("room")
        assert room is not None
        with YjsMirror(store, doc):
            with pytest.raises(WrongThreadError):
                await asyncio.to_thread(store.set_cell, "t", "r", "c", 1)

            def write_raw() -> None:
                doc.get("m", type=Map)["raw"] = 1

            with pytest.raises(ExceptionGroup) as raised:
                await asyncio.to_thread(write_raw)
            assert isinstance(raised.value.exceptions[0], WrongThreadError)
            await client.wait_for(raw=1)  # it stands, and everybody has it
            store.set_cell("t", "r", "c", 2)
            await client.set(more=1)
            await client.flush()
            assert len(peers_in(room)) == 1
            assert len((await storage.load("room")).rows) > 2

            for call in (
                lambda: room.awareness.set_local_field("name", "x", 0.0),
                lambda: room.awareness.apply(other, now=0.0),
                lambda: room.awareness.remove([1], now=0.0),
                lambda: room.awareness.tick(0.0),
                lambda: room.awareness.observe(lambda *_: None),
            ):
                with pytest.raises(WrongThreadError, match="the awareness"):
                    await asyncio.to_thread(call)
            assert not room.awareness.states

            def use() -> None:
                asyncio.run(server.rooms.use("room").__aenter__())

            with pytest.raises(WrongThreadError, match="the server"):
                await asyncio.to_thread(use)
            with pytest.raises(WrongThreadError, match="the server"):
                await asyncio.to_thread(lambda: asyncio.run(server.close()))


async def test_what_is_kept_of_an_unloaded_room_raises() -> None:
    async with serving() as server:
        async with server.open_document("room") as doc:
            store = Store()
            mirror = YjsMirror(store, doc).start()
            store.set_cell("t", "r", "c", 1)
        await eventually(lambda: len(server.rooms) == 0)
        for write in (
            lambda: store.set_cell("t", "r", "c", 2),
            lambda: YDocument.of(doc).apply(b"\0\0", origin=None),
            mirror.flush,
        ):
            with pytest.raises(
                DocumentClosedError, match="room 'room' was closed: nobody holds it open any more"
            ):
                write()
        with pytest.raises(ExceptionGroup) as raised:
            doc.get("m", type=Map)["raw"] = 1
        assert isinstance(raised.value.exceptions[0], DocumentClosedError)
        assert store.get_content() == ({"t": {"r": {"c": 1}}}, {})
        async with server.open_document("room") as again:
            assert again is not doc
            with pytest.raises(DocumentClosedError):  # the old one does not come back with the new
                store.set_value("v", 1)
            mirror.stop()
            with YjsMirror(store, again):
                store.set_cell("t", "r", "c", 2)
                assert _row(again).to_py() == {"c": 2}


async def test_what_is_kept_of_a_failed_room_raises_and_the_next_is_sound() -> None:
    storage = FaultyStorage()
    async with (
        serving(storage=storage, settings=RoomSettings(unload_delay=60)) as server,
        YClient(server.url, "room") as client,
    ):
        await client.synced()
        room = server.rooms.get("room")
        assert room is not None
        store = Store()
        held = ExitStack()
        mirror = YjsMirror(store, held.enter_context(room.edit()).doc).start()
        storage.refuse_writes = StorageError("the disk is full")
        store.set_cell("t", "r", "c", 1)
        assert await client.wait_closed() == 1013
        with pytest.raises(DocumentClosedError, match="storage failed"):
            store.set_cell("t", "r", "c", 2)
        storage.refuse_writes = None
        mirror.stop()
        async with server.rooms.use("room") as again, YClient(server.url, "room") as other:
            assert again is not room
            held.close()
            with again.edit() as local, YjsMirror(store, local.doc):
                store.set_value("v", 1)
                await other.flush()
                assert len(peers_in(again)) == 1


async def test_what_is_kept_of_an_unloaded_automerge_document_raises() -> None:
    async with serving() as server:
        assert server.documents is not None
        rooms = server.documents.rooms
        async with rooms.use("a document") as room:
            store = Store()
            mirror = AutomergeMirror(store, room.document).start()
            store.set_cell("t", "r", "c", 1)
            with pytest.raises(WrongThreadError):
                await asyncio.to_thread(store.set_cell, "t", "r", "c", 2)
            with pytest.raises(WrongThreadError):
                await asyncio.to_thread(room.document.apply_changes, [])
        await eventually(lambda: len(rooms) == 0)
        for write in (lambda: store.set_cell("t", "r", "c", 2), room.document.transaction().__enter__):
            with pytest.raises(DocumentClosedError, match="unloaded"):
                write()
        mirror.stop()
        async with rooms.use("a document") as again:
            with AutomergeMirror(store, again.document):
                store.set_cell("t", "r", "c", 3)
            assert again.document.heads


async def test_a_bridged_room_that_fails_stops_both_sides() -> None:
    storage = FaultyStorage()
    async with (
        serving(storage=storage, bridge=["room"]) as server,
        YClient(server.url, "room") as client,
        server.rooms.use("room") as room,
    ):
        await client.synced()
        store = Store()
        held = ExitStack()
        mirror = YjsMirror(store, held.enter_context(room.edit()).doc).start()
        storage.refuse_writes = StorageError("the disk is full")
        store.set_cell("t", "r", "c", 1)
        assert await client.wait_closed() == 1013
        with pytest.raises(DocumentClosedError):
            store.set_cell("t", "r", "c", 2)
        storage.refuse_writes = None
        mirror.stop()
        held.close()


def test_a_raw_write_is_heard_when_the_owners_thread_has_ended() -> None:
    store, doc = Store(), create_doc()
    mirror = YjsMirror(store, doc)

    def begin() -> None:
        mirror.start()
        store.set_cell("t", "r", "c", 1)

    in_thread(begin)
    doc.get("tinybase", type=Map)["t"]["t"]["r"]["c"] = 2
    assert store.get_cell("t", "r", "c") == 2
    mirror.stop()


def test_what_a_thread_of_another_library_attached_is_taken_over() -> None:
    # threading knows such threads only by a dummy, which it does not forget before Python 3.13.
    store, doc = Store(), create_doc()
    mirror = YjsMirror(store, doc)
    over = threading.Event()

    def begin() -> None:
        threading.current_thread()
        mirror.start()
        over.set()

    ident = _thread.start_new_thread(begin, ())
    assert over.wait(30)
    while ident in sys._current_frames():
        pass
    store.set_cell("t", "r", "c", 1)
    assert store.get_cell("t", "r", "c") == 1
    mirror.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_is_free_when_its_mirror_was_collected(kind: Kind) -> None:
    doc: Any = AutomergeDocument() if kind == "automerge" else create_doc()
    Peer(kind, doc)
    gc.collect()

    def take() -> None:
        Peer(kind, doc).mirror.close()

    in_thread(take)
