"""Saving, comparing and restoring versions of rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Array, Map, Text

from support.servers import eventually, serving
from support.yclient import YClient
from weft.errors import StorageError
from weft.protocols.automerge_repo import document_url, encode_document_id
from weft.server.storage import MemoryRoomStorage, SqliteRoomStorage
from weft.server.versions import StoredVersions
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from pathlib import Path

URL = document_url(encode_document_id(bytes(range(16))))


@pytest.mark.parametrize("room", ["farm", URL, "mergeable:farm"])
async def test_tables_are_saved_compared_and_restored(room: str, tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "rooms.db")
    async with serving(storage=storage) as server:
        versions = server.versions(room)
        async with server.open(room) as store:
            store.set_tables({"pets": {"fido": {"species": "dog"}, "felix": {"species": "cat"}}})
            store.set_value("open", True)
        before = store.get_content()
        saved = await versions.save("before the sale")
        assert (await versions.diff("before the sale")).text == ""
        async with server.open(room) as store:
            store.del_row("pets", "felix")
            store.set_cell("pets", "fido", "sold", True)
            store.set_cell("pets", "cujo", "species", "wolf")
            await versions.save("after")
        difference = await versions.diff("before the sale", "after")
        assert difference.changes == (
            {"pets": {"felix": UNDEFINED, "fido": {"sold": True}, "cujo": {"species": "wolf"}}},
            {},
            1,
        )
        assert '+    "sold": true,' in difference.text
        assert [version.name for version in await versions.list()] == ["before the sale", "after"]
        assert (await versions.list())[0] == saved
    async with serving(storage=SqliteRoomStorage(tmp_path / "rooms.db")) as server:
        versions = server.versions(room)
        async with server.open(room) as store:
            await versions.restore("before the sale")
            assert store.get_content() == before
            store.set_cell("pets", "fido", "age", 3)  # it is an edit like others, and goes on from there
        async with server.open(room) as store:
            assert store.get_cell("pets", "fido", "age") == 3
            assert store.get_cell("pets", "felix", "species") == "cat"


async def test_any_document_is_restored_and_clients_follow() -> None:
    async with serving() as server, YClient(server.url, "notes") as client:
        await client.synced()
        async with server.open_document("notes") as doc:
            text, root = doc.get("body", type=Text), doc.get("m", type=Map)
            items = doc.get("items", type=Array)
            text += "Hello, world"
            text.format(0, 5, {"bold": True})
            root["a"], root["n"] = 1, Map({"x": 1})
            items.extend([1, 2, 3])
            await client.wait_for(a=1)
            await server.versions("notes").save("v1")
            del text[0:7]
            text.insert(0, "🐕 ")
            root["a"] = 2
            del root["n"]
            root["b"] = 3
            del items[1]
            await client.wait_for(a=2, b=3)
            difference = await server.versions("notes").diff("v1")
            assert difference.changes is None
            assert "-   1," not in difference.text
            assert difference.text.startswith("--- v1\n+++ now\n")
            await server.versions("notes").restore("v1")
            assert text.diff() == [("Hello", {"bold": True}), (", world", None)]
            assert items.to_py() == [1, 2, 3]
            await client.wait(lambda: client.content == {"a": 1, "n": {"x": 1}})
        assert (await server.versions("notes").diff("v1")).text == ""


async def test_a_name_is_used_once_and_until_it_is_given_up() -> None:
    async with serving() as server:
        versions = server.versions("farm")
        await versions.save("v1")
        with pytest.raises(StorageError, match="already"):
            await versions.save("v1")
        await versions.delete("v1")
        await versions.delete("v1")
        assert await versions.list() == []
        for call in (versions.diff, versions.restore):
            with pytest.raises(StorageError, match="no version 'v1'"):
                await call("v1")
        await versions.save("v1")
        assert len(await versions.list()) == 1
        for name in ("", "a\nb", "a\x1fb"):
            with pytest.raises(ValueError, match="can be printed"):
                await versions.save(name)


async def test_rooms_have_versions_of_their_own() -> None:
    async with serving() as server:
        for room in ("a", "b", "a/b"):
            await server.versions(room).save("v")
        assert len(await server.versions("a").list()) == 1


async def test_what_is_no_version_is_said() -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server:
        await StoredVersions(storage).put("farm", "v1", b"{}\nrubbish")
        with pytest.raises(StorageError, match="cannot be read"):
            await server.versions("farm").list()


@pytest.mark.parametrize("gc", [True, False])
async def test_a_room_without_gc_keeps_what_was_deleted(gc: bool) -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage) as server:
        await server.configure("farm", gc=gc)
        async with server.open_document("farm") as doc:
            text = doc.get("t", type=Text)
            for at in range(60):
                text.insert(at, chr(97 + at % 26))
            text.insert(60, "a secret that goes")
            del text[60:]
    rows = [update async for update in _rows(storage)]
    assert len(rows) == 1
    assert (b"secret" in rows[0]) is not gc
    async with serving(storage=storage) as server:
        async with server.rooms.use("farm") as room:
            assert room.gc is gc
        await server.configure("farm", gc=True)
        await eventually(lambda: len(server.rooms) == 0)
        async with server.rooms.use("farm") as room:
            assert room.gc


async def _rows(storage: MemoryRoomStorage) -> Any:
    for row in (await storage.load("farm")).rows:
        yield row
