"""Synchronizers without a server: within a process, and over transports of one's own."""

from __future__ import annotations

import asyncio
import threading
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from support.live import until
from weft.documents.mergeable import MergeableDocument, encode_hlc
from weft.errors import (
    LocalProtocolError,
    ProviderClosedError,
    ProviderError,
    RemoteProtocolError,
    SyncTimeoutError,
    WrongThreadError,
)
from weft.protocols.tinybase import Message, MessageType, encode_message
from weft.providers import CustomSynchronizer, LocalSynchronizer

if TYPE_CHECKING:
    from collections.abc import Callable


def documents(count: int) -> list[MergeableDocument]:
    made = [MergeableDocument() for _ in range(count)]
    for number, document in enumerate(made):
        document.set_cell("t", f"r{number}", "c", number)
    return made


async def equal(*several: MergeableDocument) -> None:
    def hear(check: Callable[..., None]) -> Callable[[], None]:
        ends = [document.subscribe(check) for document in several]

        def end() -> None:
            for each in ends:
                each()

        return end

    await until(
        lambda: all(each.get_content() == several[0].get_content() for each in several), hear, "equal content"
    )


async def test_local_synchronizers_see_each_other() -> None:
    one, two, three = documents(3)
    async with LocalSynchronizer(one) as first, LocalSynchronizer(two) as second:
        await second.wait_synced(5)
        await equal(one, two)
        async with LocalSynchronizer(three) as third:
            await third.wait_synced(5)
            await equal(one, two, three)
            one.set_cell("t", "r", "c", "live")
            await equal(one, two, three)
            assert three.get_cell("t", "r", "c") == "live"
        two.set_value("v", 1)
        await equal(one, two)
        assert three.get_value("v") != 1
        assert repr(first) == "<LocalSynchronizer synced>"
    assert repr(first) == "<LocalSynchronizer stopped>"


async def test_one_that_is_alone_is_synced_after_a_while() -> None:
    (one,) = documents(1)
    async with LocalSynchronizer(one) as synchronizer:
        assert not synchronizer.synced
        await synchronizer.wait_synced(5)
        assert synchronizer.synced


async def test_what_was_written_last_is_told_before_the_stop() -> None:
    one, two = documents(2)
    async with LocalSynchronizer(two):
        async with LocalSynchronizer(one) as first:
            await first.wait_synced(5)
            await equal(one, two)
            one.set_cell("t", "last", "c", 1)
        await until(lambda: two.get_cell("t", "last", "c") == 1, two.subscribe, "the last cell")


class Bus:
    """A transport of somebody's own: texts, of which some come twice and in another order, or not."""

    def __init__(self, seed: int, loss: float = 0.0) -> None:
        self.random = Random(seed)
        self.loss = loss
        self.members: dict[str, CustomSynchronizer] = {}
        self.under_way = 0
        self.quiet = asyncio.Event()  # nothing is under way

    def join(self, name: str, document: MergeableDocument, **options: Any) -> CustomSynchronizer:
        def send(to: str | None, message: Message) -> None:
            text = encode_message(message)
            loop = asyncio.get_running_loop()
            for other, synchronizer in self.members.items():
                if other != name and to in {None, other} and self.random.random() >= self.loss:
                    for _ in range(self.random.choice([1, 1, 2])):
                        self.under_way += 1
                        self.quiet.clear()
                        loop.call_later(self.random.random() * 0.003, deliver, synchronizer, text)

        def deliver(synchronizer: CustomSynchronizer, text: str) -> None:
            self.under_way -= 1
            synchronizer.receive(name, text)  # may send what is under way then
            if not self.under_way:
                self.quiet.set()

        self.members[name] = CustomSynchronizer(document, send, **{"request_timeout": 0.02, **options})
        return self.members[name]


async def test_messages_may_come_twice_and_in_any_order() -> None:
    for seed in range(5):
        print(f"seed {seed}")
        bus, several = Bus(seed), documents(3)
        one, two, three = (bus.join(name, document) for name, document in zip("abc", several, strict=True))
        async with one, two, three:
            for number in range(30):
                several[number % 3].set_cell("t", f"r{number % 4}", "c", number)
                await asyncio.sleep(0)
            await equal(*several)


async def test_what_was_lost_is_found_out_when_it_is_asked_for() -> None:
    bus, several = Bus(1), documents(2)
    one, two = (  # with time for answers, as one that comes too late is not heard
        bus.join(name, document, request_timeout=20.0) for name, document in zip("ab", several, strict=True)
    )
    async with one, two:
        await equal(*several)
        await bus.quiet.wait()  # who waits for an answer that gets lost asks for nothing else meanwhile
        bus.loss = 1.0
        several[0].set_cell("t", "lost", "c", 1)
        several[1].set_cell("t", "lost too", "c", 1)
        await asyncio.sleep(0)
        bus.loss = 0.0
        one.sync_again()
        await equal(*several)
        assert several[0].get_cell("t", "lost too", "c") == 1


async def test_what_is_no_message_is_refused() -> None:
    (document,) = documents(1)
    async with CustomSynchronizer(document, lambda *_: None) as synchronizer:
        for message in ("nonsense", Message("x", MessageType.CONTENT_HASHES, "nonsense")):
            with pytest.raises(RemoteProtocolError):
                synchronizer.receive("other", message)
        with pytest.raises(TypeError, match="who sent it"):
            synchronizer.receive(5, "nonsense")  # type: ignore[arg-type]


async def test_what_is_too_far_ahead_and_what_sending_raises_is_reported() -> None:
    (document,) = documents(1)
    errors: list[Exception] = []

    def send(to: str | None, message: Message) -> None:
        raise OSError("the cable is out")

    async with CustomSynchronizer(document, send, on_error=errors.append) as synchronizer:
        assert [str(error) for error in errors] == ["the cable is out"]
        hlc = encode_hlc(document.clock.now + 3_600_000, 0, "x")
        body = [[{}], [{"v": [1, hlc]}], 1]
        synchronizer.receive("other", Message("x", MessageType.CONTENT_DIFF, body))
        assert isinstance(errors[1], ProviderError)
        assert "five minutes ahead" in str(errors[1])
        synchronizer.left("other")


async def test_it_is_used_between_its_start_and_its_stop_and_in_its_thread() -> None:
    (document,) = documents(1)
    synchronizer = CustomSynchronizer(document, lambda *_: None, request_timeout=100)
    with pytest.raises(ProviderClosedError, match="not started"):
        await synchronizer.wait_synced()
    with pytest.raises(LocalProtocolError):
        synchronizer.sync_again()
    await synchronizer.stop()
    await synchronizer.stop()
    async with synchronizer:
        with pytest.raises(LocalProtocolError, match="already"):
            await synchronizer.start()
        with pytest.raises(SyncTimeoutError):
            await synchronizer.wait_synced(0.01)
        waiting = asyncio.create_task(synchronizer.wait_synced())
        await asyncio.sleep(0)
        raised: list[Exception] = []

        def elsewhere() -> None:
            try:
                synchronizer.receive("other", "[]")
            except WrongThreadError as error:
                raised.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert raised
    with pytest.raises(ProviderClosedError, match="stopped"):
        await waiting
    synchronizer.receive("other", encode_message(Message("x", MessageType.GET_CONTENT_HASHES, "")))
    with pytest.raises(TypeError, match="send"):
        CustomSynchronizer(document, None)  # type: ignore[arg-type]
