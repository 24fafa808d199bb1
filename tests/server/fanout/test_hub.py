"""The hub on a broker in memory and a storage in memory that several processes share.

The real ones, in real processes, are in tests/server/test_processes.py.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from weft.errors import RemoteProtocolError, StorageError
from weft.server.fanout import MemoryBroadcast, MemoryBroker
from weft.server.fanout.hub import Hub
from weft.testing.broadcast import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence


@dataclass
class Found:
    rows: list[bytes]
    numbers: list[int]
    head: int


@dataclass
class Place:
    """What is stored, for all processes."""

    rooms: dict[str, list[bytes]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    is_away: bool = False


class Shared:
    """One process's storage."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.listeners: list[Callable[[str, int, Sequence[bytes]], None]] = []
        self.reads = 0

    def commit(self, room: str, *updates: bytes, tell: bool = True) -> None:
        rows = self.place.rooms.setdefault(room, [])
        first = len(rows) + 1
        rows.extend(updates)
        for listener in self.listeners if tell else ():
            listener(room, first, updates)

    async def since(self, room: str, number: int) -> Found:
        await asyncio.sleep(0)
        if self.place.is_away:
            raise StorageError("away")
        self.reads += 1
        rows = self.place.rooms.get(room, [])
        return Found(rows[number:], list(range(number + 1, len(rows) + 1)), len(rows))

    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        if self.place.is_away:
            raise StorageError("away")
        return {
            room: -1 if room in self.place.deleted else len(self.place.rooms[room])
            for room in rooms
            if room in self.place.rooms
        }

    def on_commit(self, listener: Callable[[str, int, Sequence[bytes]], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


class Room:
    """A room that writes down what it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.updates: list[bytes] = []
        self.heard: list[tuple[bytes, bytes]] = []
        self.forgotten: list[bytes] = []
        self.words: bytes | None = None
        self.is_deleted = False
        self.is_busy = False

    def take_in(self, updates: Sequence[bytes], numbers: Sequence[int]) -> None:
        assert len(updates) == len(numbers)
        if b"bad" in updates:
            raise RemoteProtocolError("bad")
        if self.is_busy:
            raise RuntimeError("busy")
        self.updates += updates

    def hear(self, sender: bytes, data: bytes) -> None:
        self.heard.append((sender, data))

    def own_words(self) -> Sequence[bytes]:
        return () if self.words is None else (self.words,)

    def forget(self, sender: bytes) -> None:
        self.forgotten.append(sender)

    def deleted(self) -> None:
        self.is_deleted = True


@dataclass
class Process:
    storage: Shared
    hub: Hub

    async def open(self, name: str) -> Room:
        await self.hub.subscribe(name)
        found = await self.storage.since(name, 0)
        room = Room(name)
        room.updates += found.rows
        self.hub.join(room, found.head)
        return room


@asynccontextmanager
async def processes(
    count: int, *, broker: MemoryBroker | None = None
) -> AsyncIterator[tuple[MemoryBroker, Place, list[Process]]]:
    broker = broker or MemoryBroker()
    place = Place()
    made = []
    for _ in range(count):
        storage = Shared(place)
        made.append(Process(storage, Hub(MemoryBroadcast(broker), storage)))
        await made[-1].hub.open()
    try:
        yield broker, place, made
    finally:
        for process in made:
            await process.hub.close()


async def test_what_one_commits_the_others_take_in() -> None:
    async with processes(3) as (_, _, (one, two, three)):
        rooms = [await process.open("farm") for process in (one, two, three)]
        one.storage.commit("farm", b"1", b"2")
        two.storage.commit("farm", b"3")
        await until(lambda: rooms[2].updates == [b"1", b"2", b"3"])
        await until(lambda: rooms[1].updates == [b"1", b"2"])
        assert rooms[0].updates == [b"3"]
        assert one.hub.stats.hints == 1
        assert all(process.hub.stats.fetched == 0 for process in (one, two, three))


async def test_rooms_are_apart() -> None:
    async with processes(2) as (_, _, (one, two)):
        farm, barn = await two.open("farm"), await two.open("barn")
        one.storage.commit("farm", b"1")
        await until(lambda: farm.updates == [b"1"])
        assert barn.updates == []


async def test_a_hole_is_fetched() -> None:
    async with processes(2) as (broker, _, (one, two)):
        room = await two.open("farm")
        broker.lose = lambda _channel, _message: True
        one.storage.commit("farm", b"1")
        await asyncio.sleep(0)
        broker.lose = lambda _channel, _message: False
        one.storage.commit("farm", b"2")
        await until(lambda: room.updates == [b"1", b"2"])
        assert (two.hub.stats.holes, two.hub.stats.fetched) == (1, 2)


async def test_a_commit_that_was_never_told_is_found() -> None:
    async with processes(2) as (_, _, (one, two)):
        room = await two.open("farm")
        one.storage.commit("farm", b"1", tell=False)  # killed between commit and publish
        await until(lambda: room.updates == [b"1"])


async def test_what_is_too_large_for_a_hint_is_fetched() -> None:
    async with processes(2) as (_, _, (one, two)):
        room = await two.open("farm")
        big = bytes(300 * 1024)
        one.storage.commit("farm", big, b"2")
        await until(lambda: room.updates == [big, b"2"])


async def test_without_a_broker_nothing_is_lost() -> None:
    async with processes(2) as (broker, _, (one, two)):
        room = await two.open("farm")
        broker.stop()
        assert not two.hub.is_connected
        one.storage.commit("farm", b"1")
        await until(lambda: room.updates == [b"1"])
        broker.start()
        one.storage.commit("farm", b"2")
        await until(lambda: room.updates == [b"1", b"2"])
        assert two.hub.stats.hints == 1


async def test_a_broker_that_comes_later_is_enough() -> None:
    broker = MemoryBroker()
    broker.stop()
    async with processes(2, broker=broker) as (_, _, (one, two)):
        room = await two.open("farm")
        broker.start()
        one.storage.commit("farm", b"1")
        await until(lambda: two.hub.stats.hints == 1 and room.updates == [b"1"])


async def test_storage_that_is_away_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async with processes(2) as (broker, place, (one, two)):
        room = await two.open("farm")
        broker.lose = lambda _channel, _message: True
        one.storage.commit("farm", b"1")
        place.is_away = True
        await until(lambda: "cannot be read" in caplog.text)
        place.is_away = False
        await until(lambda: room.updates == [b"1"])
    assert caplog.text.count("cannot be read") == 1


async def test_a_room_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async with processes(2) as (_, _, (one, two)):
        farm, barn = await two.open("farm"), await two.open("barn")
        one.storage.commit("farm", b"bad")
        one.storage.commit("barn", b"1")
        one.storage.commit("farm", b"2")
        await until(lambda: barn.updates == [b"1"] and farm.updates == [b"2"])
    assert "room 'farm'" in caplog.text


async def test_what_a_room_cannot_take_in_now_is_given_again(caplog: pytest.LogCaptureFixture) -> None:
    async with processes(2) as (_, _, (one, two)):
        room = await two.open("farm")
        room.is_busy = True
        one.storage.commit("farm", b"1")
        await until(lambda: "tried again each second" in caplog.text)
        one.storage.commit("farm", b"2")
        await until(lambda: two.hub.stats.hints == 2)
        room.is_busy = False
        await until(lambda: room.updates == [b"1", b"2"])
    assert caplog.text.count("tried again each second") == 1


async def test_who_opens_a_room_hears_what_clients_elsewhere_say() -> None:
    async with processes(3) as (_, _, (one, two, three)):
        first, second = await one.open("farm"), await two.open("farm")
        first.words, second.words = b"Ada", None
        third = await three.open("farm")
        await until(lambda: (one.hub.sender, b"Ada") in third.heard)
        two.hub.tell("farm", b"Bob")
        await until(lambda: (two.hub.sender, b"Bob") in third.heard)
        assert (two.hub.sender, b"Bob") in first.heard


async def test_a_room_that_cannot_say_what_its_clients_say_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with processes(2) as (_, _, (one, two)):
        first = await one.open("farm")
        first.own_words = None  # type: ignore[method-assign, assignment]
        second = await two.open("farm")
        await until(lambda: "room 'farm'" in caplog.text)
        one.storage.commit("farm", b"1", tell=False)
        two.storage.commit("farm", b"2", tell=False)
        await until(lambda: set(first.updates) == set(second.updates) == {b"1", b"2"})


async def test_after_the_broker_was_away_everybody_is_heard_again() -> None:
    async with processes(2) as (broker, _, (one, two)):
        first, second = await one.open("farm"), await two.open("farm")
        broker.stop()
        first.words = b"Ada"
        broker.start()
        await until(lambda: (one.hub.sender, b"Ada") in second.heard)


async def test_a_process_that_ends_is_forgotten() -> None:
    async with processes(2) as (_, _, (one, two)):
        room = await two.open("farm")
        await until(lambda: two.hub.stats.processes == 1)
        await one.hub.close()
        await until(lambda: room.forgotten == [one.hub.sender])


async def test_a_process_that_is_silent_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"SILENT_S": 0.5, "BEAT_S": 0.02, "HEADS_S": 0.02}.items():
        monkeypatch.setattr(f"weft.server.fanout.session.{name}", seconds)
    async with processes(2) as (broker, _, (one, two)):
        room = await two.open("farm")
        await until(lambda: two.hub.stats.processes == 1)
        broker.lose = lambda _channel, _message: True
        await until(lambda: room.forgotten == [one.hub.sender])


async def test_a_room_that_is_deleted_is_told() -> None:
    async with processes(2) as (_, place, (one, two)):
        room = await two.open("farm")
        one.storage.commit("farm", b"1")
        place.deleted.add("farm")
        await until(lambda: room.is_deleted)


async def test_messages_of_another_version_are_left(caplog: pytest.LogCaptureFixture) -> None:
    async with processes(1) as (broker, _, (one,)):
        room = await one.open("farm")
        for _ in range(3):
            broker.send("room:farm", b"\x02\x01 something of a later version")
        await until(lambda: one.hub.stats.unreadable == 3)
        assert room.updates == []
    assert caplog.text.count("another version") == 1


@pytest.mark.parametrize("seed", range(10))
async def test_with_any_losses_everybody_ends_equal(seed: int) -> None:
    rng = random.Random(seed)
    async with processes(3) as (broker, place, made):
        rooms = [await process.open("farm") for process in made]
        broker.lose = lambda _channel, _message: rng.random() < 0.4
        own: list[set[bytes]] = [set() for _ in made]
        for number in range(100):
            at = rng.randrange(3)
            update = f"{seed} {number}".encode()
            own[at].add(update)
            made[at].storage.commit("farm", update, tell=rng.random() < 0.9)
            if rng.random() < 0.3:
                await asyncio.sleep(0)
        for at, room in enumerate(rooms):
            wanted = [update for update in place.rooms["farm"] if update not in own[at]]
            await until(lambda room=room, wanted=wanted: set(wanted) <= set(room.updates))  # type: ignore[misc]
            assert [update for update in room.updates if update not in own[at]] == wanted, f"seed {seed}"


async def test_who_catches_up_has_been_given_all_there_was_at_one_moment() -> None:
    async with processes(2) as (broker, place, (one, two)):
        rooms = [await two.open(name) for name in ("farm", "barn")]
        broker.lose = lambda _channel, _message: True
        one.storage.commit("farm", b"1", b"2")
        one.storage.commit("barn", b"3")
        assert await two.hub.catch_up(["farm", "barn", "nothing yet"]) == {"farm": 2, "barn": 1}
        assert [room.updates for room in rooms] == [[b"1", b"2"], [b"3"]]
        place.is_away = True
        with pytest.raises(StorageError, match="away"):
            await two.hub.catch_up(["farm"])
