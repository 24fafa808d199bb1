from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import pytest
from hypothesis import given, strategies as st

from weft.providers._core.send_queue import ResendQueue

if TYPE_CHECKING:
    from types import TracebackType


class Wire:
    """A sending side that takes messages when told, around an queue."""

    def __init__(self, max_bytes: int) -> None:
        self.sent: list[bytes | str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.refills = 0
        self.emptied = 0
        self.queue = ResendQueue(max_bytes=max_bytes, emptied=self.refill)

    def refill(self, forgot: bool) -> None:
        self.emptied += 1
        if forgot:
            self.refills += 1
            self.queue.put(b"everything")

    async def send(self, message: bytes | str) -> None:
        await self.open.wait()
        self.sent.append(message)

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.queue.run(self.send))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def test_messages_leave_in_the_order_in_which_they_were_put_in() -> None:
    async with Wire(1000) as wire:
        wire.queue.put(b"1")
        wire.queue.put_content(b"2")
        wire.queue.put(b"3")
        await wire.queue.drained()
        assert wire.sent == [b"1", b"2", b"3"]
        wire.queue.put(b"4")
        await wire.queue.drained()
        assert wire.sent[3:] == [b"4"]
        assert wire.queue.size == 0
        assert wire.queue.sent == 4
        assert wire.emptied == 2


async def test_over_the_bound_content_is_forgotten_and_made_up_for_when_the_rest_has_left() -> None:
    async with Wire(10) as wire:
        wire.open.clear()
        for number in range(100):
            assert wire.queue.put_content(b"%05d" % number) == (number < 2)
            assert wire.queue.size <= 10
            await asyncio.sleep(0)
        wire.queue.put(b"question")
        assert wire.queue.forgot
        wire.open.set()
        await wire.queue.drained()
        assert wire.sent == [b"00000", b"question", b"everything"]
        wire.queue.put_content(b"next")
        await wire.queue.drained()
        assert wire.sent[-1] == b"next"
        assert wire.refills == 1


async def test_what_is_no_content_is_never_forgotten() -> None:
    async with Wire(4) as wire:
        wire.open.clear()
        for number in range(10):
            wire.queue.put(b"question %d" % number)
            wire.queue.put_content(b"x" * 100)
        wire.open.set()
        await wire.queue.drained()
        assert wire.sent == [*(b"question %d" % number for number in range(10)), b"everything"]


async def test_one_message_over_the_bound_leaves_when_nothing_else_waits() -> None:
    async with Wire(4) as wire:
        wire.queue.put_content(b"x" * 100)
        await wire.queue.drained()
        assert wire.sent == [b"x" * 100]
        assert wire.refills == 0


async def test_draining_waits_for_the_message_on_its_way() -> None:
    async with Wire(100) as wire:
        wire.open.clear()
        wire.queue.put(b"slow")
        waiting = asyncio.create_task(wire.queue.drained())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        wire.open.set()
        await waiting
        assert wire.sent == [b"slow"]


async def test_what_sending_raises_ends_the_run() -> None:
    async def fail(_: bytes | str) -> None:
        raise ConnectionResetError

    queue = ResendQueue(max_bytes=10, emptied=lambda _: None)
    queue.put(b"x")
    with pytest.raises(ConnectionResetError):
        await queue.run(fail)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 8), st.booleans()), max_size=40), st.integers(1, 20))
def test_all_content_leaves_or_is_made_up_for(steps: list[tuple[bool, int, bool]], bound: int) -> None:
    async def run() -> None:
        written: list[bytes] = []
        sent: list[bytes] = []
        covered = 0  # how much of what was written the receiver has, by messages or by a refill

        def refill(forgot: bool) -> None:
            if forgot:
                queue.put(b"R%d" % len(written))
                queue.put(b"R%d and more" % len(written))

        async def send(message: bytes | str) -> None:
            await gate.wait()
            assert isinstance(message, bytes)
            sent.append(message)

        queue = ResendQueue(max_bytes=bound, emptied=refill)
        gate = asyncio.Event()
        task = asyncio.create_task(queue.run(send))
        for is_content, size, is_open in steps:
            (gate.set if is_open else gate.clear)()
            if is_content:
                written.append(b"%d:" % len(written) + b"x" * size)
                queue.put_content(written[-1])
            else:
                queue.put(b"Q" * size)
            await asyncio.sleep(0)
        gate.set()
        await queue.drained()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for message in sent:
            if message.startswith(b"R"):
                covered = max(covered, int(message[1:].partition(b" ")[0]))
            elif not message.startswith(b"Q"):
                assert int(message.partition(b":")[0]) <= covered, "content out of order"
                covered = max(covered, int(message.partition(b":")[0]) + 1)
        assert covered == len(written)
        assert [len(m) for m in sent if m.startswith(b"Q")] == [s for c, s, _ in steps if not c]

    asyncio.run(run())


async def test_a_text_leaves_as_a_text_and_counts_by_its_bytes() -> None:
    queue, sent = ResendQueue(max_bytes=10, emptied=lambda _: None), []

    async def send(message: bytes | str) -> None:
        sent.append(message)

    queue.put("é" * 4)
    assert queue.size == 8
    assert not queue.put_content("ééé")
    task = asyncio.create_task(queue.run(send))
    await queue.drained()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert sent == ["é" * 4]
    assert (queue.sent, queue.largest, queue.size) == (8, 8, 0)
