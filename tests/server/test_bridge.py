"""One room over all protocols: convergence and healing without sockets, and the rest over real ones."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Map
from websockets.asyncio.client import connect

from support.bridged import DOCUMENT, KINDS, ROOM, AutomergePeer, MergeablePeer, Peer, Tables, YjsPeer, sides
from support.repoclient import RepoClient
from support.servers import FaultyStorage, eventually, serving
from support.tableclient import TableClient
from support.yclient import YClient, update_frame
from support.ywriter import section, update
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.documents.mergeable.log import row_of
from weft.errors import StorageError
from weft.limits import DEFAULT_LIMITS
from weft.mirrors import AutomergeMirror
from weft.server import MemoryRoomStorage, RoomSettings, SqliteRoomStorage, bridge_document_id
from weft.server._core.room import RoomContext
from weft.server.auth import Allow, Request
from weft.server.automerge_repo.room import DocumentRoom, storage_name
from weft.server.bridge import Bridge
from weft.server.tinybase.room import MergeableRoom, storage_name as mergeable_name
from weft.server.ysync.room import Room
from weft.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from weft.documents.compaction import Compactor
    from weft.server import Server
    from weft.server._core.room import BaseRoom
    from weft.server.storage import RoomStorage

NAMES = (ROOM, storage_name(DOCUMENT), mergeable_name(ROOM))

XML_HOOK = update(
    section(9, 0, b"\x07\x01\x01x\x05\x04hook")
)  # Yjs reads it, and the binding would misread it


# Without sockets: a server's rooms, and peers that are offline when they are not being synced


def open_bridge(storage: RoomStorage, *rows: list[bytes]) -> Bridge:
    context = RoomContext(storage=storage, limits=DEFAULT_LIMITS, settings=RoomSettings(), clock=lambda: 0.0)
    yjs, automerge, mergeable = rows or ([], [], [])
    return Bridge(
        Room(NAMES[0], yjs, lambda _: None, context),
        DocumentRoom(NAMES[1], automerge, lambda _: None, context),
        MergeableRoom(NAMES[2], mergeable, lambda _: None, context),
    )


def rooms_of(bridge: Bridge) -> list[BaseRoom[Any]]:
    return [bridge.room, bridge.document, bridge.mergeable]


def close(bridge: Bridge) -> None:
    for room in rooms_of(bridge):
        room.close()


def is_equal(bridge: Bridge) -> bool:
    yjs, automerge, mergeable = sides(bridge)
    return yjs == automerge == mergeable


@dataclass
class World:
    """One random run: edits at four peers, syncs in any order, and servers that crash between two writes."""

    seed: int
    kept: dict[tuple[str, str], int] = field(default_factory=dict)  # row and cell that nobody ever deletes

    async def run(self, rounds: int) -> None:
        rng = random.Random(self.seed)
        storage = MemoryRoomStorage()
        bridge = open_bridge(storage)
        peers: list[Peer] = [kind() for kind in (YjsPeer, AutomergePeer, MergeablePeer) * 2]
        for round_ in range(rounds):
            for _ in range(rng.randint(1, 4)):
                self.edit(rng, rng.choice(peers).store, round_)
            for peer in rng.sample(peers, rng.randint(0, 5)):
                peer.sync(bridge)
                assert is_equal(bridge), f"seed {self.seed}, round {round_}"
            if rng.random() < 0.1:
                bridge = await self.crash(rng, storage, bridge)
        self.settle(bridge, peers)
        for peer in peers:
            assert (peer.content,) * 3 == sides(bridge), f"seed {self.seed}"
            assert peer.errors == []
            # Nothing was lost on the way.
            for (row, cell), value in self.kept.items():
                assert peer.store.get_cell("kept", row, cell) == value, f"seed {self.seed}, {row}/{cell}"
        close(bridge)

    def settle(self, bridge: Bridge, peers: list[Peer]) -> None:
        """Have everybody sync until nobody brings anything: an echo would go on for ever."""
        for _ in range(6):
            before = [room.log.rows for room in rooms_of(bridge)]
            for peer in peers:
                peer.sync(bridge)
            if [room.log.rows for room in rooms_of(bridge)] == before:
                return
        raise AssertionError(f"seed {self.seed}: it does not come to rest")

    async def crash(self, rng: random.Random, storage: MemoryRoomStorage, bridge: Bridge) -> Bridge:
        """End the server, after the last rows of one side were not written; and start it again."""
        for room in rooms_of(bridge):
            await room.log.settle()
        close(bridge)
        lost = rng.choice(NAMES)
        rows = storage.kept[lost].rows if lost in storage.kept else {}
        for _ in range(min(len(rows), rng.randint(0, 2))):
            rows.popitem()
        again = open_bridge(storage, *[(await storage.load(name)).rows for name in NAMES])
        assert is_equal(again), f"seed {self.seed}: not healed"
        return again

    def edit(self, rng: random.Random, store: Store, number: int) -> None:
        row, cell = f"r{rng.randrange(3)}", f"c{rng.randrange(3)}"
        match rng.randrange(11):
            case 0 | 1 | 2:
                self.kept[row, f"k{len(self.kept)}"] = number
                store.set_cell("kept", row, f"k{len(self.kept) - 1}", number)
            case 3 | 4:
                value = rng.choice(
                    [number, number / 4, f"text {number}", "", True, None, [1, {"a": "é😀"}], 0, -1]
                )
                store.set_cell("churned", row, cell, value)
            case 5:
                store.set_value(cell, number)
            case 6:
                store.del_cell("churned", row, cell)
            case 7:
                store.del_row("churned", row)
            case 8:
                store.set_row("churned", row, {cell: number, "new": True})
            case 9:
                store.del_value(cell)
            case 10 if rng.random() < 0.5:
                store.del_table("churned")


@pytest.mark.parametrize("seed", range(12))
async def test_peers_of_all_kinds_converge_and_lose_nothing(seed: int) -> None:
    """The seed is the test's parameter."""
    await World(seed).run(30)


