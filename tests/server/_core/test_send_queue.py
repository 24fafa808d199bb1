from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from support.servers import eventually
from weft.errors import StorageError
from weft.server._core.link import Link
from weft.server._core.send_queue import AcknowledgedQueue, StalledError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class MemoryLink(Link):
    """A link whose other end reads when told to."""

    def __init__(self) -> None:
        self.writes: list[list[bytes]] = []
        self.unread = 0
        self.trickle = 0  # bytes taken from time to time by who does not read
        self._reading = asyncio.Event()
        self._reading.set()

    @property
    def messages(self) -> list[bytes]:
        return [message for write in self.writes for message in write]

    def stop_reading(self) -> None:
        self._reading.clear()

    def read_on(self) -> None:
        self.unread = 0
        self._reading.set()

    def write(self, messages: Sequence[bytes]) -> None:
        self.writes.append(list(messages))
        if not self._reading.is_set():
            self.unread += sum(map(len, messages))

    def buffered(self) -> int:
        self.unread = max(0, self.unread - self.trickle)
        return self.unread

    async def drain(self) -> None:
        await self._reading.wait()

    async def read(self) -> bytes | None:
        return None

    async def close(self, code: int, reason: str) -> None:
        self.read_on()


class Disk:
    """Says when a ticket is durable."""

    def __init__(self) -> None:
        self.durable = 0
        self.error: Exception | None = None
        self._progress = asyncio.Event()

    def reach(self, ticket: int) -> None:
        self.durable = ticket
        self._progress.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self._progress.set()

    async def stored(self, ticket: int) -> None:
        while self.durable < ticket:
            if self.error is not None:
                raise self.error
            self._progress.clear()
            await self._progress.wait()


class Bench:
    def __init__(self, *, max_bytes: int = 1000, stall_timeout: float = 60.0) -> None:
        self.link, self.disk = MemoryLink(), Disk()
        self.refills: list[bytes] = []
        self.queue = AcknowledgedQueue(
            self.link,
            max_bytes=max_bytes,
            stored=self.disk.stored,
            refill=self._refill,
            stall_timeout=stall_timeout,
        )

    def _refill(self) -> None:
        while self.refills:
            self.queue.put(self.refills.pop(0))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.queue.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def sent(self, *messages: bytes) -> None:
        await eventually(lambda: len(self.link.messages) >= len(messages))
        assert self.link.messages == list(messages)


def has_too_many_answers(bench: Bench) -> bool:
    return bench.queue.has_too_many_answers


async def test_messages_leave_in_order_and_those_of_one_turn_together() -> None:
    bench = Bench()
    async with bench.running():
        for message in (b"a", b"b", b"c"):
            bench.queue.put(message)
        await bench.sent(b"a", b"b", b"c")
        assert bench.link.writes == [[b"a", b"b", b"c"]]
        bench.queue.put(b"d")
        await bench.sent(b"a", b"b", b"c", b"d")
        await eventually(lambda: bench.queue.size == 0)


async def test_what_was_put_in_before_the_start_leaves_too() -> None:
    bench = Bench()
    bench.queue.put(b"early")
    async with bench.running():
        await bench.sent(b"early")


async def test_an_answer_waits_for_its_ticket_and_holds_back_what_stands_behind_it() -> None:
    bench = Bench()
    async with bench.running():
        bench.queue.put(b"before")
        bench.queue.put_answer(b"answer 1", 1)
        bench.queue.put(b"between")
        bench.queue.put_answer(b"answer 2", 5)
        bench.queue.put(b"after")
        await bench.sent(b"before")
        bench.disk.reach(1)
        await bench.sent(b"before", b"answer 1", b"between")
        bench.disk.reach(4)
        await bench.sent(b"before", b"answer 1", b"between")
        bench.disk.reach(5)
        await bench.sent(b"before", b"answer 1", b"between", b"answer 2", b"after")
        await eventually(lambda: bench.queue.size == 0)


async def test_an_answer_to_what_is_durable_already_does_not_wait() -> None:
    bench = Bench()
    bench.disk.reach(9)
    async with bench.running():
        bench.queue.put_answer(b"answer", 9)
        bench.queue.put(b"after")
        await bench.sent(b"answer", b"after")


