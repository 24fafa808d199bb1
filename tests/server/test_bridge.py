"""One room over both protocols: convergence and healing without sockets, and the rest over real ones."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Map
from websockets.asyncio.client import connect

from support.bridged import DOCUMENT, KINDS, ROOM, AutomergePeer, Tables, YjsPeer, sides
from support.repoclient import RepoClient
from support.servers import FaultyStorage, eventually, serving
from support.yclient import YClient, update_frame
from support.ywriter import section, update
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.errors import StorageError
from weft.limits import DEFAULT_LIMITS
from weft.mirrors import AutomergeMirror
from weft.server import MemoryRoomStorage, RoomSettings, SqliteRoomStorage, bridge_document_id
from weft.server._core.room import RoomContext
from weft.server.auth import Allow, Request
from weft.server.automerge_repo.room import DocumentRoom, storage_name
from weft.server.bridge import Bridge
from weft.server.ysync.room import Room
from weft.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from weft.documents.compaction import Compactor
    from weft.server.storage import RoomStorage

Content = tuple[Any, Any]

XML_HOOK = update(
    section(9, 0, b"\x07\x01\x01x\x05\x04hook")
)  # Yjs reads it, and the binding would misread it


# Without sockets: a server's rooms, and peers that are offline when they are not being synced


def open_bridge(storage: RoomStorage, yjs: list[bytes], automerge: list[bytes]) -> Bridge:
    context = RoomContext(storage=storage, limits=DEFAULT_LIMITS, settings=RoomSettings(), clock=lambda: 0.0)
    room = Room(ROOM, yjs, lambda _: None, context)
    document = DocumentRoom(storage_name(DOCUMENT), automerge, lambda _: None, context)
    return Bridge(room, document)


@dataclass
class World:
    """One random run: edits at four peers, syncs in any order, and servers that crash between two writes."""

    seed: int
    kept: dict[tuple[str, str], int] = field(default_factory=dict)  # row and cell that nobody ever deletes

    async def run(self, rounds: int) -> None:
        rng = random.Random(self.seed)
        storage = MemoryRoomStorage()
        bridge = open_bridge(storage, [], [])
        peers: list[YjsPeer | AutomergePeer] = [YjsPeer(), AutomergePeer(), YjsPeer(), AutomergePeer()]
        for round_ in range(rounds):
            for _ in range(rng.randint(1, 4)):
                self.edit(rng, rng.choice(peers).store, round_)
            for peer in rng.sample(peers, rng.randint(0, 4)):
                peer.sync(bridge)
                yjs, automerge = sides(bridge)
                assert yjs == automerge, f"seed {self.seed}, round {round_}"
            if rng.random() < 0.1:
                bridge = await self.crash(rng, storage, bridge)
        for peer in (*peers, *peers):
            peer.sync(bridge)
        yjs, automerge = sides(bridge)
        for peer in peers:
            assert peer.content == yjs == automerge, f"seed {self.seed}"
            assert peer.errors == []
            # Nothing was lost on the way.
            for (row, cell), value in self.kept.items():
                assert peer.store.get_cell("kept", row, cell) == value, f"seed {self.seed}, {row}/{cell}"
        bridge.room.close()
        bridge.document.close()

    async def crash(self, rng: random.Random, storage: MemoryRoomStorage, bridge: Bridge) -> Bridge:
        """End the server, after the last rows of one side were not written; and start it again."""
        await bridge.room.log.settle()
        await bridge.document.log.settle()
        bridge.room.close()
        bridge.document.close()
        keys = [ROOM, storage_name(DOCUMENT)]
        lost = rng.choice(keys)
        rows = storage.kept[lost].rows if lost in storage.kept else {}
        for _ in range(min(len(rows), rng.randint(0, 2))):
            rows.popitem()
        again = open_bridge(storage, (await storage.load(keys[0])).rows, (await storage.load(keys[1])).rows)
        yjs, automerge = sides(again)
        assert yjs == automerge, f"seed {self.seed}: not healed"
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
async def test_peers_of_both_kinds_converge_and_lose_nothing(seed: int) -> None:
    """The seed is the test's parameter."""
    await World(seed).run(30)


async def test_one_change_is_one_change_on_either_side_and_no_more() -> None:
    bridge = open_bridge(MemoryRoomStorage(), [], [])
    yjs, automerge = YjsPeer(), AutomergePeer()
    for writer, other in ((yjs, automerge), (automerge, yjs)):
        for peer in (writer, other):
            peer.sync(bridge)
        writer.store.set_cell("t", "r", "c", id(writer))
        before = (bridge.room.log.rows, bridge.document.log.rows)
        for peer in (writer, other, writer, other):
            peer.sync(bridge)
        assert (bridge.room.log.rows, bridge.document.log.rows) == (before[0] + 1, before[1] + 1)
        assert other.content == writer.content == ({"t": {"r": {"c": id(writer)}}}, {})
    bridge.room.close()
    bridge.document.close()