async def test_one_change_is_one_change_on_each_side_and_no_more() -> None:
    bridge = open_bridge(MemoryRoomStorage())
    peers = [YjsPeer(), AutomergePeer(), MergeablePeer()]
    for number, writer in enumerate(peers):
        for peer in peers:
            peer.sync(bridge)
        writer.store.set_cell("t", "r", "c", number)
        before = [room.log.rows for room in rooms_of(bridge)]
        for peer in (writer, *peers, *peers):
            peer.sync(bridge)
        assert [room.log.rows for room in rooms_of(bridge)] == [rows + 1 for rows in before]
        for peer in peers:
            assert peer.content == ({"t": {"r": {"c": number}}}, {})
    close(bridge)


async def test_where_sides_differ_at_the_opening_a_fixed_order_decides() -> None:
    yjs, automerge, mergeable = YjsPeer(), AutomergePeer(), MergeablePeer()
    for value, peer in enumerate((yjs, automerge, mergeable)):
        peer.store.set_row("t", "r", {"all": value, "own": None})
        peer.store.set_value(f"v{value}", value)
    for value, peer in enumerate((yjs, automerge)):
        peer.store.set_cell("t", "r", "two", value)
    mergeable.store.set_cell("t", "r", "two", "deleted").del_cell("t", "r", "two")
    rows = [yjs.doc.get_update()], [automerge.document.save()], [row_of(mergeable.document)]
    bridge = open_bridge(MemoryRoomStorage(), *rows)
    # Nobody can tell whether what TinyBase has deleted is older than what the others have.
    expected = {"t": {"r": {"all": 2, "own": None, "two": 1}}}, {"v0": 0, "v1": 1, "v2": 2}
    assert sides(bridge) == (expected,) * 3
    again = [room.log.rows for room in rooms_of(bridge)]
    for peer in (yjs, automerge, mergeable):
        peer.sync(bridge)
        assert peer.content == expected
    assert [room.log.rows for room in rooms_of(bridge)] == again
    close(bridge)


async def test_what_one_side_cannot_hold_is_logged_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    bridge = open_bridge(MemoryRoomStorage())
    mergeable = MergeablePeer()
    with mergeable.document.transaction():
        mergeable.document.set_cell("t", "r", "half a character", "\ud83d")
        mergeable.document.set_cell("t", "r", "c", 1)
    mergeable.sync(bridge)
    assert sides(bridge) == (({"t": {"r": {"c": 1}}}, {}),) * 3
    assert "bridge of room 'farm': the document holds at ['t', 'r', 'half a character']" in caplog.text
    assert bridge.mergeable.document.get_cell("t", "r", "half a character") == "\ud83d"
    close(bridge)