async def test_an_answer_that_cannot_be_given_ends_the_writer() -> None:
    bench = Bench()
    async with bench.running() as task:
        bench.queue.put_answer(b"answer", 1)
        await asyncio.sleep(0)
        bench.disk.fail(StorageError("disk"))
        with pytest.raises(StorageError, match="disk"):
            await task
    assert bench.link.messages == []


async def test_no_more_is_written_at_once_than_a_chunk() -> None:
    bench = Bench(max_bytes=10_000_000)
    bench.link.stop_reading()
    async with bench.running():
        for _ in range(200):
            bench.queue.put(bytes(1000))
        await eventually(lambda: bool(bench.link.writes))
        assert sum(map(len, bench.link.messages)) < 70_000
        assert bench.queue.size == 200_000  # what the socket has not taken counts
        bench.link.read_on()
        await eventually(lambda: bench.queue.size == 0)
        assert len(bench.link.messages) == 200


async def test_a_message_larger_than_the_bound_leaves_all_the_same() -> None:
    bench = Bench(max_bytes=10)
    async with bench.running():
        bench.queue.put(bytes(100))
        bench.queue.put(b"next")
        await bench.sent(bytes(100), b"next")
        await eventually(lambda: not bench.queue.is_full)


async def test_it_is_full_beyond_the_bound() -> None:
    bench = Bench(max_bytes=10)
    verdicts = []
    for message in (bytes(10), b"x"):
        bench.queue.put(message)
        verdicts.append((bench.queue.size, bench.queue.is_full))
    assert verdicts == [(10, False), (11, True)]


async def test_what_was_held_back_comes_when_everything_has_left() -> None:
    bench = Bench()
    bench.link.stop_reading()
    async with bench.running():
        bench.queue.put(b"queued")
        await bench.sent(b"queued")
        bench.refills.append(b"held back")
        bench.queue.put(b"more")
        bench.link.read_on()
        await bench.sent(b"queued", b"more", b"held back")


async def test_who_takes_nothing_is_given_up() -> None:
    bench = Bench(stall_timeout=0.01)
    bench.link.stop_reading()
    async with bench.running() as task:
        bench.queue.put(bytes(500))
        with pytest.raises(StalledError):
            await task


@pytest.mark.parametrize(("taken", "is_given_up"), [(1, True), (1000, False)])
async def test_who_takes_a_trickle_is_given_up_and_who_takes_enough_is_not(
    taken: int, is_given_up: bool
) -> None:
    bench = Bench(max_bytes=10**9, stall_timeout=0.01)  # at 1,024 bytes a second: 10 each time
    bench.link.stop_reading()
    bench.link.trickle = taken
    async with bench.running() as task:
        bench.queue.put(bytes(30_000))
        bench.queue.put(b"next")
        await eventually(lambda: task.done() or bench.queue.size == 0)
        assert task.done() is is_given_up
        if is_given_up:
            assert isinstance(task.exception(), StalledError)


async def test_many_answers_choke_until_some_have_left() -> None:
    bench = Bench(max_bytes=1000)
    for ticket in range(1, 65):
        assert not has_too_many_answers(bench)
        bench.queue.put_answer(b"", ticket)
    assert has_too_many_answers(bench)
    async with bench.running():
        settled = asyncio.create_task(bench.queue.answers_sent())
        await asyncio.sleep(0)
        assert not settled.done()
        bench.disk.reach(64)
        await settled
        assert not has_too_many_answers(bench)


async def test_two_large_answers_choke_and_one_does_not() -> None:
    bench = Bench(max_bytes=1000)
    bench.queue.put_answer(bytes(5000), 1)
    assert not has_too_many_answers(bench)
    bench.queue.put_answer(b"x", 2)
    assert has_too_many_answers(bench)
    async with bench.running():
        bench.disk.reach(1)
        await bench.queue.answers_sent()


async def test_ending_it_in_the_middle_loses_no_count() -> None:
    bench = Bench()
    bench.link.stop_reading()
    async with bench.running():
        bench.queue.put(b"x")
        await bench.sent(b"x")
    bench.queue.put(b"y")  # nobody sends it, and nothing fails
    assert bench.queue.size == 2
