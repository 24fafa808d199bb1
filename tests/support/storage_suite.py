"""What every room storage must do, as a class of tests to subclass."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Map

from support.repoclient import put, read as read_root
from weft.documents.automerge.log import compact_changes
from weft.documents.yjs.document import create_doc
from weft.documents.yjs.log import compact_updates
from weft.mirrors import AutomergeDocument

if TYPE_CHECKING:
    from collections.abc import Callable

    from pycrdt import Doc

    from weft.documents.compaction import Compactor
    from weft.server.storage import RoomStorage


def write_updates(doc: Doc[Any], count: int, *, prefix: str = "k") -> list[bytes]:
    """Write keys into the root map ``m``, each in a transaction of its own, and return the updates."""
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    root = doc.get("m", type=Map)
    for number in range(count):
        root[f"{prefix}{number}"] = number
    doc.unobserve(subscription)
    return updates


def read(updates: list[bytes]) -> dict[str, Any]:
    """The root map ``m`` of a document made of these updates."""
    doc = create_doc()
    root = doc.get("m", type=Map)
    for update in updates:
        doc.apply_update(update)
    return dict(root.to_py() or {})


def write_changes(count: int) -> list[bytes]:
    """Write keys into an Automerge document, each in a transaction of its own, and return the changes."""
    document = AutomergeDocument()
    for number in range(count):
        put(document, **{f"k{number}": number})
    return document.changes_since(())


def read_changes(rows: list[bytes]) -> dict[str, Any]:
    """The root of an Automerge document made of these rows."""
    return read_root(AutomergeDocument.from_rows(rows))


@dataclass(frozen=True)
class Kind:
    """A kind of rooms: how to write its updates, how to read them, and what compacts them."""

    write: Callable[[int], list[bytes]]
    read: Callable[[list[bytes]], dict[str, Any]]
    compactor: Compactor


KINDS = {
    "yjs": Kind(lambda count: write_updates(create_doc(), count), read, compact_updates),
    "automerge": Kind(write_changes, read_changes, compact_changes),
}


class RoomStorageSuite:
    """Subclass it and say how to make the storage; :meth:`make` twice must give the same place."""

    @abstractmethod
    def make(self) -> RoomStorage:
        """A storage that has not been opened yet."""

    async def test_a_new_room_is_empty(self) -> None:
        async with self.make() as storage:
            assert await storage.load("never seen") == []

    async def test_what_was_appended_comes_back_byte_for_byte_and_in_order(self) -> None:
        chunks = [bytes([number % 256]) * (number % 7) + b"\0\xff" for number in range(300)]
        async with self.make() as storage:
            for chunk in chunks:
                storage.append("room", chunk)
            assert await storage.load("room") == chunks

    async def test_rooms_do_not_mix(self) -> None:
        names = [
            "a",
            "A",
            "a/b",
            "a ",
            "\u00e9",
            "e\u0301",
            "../a",
            "'; DROP TABLE rooms; --",
            "%",
            "x" * 512,
        ]
        async with self.make() as storage:
            for name in names:
                storage.append(name, name.encode())
            for name in names:
                assert await storage.load(name) == [name.encode()]

    async def test_tickets_grow(self) -> None:
        async with self.make() as storage:
            tickets = [storage.append(room, b"x") for room in "abcab"]
            assert tickets == sorted(set(tickets))
            assert tickets[0] > 0

    async def test_nothing_is_durable_at_once(self) -> None:
        async with self.make() as storage:
            await asyncio.wait_for(storage.stored(0), 1)

    async def test_what_is_stored_survives_reopening(self) -> None:
        async with self.make() as storage:
            await storage.stored(storage.append("room", b"first"))
        async with self.make() as storage:
            await storage.stored(storage.append("room", b"second"))
        async with self.make() as storage:
            assert await storage.load("room") == [b"first", b"second"]

    async def test_closing_writes_what_nobody_waited_for(self) -> None:
        async with self.make() as storage:
            for number in range(100):
                storage.append("room", bytes([number]))
        async with self.make() as storage:
            assert await storage.load("room") == [bytes([number]) for number in range(100)]

    async def test_many_wait_for_the_same_and_all_are_told(self) -> None:
        async with self.make() as storage:
            tickets = [storage.append(f"room {number % 5}", b"x") for number in range(200)]
            await asyncio.gather(*(storage.stored(ticket) for ticket in reversed(tickets)))

    async def test_who_gives_up_waiting_stops_nobody(self) -> None:
        async with self.make() as storage:
            ticket = storage.append("room", b"x")
            impatient = asyncio.create_task(storage.stored(ticket))
            patient = asyncio.create_task(storage.stored(ticket))
            await asyncio.sleep(0)
            impatient.cancel()
            await patient
            assert await storage.load("room") == [b"x"]

    async def test_a_name_that_cannot_be_encoded_is_refused_and_spoils_nothing(self) -> None:
        async with self.make() as storage:
            good = storage.append("good", b"x")
            with pytest.raises(ValueError, match="surrogates"):
                storage.append("bad \ud800", b"y")
            await storage.stored(good)
            assert await storage.load("good") == [b"x"]

    @pytest.mark.parametrize("kind", KINDS)
    async def test_compaction_changes_nothing_that_can_be_read(self, kind: str) -> None:
        room = KINDS[kind]
        updates = room.write(200)
        async with self.make() as storage:
            for update in updates:
                storage.append("room", update)
            storage.append("other", updates[0])
            await storage.compact("room", room.compactor)
            loaded = await storage.load("room")
            assert len(loaded) <= len(updates)
            assert room.read(loaded) == room.read(updates)
            assert await storage.load("other") == [updates[0]]
        async with self.make() as storage:
            assert room.read(await storage.load("room")) == room.read(updates)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_appends_during_a_compaction_survive_it(self, kind: str) -> None:
        room = KINDS[kind]
        updates = room.write(300)
        async with self.make() as storage:
            for update in updates[:200]:
                storage.append("room", update)
            compaction = asyncio.create_task(storage.compact("room", room.compactor))
            for update in updates[200:]:
                storage.append("room", update)
                await asyncio.sleep(0)
            await compaction
            assert room.read(await storage.load("room")) == room.read(updates)