async def test_what_only_one_side_holds_stays_there() -> None:
    bridge = open_bridge(MemoryRoomStorage())
    yjs, automerge = YjsPeer(), AutomergePeer()
    yjs.doc.get("notes", type=Map)["alone"] = 1
    with automerge.document.transaction() as transaction:
        transaction.put(ROOT, "alone", ScalarType.Int, 1)
    automerge.store.set_value("both", 1)
    for peer in (yjs, automerge, yjs):
        peer.sync(bridge)
    assert yjs.content == ({}, {"both": 1})
    assert bridge.document.document.core.keys(ROOT) == ["alone", "tinybase"]
    close(bridge)


# Over real sockets


def open_rooms(server: Server) -> int:
    stats = server.stats()
    return stats.rooms + stats.documents + stats.mergeable


@pytest.mark.parametrize("first", KINDS)
async def test_clients_of_all_kinds_share_the_room_whoever_comes_first(first: str, tmp_path: Path) -> None:
    path = tmp_path / "rooms.sqlite3"
    second, third = (kind for kind in KINDS if kind != first)
    async with serving(storage=SqliteRoomStorage(path), bridge=[ROOM]) as server:
        async with (
            Tables(server.url, first) as one,
            Tables(server.url, second) as two,
            Tables(server.url, third) as three,
        ):
            one.store.set_row("pets", "fido", {"species": "dog", "weight": 12.5})
            for tables in (two, three):
                await tables.until(({"pets": {"fido": {"species": "dog", "weight": 12.5}}}, {}))
            two.store.set_cell("pets", "fido", "weight", 13)
            await three.until(({"pets": {"fido": {"species": "dog", "weight": 13}}}, {}))
            three.store.set_value("open", True)
            expected = ({"pets": {"fido": {"species": "dog", "weight": 13}}}, {"open": True})
            for tables in (one, two):
                await tables.until(expected)
                await tables.flush()
        await eventually(lambda: open_rooms(server) == 0)
        async with Tables(server.url, second) as again:
            await again.until(expected)
            again.store.del_cell("pets", "fido", "weight")
            await again.flush()
    async with serving(storage=SqliteRoomStorage(path), bridge=[ROOM]) as server:
        for kind in KINDS:
            async with Tables(server.url, kind) as late:
                await late.until(({"pets": {"fido": {"species": "dog"}}}, {"open": True}))


async def test_what_was_written_without_a_bridge_is_merged_when_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "rooms.sqlite3"
    async with serving(storage=SqliteRoomStorage(path)) as server:
        for kind in KINDS:
            client = Tables(server.url, kind)
            client.store.set_cell("t", kind, "c", 1)
            async with client.provider:
                await client.flush()
    async with serving(storage=SqliteRoomStorage(path), bridge=[ROOM]) as server:
        for kind in KINDS:
            async with Tables(server.url, kind) as late:
                await late.until(({"t": {kind: {"c": 1} for kind in KINDS}}, {}))


class Gated(FaultyStorage):
    """One room's rows are not durable while the gate is shut; those of the others are at once."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._tickets: list[int] = []
        self.waiting = 0

    def append(self, room: str, update: bytes) -> int:
        ticket = super().append(room, update)
        if room == self._name:
            self._tickets.append(ticket)
        return ticket

    async def stored(self, ticket: int) -> None:
        if any(mine <= ticket for mine in self._tickets):
            self.waiting += 1
            await super().stored(ticket)
            self.waiting -= 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("slow", NAMES)
async def test_no_side_confirms_what_another_has_not_stored(slow: str, kind: str) -> None:
    storage = Gated(slow)
    async with serving(storage=storage, bridge=[ROOM]) as server, Tables(server.url, kind) as client:
        storage.writing.clear()
        client.store.set_value("x", 1)
        flushing = asyncio.create_task(client.flush())
        # All logs wait, and the answer does; or the answer has come.
        await eventually(lambda: storage.waiting >= 4 or flushing.done())
        assert not flushing.done()
        storage.writing.set()
        await flushing


async def test_a_storage_that_fails_lets_go_of_the_clients_on_all_sides() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage, bridge=[ROOM]) as server:
        async with (
            RepoClient(server.url, DOCUMENT) as one,
            YClient(server.url, ROOM) as two,
            TableClient(server.url, ROOM) as three,
        ):
            await three.flush()
            await one.synced(DOCUMENT)
            await two.synced()
            storage.refuse_writes = StorageError("the disk is full")
            with AutomergeMirror(Store(), one.documents[DOCUMENT]) as mirror:
                mirror.store.set_value("x", 1)
            with contextlib.suppress(ConnectionError):
                await one.flush(DOCUMENT)
            assert await two.wait_closed() == 1013
            assert await one.wait_closed() == 1013
            assert (await three.wait_closed())[0] == 1013
        storage.refuse_writes = None
        for kind in KINDS:
            async with Tables(server.url, kind) as late:
                await late.until(({}, {"x": 1}))  # storage had taken it in


class SlowToCompact(MemoryRoomStorage):
    """Compacting one room takes until the gate is opened."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.gate = asyncio.Event()

    async def compact(self, room: str, compactor: Compactor) -> int | None:
        if room == self._name:
            await self.gate.wait()
        return None


