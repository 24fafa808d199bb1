"""A bridged room in several processes: everybody equal in the end, quiet then, and no edit lost."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from support.bridged import DOCUMENT, ROOM, AutomergePeer, MergeablePeer, Peer, YjsPeer, sides
from weft.documents.automerge.log import unreadable_rows
from weft.documents.mergeable.log import unreadable_rows as unreadable_mergeable_rows
from weft.documents.yjs.log_document import unreadable_updates
from weft.errors import StorageError
from weft.limits import DEFAULT_LIMITS
from weft.server import MemoryRoomStorage, RoomSettings
from weft.server._core.registry import RoomRegistry
from weft.server._core.room import RoomContext
from weft.server.automerge_repo.room import DocumentRoom, storage_name
from weft.server.bridge import Bridge, BridgedRooms
from weft.server.fanout import MemoryBroadcast, MemoryBroker
from weft.server.fanout.hub import Hub
from weft.server.tinybase.room import MergeableRoom, storage_name as mergeable_name
from weft.server.ysync.room import Room
from weft.testing.broadcast import until

if TYPE_CHECKING:
    from weft.store import Store

NAMES = (ROOM, storage_name(DOCUMENT), mergeable_name(ROOM))


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for by the clock comes twenty times as often."""
    monkeypatch.setattr("weft.server.settlement._CALM_S", 0.025)
    monkeypatch.setattr("weft.server.fanout.session.HEADS_S", 0.05)


class Process:
    """What one server has of it: the bridged room, held open."""

    def __init__(self, place: MemoryRoomStorage, broker: MemoryBroker) -> None:
        storage = MemoryRoomStorage(place)
        self.hub = Hub(MemoryBroadcast(broker), storage)
        settings = RoomSettings(unload_delay=0.0)
        context = RoomContext(
            storage=storage,
            limits=DEFAULT_LIMITS,
            settings=settings,
            clock=asyncio.get_running_loop().time,
            tell=self.hub.tell,
        )
        rooms: RoomRegistry[Room] = RoomRegistry(
            context,
            make=partial(Room, context=context),
            unreadable=unreadable_updates,
            followers=self.hub,
        )
        documents: RoomRegistry[DocumentRoom] = RoomRegistry(
            context,
            make=partial(DocumentRoom, context=context),
            unreadable=unreadable_rows,
            followers=self.hub,
        )
        mergeable: RoomRegistry[MergeableRoom] = RoomRegistry(
            context,
            make=partial(MergeableRoom, context=context),
            unreadable=unreadable_mergeable_rows,
            followers=self.hub,
        )
        self._registries = (rooms, documents, mergeable)
        self.bridged = BridgedRooms(
            [ROOM], rooms=rooms, documents=documents, mergeable=mergeable, catch_up=self.hub.catch_up
        )
        self._stack = AsyncExitStack()
        self.bridge: Bridge

    async def start(self) -> None:
        await self.hub.open()
        self.bridge = await self._stack.enter_async_context(self.bridged.use(ROOM))

    async def stop(self) -> None:
        await self._stack.aclose()
        for registry in self._registries:
            await registry.close()
        await self.hub.close()

    async def take_in(self, *made: Process) -> None:
        """Take in what these have written."""
        for each in made:
            await each.bridge.room.log.stored(each.bridge.room.log.ticket)
        await self.bridge.catch_up()

    def settle(self) -> None:
        assert self.bridge.settlement is not None
        self.bridge.settlement.settle()

    @property
    def is_settled(self) -> bool:
        intake, settlement = self.bridge.intake, self.bridge.settlement
        assert intake is not None
        assert settlement is not None
        return intake.is_empty and settlement.is_settled


