"""What is known of a peer: what of it waits, and which of its confirmations are read."""

from __future__ import annotations

import random
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from support.amdocs import content, log_of, put
from support.automerge_chunks import chunk, numbered_wrongly
from weft._codecs.automerge.chunks import change_hash, split_chunks
from weft._codecs.automerge.sync_message import make_sync_message, parse_sync_message
from weft.documents.automerge.document import AutomergeDocument
from weft.documents.automerge.sync_state import PeerSyncState
from weft.errors import RemoteProtocolError
from weft.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def _talk(one: AutomergeDocument, its: PeerSyncState, other: AutomergeDocument, state: PeerSyncState) -> int:
    """Let two documents say all that they have to say; gives how many messages that took."""
    count = 0
    for _ in range(20):
        said = one.generate_sync_message(its), other.generate_sync_message(state)
        if said == (None, None):
            return count
        for end, known, message in ((other, state, said[0]), (one, its, said[1])):
            if message is not None:
                end.receive_sync_message(known, message)
                count += 1
    raise AssertionError("they talk for ever")


def test_who_sends_what_cannot_be_applied_yet_keeps_nobody_else_from_syncing() -> None:
    """A peer that is asked for what it has not got, and is told nothing else, brings nothing any more."""
    changes = log_of(3)
    server, honest, state, its = AutomergeDocument(), AutomergeDocument(), PeerSyncState(), PeerSyncState()
    put(honest, "a", 1)
    _talk(server, state, honest, its)
    late = PeerSyncState()
    server.receive_sync_message(late, make_sync_message((), [changes[2], changes[0]]))
    for number in range(3):
        put(honest, "a", number)
        put(server, "b", number)
        _talk(server, state, honest, its)
        assert content(server) == content(honest) == {"a": number, "b": number, "k0": 0}
    asked = server.generate_sync_message(late)
    assert asked is not None
    assert [change_hash(changes[1])] == list(parse_sync_message(asked).needs)
    server.receive_sync_message(late, make_sync_message((), changes[1:2]))
    assert content(server) == {"a": 2, "b": 2, "k0": 0, "k1": 1, "k2": 2}
    assert not server.apply_changes(())
    AutomergeDocument(server.save())


def test_what_waits_goes_with_its_peer_and_harms_nobody() -> None:
    first, second = log_of(2)
    (decoy,) = AutomergeDocument.from_rows([first]).changes_since(())
    document = AutomergeDocument()
    put(document, "a", 1)
    bad = PeerSyncState()
    poison = numbered_wrongly(AutomergeDocument.from_rows([document.save()]))
    late = bytearray(poison[split_chunks(poison)[0].start :])
    late[1:33] = change_hash(decoy)  # it waits for an honest change, and could not be applied behind it
    document.receive_sync_message(bad, make_sync_message((), [chunk(1, bytes(late))]))
    assert not document.apply_changes([first, second])
    assert content(document) == {"a": 1, "k0": 0, "k1": 1}
    with pytest.raises(RemoteProtocolError):
        document.receive_sync_message(bad, make_sync_message(()))
    assert content(document) == {"a": 1, "k0": 0, "k1": 1}


def test_what_waits_is_bounded() -> None:
    document = AutomergeDocument(limits=Limits(max_message=300))
    state = document.new_sync_state()
    *rest, last_but_two, _, last = log_of(9)
    document.receive_sync_message(state, make_sync_message((), [last]))
    document.receive_sync_message(state, make_sync_message((), [last_but_two]))
    with pytest.raises(RemoteProtocolError, match="too many"):
        document.receive_sync_message(state, make_sync_message((), rest[1:3]))
    assert document.heads == ()


