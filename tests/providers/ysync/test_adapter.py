"""The adapter against a server played by hand, message by message."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map, get_update

from support.live import until
from support.syncserver import kind
from weft._codecs.yjs.lib0 import Reader, Writer
from weft.documents.yjs.document import YDocument, create_doc
from weft.errors import (
    ConnectionClosedError,
    ProviderError,
    ReadOnlyError,
    RemoteProtocolError,
    SyncTimeoutError,
)
from weft.limits import Limits
from weft.protocols.awareness import Awareness
from weft.protocols.ysync.messages import (
    awareness_message,
    denied_message,
    step1_message,
    step2_message,
    update_message,
)
from weft.providers import Backoff, YWebsocketProvider
from weft.providers.ysync import adapter as adapter_module
from weft.testing.clock import ManualClock
from weft.testing.memory import MemoryLink, MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOTHING = b"\0\0"


class ByHand:
    """A provider, and the server's end of its present connection."""

    def __init__(self, network: MemoryNetwork, **options: Any) -> None:
        self.network = network
        self.clock = ManualClock()
        self.errors: list[Exception] = []
        self.doc: Doc[Any] = create_doc()
        self.map = self.doc.get("m", type=Map)
        self.hub = YDocument.of(self.doc)
        self.provider = YWebsocketProvider(
            self.doc,
            "ws://memory",
            "room",
            transport=network,
            on_error=self.errors.append,
            clock=self.clock,
            random=lambda: 1.0,
            backoff=Backoff(initial=1.0, maximum=1.0),
            close_timeout=0.05,
            **options,
        )
        self.link: MemoryLink

    async def next(self) -> bytes:
        message = await self.link.server.recv()
        assert isinstance(message, bytes)
        return message

    async def expect(self, *kinds: str) -> list[bytes]:
        """The next messages, which are of these kinds."""
        messages = [await self.next() for _ in kinds]
        assert [kind(message) for message in messages] == list(kinds)
        return messages

    async def expect_nothing(self) -> None:
        """Nothing more was sent up to now."""
        for _ in range(10):
            await asyncio.sleep(0)
        assert self.link.waiting("up") == 0

    async def wait_until_sending(self) -> None:
        """Wait until a message is on its way that the network has not room for."""
        for _ in range(10):
            await asyncio.sleep(0)
        assert self.link.waiting("up")

    async def come_again(self) -> None:
        """Let the provider see the end of the connection, and make the next."""
        await until(
            lambda: self.provider.status == "disconnected", self.provider.add_status_listener, "the end"
        )
        await self.clock.wait_for_sleepers()
        self.clock.advance(1.0)

    async def say(self, *messages: bytes | str) -> None:
        for message in messages:
            await self.link.server.send(message)

    async def accept(self) -> None:
        self.link = await self.network.accept()

    async def shake_hands(self, *, state: bytes = b"\0", update: bytes = NOTHING) -> None:
        """As a server that has nothing: both questions and both answers."""
        await self.accept()
        await self.expect("step1")
        await self.say(step1_message(state), step2_message(update))
        await self.expect("step2")
        await self.provider.wait_synced()


@asynccontextmanager
async def by_hand(*, buffer: int = 1 << 24, **options: Any) -> AsyncIterator[ByHand]:
    async with MemoryNetwork(buffer=buffer) as network:
        hand = ByHand(network, **options)
        async with hand.provider:
            yield hand


def step1_state(message: bytes) -> bytes:
    reader = Reader(message)
    assert (reader.uint(), reader.uint()) == (0, 0)
    return reader.bytes()


def update_of(message: bytes) -> bytes:
    reader = Reader(message)
    assert reader.uint() == 0
    assert reader.uint() in {1, 2}
    return reader.bytes()


def cells_of(message: bytes) -> set[str]:
    """The keys in the map of a document that has only what the message brings."""
    doc: Doc[Any] = Doc()
    doc.apply_update(update_of(message))
    return set(doc.get("m", type=Map).keys())


def entries(message: bytes) -> list[tuple[int, int, str]]:
    """Client, clock and JSON of an awareness message."""
    outer = Reader(message)
    assert outer.uint() == 1
    reader = Reader(outer.bytes())
    return [(reader.uint(), reader.uint(), reader.string()) for _ in range(reader.uint())]


