"""The storage suite of places that several processes have open at the same time."""

from __future__ import annotations

import asyncio

import pytest

from weft.errors import RoomDeletedError
from weft.server.storage import DELETED
from weft.testing.storage.hooks import join_updates, read_updates, write_updates
from weft.testing.storage.suite import StorageSuite, fill

__all__ = ["SharedStorageSuite"]


class SharedStorageSuite(StorageSuite):
    """The tests of a place that several storages may have open at the same time."""

    async def test_one_reads_what_the_other_has_stored(self) -> None:
        async with self.make() as one, self.make() as other:
            await fill(one, "room", write_updates(3))
            assert await other.heads(["room"]) == {"room": 3}
            await fill(other, "room", write_updates(3, 3))
            assert (await one.since("room", 2)).rows == write_updates(4, 2)

    async def test_a_follower_of_several_writers_and_a_compactor_misses_nothing(self) -> None:
        rounds, writers = 60, "abc"
        async with self.make() as follower, self.make() as compacting:
            left = set(writers)

            async def write(writer: str) -> None:
                async with self.make() as storage:
                    for at in range(rounds):
                        await fill(storage, "room", write_updates(at % 5 + 1, at * 10, writer))
                left.discard(writer)

            async def compact() -> None:
                while left:
                    await compacting.compact("room", join_updates)
                    await asyncio.sleep(0)

            seen: set[bytes] = set()

            async def follow() -> None:
                head = 0
                while left or (await follower.heads(["room"]))["room"] > head:
                    stored = await follower.since("room", head)
                    assert stored.head >= head
                    assert stored.numbers == sorted(set(stored.numbers))
                    assert all(head < number <= stored.head for number in stored.numbers)
                    seen.update(read_updates(stored.rows))
                    head = stored.head
                    await asyncio.sleep(0)

            await fill(follower, "room", [b"first;"])
            await asyncio.gather(follow(), compact(), *map(write, writers))
            expected = [b"first;"] + [
                update
                for writer in writers
                for at in range(rounds)
                for update in write_updates(at % 5 + 1, at * 10, writer)
            ]
            assert seen == set(expected)
            stored = await follower.load("room")
            assert set(read_updates(stored.rows)) == set(expected)
            assert stored.head == len(expected)  # none of them was written twice

    async def test_who_holds_a_room_that_another_deleted_cannot_bring_it_back(self) -> None:
        async with self.make() as holder, self.make() as other:
            await holder.load("room")
            await fill(holder, "room", write_updates(3))
            await other.delete("room")
            assert await holder.heads(["room"]) == {"room": DELETED}
            bystander = holder.append("bystander", b"x")
            with pytest.raises(RoomDeletedError):
                await holder.stored(holder.append("room", b"x"))
            await holder.stored(bystander)
            with pytest.raises(RoomDeletedError):
                holder.append("room", b"x")

    @pytest.mark.parametrize("reused", [False, True])
    async def test_nor_when_its_name_was_freed(self, reused: bool) -> None:
        async with self.make() as holder, self.make() as other:
            await fill(holder, "room", write_updates(3))
            await other.delete("room")
            await other.free("room")
            assert await other.heads(["room"]) == {}
            await other.load("room")
            if reused:
                await fill(other, "room", [b"new"])
            assert await holder.heads(["room"]) == {"room": DELETED}
            for number in (0, 3):
                with pytest.raises(RoomDeletedError):
                    await holder.since("room", number)
            with pytest.raises(RoomDeletedError):
                await holder.stored(holder.append("room", b"old"))
            assert (await holder.load("room")).rows == [b"new"] * reused
            await fill(holder, "room", [b"newer"])  # now it holds the new one
            assert (await other.load("room")).rows == [b"new"] * reused + [b"newer"]

    async def test_nor_under_its_old_name_when_it_was_renamed(self) -> None:
        async with self.make() as holder, self.make() as other:
            await fill(holder, "room", write_updates(3))
            await other.rename("room", "new")
            with pytest.raises(RoomDeletedError):
                await holder.stored(holder.append("room", b"x"))
            assert (await holder.load("new")).rows == write_updates(3)

    async def test_two_compactions_of_one_room_lose_nothing(self) -> None:
        async with self.make() as one, self.make() as other:
            await fill(one, "room", write_updates(50))
            await asyncio.gather(
                *(storage.compact("room", join_updates) for storage in (one, other) for _ in range(5))
            )
            assert read_updates((await one.load("room")).rows) == write_updates(50)