async def test_what_only_one_side_holds_stays_there() -> None:
    bridge = open_bridge(MemoryRoomStorage(), [], [])
    yjs, automerge = YjsPeer(), AutomergePeer()
    yjs.doc.get("notes", type=Map)["alone"] = 1
    with automerge.document.transaction() as transaction:
        transaction.put(ROOT, "alone", ScalarType.Int, 1)
    automerge.store.set_value("both", 1)
    for peer in (yjs, automerge, yjs):
        peer.sync(bridge)
    assert yjs.content == ({}, {"both": 1})
    assert bridge.document.document.core.keys(ROOT) == ["alone", "tinybase"]
    bridge.room.close()
    bridge.document.close()


# Over real sockets


@pytest.mark.parametrize("first", KINDS)
async def test_clients_of_both_kinds_share_the_room_whoever_comes_first(first: str, tmp_path: Path) -> None:
    path = tmp_path / "rooms.sqlite3"
    second = next(kind for kind in KINDS if kind != first)
    async with serving(storage=SqliteRoomStorage(path), bridge=[ROOM]) as server:
        async with Tables(server.url, first) as one, Tables(server.url, second) as two:
            one.store.set_row("pets", "fido", {"species": "dog", "weight": 12.5})
            await two.until(({"pets": {"fido": {"species": "dog", "weight": 12.5}}}, {}))
            two.store.set_cell("pets", "fido", "weight", 13)
            two.store.set_value("open", True)
            expected = ({"pets": {"fido": {"species": "dog", "weight": 13}}}, {"open": True})
            await one.until(expected)
            await one.flush()
        documents = server.documents
        assert documents is not None
        await eventually(lambda: len(server.rooms) + len(documents.rooms) == 0)
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
                await late.until(({"t": {"yjs": {"c": 1}, "automerge": {"c": 1}}}, {}))


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
@pytest.mark.parametrize("slow", [ROOM, storage_name(DOCUMENT)])
async def test_neither_side_confirms_what_the_other_has_not_stored(slow: str, kind: str) -> None:
    storage = Gated(slow)
    async with serving(storage=storage, bridge=[ROOM]) as server, Tables(server.url, kind) as client:
        storage.writing.clear()
        client.store.set_value("x", 1)
        flushing = asyncio.create_task(client.flush())
        # Both logs wait, and the answer does; or the answer has come.
        await eventually(lambda: storage.waiting >= 3 or flushing.done())
        assert not flushing.done()
        storage.writing.set()
        await flushing


async def test_a_storage_that_fails_lets_go_of_the_clients_on_both_sides() -> None:
    storage = FaultyStorage()
    async with serving(storage=storage, bridge=[ROOM]) as server:
        async with RepoClient(server.url, DOCUMENT) as one, YClient(server.url, ROOM) as two:
            await one.synced(DOCUMENT)
            await two.synced()
            storage.refuse_writes = StorageError("the disk is full")
            with AutomergeMirror(Store(), one.documents[DOCUMENT]) as mirror:
                mirror.store.set_value("x", 1)
            with contextlib.suppress(ConnectionError):
                await one.flush(DOCUMENT)
            assert await two.wait_closed() == 1013
            assert await one.wait_closed() == 1013
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


@pytest.mark.parametrize("slow", [ROOM, storage_name(DOCUMENT)])
async def test_a_side_that_is_forgotten_before_the_other_is_bridged_anew(
    slow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server._core.room_log._IDLE_ROWS", 1)
    storage = SlowToCompact(slow)
    async with serving(storage=storage, bridge=[ROOM]) as server:
        documents = server.documents
        assert documents is not None
        async with Tables(server.url, "yjs") as client:
            client.store.set_value("x", 1)
            await client.flush()
        registries: dict[str, Any] = {ROOM: server.rooms, storage_name(DOCUMENT): documents.rooms}
        (other,) = registries.keys() - {slow}
        await eventually(lambda: len(registries[other]) == 0)
        assert len(registries[slow]) == 1
        async with Tables(server.url, "yjs") as one, Tables(server.url, "automerge") as two:
            assert one.content == two.content == ({}, {"x": 1})
            one.store.set_value("y", 2)
            await two.until(({}, {"x": 1, "y": 2}))
            two.store.set_value("z", 3)
            await one.until(({}, {"x": 1, "y": 2, "z": 3}))
            storage.gate.set()
            await one.flush()
        await eventually(lambda: len(server.rooms) + len(documents.rooms) == 0)
        async with Tables(server.url, "automerge") as late:
            assert late.content == ({}, {"x": 1, "y": 2, "z": 3})


async def test_the_hook_is_asked_about_the_room_on_either_side() -> None:
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
    assert asked == [("yjs", ROOM), ("automerge", ROOM), ("yjs", "another")]


def test_one_name_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match="lists of strings"):
        serving(bridge=ROOM)


async def test_what_the_binding_must_not_be_given_sets_the_two_sides_apart_and_both_go_on(
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
        assert caplog.text.count("is not kept equal with its Automerge") == 1