def updates_of(cells: dict[str, str]) -> tuple[Doc[Any], list[bytes]]:
    """A document in which one client wrote these cells, and the update of each."""
    doc = create_doc()
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    shared = doc.get("m", type=Map)
    for key, value in cells.items():
        shared[key] = value
    doc.unobserve(subscription)
    return doc, updates


async def test_it_asks_first_and_writes_only_when_it_was_asked() -> None:
    async with by_hand() as hand:
        await hand.accept()
        (question,) = await hand.expect("step1")
        assert step1_state(question) == b"\0"
        hand.map["x"] = "1"
        await hand.expect_nothing()
        await hand.say(step1_message(b"\0"))
        (answer,) = await hand.expect("step2")
        assert cells_of(answer) == {"x"}
        hand.map["y"] = "2"
        await hand.expect("update")
        assert not hand.provider.synced
        await hand.say(step2_message(NOTHING))
        await hand.provider.wait_synced()


async def test_a_server_that_answers_without_asking_is_sent_everything() -> None:
    async with by_hand() as hand:
        hand.map["x"] = "1"
        await hand.accept()
        await hand.expect("step1")
        flush = asyncio.create_task(hand.provider.flush())
        await hand.expect_nothing()
        await hand.say(step2_message(NOTHING))
        (update, _) = await hand.expect("update", "step1")
        assert cells_of(update) == {"x"}
        await hand.say(step2_message(NOTHING))
        await flush


async def test_several_messages_in_one_frame_all_count_and_text_is_ignored() -> None:
    async with by_hand() as hand:
        await hand.accept()
        await hand.expect("step1")
        _, updates = updates_of({"x": "1", "y": "2"})
        await hand.say(
            "text", step1_message(b"\0") + step2_message(NOTHING) + b"".join(map(update_message, updates))
        )
        await hand.expect("step2")
        await hand.provider.wait_synced()
        assert dict(hand.map.items()) == {"x": "1", "y": "2"}
        assert hand.errors == []


async def test_one_question_serves_all_who_flush_in_the_same_state() -> None:
    async with by_hand() as hand:
        await hand.accept()
        flushes = [asyncio.create_task(hand.provider.flush()) for _ in range(3)]
        await hand.expect("step1")
        await hand.expect_nothing()
        await hand.say(step1_message(b"\0"))
        await hand.expect("step2", "step1")
        await hand.expect_nothing()
        await hand.say(step2_message(NOTHING), step2_message(NOTHING))
        await asyncio.gather(*flushes)


async def test_a_question_that_was_answered_serves_nobody_else() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        first = asyncio.create_task(hand.provider.flush())
        await hand.expect("step1")
        second = asyncio.create_task(hand.provider.flush())
        # The answer comes before the second starts, and the first has not come to run yet.
        hand.provider._adapter.received(step2_message(NOTHING))
        await first
        await hand.expect("step1")
        await hand.say(step2_message(NOTHING))
        await second


async def test_an_answer_confirms_only_what_was_written_before_its_question() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        first = asyncio.create_task(hand.provider.flush())
        await hand.expect("step1")
        hand.map["x"] = "1"
        second = asyncio.create_task(hand.provider.flush())
        await hand.expect("update", "step1")
        await hand.say(step2_message(NOTHING))
        await first
        await hand.expect_nothing()
        assert not second.done()
        await hand.say(step2_message(NOTHING))
        await second


async def test_content_forgotten_by_the_outbox_is_confirmed_only_after_it_was_made_up_for() -> None:
    async with by_hand(buffer=1, limits=Limits(max_outbound=1000)) as hand:
        await hand.shake_hands()
        hand.map["a"] = "1"
        await hand.wait_until_sending()
        # The question stands in the queue behind content that is forgotten, which the question is not.
        hand.map["b"] = "x" * 600
        early = asyncio.create_task(hand.provider.flush())
        await asyncio.sleep(0)
        hand.map["c"] = "x" * 600
        late = asyncio.create_task(hand.provider.flush())
        (_, voided, made_up, question) = await hand.expect("update", "step1", "update", "step1")
        assert {"b", "c"} <= cells_of(made_up)
        await hand.say(step2_message(NOTHING))  # the answer to the voided question
        await hand.expect_nothing()
        assert not early.done()
        assert not late.done()
        await hand.say(step2_message(NOTHING))
        await asyncio.gather(early, late)
        assert step1_state(question) != step1_state(voided)


