"""One process's decisions, with a clock that the test turns; what several come to is in test_hub.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from weft.server.fanout.messages import (
    Hint,
    Question,
    Told,
    beat_message,
    bye_message,
    hint_message,
    read_message,
)
from weft.server.fanout.session import (
    BEAT_S,
    HEADS_S,
    PROCESSES,
    SILENT_S,
    Answer,
    Deleted,
    FanoutEffect,
    FanoutSession,
    Fetch,
    Forget,
    Hear,
    Publish,
    ReadHeads,
    TakeIn,
    room_channel,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
ONE, TWO = b"process1", b"process2"
FARM = room_channel("farm")


def session(*, number: int | None = 0) -> FanoutSession:
    made = FanoutSession(ONE, max_message=1000, now=0.0)
    made.tick(0.0)
    if number is not None:
        made.opening("farm")
        made.opened("farm", number, 0.0)
    return made


def hint(first: int, *updates: bytes, count: int | None = None) -> bytes:
    return hint_message(TWO, 1000, first, len(updates) if count is None else count, updates)


def of(kind: type[T], effects: Sequence[FanoutEffect]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


def receive(made: FanoutSession, message: bytes, now: float = 0.0) -> list[FanoutEffect]:
    return made.received(FARM, message, now, wall_s=1.5)


def test_a_commit_is_told_and_what_is_too_large_only_by_its_numbers() -> None:
    made = session()
    for first, update, sent in ((1, b"small", [b"small"]), (2, bytes(2000), [])):
        (publish,) = of(Publish, made.committed("farm", first, [update], 0.0, wall_s=1.0))
        message = read_message(publish.message)
        assert isinstance(message, Hint)
        assert (publish.channel, message.first, message.count) == (FARM, first, 1)
        assert message.updates == sent


def test_hints_are_taken_in_and_a_hole_is_fetched_when_it_is_old() -> None:
    made = session()
    assert receive(made, hint(1, b"1")) == [TakeIn("farm", [b"1"])]
    assert made.stats.lag_s == 0.5
    assert receive(made, hint(3, b"3")) == []
    assert made.next_tick() == pytest.approx(0.05)
    assert made.tick(0.04) == []
    assert made.tick(0.06) == [Fetch("farm", 1)]
    assert made.next_tick() == HEADS_S, "it is being fetched"
    assert made.fetched("farm", [(2, b"2"), (3, b"3")], 3, 0.1) == [TakeIn("farm", [b"2", b"3"])]
    assert made.stats.holes == 1


def test_a_hole_that_closes_is_not_fetched() -> None:
    made = session()
    receive(made, hint(2, b"2"))
    assert receive(made, hint(1, b"1"), 0.02) == [TakeIn("farm", [b"1", b"2"])]
    assert made.tick(0.06) == []


def test_heads_are_looked_at_each_second_and_show_what_nobody_told() -> None:
    made = session()
    assert of(ReadHeads, made.tick(HEADS_S)) == [ReadHeads(("farm",))]
    assert of(ReadHeads, made.tick(2 * HEADS_S)) == [], "the first has not come yet"
    assert made.heads_read({"farm": 2}, 2.0) == []
    assert made.tick(2.06) == [Fetch("farm", 0)]
    assert made.heads_read({"farm": -1}, 3.0) == [Deleted("farm")]


def test_what_cannot_be_read_is_asked_for_again_and_not_at_once() -> None:
    made = session()
    receive(made, hint(2, b"2"))
    made.tick(0.06)
    made.fetch_failed("farm", 0.1)
    receive(made, hint(3, b"3"), 0.2)
    assert of(Fetch, made.tick(0.9)) == []
    assert of(Fetch, made.tick(1.1)) == [Fetch("farm", 0)]
    made.heads_read(None, 1.2)
    assert of(ReadHeads, made.tick(2.5)) == [ReadHeads(("farm",))]


def test_a_hint_that_comes_while_the_room_is_loaded_is_remembered() -> None:
    made = session(number=None)
    made.opening("farm")
    receive(made, hint(4, b"4", b"5"))
    assert of(TakeIn, made.opened("farm", 3, 0.0)) == []
    assert made.tick(0.05) == [Fetch("farm", 3)]


def test_who_opens_a_room_asks_and_is_answered() -> None:
    made, other = session(), FanoutSession(TWO, max_message=1000, now=0.0)
    (question,) = of(Publish, other.opened("farm", 0, 0.0))
    assert receive(made, question.message) == [Answer("farm")]
    told = made.tell("farm", b"Ada")
    assert other.received(told.channel, told.message, 0.0, wall_s=0.0) == [Hear("farm", ONE, b"Ada")]


def test_a_connection_makes_up_for_what_was_missed() -> None:
    effects = session().connected()
    assert of(Answer, effects) == [Answer("farm")]
    assert len(of(Publish, effects)) == 2, "a beat and a question"
    assert of(ReadHeads, effects) == [ReadHeads(("farm",))]


def test_who_is_silent_or_says_goodbye_is_forgotten() -> None:
    made = session(number=None)
    made.received(PROCESSES, beat_message(TWO), 1.0, wall_s=0.0)
    made.tick(2.0)
    assert made.stats.processes == 1
    assert of(Forget, made.tick(1.0 + SILENT_S)) == []
    assert of(Forget, made.tick(2.5 + SILENT_S)) == [Forget(TWO)]
    assert made.stats.processes == 0
    made.opened("farm", 0, 18.0)
    # It was held up only: its clients are asked for, once.
    (asked,) = made.received(PROCESSES, beat_message(TWO), 19.0, wall_s=0.0)
    assert isinstance(asked, Publish)
    assert isinstance(read_message(asked.message), Question)
    assert asked.channel == FARM
    assert made.received(PROCESSES, beat_message(TWO), 19.5, wall_s=0.0) == []
    assert made.received(PROCESSES, bye_message(TWO), 20.0, wall_s=0.0) == [Forget(TWO)]


def test_a_process_beats() -> None:
    made = session(number=None)
    beats = [now for now in range(1, 12) if of(Publish, made.tick(float(now)))]
    assert beats == [BEAT_S, 2 * BEAT_S]


def test_ones_own_and_what_nobody_can_read_is_left(caplog: pytest.LogCaptureFixture) -> None:
    made = session()
    assert receive(made, hint_message(ONE, 0, 9, 1, [b"9"])) == []
    assert receive(made, b"\x02\x01 of a later version") == []
    assert made.stats.unreadable == 1
    assert "another version" in caplog.text


def test_of_a_room_that_was_closed_nothing_comes() -> None:
    made = session()
    receive(made, hint(2, b"2"))
    made.closed("farm")
    assert made.tick(0.1) == []
    assert receive(made, hint(1, b"1")) == []
    assert made.fetched("farm", [(1, b"1")], 1, 0.2) == []
    assert of(Told, made.heads_read({"farm": 3}, 0.2)) == []
