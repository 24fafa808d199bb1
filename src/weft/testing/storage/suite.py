"""The storage suite: order, durability, numbers, compaction, and the life of rooms."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from weft.documents.compaction import Compacted
from weft.errors import RemoteProtocolError, RoomDeletedError, StorageError
from weft.server.storage import DELETED, QuarantinedRow, RoomInfo
from weft.testing.storage.hooks import StorageHooks, join_updates, read_updates, write_updates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.server.storage import RoomStorage

__all__ = ["StorageSuite", "join_updates"]


async def fill(storage: RoomStorage, room: str, updates: Sequence[bytes]) -> None:
    """Append updates, and wait until they are stored."""
    for update in updates:
        ticket = storage.append(room, update)
    await storage.stored(ticket)


class StorageSuite(StorageHooks):
    """The tests that every storage passes; see :mod:`weft.testing.storage`."""

    async def test_a_new_room_is_empty(self) -> None:
        async with self.make() as storage:
            stored = await storage.load("never seen")
            assert (stored.rows, stored.numbers, stored.head, stored.settings) == ([], [], 0, {})

    async def test_what_was_appended_comes_back_byte_for_byte_and_in_order(self) -> None:
        chunks = [bytes([number % 256]) * (number % 7) + b"\0\xff" for number in range(300)]
        async with self.make() as storage:
            for chunk in [*chunks, bytes(3_000_000)]:
                storage.append("room", chunk)
            assert (await storage.load("room")).rows == [*chunks, bytes(3_000_000)]

    async def test_rooms_do_not_mix(self) -> None:
        names = [
            *("a", "A", "a/b", "a ", "\u00e9", "e\u0301", "../a", "'; DROP TABLE rooms; --", "%"),
            *("\x1fautomerge:a", "x" * 512),
        ]
        async with self.make() as storage:
            for name in names:
                storage.append(name, name.encode())
            for name in names:
                assert (await storage.load(name)).rows == [name.encode()]

    async def test_a_probe_leaves_everything_as_it_is(self) -> None:
        async with self.make() as storage:
            await storage.probe()
            assert await storage.rooms() == []
            await storage.stored(storage.append("room", b"x"))
            for _ in range(3):
                await storage.probe()
            stored = await storage.load("room")
            assert (stored.rows, stored.head) == ([b"x"], 1)

    async def test_tickets_grow(self) -> None:
        async with self.make() as storage:
            tickets = [storage.append(room, b"x") for room in "abcab"]
            assert tickets == sorted(set(tickets))
            assert tickets[0] > 0

    async def test_nothing_is_durable_at_once(self) -> None:
        async with self.make() as storage:
            await asyncio.wait_for(storage.stored(0), 1)

    async def test_what_is_stored_survives_reopening(self) -> None:
        for at, update in enumerate([b"first", b"second", b"third"]):
            async with self.make() as storage:
                assert (await storage.load("room")).head == at
                await storage.stored(storage.append("room", update))
        async with self.make() as storage:
            stored = await storage.load("room")
            assert (stored.rows, stored.numbers) == ([b"first", b"second", b"third"], [1, 2, 3])

    async def test_closing_writes_what_nobody_waited_for(self) -> None:
        async with self.make() as storage:
            for number in range(100):
                storage.append("room", bytes([number]))
        async with self.make() as storage:
            assert (await storage.load("room")).rows == [bytes([number]) for number in range(100)]

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
            assert (await storage.load("room")).rows == [b"x"]

    async def test_a_name_that_cannot_be_encoded_is_refused_and_spoils_nothing(self) -> None:
        async with self.make() as storage:
            good = storage.append("good", b"x")
            with pytest.raises(ValueError, match="surrogates"):
                storage.append("bad \ud800", b"y")
            await storage.stored(good)
            assert (await storage.load("good")).rows == [b"x"]

    # -- numbers -----------------------------------------------------------------------------------------

    async def test_numbers_begin_with_one_and_have_no_holes_whatever_other_rooms_get(self) -> None:
        async with self.make() as storage:
            for number in range(30):
                for room in ("a", "b", "c")[: number % 3 + 1]:
                    storage.append(room, b"x")
                await asyncio.sleep(0)
            for room, count in (("a", 30), ("b", 20), ("c", 10)):
                stored = await storage.load(room)
                assert (stored.numbers, stored.head) == (list(range(1, count + 1)), count)

    async def test_what_a_follower_lacks_is_what_is_beyond_its_number(self) -> None:
        updates = write_updates(10)
        async with self.make() as storage:
            await fill(storage, "room", updates)
            for number in range(11):
                stored = await storage.since("room", number)
                assert stored.rows == updates[number:]
                assert stored.numbers == list(range(number + 1, 11))
                assert stored.head == 10

    async def test_heads_are_those_of_the_rooms_that_there_are(self) -> None:
        async with self.make() as storage:
            await fill(storage, "a", write_updates(3))
            await fill(storage, "b", write_updates(5))
            assert await storage.heads(["b", "never seen", "a"]) == {"a": 3, "b": 5}
            assert await storage.heads([]) == {}

    async def test_who_listens_hears_of_each_commit_with_its_numbers(self) -> None:
        heard: list[tuple[str, int, bytes]] = []

        def listen(room: str, number: int, updates: Sequence[bytes]) -> None:
            heard.extend((room, at, update) for at, update in enumerate(updates, number))

        def fail(*_: object) -> None:
            raise ValueError("a listener that fails")

        async with self.make() as storage:
            await fill(storage, "a", write_updates(2))
            stop = storage.on_commit(listen)
            storage.on_commit(fail)
            await fill(storage, "a", write_updates(5, 2))
            await fill(storage, "b", write_updates(2))
            await fill(storage, "a", write_updates(1, 7))
            await asyncio.sleep(0)
            stop()
            await fill(storage, "a", write_updates(1, 8))
            for room, first in (("a", 3), ("b", 1)):
                stored = await storage.since(room, first - 1)
                told = [(number, update) for name, number, update in heard if name == room]
                assert told == [*zip(stored.numbers, stored.rows, strict=True)][: len(told)]
            assert len(heard) == 8

    # -- compaction --------------------------------------------------------------------------------------

    async def test_a_compaction_leaves_a_snapshot_with_the_last_number(self) -> None:
        updates = write_updates(20)
        async with self.make() as storage:
            await fill(storage, "room", updates)
            await fill(storage, "other", updates)
            assert await storage.compact("room", join_updates) == sum(map(len, updates))
            stored = await storage.load("room")
            assert (stored.rows, stored.numbers, stored.head) == ([b"".join(updates)], [20], 20)
            assert (await storage.since("room", 7)).rows == stored.rows  # it lacks a part of the snapshot
            assert (await storage.since("room", 20)).rows == []
            assert (await storage.load("other")).rows == updates
            await fill(storage, "room", write_updates(1, 20))
            assert (await storage.load("room")).numbers == [20, 21]
        async with self.make() as storage:
            stored = await storage.load("room")
            assert (stored.numbers, stored.head) == ([20, 21], 21)
            assert read_updates(stored.rows) == write_updates(21)
            assert await storage.compact("room", join_updates) is not None
            assert (await storage.load("room")).numbers == [21]

    @pytest.mark.parametrize("kept", [{2, 5}, {9}, {0}, {0, 1, 2}])
    async def test_a_compaction_keeps_what_has_to_stay(self, kept: set[int]) -> None:
        updates = write_updates(10)
        rest = [update for at, update in enumerate(updates) if at not in kept]
        async with self.make() as storage:
            await fill(storage, "room", updates)
            left = await storage.compact("room", lambda _: Compacted(b"".join(rest), frozenset(kept)))
            stored = await storage.load("room")
            assert left == sum(map(len, stored.rows))
            assert sorted(read_updates(stored.rows)) == updates
            assert stored.head == 10
            for number in range(11):
                got = read_updates((await storage.since("room", number)).rows)
                assert set(updates[number:]) <= set(got)
            await fill(storage, "room", write_updates(1, 10))
            await storage.compact("room", join_updates)
            assert sorted(read_updates((await storage.load("room")).rows)) == sorted(write_updates(11))

    async def test_a_compaction_that_is_not_worth_it_changes_nothing(self) -> None:
        async with self.make() as storage:
            await fill(storage, "one", [b"x;"])
            assert await storage.compact("one", join_updates) is None
            assert await storage.compact("none", join_updates) is None
            await fill(storage, "two", [b"x;", b"y;"])
            assert await storage.compact("two", lambda _: None) is None
            assert (await storage.load("two")).numbers == [1, 2]

    async def test_what_is_no_update_stops_the_compaction_and_stays(self) -> None:
        def refuse(_: Sequence[bytes]) -> Compacted:
            raise RemoteProtocolError("no update")

        async with self.make() as storage:
            await fill(storage, "room", [b"x", b"y"])
            with pytest.raises(StorageError, match="not an update"):
                await storage.compact("room", refuse)
            assert (await storage.load("room")).rows == [b"x", b"y"]

    async def test_appends_during_a_compaction_survive_it(self) -> None:
        updates = write_updates(300)
        async with self.make() as storage:
            for update in updates[:200]:
                storage.append("room", update)
            compaction = asyncio.create_task(storage.compact("room", join_updates))
            for update in updates[200:]:
                storage.append("room", update)
                await asyncio.sleep(0)
            await compaction
            stored = await storage.load("room")
            assert read_updates(stored.rows) == updates
            assert stored.head == 300

    # -- quarantine --------------------------------------------------------------------------------------

    async def test_a_row_that_is_set_aside_is_kept_and_the_others_keep_their_numbers(self) -> None:
        async with self.make() as storage:
            await fill(storage, "room", write_updates(5))
            await storage.set_aside("room", {2: "no update", 4: "nor this: é", 9: "not there"})
        async with self.make() as storage:
            stored = await storage.load("room")
            assert (stored.numbers, stored.head) == ([1, 3, 5], 5)
            assert stored.rows == [b"0;", b"2;", b"4;"]
            assert (await storage.since("room", 1)).numbers == [3, 5]
            aside = [
                QuarantinedRow("room", 2, "no update", b"1;"),
                QuarantinedRow("room", 4, "nor this: é", b"3;"),
            ]
            assert await storage.quarantined() == await storage.quarantined("room") == aside
            assert await storage.quarantined("other") == []
            await fill(storage, "room", write_updates(1, 5))
            assert (await storage.load("room")).numbers == [1, 3, 5, 6]
            await storage.compact("room", join_updates)
            assert (await storage.load("room")).numbers == [6]
            assert await storage.quarantined() == aside

    async def test_what_is_discarded_is_gone_and_no_more(self) -> None:
        async with self.make() as storage:
            await fill(storage, "room", write_updates(5))
            await storage.set_aside("room", dict.fromkeys((2, 4, 5), "bad"))
            assert await storage.discard("never seen", [1]) == 0
            assert await storage.discard("room", []) == 0
            assert await storage.discard("room", [1, 2, 5, 5]) == 2
        async with self.make() as storage:
            assert [row.number for row in await storage.quarantined("room")] == [4]
            stored = await storage.load("room")
            assert (stored.numbers, stored.head) == ([1, 3], 5)
            await fill(storage, "room", write_updates(1, 5))
            assert (await storage.load("room")).numbers == [1, 3, 6]

    async def test_nothing_is_missing_of_a_room_that_is_whole(self) -> None:
        async with self.make() as storage:
            await fill(storage, "room", write_updates(5))
            await storage.set_aside("room", {2: "bad"})
            await storage.compact("room", join_updates)
            assert await storage.accept_missing("room") == 0
            assert (await storage.load("room")).numbers == [5]

    async def test_what_is_restored_is_the_rooms_last_row(self) -> None:
        async with self.make() as storage:
            await fill(storage, "room", write_updates(3))
            await storage.set_aside("room", dict.fromkeys((1, 2, 3), "bad"))
            stored = await storage.load("room")
            assert (stored.rows, stored.head) == ([], 3)
            assert await storage.restore("room", 2) == 4
            for room, number in (("room", 2), ("room", 9), ("never seen", 1)):
                with pytest.raises(StorageError, match="was set aside"):
                    await storage.restore(room, number)
            assert (await storage.since("room", 3)).rows == [b"1;"]
            assert [row.number for row in await storage.quarantined()] == [1, 3]
            await fill(storage, "room", write_updates(1, 4))
            assert await storage.heads(["room"]) == {"room": 5}
        async with self.make() as storage:
            stored = await storage.load("room")
            assert (stored.rows, stored.numbers) == ([b"1;", b"4;"], [4, 5])

    async def test_what_was_set_aside_goes_with_its_room(self) -> None:
        async with self.make() as storage:
            for room in ("a", "b"):
                await fill(storage, room, write_updates(2))
                await storage.set_aside(room, {1: "bad"})
            await storage.rename("a", "c")
            await storage.delete("b")
            assert [(row.room, row.data) for row in await storage.quarantined()] == [("c", b"0;")]
            assert await storage.restore("c", 1) == 3
            await storage.free("b")
            assert (await storage.load("b")).head == 0

    # -- rooms -------------------------------------------------------------------------------------------

    async def test_a_deleted_room_stays_deleted_and_costs_others_nothing(self) -> None:
        async with self.make() as storage:
            await fill(storage, "room", write_updates(3))
            await fill(storage, "other", write_updates(3))
            await storage.delete("room")
            await storage.delete("never seen")
        async with self.make() as storage:
            for room in ("room", "never seen"):
                with pytest.raises(RoomDeletedError, match=room):
                    await storage.load(room)
                with pytest.raises(RoomDeletedError):
                    await storage.stored(storage.append(room, b"x"))
                with pytest.raises(RoomDeletedError):
                    storage.append(room, b"y")
            other = storage.append("other", b"x;")
            await storage.stored(other)
            assert await storage.heads(["room", "other"]) == {"room": DELETED, "other": 4}
            assert [room.name for room in await storage.rooms()] == ["other"]

    async def test_who_holds_a_deleted_room_cannot_bring_it_back(self) -> None:
        async with self.make() as storage:
            await storage.load("room")
            await fill(storage, "room", write_updates(3))
            deletion = asyncio.create_task(storage.delete("room"))
            others = 0
            while not deletion.done():
                with contextlib.suppress(RoomDeletedError):
                    storage.append("room", b"x")
                await storage.stored(storage.append("other", b"y"))
                await asyncio.sleep(0)
                others += 1
            await deletion
            with pytest.raises(RoomDeletedError):
                await storage.stored(storage.append("room", b"x"))
            with pytest.raises(RoomDeletedError):
                await storage.load("room")
            assert (await storage.load("other")).head == others

    async def test_a_name_that_was_freed_is_a_new_rooms(self) -> None:
        async with self.make() as storage:
            await fill(storage, "room", write_updates(3))
            await storage.free("room")  # it is not deleted
            assert (await storage.load("room")).head == 3
            await storage.delete("room")
            await storage.free("room")
            await storage.free("never seen")
            assert await storage.heads(["room"]) == {}
            assert (await storage.load("room")).rows == []
            await fill(storage, "room", [b"new"])
        async with self.make() as storage:
            assert (await storage.load("room")).rows == [b"new"]

    async def test_a_room_that_was_released_is_held_no_more(self) -> None:
        async with self.make() as storage:
            await fill(storage, "room", write_updates(3))
            await storage.delete("room")
            with pytest.raises(RoomDeletedError):
                storage.append("room", b"x")
            await storage.free("room")
            storage.release("room")
            storage.release("never seen")
            await fill(storage, "room", [b"new"])
            storage.append("room", b"newer")
            storage.release("room")  # it is stored all the same
        async with self.make() as storage:
            assert (await storage.load("room")).rows == [b"new", b"newer"]

    async def test_a_renamed_room_is_the_same_under_its_new_name_only(self) -> None:
        async with self.make() as storage:
            await fill(storage, "room", write_updates(10))
            await storage.compact("room", join_updates)
            await fill(storage, "room", write_updates(2, 10))
            await fill(storage, "other", write_updates(1))
            await storage.configure("room", {"gc": False})
            with pytest.raises(StorageError, match="other"):
                await storage.rename("room", "other")
            with pytest.raises(StorageError, match="never seen"):
                await storage.rename("never seen", "new")
            with pytest.raises(ValueError, match="surrogates"):
                await storage.rename("room", "\ud800")
            await storage.rename("room", "new é")
            await fill(storage, "new é", write_updates(1, 12))
            with pytest.raises(RoomDeletedError):
                await storage.stored(storage.append("room", b"x"))
        async with self.make() as storage:
            stored = await storage.load("new é")
            assert read_updates(stored.rows) == write_updates(13)
            assert (stored.numbers, stored.head, stored.settings) == ([10, 11, 12, 13], 13, {"gc": False})
            with pytest.raises(RoomDeletedError):
                await storage.load("room")
            await storage.rename("new é", "room")  # back again
            assert (await storage.load("room")).head == 13
            assert await storage.heads(["new é"]) == {"new é": DELETED}

    async def test_settings_are_kept_with_a_room(self) -> None:
        async with self.make() as storage:
            await storage.configure("new", {"gc": False, "note": "é"})
            await storage.configure("new", {"gc": True})
            await fill(storage, "room", write_updates(2))
            await storage.configure("room", {"deep": {"list": [1, None]}})
            await storage.compact("room", join_updates)
            await storage.delete("gone")
            with pytest.raises(RoomDeletedError):
                await storage.configure("gone", {})
        async with self.make() as storage:
            assert (await storage.load("new")).settings == {"gc": True}
            assert (await storage.load("room")).settings == {"deep": {"list": [1, None]}}

    async def test_the_rooms_are_listed_in_order_page_by_page(self) -> None:
        names = ["a", "a/1", "a/2", "a/\uffff", "a/\U00010000", "b", "\x1fautomerge:z", "é", "\U0010ffff2"]
        async with self.make() as storage:
            for name in names:
                await fill(storage, name, [b"12", b"345"])
            await fill(storage, "a", [b"6"])
            everything = await storage.rooms()
            assert [room.name for room in everything] == sorted(names)
            assert RoomInfo("a", 3, 3, 6) in everything
            assert [room.kind for room in everything].count("automerge") == 1
            for prefix in ("", "a", "a/", "é", "\U0010ffff", "none"):
                expected = sorted(name for name in names if name.startswith(prefix))
                assert [room.name for room in await storage.rooms(prefix)] == expected
                after, pages = "", []
                while page := await storage.rooms(prefix, after=after, limit=2):
                    pages += [room.name for room in page]
                    after = page[-1].name
                assert pages == expected
            await storage.compact("a", join_updates)
            assert (await storage.rooms("a", limit=1))[0] == RoomInfo("a", 3, 1, 6)