async def test_what_was_made_up_for_is_not_sent_again_the_next_time() -> None:
    async with by_hand(limits=Limits(max_outbound=1000)) as hand:
        await hand.shake_hands()
        sizes = []
        for turn in range(5):
            for part in range(3):
                hand.map[f"{turn}.{part}"] = "x" * 900
            (made_up,) = await hand.expect("update")
            sizes.append(len(made_up))
            await hand.expect_nothing()
        assert max(sizes) < 3200


async def test_an_open_asynchronous_transaction_is_not_taken_for_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What the server has is noted whenever the queue is empty.
    monkeypatch.setattr(adapter_module, "_NOTE_EVERY", 0)
    async with by_hand(buffer=1, limits=Limits(max_outbound=1000)) as hand:
        await hand.shake_hands()
        async with hand.doc.new_transaction():
            hand.map["a"] = "1"
            hand.provider.set_local_state({"n": 1})
            await hand.expect("awareness")
            await hand.expect_nothing()
            hand.provider.set_local_state({"n": 2})
            await hand.wait_until_sending()
        hand.map["b"] = "x" * 600
        hand.map["c"] = "x" * 600
        _, made_up = await hand.expect("awareness", "update")
        assert cells_of(made_up) == {"a", "b", "c"}


async def test_a_gap_is_asked_about_at_once_and_again_in_growing_pauses() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        source, updates = updates_of({"a": "1", "b": "2", "c": "3"})
        await hand.say(update_message(updates[2]))
        await hand.expect("step1")
        await hand.say(step2_message(NOTHING))  # the server does not have it either, for now
        (due,) = await hand.clock.wait_for_sleepers()
        hand.clock.advance(due - hand.clock.now())
        (question,) = await hand.expect("step1")
        await hand.say(step2_message(get_update(source.get_update(), step1_state(question))))
        await until(lambda: len(hand.map) == 3, hand.hub.subscribe, "the cells behind the gap")


async def test_a_malformed_message_closes_the_connection_with_1007() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        await hand.say(b"\x00\x07")
        with pytest.raises(ConnectionClosedError, match="1007"):
            await hand.next()
        await hand.come_again()
        assert isinstance(hand.errors[-1], RemoteProtocolError)
        await hand.shake_hands()


async def test_what_was_wrong_is_told_also_when_the_server_does_not_answer_the_goodbye() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        hand.link.hold("up")  # the close frame among it
        await hand.say(update_message(b"\xff"))
        await until(
            lambda: hand.provider.status == "disconnected", hand.provider.add_status_listener, "the end"
        )
        assert isinstance(hand.provider.last_error, RemoteProtocolError)
        assert [type(error) for error in hand.errors] == [RemoteProtocolError]


async def test_a_refusal_to_write_counts_for_its_connection_only() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        hand.map["x"] = "1"
        await hand.say(denied_message("read-only"))
        flush = asyncio.create_task(hand.provider.flush())
        await hand.expect("update", "step1")
        await hand.say(step2_message(NOTHING))
        with pytest.raises(ReadOnlyError, match="does not allow what was sent: 'read-only'") as caught:
            await flush
        assert isinstance(caught.value, ProviderError)
        hand.link.drop()
        await hand.come_again()
        await hand.shake_hands()
        flush = asyncio.create_task(hand.provider.flush())
        await hand.expect("step1")
        await hand.say(step2_message(NOTHING))
        await flush


# --- awareness


async def test_ones_own_state_is_announced_renewed_and_taken_back() -> None:
    hand: ByHand
    async with MemoryNetwork() as network:
        hand = ByHand(network)
        hand.provider.set_local_state({"name": "me"})
        async with hand.provider:
            await hand.accept()
            _, announced = await hand.expect("step1", "awareness")
            await hand.say(step1_message(b"\0"), step2_message(NOTHING))
            await hand.expect("step2")
            ((client, clock, state),) = entries(announced)
            assert (client, state) == (hand.doc.client_id, '{"name":"me"}')
            (due,) = await hand.clock.wait_for_sleepers()
            assert due == 15.0
            hand.clock.advance(15.0)
            (renewed,) = await hand.expect("awareness")
            assert entries(renewed) == [(client, clock + 1, state)]
        (farewell,) = await hand.expect("awareness")
        assert entries(farewell) == [(client, clock + 1, "null")]