def _lines(act: Callable[[], object]) -> int:
    """How many lines of weft's Python something takes."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line" and "weft" in frame.f_code.co_filename
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("backwards", [False, True])
def test_the_work_for_what_waits_grows_with_its_number_and_not_with_its_square(backwards: bool) -> None:
    def bring(number: int) -> None:
        document, state = AutomergeDocument(), PeerSyncState()
        first, *rest = log_of(number)
        for change in reversed(rest) if backwards else rest:
            document.receive_sync_message(state, make_sync_message((change_hash(change),), [change]))
            document.generate_sync_message(state)
        assert (len(state.held), document.heads) == (number - 1, ())
        document.receive_sync_message(state, make_sync_message((), [first]))
        assert (len(state.held), state.held.size, list(state.held.needs)) == (0, 0, [])
        assert len(content(document)) == number

    few = _lines(lambda: bring(100))
    assert _lines(lambda: bring(400)) < 4.5 * few


def test_what_another_brought_releases_what_waits_and_is_not_asked_for() -> None:
    document, late = AutomergeDocument(), PeerSyncState()
    changes = log_of(6)
    document.receive_sync_message(late, make_sync_message((), [changes[2], changes[5], changes[4]]))
    assert set(late.held.needs) == {change_hash(changes[1]), change_hash(changes[3])}
    document.receive_sync_message(late, make_sync_message((), [changes[5]]))  # again
    assert len(late.held) == 3
    other = PeerSyncState()
    document.receive_sync_message(other, make_sync_message((), changes[:2]))
    document.receive_sync_message(late, make_sync_message(()))
    assert (len(late.held), list(late.held.needs)) == (2, [change_hash(changes[3])])
    document.receive_sync_message(other, make_sync_message((), changes[2:]))
    document.receive_sync_message(late, make_sync_message(()))
    assert (len(late.held), late.held.size, list(late.held.needs)) == (0, 0, [])
    assert len(content(document)) == 6


class Star:
    """A document in the middle and peers round it; messages are under way until they are delivered."""

    def __init__(self, rng: random.Random, peers: int) -> None:
        self._rng = rng
        self.center = AutomergeDocument()
        self.peers = [AutomergeDocument() for _ in range(peers)]
        self._states = [(self.center.new_sync_state(), peer.new_sync_state()) for peer in self.peers]
        self._down: list[deque[bytes]] = [deque() for _ in self.peers]
        self._up: list[deque[bytes]] = [deque() for _ in self.peers]
        self.center.subscribe(lambda _: self._center_says())

    def _center_says(self) -> None:
        for at in range(len(self.peers)):
            if self._rng.random() < 0.7:  # or later, and then more in one message
                self.say(at)

    def say(self, at: int) -> None:
        for document, state, queue in (
            (self.center, self._states[at][0], self._down[at]),
            (self.peers[at], self._states[at][1], self._up[at]),
        ):
            message = document.generate_sync_message(state)
            if message is not None:
                queue.append(message)

    def deliver(self, at: int) -> bool:
        """Deliver one message between the center and a peer, if there is one."""
        ways = [way for way in (self._down, self._up) if way[at]]
        if not ways:
            return False
        way = self._rng.choice(ways)
        document, state = (
            (self.peers[at], self._states[at][1]) if way is self._down else (self.center, self._states[at][0])
        )
        document.receive_sync_message(state, way[at].popleft())
        self.say(at)
        return True


@pytest.mark.parametrize("seed", range(12))
def test_peers_converge_though_most_confirmations_are_not_read(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seed is the test's parameter."""
    rng = random.Random(seed)
    monkeypatch.setattr("weft.documents.automerge.sync_state._MAX_UNREAD", rng.choice([3, 31, 1_000_000]))
    world = Star(rng, 3)
    for number in range(150):
        at = rng.randrange(3)
        if rng.random() < 0.5:
            put(rng.choice([world.peers[at], world.center]), f"k{rng.randrange(20)}", number)
        if rng.random() < 0.8:
            world.say(at)
        for _ in range(rng.randrange(4)):
            world.deliver(rng.randrange(3))
    delivering = True
    while delivering:
        for at in range(3):
            world.say(at)
        delivering = any(world.deliver(at) for at in range(3))
    assert {peer.heads for peer in world.peers} == {world.center.heads}, f"seed {seed}"


def test_a_confirmation_is_read_only_where_it_may_tell_something() -> None:
    one, other = AutomergeDocument(), AutomergeDocument()
    ends = one.new_sync_state(), other.new_sync_state()
    read = []
    for number in range(100):
        put(one, "x", number)
        message = one.generate_sync_message(ends[0])
        assert message is not None
        other.receive_sync_message(ends[1], message)
        answer = other.generate_sync_message(ends[1])
        assert answer is not None
        one.receive_sync_message(ends[0], answer)
        read.append(ends[0].unread == 0)
        assert other.heads == one.heads or number == 0  # the first two exchange what they have
    assert sum(read) == 4
