"""Synchronizers of TinyBase, three versions of it, in rooms of weft's server: real sockets, under Node."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from support.servers import eventually, serving
from support.tableclient import TableClient
from weft.limits import Limits
from weft.server import RoomSettings
from weft.server.storage.sqlite import SqliteRoomStorage
from weft.server.tinybase.answers import ROOM_FOR_HEADS
from weft.server.tinybase.room import MergeableRoom, storage_name

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import JsPeer
    from weft.server.fronts.websocket import Server

pytestmark = pytest.mark.interop


async def joined(js: JsPeer, server: Server, name: str, room: str, **options: Any) -> str:
    """A JavaScript client that is in a room."""
    options = {"version": 10, "channel": None, "fragmentSize": None, **options}
    await js("sync.create", name=name, version=options.pop("version"), tables=options.pop("tables", {}))
    await js("sync.connect", name=name, url=f"{server.url}/{room}", **{k: v for k, v in options.items() if v})
    return name


async def wrote(js: JsPeer, name: str, row: str, cell: str, value: Any) -> None:
    await js("store.call", name=name, method="setCell", args=["t", row, cell, value])


async def all_have(js: JsPeer, names: list[str], tables: dict[str, Any]) -> None:
    for name in names:
        await js("store.wait", name=name, method="getTables", equals=tables)


def room_of(server: Server, name: str) -> MergeableRoom:
    room = server.mergeable.rooms.get(storage_name(name))
    assert room is not None
    return room


async def test_three_versions_fragments_and_channels_in_one_room(js_peer: JsPeer) -> None:
    async with serving() as server, TableClient(server.url, "base/one") as python:
        names = [
            await joined(js_peer, server, "ten", "base/one", tables={"t": {"r": {"ten": 10}}}),
            await joined(js_peer, server, "eight", "base/one", version=8, tables={"t": {"r": {"eight": 8}}}),
            await joined(js_peer, server, "six", "base/one", version=6, tables={"t": {"r": {"six": 6}}}),
            await joined(js_peer, server, "parts", "base/one", fragmentSize=60),
            await joined(
                js_peer, server, "channel", "base", channel="one", tables={"t": {"r": {"channel": 1}}}
            ),
        ]
        await python.set(python=True)
        tables: dict[str, Any] = {"t": {"r": {"ten": 10, "eight": 8, "six": 6, "channel": 1, "python": True}}}
        await all_have(js_peer, names, tables)
        text = "héllo wörld 😀 " * 20
        await wrote(js_peer, "parts", "long", "note", text)
        await wrote(js_peer, "six", "r", "ten", 11)
        await js_peer("store.call", name="channel", method="delCell", args=["t", "r", "eight"])
        await js_peer("store.call", name="eight", method="delRow", args=["t", "gone"])
        tables["t"] = {
            "r": {"ten": 11, "six": 6, "channel": 1, "python": True},
            "long": {"note": text},
        }
        await all_have(js_peer, names, tables)
        await python.wait_for("long", note=text)
        hashes = room_of(server, "base/one").document.get_content_hashes()
        assert [await js_peer("sync.hashes", name=name) for name in names] == [hashes] * 5
        assert python.document.get_content_hashes() == hashes
        for name in names:
            assert await js_peer("store.ignoredErrors", name=name) == []


async def test_several_channels_of_one_socket(js_peer: JsPeer) -> None:
    async with serving() as server:
        await joined(js_peer, server, "one", "base", channel="one")
        await joined(js_peer, server, "two", "base", channel="deeper/two", beside="one")
        await joined(js_peer, server, "other", "base/deeper/two")
        await wrote(js_peer, "one", "r", "a", 1)
        await wrote(js_peer, "two", "r", "b", 2)
        await all_have(js_peer, ["other"], {"t": {"r": {"b": 2}}})
        await all_have(js_peer, ["one"], {"t": {"r": {"a": 1}}})
        assert server.connections == 2
        await js_peer("sync.disconnect", name="one")
        await wrote(js_peer, "other", "r", "b", 3)
        await all_have(js_peer, ["two"], {"t": {"r": {"b": 3}}})


@pytest.mark.parametrize("count", [3, 5])
async def test_all_of_a_room_write_at_once(js_peer: JsPeer, count: int) -> None:
    async with serving() as server:
        versions = itertools.cycle((10, 8, 6))
        names = [await joined(js_peer, server, f"c{n}", "room", version=next(versions)) for n in range(count)]
        for turn in range(10):
            for name in names:
                await wrote(js_peer, name, name, f"k{turn}", turn)
                await wrote(js_peer, name, "all", "last", f"{name} {turn}")
        rows = {name: {f"k{turn}": turn for turn in range(10)} for name in names}
        for name in names:
            for row, cells in rows.items():
                await js_peer("store.wait", name=name, method="getRow", args=["t", row], equals=cells)
        last = f"c{count - 1} 9"
        for name in names:
            await js_peer("store.wait", name=name, method="getCell", args=["t", "all", "last"], equals=last)
        hashes = room_of(server, "room").document.get_content_hashes()
        assert [await js_peer("sync.hashes", name=name) for name in names] == [hashes] * count


async def test_what_was_written_offline_and_before_a_restart_is_kept(js_peer: JsPeer, tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "rooms.db")
    async with serving(storage=storage) as server:
        await joined(js_peer, server, "one", "room")
        await joined(js_peer, server, "two", "room")
        await wrote(js_peer, "one", "r", "a", 1)
        await all_have(js_peer, ["two"], {"t": {"r": {"a": 1}}})
        await js_peer("sync.cut", name="one")
        await js_peer("sync.closed", name="one")
        await wrote(js_peer, "one", "r", "offline", 1)
        await wrote(js_peer, "two", "r", "b", 2)
        await eventually(lambda: room_of(server, "room").document.get_cell("t", "r", "b") == 2)
    async with serving(storage=SqliteRoomStorage(tmp_path / "rooms.db")) as server:
        for name in ("one", "two"):
            await js_peer("sync.connect", name=name, url=f"{server.url}/room")
        await all_have(js_peer, ["one", "two"], {"t": {"r": {"a": 1, "offline": 1, "b": 2}}})


async def test_a_server_side_store_edits_along(js_peer: JsPeer) -> None:
    async with serving() as server:
        await joined(js_peer, server, "one", "room", tables={"t": {"r": {"a": 1}}})
        async with server.open("mergeable:room") as store:
            await eventually(lambda: store.get_cell("t", "r", "a") == 1)
            store.set_cell("t", "r", "b", {"nested": [1, None]})
            store.del_cell("t", "r", "a")
            await all_have(js_peer, ["one"], {"t": {"r": {"b": {"nested": [1, None]}}}})
            await wrote(js_peer, "one", "r", "c", "from JavaScript")
            await eventually(lambda: store.get_cell("t", "r", "c") == "from JavaScript")


async def test_malformed_traffic_ends_its_sender_and_nobody_else(js_peer: JsPeer) -> None:
    async with serving() as server:
        await joined(js_peer, server, "one", "room")
        for frame in (
            "nonsense",
            "\n[1,2,3]",
            "M\nx\n\n[]",
            '\n["a",3,[[{"t":[{"r":[{"c":[1,"bad"]}]}]}],[{}],1]]',
        ):
            async with TableClient(server.url, "room") as bad:
                await bad.flush()
                await bad.send(frame)
                assert (await bad.wait_closed())[0] == 1007
        async with TableClient(server.url, "room") as honest:
            await honest.set(a=1)
            await all_have(js_peer, ["one"], {"t": {"r": {"a": 1}}})


async def test_a_document_that_is_larger_than_a_message_comes_turn_by_turn(js_peer: JsPeer) -> None:
    limits = Limits(max_message=ROOM_FOR_HEADS + 20_000)
    async with (
        serving(limits=limits, settings=RoomSettings(tick=0.05, unload_delay=0.0)) as server,
        server.use_mergeable("room") as room,
    ):
        there = await joined(js_peer, server, "there", "room")
        with room.document.transaction():
            for number in range(300):
                room.document.set_cell(f"t{number % 3}", f"r{number % 50}", f"c{number}", "x" * 300)
        wanted = room.document.get_content_hashes()
        late = await joined(js_peer, server, "late", "room", version=8)
        tables = {
            f"t{table}": {
                f"r{row}": {f"c{n}": "x" * 300 for n in range(300) if (n % 3, n % 50) == (table, row)}
                for row in range(50)
            }
            for table in range(3)
        }
        await all_have(js_peer, [there, late], tables)
        assert [await js_peer("sync.hashes", name=name) for name in (there, late)] == [wanted, wanted]