async def test_others_who_fall_silent_are_gone_after_thirty_seconds_and_that_is_nobodys_business() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        other = Awareness(7)
        other.set_local_state({"name": "other"}, 0.0)
        awareness = hand.provider.awareness
        assert awareness is not None
        await hand.say(awareness_message(other.encode()))
        await until(lambda: 7 in awareness.states, awareness.observe, "the other")
        assert await hand.clock.wait_for_sleepers() == [30.0]
        hand.clock.advance(30.0)
        await until(lambda: 7 not in awareness.states, awareness.observe, "the other's going")
        await hand.expect_nothing()


async def test_after_a_reconnect_the_state_has_a_higher_clock() -> None:
    async with by_hand() as hand:
        hand.provider.set_local_state({"name": "me"})
        await hand.accept()
        _, first = await hand.expect("step1", "awareness")
        hand.link.drop()
        await hand.come_again()
        await hand.accept()
        _, second = await hand.expect("step1", "awareness")
        assert entries(second)[0][1] > entries(first)[0][1]
        assert entries(second)[0][2] == entries(first)[0][2]


async def test_a_server_that_echoes_the_goodbye_does_not_make_it_come_back() -> None:
    async with by_hand() as hand:
        hand.provider.set_local_state({"name": "me"})
        await hand.accept()
        await hand.expect("step1", "awareness")
        await hand.say(step1_message(b"\0"), step2_message(NOTHING))
        await hand.expect("step2")
        leaving = asyncio.create_task(hand.provider.disconnect())
        (farewell,) = await hand.expect("awareness")
        await hand.say(farewell)
        await leaving
        with pytest.raises(ConnectionClosedError, match="1000"):
            await hand.next()


async def test_leaving_does_not_speak_of_a_state_that_was_never_told() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        await hand.provider.disconnect()
        with pytest.raises(ConnectionClosedError, match="1000"):
            await hand.next()


# --- leaving


async def test_leaving_asks_for_a_confirmation_only_when_something_was_written() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        hand.map["x"] = "1"
        flush = asyncio.create_task(hand.provider.flush())
        await hand.expect("update", "step1")
        await hand.say(step2_message(NOTHING))
        await flush
        await hand.provider.disconnect()
        with pytest.raises(ConnectionClosedError, match="1000"):
            await hand.next()
        assert hand.errors == []


async def test_leaving_without_a_confirmation_is_reported_and_what_waited_was_sent() -> None:
    async with by_hand() as hand:
        await hand.shake_hands()
        hand.map["x"] = "1"
        await hand.provider.disconnect()
        await hand.expect("update", "step1")
        assert [type(error) for error in hand.errors] == [SyncTimeoutError]


def test_the_helpers_of_this_file_read_what_the_protocol_writes() -> None:
    payload = Writer().uint(1).uint(9).uint(2).string("{}").finish()
    assert entries(awareness_message(payload)) == [(9, 2, "{}")]
    assert update_of(update_message(b"abc")) == update_of(step2_message(b"abc")) == b"abc"
    assert step1_state(step1_message(b"abc")) == b"abc"


async def test_what_waits_and_is_refused_later_ends_the_connection_of_who_brought_it() -> None:
    child, text = bytes.fromhex("0101030108000300017d0500"), bytes.fromhex("0101030004010161017800")
    async with by_hand() as hand:
        await hand.shake_hands()
        await hand.say(update_message(child))
        await hand.expect("step1")
        hand.hub.apply(text, origin="another provider")
        await hand.expect("update")
        with pytest.raises(ConnectionClosedError) as caught:
            await hand.next()
        assert caught.value.code == 1007
        await until(lambda: bool(hand.errors), hand.provider.add_status_listener, "the error")
        assert isinstance(hand.errors[0], RemoteProtocolError)
        assert "parent 3:0 is no type" in str(hand.errors[0])
        await hand.come_again()
        await hand.shake_hands()  # nothing of it is left
