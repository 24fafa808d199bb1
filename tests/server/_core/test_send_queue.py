from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.servers import eventually
from weft.errors import StorageError
from weft.server._core.batch import Batch
from weft.server._core.confirmations import Confirmations
from weft.server._core.link import Link, Receiver
from weft.server._core.send_queue import AcknowledgedQueue, QueueOwner, StalledError

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryLink(Link):
    """A link whose other end reads when told to."""

    def __init__(self) -> None:
        self.writes: list[list[bytes]] = []
        self.unread = 0
        self.trickle = 0  # bytes taken from time to time by who does not read
        self.receiver: Receiver | None = None
        self._is_reading = True

    @property
    def messages(self) -> list[bytes]:
        return [message for write in self.writes for message in write]

    def stop_reading(self) -> None:
        self._is_reading = False

    def read_on(self) -> None:
        self._is_reading = True
        self.unread = 0
        if self.receiver is not None:
            self.receiver.writable()

    def read_once(self) -> None:
        """Take what waits, and then nothing again."""
        self.unread = 0
        assert self.receiver is not None
        self.receiver.writable()

    @property
    def is_clear(self) -> bool:
        return not self.unread

    def attach(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def write(self, batch: Batch) -> bool:
        assert self.is_clear
        self.writes.append(list(batch.messages))
        if not self._is_reading:
            self.unread += batch.size
        return self.is_clear

    def waiting(self) -> int:
        self.unread = max(0, self.unread - self.trickle)
        return self.unread

    def admit(self) -> None:
        pass

    def note_held(self, size: int) -> None:
        pass

    def note_questions(self, count: int) -> None:
        pass

    def identify(self, user: str) -> bool:
        return True

    def enter_room(self) -> bool:
        return True

    def leave_room(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        pass


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


class Bench(QueueOwner, Receiver):
    def __init__(self, *, max_bytes: int = 1000, stall_timeout: float = 60.0) -> None:
        self.link, self.disk = MemoryLink(), Disk()
        self.refills: list[bytes] = []
        self.failure: BaseException | None = None
        self.reconsidered = 0
        self.queue = AcknowledgedQueue(
            self.link,
            self,
            max_bytes=max_bytes,
            max_answers=64,
            confirmations=Confirmations(self.disk.stored),
            stall_timeout=stall_timeout,
        )
        self.link.attach(self)

    def held(self) -> Iterator[tuple[int, int]]:
        return self.queue.held()

    def put(self, message: bytes) -> None:
        self.queue.put(Batch([message]))

    def put_answer(self, message: bytes, ticket: int) -> None:
        self.queue.put_answer(Batch([message]), ticket)

    async def sent(self, *messages: bytes) -> None:
        await eventually(lambda: len(self.link.messages) >= len(messages))
        assert self.link.messages == list(messages)

    def refill(self) -> None:
        while self.refills:
            self.put(self.refills.pop(0))

    def reconsider(self) -> None:
        self.reconsidered += 1

    def fail(self, error: BaseException) -> None:
        self.failure = error

    def receive(self, message: bytes) -> None:
        raise NotImplementedError

    def writable(self) -> None:
        self.queue.pump()

    def lost(self) -> None:
        raise NotImplementedError


def has_too_many_answers(bench: Bench) -> bool:
    return bench.queue.has_too_many_answers


async def test_what_is_put_in_leaves_at_once_where_the_socket_takes_it() -> None:
    bench = Bench()
    batch = Batch([b"a", b"b"])
    bench.queue.put(batch)
    bench.put(b"c")
    assert bench.link.writes == [[b"a", b"b"], [b"c"]]
    assert bench.queue.size == 0


async def test_what_waits_leaves_in_order_and_together() -> None:
    bench = Bench()
    bench.link.stop_reading()
    for message in (b"a", b"b", b"c"):
        bench.put(message)
    assert bench.link.writes == [[b"a"]]
    assert bench.queue.size == 3
    bench.link.read_on()
    assert bench.link.writes == [[b"a"], [b"b", b"c"]]
    assert bench.queue.size == 0


async def test_an_answer_waits_for_its_ticket_and_holds_back_what_stands_behind_it() -> None:
    bench = Bench()
    bench.put(b"before")
    bench.put_answer(b"answer 1", 1)
    bench.put(b"between")
    bench.put_answer(b"answer 2", 5)
    bench.put(b"after")
    await bench.sent(b"before")
    bench.disk.reach(1)
    await bench.sent(b"before", b"answer 1", b"between")
    bench.disk.reach(4)
    await bench.sent(b"before", b"answer 1", b"between")
    bench.disk.reach(5)
    await bench.sent(b"before", b"answer 1", b"between", b"answer 2", b"after")
    assert bench.queue.size == 0


async def test_an_answer_to_what_is_durable_already_waits_a_turn_at_most() -> None:
    bench = Bench()
    bench.disk.reach(9)
    bench.put_answer(b"answer", 9)
    bench.put(b"after")
    await bench.sent(b"answer", b"after")
    bench.put_answer(b"another", 9)
    assert bench.link.messages[-1] == b"another"  # that is known by now


async def test_an_answer_that_cannot_be_given_is_told() -> None:
    bench = Bench()
    bench.put_answer(b"answer", 1)
    bench.disk.fail(StorageError("disk"))
    await eventually(lambda: bench.failure is not None)
    assert isinstance(bench.failure, StorageError)
    assert bench.link.messages == []


async def test_no_more_is_written_at_once_than_a_chunk() -> None:
    bench = Bench(max_bytes=10_000_000)
    bench.link.stop_reading()
    for _ in range(200):
        bench.put(bytes(1000))
    assert bench.queue.size == 200_000  # what the socket has not taken counts
    bench.link.read_once()
    assert 60_000 < sum(map(len, bench.link.messages)) < 70_000
    assert bench.queue.size == 199_000
    bench.link.read_on()
    assert bench.queue.size == 0
    assert len(bench.link.messages) == 200


async def test_a_message_larger_than_the_bound_leaves_all_the_same() -> None:
    bench = Bench(max_bytes=10)
    bench.put(bytes(100))
    bench.put(b"next")
    await bench.sent(bytes(100), b"next")
    assert not bench.queue.is_full


async def test_it_is_full_beyond_the_bound() -> None:
    bench = Bench(max_bytes=10)
    bench.link.stop_reading()
    verdicts = []
    for message in (bytes(10), b"x"):
        bench.put(message)
        verdicts.append((bench.queue.size, bench.queue.is_full))
    assert verdicts == [(10, False), (11, True)]


async def test_what_was_held_back_comes_when_everything_has_left() -> None:
    bench = Bench()
    bench.link.stop_reading()
    bench.put(b"queued")
    bench.refills.append(b"held back")
    bench.put(b"more")
    assert bench.link.messages == [b"queued"]
    bench.link.read_on()
    await bench.sent(b"queued", b"more", b"held back")


async def test_who_takes_nothing_is_given_up() -> None:
    bench = Bench(stall_timeout=0.01)
    bench.link.stop_reading()
    bench.put(bytes(500))
    await eventually(lambda: bench.failure is not None)
    assert isinstance(bench.failure, StalledError)


@pytest.mark.parametrize(("taken", "is_given_up"), [(1, True), (1000, False)])
async def test_who_takes_a_trickle_is_given_up_and_who_takes_enough_is_not(
    taken: int, is_given_up: bool
) -> None:
    bench = Bench(max_bytes=10**9, stall_timeout=0.01)  # at 1,024 bytes a second: 10 each time
    bench.link.stop_reading()
    bench.link.trickle = taken
    bench.put(bytes(30_000))
    await eventually(lambda: bench.failure is not None or bench.link.is_clear)
    assert isinstance(bench.failure, StalledError) is is_given_up


async def test_many_answers_choke_until_some_have_left() -> None:
    bench = Bench(max_bytes=1000)
    for ticket in range(1, 65):
        assert not has_too_many_answers(bench)
        bench.put_answer(b"", ticket)
    assert has_too_many_answers(bench)
    bench.disk.reach(64)
    await eventually(lambda: bench.reconsidered > 0)
    assert not has_too_many_answers(bench)


async def test_two_large_answers_choke_and_one_does_not() -> None:
    bench = Bench(max_bytes=1000)
    bench.put_answer(bytes(5000), 1)
    assert not has_too_many_answers(bench)
    bench.put_answer(b"x", 2)
    assert has_too_many_answers(bench)
    bench.disk.reach(1)
    await eventually(lambda: bench.reconsidered > 0)
    assert not has_too_many_answers(bench)
    bench.disk.reach(2)
    await bench.sent(bytes(5000), b"x")


async def test_a_closed_queue_takes_nothing_and_sends_nothing() -> None:
    bench = Bench(stall_timeout=0.0)
    bench.link.stop_reading()
    bench.put(b"x")
    bench.put_answer(b"answer", 1)
    bench.queue.close()
    bench.disk.reach(1)
    bench.put(b"y")
    bench.put_answer(b"z", 0)
    await asyncio.sleep(0)
    bench.link.read_on()
    assert bench.link.messages == [b"x"]
    assert bench.queue.size == 0
    assert bench.failure is None


async def test_a_link_that_is_broken_ends_its_own_client_and_the_others_are_told() -> None:
    class BrokenLink(MemoryLink):
        def write(self, batch: Batch) -> bool:
            raise RuntimeError("the handler is closed")  # such as uvloop raises of a transport

    broken, well = Bench(), Bench()
    confirmations = Confirmations(well.disk.stored)
    for bench in (broken, well):
        link = bench.link if bench is well else BrokenLink()
        bench.queue = AcknowledgedQueue(
            link, bench, max_bytes=1000, max_answers=64, confirmations=confirmations, stall_timeout=60.0
        )
        bench.put_answer(b"answer", 1)
    well.disk.reach(1)
    await well.sent(b"answer")
    assert isinstance(broken.failure, RuntimeError)
