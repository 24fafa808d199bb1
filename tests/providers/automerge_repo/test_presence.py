"""Presence: who is there, by what they say, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.live import until
from support.provided import AutomergePeer
from support.reposerver import RepoServer
from support.serverdouble import MemoryServing
from weft.errors import LocalProtocolError
from weft.limits import Limits
from weft.providers.automerge_repo.presence import Presence
from weft.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Mapping

Heard = list[tuple[str, "Mapping[str, object] | None"]]


class Alone:
    """A presence, and what it says."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.said: list[Any] = []
        self.errors: list[Exception] = []
        self.heard: Heard = []
        self.woken = 0
        self.presence = Presence(
            {"name": "me"},
            check=lambda message: None,
            say=self._say,
            rearm=self._rearm,
            clock=self.clock,
            limits=Limits(**options),
            report=self.errors.append,
        )
        self.presence.add_listener(lambda peer_id, state: self.heard.append((peer_id, state)))

    def _say(self, message: object) -> bool:
        assert isinstance(message, dict)
        self.said.append(message["__presence"])
        return True

    def _rearm(self) -> None:
        self.woken += 1

    def kinds(self) -> list[str]:
        kinds = [message["type"] for message in self.said]
        self.said.clear()
        return kinds

    def announce(self) -> None:
        self.presence.announce()
        assert self.woken
        self.presence.tick()

    def receive(self, peer_id: str, kind: str, **more: object) -> None:
        self.presence.receive({"__presence": {"type": kind, **more}}, peer_id)


def test_it_says_its_state_then_what_changes_and_that_it_is_still_there() -> None:
    alone = Alone()
    alone.presence.set("early", 1)
    assert alone.said == []  # there is no connection
    assert alone.presence.tick() is None
    alone.announce()
    alone.presence.set("cursor", [1])
    assert alone.said == [
        {"type": "snapshot", "state": {"name": "me", "early": 1}},
        {"type": "update", "channel": "cursor", "value": [1]},
    ]
    alone.said.clear()
    assert alone.presence.tick() == 15
    alone.clock.advance(14.5)
    assert alone.presence.tick() == 0.5
    assert alone.kinds() == []
    alone.clock.advance(0.5)
    assert alone.presence.tick() == 15
    assert alone.kinds() == ["heartbeat"]
    with alone.presence:
        pass
    alone.presence.close()
    assert alone.kinds() == ["goodbye"]
    assert not alone.presence.is_present


def test_others_are_known_by_what_they_say_and_forgotten_when_they_are_silent() -> None:
    alone = Alone()
    alone.announce()
    alone.receive("ben", "heartbeat")  # of whom nothing is known yet
    assert alone.presence.states == {}
    alone.receive("ben", "snapshot", state={"name": "Ben"})
    alone.receive("ben", "update", channel="cursor", value=2)
    assert alone.presence.states == {"ben": {"name": "Ben", "cursor": 2}}
    alone.clock.advance(30)
    alone.receive("ben", "heartbeat")
    alone.clock.advance(30)
    alone.presence.tick()
    assert "ben" in alone.presence.states
    alone.clock.advance(15)
    alone.presence.tick()
    assert alone.presence.states == {}
    alone.receive("eve", "snapshot", state={})
    alone.receive("eve", "goodbye")
    alone.receive("eve", "goodbye")
    assert alone.heard == [
        ("ben", {"name": "Ben"}),
        ("ben", {"name": "Ben", "cursor": 2}),
        ("ben", None),
        ("eve", {}),
        ("eve", None),
    ]


def test_who_is_new_is_told_ones_state_once_and_a_little_later() -> None:
    alone = Alone()
    alone.announce()
    alone.kinds()
    alone.receive("ben", "snapshot", state={})
    alone.receive("eve", "heartbeat")
    assert alone.presence.tick() == 0.5
    alone.clock.advance(0.5)
    alone.presence.tick()
    alone.receive("ben", "update", channel="x", value=1)
    alone.receive("gone", "goodbye")
    assert alone.presence.tick() == 15
    assert alone.kinds() == ["snapshot"]


def test_without_a_connection_nothing_is_said_and_the_next_hears_the_whole_state() -> None:
    alone = Alone()
    alone.announce()
    alone.presence.disconnected()
    alone.kinds()
    alone.presence.set("cursor", 1)
    alone.clock.advance(100)
    assert alone.presence.tick() is None
    alone.presence.say_goodbye()
    assert alone.said == []
    alone.announce()
    assert alone.said == [{"type": "snapshot", "state": {"name": "me", "cursor": 1}}]


@pytest.mark.parametrize(
    "message",
    [
        None, 1, [], {}, {"__presence": 1}, {"__presence": {}}, {"__presence": {"type": "snapshot"}},
        {"__presence": {"type": "snapshot", "state": 1}}, {"__presence": {"type": "update", "value": 1}},
        {"__presence": {"type": "update", "channel": 1, "value": 1}}, {"__presence": {"type": "else"}},
        {"__presence": {"type": "snapshot", "state": {f"c{n}": n for n in range(65)}}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_presence_message_is_left_alone(message: object) -> None:
    alone = Alone()
    alone.presence.receive(message, "ben")
    assert alone.presence.states == {}
    assert alone.heard == []


def test_what_is_remembered_is_bounded() -> None:
    alone = Alone(max_awareness_states=2)
    for name in ("a", "b", "c"):
        alone.receive(name, "snapshot", state={})
    assert alone.presence.states.keys() == {"a", "b"}
    for number in range(100):
        alone.receive("a", "update", channel=f"c{number}", value=number)
    assert len(alone.presence.states["a"]) == 64


def test_what_a_listener_raises_is_reported() -> None:
    alone = Alone()

    def fail(peer_id: str, state: object) -> None:
        raise KeyError(peer_id)

    alone.presence.add_listener(fail)
    alone.receive("ben", "snapshot", state={})
    assert [type(error) for error in alone.errors] == [KeyError]
    assert alone.heard == [("ben", {})]


async def test_providers_see_each_other_come_change_and_go() -> None:
    async with (
        MemoryServing(RepoServer()) as serving,
        AutomergePeer(serving, peer_id="one") as one,
        AutomergePeer(serving, peer_id="other") as other,
    ):
        await one.provider.wait_synced()
        await other.provider.wait_synced()
        ours = one.provider.handle.presence({"name": "One"})
        theirs = other.provider.handle.presence({"name": "Other"})
        with pytest.raises(LocalProtocolError, match="has its presence already"):
            one.provider.handle.presence()
        for bad in (object(), "x" * 100_000):
            with pytest.raises((TypeError, ValueError)):
                ours.set("bad", bad)
        assert ours.local_state == {"name": "One"}

        async def until_states(presence: Presence, states: object) -> None:
            await until(
                lambda: presence.states == states, presence.add_listener, f"{states}; {presence.states}"
            )

        await until_states(ours, {"other": {"name": "Other"}})
        await until_states(theirs, {"one": {"name": "One"}})
        ours.set("cursor", [1])
        await until_states(theirs, {"one": {"name": "One", "cursor": [1]}})
        await serving.drop_all()
        await one.until_status("disconnected")
        ours.set("cursor", [2])  # told when there is a connection again
        await until_states(theirs, {"one": {"name": "One", "cursor": [2]}})
        await one.provider.disconnect()
        await until_states(theirs, {})
        await one.provider.connect()
        await until_states(theirs, {"one": {"name": "One", "cursor": [2]}})
        one.provider.handle.close()
        await until_states(theirs, {})
        theirs.close()
        other.provider.handle.presence()
