"""Reading and writing rooms in the server's own process."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pycrdt import Map

from support.servers import FaultyStorage, eventually, serving
from support.yclient import YClient, update_frame
from support.ywriter import section, update
from weft import Store, YjsMirror, YWebsocketProvider, create_doc
from weft._codecs.yjs.merge import state_vector_of
from weft._codecs.yjs.state import decode_state_vector
from weft.documents.yjs.log_document import LogDocument
from weft.errors import DocumentClosedError, RemoteProtocolError, RoomDeletedError, StorageError
from weft.protocols.automerge_repo import document_url, encode_document_id
from weft.server import bridge_document_id
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from weft.server import Server

URL = document_url(encode_document_id(bytes(range(16))))
# Yjs reads an XML hook; the binding would read what follows its name from another place, and is not given it.
HOOK = update(section(9, 0, b"\x07\x01\x01x\x05\x04hook"))


class Reader:
    """A weft client of a room with its Store. Use as ``async with``."""

    def __init__(self, server: Server, room: str = "farm") -> None:
        self.store, self.doc = Store(), create_doc()
        self.mirror = YjsMirror(self.store, self.doc)
        self.provider = YWebsocketProvider(self.doc, server.url, room)

    async def __aenter__(self) -> Reader:
        self.mirror.start()
        await self.provider.__aenter__()
        await self.provider.wait_synced(timeout=20)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.provider.close()
        self.mirror.stop()


async def test_a_store_of_a_room_is_read_and_written_like_a_clients() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, Reader(server) as reader:
        reader.store.set_cell("pets", "fido", "species", "dog")
        await reader.provider.flush(timeout=20)
        async with server.open("farm") as store:
            assert store.get_cell("pets", "fido", "species") == "dog"
            store.set_cell("pets", "felix", "species", "cat")
            await eventually(lambda: reader.store.get_cell("pets", "felix", "species") == "cat")
            reader.store.set_value("open", True)
            await eventually(lambda: store.get_value("open") is True)
        assert len((await storage.load("farm")).rows) == 3
    async with serving(storage=storage) as server, server.open("farm") as store:
        assert store.get_content() == (
            {"pets": {"fido": {"species": "dog"}, "felix": {"species": "cat"}}},
            {"open": True},
        )


async def test_two_at_a_time_see_each_others_writes_and_row_ids_do_not_meet() -> None:
    async with serving() as server, server.open("farm") as one, server.open("farm") as two:
        one.set_cell("pets", "fido", "species", "dog")
        assert two.get_cell("pets", "fido", "species") == "dog"
        ids = {store.add_row("pets", {"species": "cat"}) for store in (one, two)}
        assert len(ids) == 2
        assert one.get_content() == two.get_content()


async def test_an_automerge_document_is_opened_by_its_url() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, server.open(URL) as store:
        store.set_cell("pets", "fido", "species", "dog")
    async with serving(storage=storage) as server, server.open(URL) as store:
        assert store.get_table("pets") == {"fido": {"species": "dog"}}
        with pytest.raises(ValueError, match="no document id"):
            await server.open("automerge:xyz").__aenter__()


async def test_a_bridged_room_is_opened_with_its_other_sides() -> None:
    name = "my farm"
    async with serving(bridge=[name]) as server, server.open(name) as store:
        store.set_cell("pets", "fido", "species", "dog")
        sides = (document_url(bridge_document_id(name)), "mergeable:my%20farm", "mergeable:my farm")
        for number, side in enumerate(sides):
            async with server.open(side) as other:
                assert other.get_cell("pets", "fido", "species") == "dog"
                other.set_cell("pets", "fido", "age", number)
                assert store.get_cell("pets", "fido", "age") == number
        assert server.stats().mergeable == 1


async def test_all_who_open_a_document_at_a_time_share_it() -> None:
    async with serving() as server:
        async with server.open_document("farm") as one, server.open_document("farm") as two:
            assert one is two
        async with server.open_document("farm") as three:
            assert three is not one


async def test_what_could_not_be_stored_is_told_at_the_end() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage) as server:

        async def write() -> None:
            async with server.open("farm") as store:
                storage.refuse_writes = StorageError("the disk is full")
                store.set_cell("pets", "fido", "species", "dog")

        with pytest.raises(StorageError, match="disk is full"):
            await write()
        storage.refuse_writes = None


async def test_a_room_that_nobody_edits_gives_nothing_to_the_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_document(*_: object) -> None:
        raise AssertionError("a document was made")

    async with serving() as server, YClient(server.url, "farm") as one, YClient(server.url, "farm") as two:
        with monkeypatch.context() as patch:
            patch.setattr("weft.server.ysync.local_document.LocalDocument", no_document)
            await one.set(x=1)
            await two.wait_for(x=1)
        room = server.rooms.get("farm")
        assert room is not None
        assert isinstance(room.document, LogDocument)


def test_a_server_does_not_load_the_binding_before_somebody_edits() -> None:
    program = "import sys, weft.server.fronts.websocket; print('pycrdt' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


async def test_what_the_binding_must_not_be_given_ends_the_editing_and_not_the_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, YClient(server.url, "farm") as client:
        await client.synced()
        async with server.open_document("farm") as doc:
            root = doc.get("m", type=Map)
            root["a"] = 1
            await client.wait_for(a=1)
            await client.send(update_frame(HOOK))  # nor can this client read it: it must not ask
            await eventually(lambda: "cannot follow it and is closed" in caplog.text)
            with pytest.raises(ExceptionGroup) as raised:
                root["b"] = 2
            assert isinstance(raised.value.exceptions[0], DocumentClosedError)
        with pytest.raises(RemoteProtocolError):
            await server.open_document("farm").__aenter__()
        await client.set(c=3)
        room = server.rooms.get("farm")
        assert room is not None
        await eventually(lambda: len(room.document.state()) == 3)
        rows = (await storage.load("farm")).rows
        assert len(rows) == 3
        assert rows[1] == HOOK


async def test_what_waits_is_followed_when_it_has_come() -> None:
    async with serving() as server, server.open_document("farm") as doc, YClient(server.url, "farm") as one:
        await one.synced()
        first = one.write(a=1)
        second = one.write(b=2)
        room = server.rooms.get("farm")
        assert room is not None
        await one.send(update_frame(second))
        await eventually(lambda: room.document.is_waiting)  # until the client has been asked for the first
        assert doc.get("m", type=Map).to_py() in (None, {})
        await one.send(update_frame(first))
        await one.flush()
        assert doc.get("m", type=Map).to_py() == {"a": 1, "b": 2}


@pytest.mark.parametrize("name", ["farm", URL, "mergeable:farm"])
async def test_what_was_written_to_a_deleted_room_is_told_at_the_end(name: str) -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server:

        async def write() -> None:
            async with server.open(name) as store:
                await storage.delete(name if name == "farm" else f"\x1f{name}")
                store.set_cell("pets", "fido", "species", "dog")

        with pytest.raises(RoomDeletedError):
            await write()


async def test_what_the_log_does_not_take_of_a_document_is_told_at_the_end() -> None:
    async with serving() as server:

        async def write() -> None:
            async with server.open_document("farm") as doc:
                value: object = 1
                for _ in range(100):
                    value = [value]
                doc.get("m", type=Map)["deep"] = value

        with pytest.raises(RemoteProtocolError):
            await write()


async def test_an_open_transaction_does_not_put_what_others_write_into_its_own_row() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server, YClient(server.url, "farm") as client:
        await client.synced()
        async with server.open_document("farm") as doc:
            root = doc.get("m", type=Map)
            async with doc.new_transaction():
                root["mine"] = 1
                await client.set(theirs=2)
                await client.flush()
                root["also"] = 3
            await client.wait_for(mine=1, theirs=2, also=3)
            await eventually(lambda: root.to_py() == {"mine": 1, "theirs": 2, "also": 3})
            _, own = (await storage.load("farm")).rows
            assert decode_state_vector(state_vector_of(own)).keys() == {doc.client_id}
