"""The queue before a place, without a place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.servers import eventually
from weft.errors import RoomDeletedError, StorageError
from weft.server.storage.group_commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.server.storage.group_commit import Batch


class Place:
    """Takes batches, fails when told to, and knows which rooms are deleted."""

    def __init__(self) -> None:
        self.written: list[dict[str, list[bytes]]] = []
        self.tried = 0
        self.fails: Exception | None = None
        self.deleted: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, batch: Batch) -> Mapping[str, int]:
        self.tried += 1
        await self.open.wait()
        if self.fails is not None:
            raise self.fails
        self.written.append({room: list(updates) for room, updates in batch.items()})
        return {room: 1 for room in batch if room not in self.deleted}


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def commits(place: Place) -> GroupCommit:
    return GroupCommit(place.write, "the place")


async def test_what_arrives_while_a_batch_is_written_shares_the_next(
    place: Place, commits: GroupCommit
) -> None:
    place.open.clear()
    commits.append("a", b"1")
    await eventually(lambda: place.tried)
    for number in b"2345":
        commits.append("ab"[number % 2], bytes([number]))
        await asyncio.sleep(0)
    place.open.set()
    await commits.flush()
    assert place.written == [{"a": [b"1"]}, {"a": [b"2", b"4"], "b": [b"3", b"5"]}]


async def test_a_batch_that_failed_is_given_again_as_it_was(place: Place, commits: GroupCommit) -> None:
    place.fails = StorageError("full")
    ticket = commits.append("a", b"1")
    with pytest.raises(StorageError, match="full"):
        await commits.stored(ticket)
    commits.append("a", b"2")  # tries again
    with pytest.raises(StorageError, match="full"):
        await commits.flush()
    place.fails = None
    await commits.flush()
    assert place.written == [{"a": [b"1"]}, {"a": [b"2"]}]


async def test_what_cannot_be_expected_leaves_nobody_waiting(place: Place, commits: GroupCommit) -> None:
    place.fails = ZeroDivisionError("a bug")
    reported: list[BaseException] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    with pytest.raises(StorageError, match=r"the place: ZeroDivisionError\('a bug'\)"):
        await commits.stored(commits.append("a", b"1"))
    await commits.settle()
    place.fails = None
    await commits.flush()
    assert place.written == [{"a": [b"1"]}]


async def test_updates_of_a_deleted_room_are_dropped_and_only_who_waits_for_them_is_told(
    place: Place, commits: GroupCommit
) -> None:
    heard: list[str] = []
    commits.listeners.add(lambda room, *_: heard.append(room))
    place.deleted = {"gone"}
    tickets = {room: commits.append(room, b"x") for room in ("a", "gone", "b")}
    for room, ticket in tickets.items():
        if room == "gone":
            with pytest.raises(RoomDeletedError) as raised:
                await commits.stored(ticket)
            assert raised.value.room == "gone"
        else:
            await commits.stored(ticket)
    assert heard == ["a", "b"]
    with pytest.raises(RoomDeletedError):
        await commits.stored(tickets["gone"])  # also who asks later
    with pytest.raises(RoomDeletedError):
        commits.append("gone", b"y")
    commits.mark_deleted("gone", False)
    place.deleted = set()
    await commits.stored(commits.append("gone", b"z"))


async def test_whose_update_was_refused_hears_of_it_before_the_others(
    place: Place, commits: GroupCommit
) -> None:
    """A client of both is let go by that room before it is told that all up to a later ticket is stored."""
    place.deleted = {"gone"}
    place.open.clear()
    told: list[str] = []

    async def wait(ticket: int, name: str) -> None:
        try:
            await commits.stored(ticket)
            told.append(f"{name} is stored")
        except RoomDeletedError:
            told.append(f"{name} is refused")

    refused, later = commits.append("gone", b"x"), commits.append("other", b"y")
    tasks = [asyncio.create_task(wait(later, "all")) for _ in range(3)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(wait(refused, "one")))
    await eventually(lambda: place.tried == 1)
    place.open.set()
    await asyncio.gather(*tasks)
    assert told == ["one is refused"] + 3 * ["all is stored"]


async def test_flushing_is_no_ones_complaint_about_a_deleted_room(place: Place, commits: GroupCommit) -> None:
    place.deleted = {"gone"}
    commits.append("gone", b"x")
    await commits.flush()


async def test_a_ticket_nobody_gave_out_is_refused(commits: GroupCommit) -> None:
    with pytest.raises(ValueError, match="never given out"):
        await commits.stored(1)


async def test_what_was_committed_is_counted(place: Place, commits: GroupCommit) -> None:
    commits.append("a", b"12")
    commits.append("b", b"345")
    await commits.flush()
    place.fails = StorageError("full")
    commits.append("a", b"6")
    with pytest.raises(StorageError):
        await commits.flush()
    stats = commits.stats
    assert (sum(stats.seconds.counts), stats.updates, stats.size, stats.failures) == (1, 2, 5, 1)
    place.fails = None
    await commits.flush()
    assert (sum(stats.seconds.counts), stats.updates, stats.size) == (2, 3, 6)