@pytest.mark.parametrize("slow", NAMES)
async def test_a_side_that_is_forgotten_before_the_others_is_bridged_anew(
    slow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server._core.room_log._IDLE_ROWS", 1)
    storage = SlowToCompact(slow)
    async with serving(storage=storage, bridge=[ROOM]) as server:
        async with Tables(server.url, "yjs") as client:
            client.store.set_value("x", 1)
            await client.flush()
        await eventually(lambda: open_rooms(server) == 1)
        assert server.documents is not None
        registries: list[Any] = [server.rooms, server.documents.rooms, server.mergeable.rooms]
        assert len(registries[NAMES.index(slow)]) == 1
        async with Tables(server.url, "yjs") as one, Tables(server.url, "automerge") as two:
            assert one.content == two.content == ({}, {"x": 1})
            one.store.set_value("y", 2)
            await two.until(({}, {"x": 1, "y": 2}))
            two.store.set_value("z", 3)
            await one.until(({}, {"x": 1, "y": 2, "z": 3}))
            storage.gate.set()
            await one.flush()
        await eventually(lambda: open_rooms(server) == 0)
        for kind in KINDS:
            async with Tables(server.url, kind) as late:
                assert late.content == ({}, {"x": 1, "y": 2, "z": 3})


async def test_the_hook_is_asked_about_the_room_on_each_side() -> None:
    asked: list[tuple[str, str]] = []

    def auth(request: Request) -> Allow:
        asked.append((request.protocol, request.room))
        return Allow()

    async with serving(auth=auth, bridge=[ROOM]) as server:
        for kind in KINDS:
            async with Tables(server.url, kind):
                pass
        async with YClient(server.url, "another") as client:
            await client.synced()
            assert server.documents is not None
            assert server.documents.rooms.get(storage_name(bridge_document_id("another"))) is None
    # What a client speaks that asks for a path is known by its first message only.
    tinybase = [("yjs", ROOM), ("tinybase", ROOM)]
    assert asked == [("yjs", ROOM), ("automerge", ROOM), *tinybase, ("yjs", "another")]


def test_one_name_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match="lists of strings"):
        serving(bridge=ROOM)


async def test_what_the_binding_must_not_be_given_sets_the_sides_apart_and_all_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = MemoryRoomStorage()
    async with serving(storage=storage, bridge=[ROOM]) as server:
        async with RepoClient(server.url, DOCUMENT) as repo, YClient(server.url, ROOM) as client:
            await client.synced()
            await client.send(update_frame(XML_HOOK))  # nor can this client read it: it must not ask
            await eventually(lambda: "cannot follow it and is closed" in caplog.text)
            await repo.put(DOCUMENT, a=1)
            await repo.flush(DOCUMENT)
            heads = repo.documents[DOCUMENT].heads
            await client.set(b=2)
            await eventually(lambda: storage.kept[ROOM].head == 2)
        await eventually(lambda: len(server.rooms) == 0)
        async with RepoClient(server.url, DOCUMENT) as repo, connect(f"{server.url}/{ROOM}") as reader:
            await eventually(lambda: DOCUMENT in repo.documents and repo.documents[DOCUMENT].heads == heads)
            await reader.send(b"\0\0\1\0")
            await reader.recv()
        assert caplog.text.count("is not kept equal over the protocols") == 1