class World:
    """One random run: edits on all sides, in any process, and a broker that loses what it likes."""

    def __init__(self, seed: int, processes: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.place = MemoryRoomStorage()
        self.broker = MemoryBroker()
        self.loss = self.seconds = 0.0
        self.broker.lose = lambda _channel, _message: self.rng.random() < self.loss
        self.broker.delay = lambda: self.rng.random() * self.seconds
        self.processes = [Process(self.place, self.broker) for _ in range(processes)]
        self.peers: list[tuple[Peer, Process]] = []
        self.kept: dict[tuple[str, str], int] = {}
        self.baton = 0

    async def run(self, rounds: int) -> None:
        rng = self.rng
        for process in self.processes:
            await process.start()
        kinds = (YjsPeer, AutomergePeer, MergeablePeer)
        self.peers = [(kind(), process) for process in self.processes for kind in kinds]
        for number in range(rounds):
            self.loss = rng.choice([0.0, 0.0, 0.3, 1.0])
            self.seconds = rng.choice([0.0, 0.002, 0.01])
            for _ in range(rng.randint(1, 3)):
                peer, process = rng.choice(self.peers)
                if rng.random() < 0.7:
                    peer.sync(process.bridge)
                self.edit(peer.store, number)
                self.pass_on(peer.store)
                if rng.random() < 0.8:
                    peer.sync(process.bridge)
            if rng.random() < 0.1:
                at = rng.randrange(len(self.peers))
                self.peers[at] = (self.peers[at][0], rng.choice(self.processes))
                await self.peers[at][1].bridge.catch_up()  # as when a client joins
            if rng.random() < 0.05:
                await self.restart(rng.choice(self.processes))
            await asyncio.sleep(rng.choice([0.0, 0.0, 0.001, 0.01]))
        self.loss = 0.0
        await self.end()
        for process in self.processes:
            await process.stop()

    def edit(self, store: Store, number: int) -> None:
        rng = self.rng
        row, cell = f"r{rng.randrange(3)}", f"c{rng.randrange(2)}"
        match rng.randrange(9):
            case 0 | 1:
                self.kept[row, f"k{len(self.kept)}"] = number
                store.set_cell("kept", row, f"k{len(self.kept) - 1}", number)
            case 2 | 3:
                value = rng.choice([number, number / 4, f"text {number}", True, None, [1, {"a": "é😀"}]])
                store.set_cell("churned", row, cell, value)
            case 4:
                store.set_value(cell, number)
            case 5:
                store.del_cell("churned", row, cell)
            case 6:
                store.del_row("churned", row)
            case 7:
                store.set_row("churned", row, {cell: number, "new": True})
            case 8:
                store.del_value(cell)

    def pass_on(self, store: Store) -> None:
        """Overwrite what somebody has written, having seen it: this one wins, wherever it is written."""
        if store.get_value("baton", default=0) == self.baton:
            self.baton += 1
            store.set_value("baton", self.baton)

    async def restart(self, process: Process) -> None:
        await process.stop()
        again = Process(self.place, self.broker)
        self.processes[self.processes.index(process)] = again
        self.peers = [(peer, again if where is process else where) for peer, where in self.peers]
        await again.start()

    def is_equal(self) -> bool:
        for peer, process in self.peers:
            peer.sync(process.bridge)
        contents = [peer.content for peer, _ in self.peers]
        contents += [side for process in self.processes for side in sides(process.bridge)]
        return all(content == contents[0] for content in contents)

    async def is_quiet(self) -> bool:
        """Whether everybody has all that is stored, and nobody has anything left to do."""
        heads = await self.place.heads(NAMES)
        for process in self.processes:
            await process.hub.catch_up(NAMES)
        return (
            all(process.is_settled for process in self.processes)
            and self.is_equal()
            and await self.place.heads(NAMES) == heads
        )

    async def end(self) -> None:
        try:
            async with asyncio.timeout(20):
                while not await self.is_quiet():  # noqa: ASYNC110 - the code under test sets no event
                    await asyncio.sleep(0.01)
        except TimeoutError:
            found = [sides(process.bridge) for process in self.processes]
            contents = [peer.content for peer, _ in self.peers]
            raise AssertionError(f"seed {self.seed}: {found}, {contents}") from None
        store = self.peers[0][0].store
        lost = {at for at, value in self.kept.items() if store.get_cell("kept", *at) != value}
        assert not lost, f"seed {self.seed}"
        assert store.get_value("baton") == self.baton, f"seed {self.seed}"
        assert all(peer.errors == [] for peer, _ in self.peers), f"seed {self.seed}"


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("first", [0, 10])
async def test_processes_agree_and_lose_nothing(processes: int, first: int) -> None:
    """The seeds are the test's parameter and the five after it."""
    await asyncio.gather(*(World(seed, processes).run(40) for seed in range(first, first + 6)))


@pytest.mark.long
@pytest.mark.parametrize("first", range(1_000, 2_800, 6))
async def test_processes_agree_and_lose_nothing_300_times_over(first: int) -> None:
    """The seeds are the test's parameter and the five after it."""
    await asyncio.gather(*(World(seed, 2 + seed % 2).run(40) for seed in range(first, first + 6)))


@pytest.mark.parametrize("later", [5, None])
async def test_of_a_write_and_a_deletion_in_two_processes_the_later_stands(later: int | None) -> None:
    place, broker = MemoryRoomStorage(), MemoryBroker()
    made = [Process(place, broker) for _ in range(2)]
    for process in made:
        await process.start()
    ahead = MergeablePeer(get_now=lambda: time.time() * 1000 + 60_000)
    yjs = YjsPeer()
    yjs.store.set_row("t", "r", {"c": 1, "other": 1})
    yjs.sync(made[0].bridge)
    expected: tuple[Any, Any] = {"t": {"r": {"c": 1, "other": 1}}}, {}
    await until(lambda: sides(made[1].bridge) == (expected,) * 3)
    ahead.sync(made[1].bridge)
    # At once: neither process has heard of the other's.
    if later is None:
        ahead.store.del_cell("t", "r", "c")
        yjs.store.set_cell("t", "r", "c", 2)
        del expected[0]["t"]["r"]["c"]
    else:
        ahead.store.set_cell("t", "r", "c", later)
        yjs.store.del_cell("t", "r", "c")
        expected[0]["t"]["r"]["c"] = later
    yjs.sync(made[0].bridge)
    ahead.sync(made[1].bridge)
    for process in made:
        await until(lambda process=process: sides(process.bridge) == (expected,) * 3)  # type: ignore[misc]
        await until(lambda process=process: process.is_settled)  # type: ignore[misc]
    heads = await place.heads(NAMES)
    for process in made:
        await process.hub.catch_up(NAMES)
        assert process.is_settled
    assert await place.heads(NAMES) == heads
    for process in made:
        await process.stop()


async def test_what_was_decided_in_ignorance_does_not_beat_who_has_seen_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which of two Yjs and Automerge let win is random: so several times."""
    for name in ("settlement._CALM_S", "fanout.session.HEADS_S"):
        monkeypatch.setattr(f"weft.server.{name}", 60.0)
    for _ in range(8):
        place, broker = MemoryRoomStorage(), MemoryBroker()
        broker.lose = lambda _channel, _message: True
        one, two = made = [Process(place, broker) for _ in range(2)]
        for process in made:
            await process.start()

        yjs, ahead = YjsPeer(), MergeablePeer(get_now=lambda: time.time() * 1000 + 60_000)
        yjs.store.set_value("v", 1)
        yjs.sync(one.bridge)
        await two.take_in(*made)
        ahead.sync(two.bridge)
        yjs.store.set_value("v", 2)
        yjs.sync(one.bridge)
        ahead.store.set_value("v", 3)
        ahead.sync(two.bridge)
        await two.take_in(*made)
        await one.take_in(*made)
        one.settle()
        yjs.sync(one.bridge)
        assert yjs.store.get_value("v") == 3
        yjs.store.set_value("v", 4)
        yjs.sync(one.bridge)
        two.settle()
        for process in (one, two, one, two):
            await process.take_in(*made)
            process.settle()
        for process in made:
            assert sides(process.bridge) == (({}, {"v": 4}),) * 3
            await process.stop()


async def test_a_room_that_is_deleted_is_so_on_all_sides_in_every_process() -> None:
    place, broker = MemoryRoomStorage(), MemoryBroker()
    made = [Process(place, broker) for _ in range(2)]
    for process in made:
        await process.start()
    peer = YjsPeer()
    peer.store.set_value("x", 1)
    peer.sync(made[0].bridge)
    await until(lambda: sides(made[1].bridge) == (({}, {"x": 1}),) * 3)
    ended: list[str] = []
    for process in made:
        process.bridge.document.document.on_close(lambda what, _: ended.append(what))
    await place.delete(ROOM)
    await until(lambda: len(ended) == 2)
    for process in made:
        with pytest.raises(StorageError, match="deleted"):
            async with process.bridged.use(ROOM):
                pass
        await process.stop()
