"""AutomergeDocument: what is told, what is refused, and that a refusal leaves the document as it was."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import zlib
from collections import deque

import pytest

from support.amdocs import sync
from support.automerge_chunks import ACTOR, OTHER, chunk, honest_changes
from weft._codecs.automerge import saved_document
from weft._codecs.automerge.change import decode_change
from weft._codecs.automerge.chunks import COMPRESSED, DOCUMENT, change_hash, split_chunks
from weft._codecs.automerge.leb128 import write_int, write_uint
from weft._codecs.automerge.sync_message import make_sync_message, parse_sync_message
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType, SyncState, decode_message, new_core
from weft.documents.automerge.document import AutomergeDocument, DocumentEvent
from weft.documents.automerge.sync_state import PeerSyncState
from weft.errors import DataError, LocalProtocolError, MirrorError, RemoteProtocolError
from weft.limits import Limits


def put(document: AutomergeDocument, key: str, number: int, *, origin: object = None) -> None:
    with document.transaction(origin=origin) as tx:
        tx.put(ROOT, key, ScalarType.Int, number)


def content(document: AutomergeDocument) -> dict[str, object]:
    values = zip(document.core.keys(ROOT), document.core.values(ROOT), strict=True)
    return {key: value[0][1] for key, value in values}


def log_of(count: int) -> list[bytes]:
    document = AutomergeDocument(actor=OTHER)
    for number in range(count):
        put(document, f"k{number}", number)
    return document.changes_since(())


# -- telling


def test_local_and_received_changes_are_told_once_with_heads_changes_and_origin() -> None:
    one, other = AutomergeDocument(), AutomergeDocument()
    local: list[DocumentEvent] = []
    received: list[DocumentEvent] = []
    one.subscribe(local.append)
    other.subscribe(received.append)
    origin = object()
    put(one, "a", 1, origin=origin)
    put(one, "b", 2)
    sync(one, other, origin=origin)
    assert [event.before for event in local] == [(), local[0].after]
    assert local[0].origin is origin
    assert local[1].origin is None
    (event,) = received
    assert (event.before, event.after, event.origin) == ((), one.heads, origin)
    assert event.changes == local[0].changes + local[1].changes
    assert content(other) == {"a": 1, "b": 2}


def test_an_empty_transaction_and_known_changes_are_told_to_nobody() -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    events: list[DocumentEvent] = []
    document.subscribe(events.append)
    with document.transaction():
        pass
    assert not document.apply_changes(document.changes_since(()))
    assert events == []


def test_what_a_subscriber_writes_is_told_after_and_what_it_raises_is_contained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = AutomergeDocument()
    seen: list[tuple[str, tuple[bytes, ...]]] = []

    def first(event: DocumentEvent) -> None:
        seen.append(("first", event.after))
        if len(document.core.keys(ROOT)) < 3:
            put(document, f"more{len(seen)}", 1)
        raise KeyError("of the subscriber")

    document.subscribe(first)
    end = document.subscribe(lambda event: seen.append(("second", event.after)))
    with caplog.at_level(logging.ERROR):
        put(document, "a", 1)
    assert [name for name, _ in seen] == ["first", "second"] * 3
    assert seen[-1][1] == document.heads
    assert "of the subscriber" in caplog.text
    end()
    end()
    put(document, "z", 1)
    assert seen[-1][0] == "first"


# -- transactions


def test_an_exception_rolls_back_and_propagates() -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    before = document.heads
    with pytest.raises(ZeroDivisionError), document.transaction() as tx:  # noqa: PT012 - the block is the test
        tx.put(ROOT, "a", ScalarType.Int, 2)
        raise ZeroDivisionError
    assert (document.heads, content(document), document.in_transaction) == (before, {"a": 1}, False)


def test_nothing_else_can_be_done_while_a_transaction_is_open() -> None:
    document = AutomergeDocument()
    state = document.new_sync_state()
    with document.transaction() as tx:
        assert document.in_transaction
        tx.put(ROOT, "a", ScalarType.Int, 1)
        for attempt in (
            lambda: document.transaction().__enter__(),
            lambda: document.apply_changes([]),
            lambda: document.generate_sync_message(state),
            lambda: document.receive_sync_message(state, b""),
            lambda: document.includes([bytes(32)]),
            document.save,
        ):
            with pytest.raises(LocalProtocolError):
                attempt()
    assert content(document) == {"a": 1}


def test_a_poisoned_document_is_noticed_and_restored() -> None:
    document = AutomergeDocument()
    for number in range(600):  # past the point where an older fork is let go
        put(document, "n", number)
    before = document.heads
    with pytest.raises(MirrorError, match="before"), document.transaction() as tx:  # noqa: PT012 - as above
        tx.put(ROOT, "n", ScalarType.Int, -1)
        tx.put(ROOT, "n", ScalarType.Unknown, 1)
    assert (document.heads, content(document)) == (before, {"n": 599})
    assert document.core.get_actor() == document.actor
    put(document, "n", 700)
    assert content(AutomergeDocument(document.save())) == {"n": 700}


def test_a_process_that_ends_within_a_transaction_ends_in_order() -> None:
    program = (
        "from weft.documents.automerge.document import AutomergeDocument\n"
        "from weft.documents.automerge.binding import ROOT, ScalarType\n"
        "document = AutomergeDocument()\n"
        "manager = document.transaction()\n"
        "manager.__enter__().put(ROOT, 'a', ScalarType.Int, 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


# -- receiving


def test_changes_may_come_in_any_order_and_wait_for_each_other() -> None:
    changes = log_of(4)
    names = [each.hash for change in changes for each in split_chunks(change)]
    document = AutomergeDocument()
    assert not document.apply_changes(changes[:1])
    assert document.apply_changes(changes[2:])
    assert content(document) == {"k0": 0}
    assert not document.includes(names)
    assert document.includes(names[:1])
    assert not document.apply_changes(changes[1:2])
    assert content(document) == {"k0": 0, "k1": 1, "k2": 2, "k3": 3}
    assert document.includes(names)
    assert document.includes(document.heads)
    assert not document.includes([b"\x11" * 32])


def test_changes_that_wait_survive_a_message_that_is_refused() -> None:
    changes = log_of(3)
    document = AutomergeDocument()
    document.apply_changes(changes[:1])
    assert document.apply_changes(changes[2:])
    with pytest.raises(RemoteProtocolError):
        document.apply_changes([_numbered_wrongly(document)])
    assert not document.apply_changes(changes[1:2])
    assert len(content(document)) == 3


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
    poison = _numbered_wrongly(AutomergeDocument.from_rows([document.save()]))
    late = bytearray(poison[split_chunks(poison)[0].start :])
    late[1:33] = change_hash(decoy)  # it waits for an honest change, and could not be applied behind it
    document.receive_sync_message(bad, make_sync_message((), [chunk(1, bytes(late))]))
    assert not document.apply_changes([first, second])
    assert content(document) == {"a": 1, "k0": 0, "k1": 1}
    with pytest.raises(RemoteProtocolError):
        document.receive_sync_message(bad, make_sync_message(()))
    assert content(document) == {"a": 1, "k0": 0, "k1": 1}


def test_a_document_may_have_more_operations_the_larger_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_document, "MAX_OPS", 50)
    long_history, bomb = AutomergeDocument(), AutomergeDocument()
    for number in range(400):
        put(long_history, f"k{number % 7}", number * 999)
    with bomb.transaction() as tx:
        tx.splice_text(tx.put_object(ROOT, "text", ObjType.Text), 0, 0, "x" * 20_000)
    document = AutomergeDocument()
    assert not document.apply_changes([long_history.save()])
    assert document.heads == long_history.heads
    with pytest.raises(RemoteProtocolError, match="too many operations"):
        document.apply_changes([bomb.save()])
    assert document.heads == long_history.heads


def test_what_waits_is_bounded() -> None:
    document = AutomergeDocument(limits=Limits(max_message=300))
    state = document.new_sync_state()
    *rest, last_but_two, _, last = log_of(9)
    document.receive_sync_message(state, make_sync_message((), [last]))
    document.receive_sync_message(state, make_sync_message((), [last_but_two]))
    with pytest.raises(RemoteProtocolError, match="too many"):
        document.receive_sync_message(state, make_sync_message((), rest[1:3]))
    assert document.heads == ()


def test_a_saved_document_that_the_binding_passes_over_is_refused_and_not_remembered() -> None:
    document = AutomergeDocument()
    saved, _ = honest_changes()
    body = bytearray(saved[split_chunks(saved)[0].start :])
    at = 1 + 17 + 1  # its one head
    body[at : at + 32] = bytes(32)
    with pytest.raises(RemoteProtocolError):
        document.apply_changes([chunk(DOCUMENT, bytes(body))])
    put(document, "a", 1)
    with pytest.raises(RemoteProtocolError, match="numbered"):
        document.apply_changes([_numbered_wrongly(document)])  # it is put back as it was
    assert content(document) == {"a": 1}


def _numbered_wrongly(document: AutomergeDocument) -> bytes:
    """A change that the binding takes in, and with which a saved document cannot be loaded again."""
    other = AutomergeDocument(document.save(), actor=b"\x03" * 16)
    before = other.heads
    put(other, "x", 1)
    (raw,) = other.changes_since(before)
    (parsed,) = split_chunks(raw)
    body = bytearray(raw[parsed.start :])
    at = 1 + 32 * len(before) + 17 + 1  # the number of its first operation
    assert body[at] == 2
    body[at] = 1
    return chunk(1, bytes(body))


def test_a_change_with_which_a_saved_document_could_not_be_loaded_is_refused() -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    events: list[DocumentEvent] = []
    document.subscribe(events.append)
    before = document.heads
    with pytest.raises(RemoteProtocolError, match="numbered"):
        document.apply_changes([_numbered_wrongly(document)])
    assert (document.heads, content(document), events) == (before, {"a": 1}, [])
    AutomergeDocument(document.save())


def _headed(start_op: int = 1, time: int = 0) -> bytes:
    """A change that sets one key, with numbers of an attacker's choice in its head."""
    (raw,) = log_of(1)
    body = raw[split_chunks(raw)[0].start :]
    head = b"\0\x10" + OTHER + b"\1"
    assert body.startswith(head + b"\1\0")
    return chunk(1, head + write_uint(start_op) + write_int(time) + body[len(head) + 2 :])


@pytest.mark.parametrize(
    "change",
    [
        _headed(start_op=2**32 - 1),  # the binding cannot load what it saves
        _headed(start_op=2**32 - 200),  # nothing more can be written after some changes
        _headed(start_op=2**64 - 1),
        _headed(time=-(2**63)),  # with another change behind it, what is saved cannot be loaded
        _headed(time=2**63 - 1),
    ],
)
def test_a_change_with_numbers_that_the_binding_cannot_keep_is_refused(change: bytes) -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    before = document.heads
    with pytest.raises(RemoteProtocolError):
        document.apply_changes([change])
    assert document.heads == before


@pytest.mark.parametrize("change", [_headed(start_op=2**32 - 200), _headed(time=-(2**63))])
def test_a_saved_document_with_such_a_change_is_refused(change: bytes) -> None:
    core = new_core(ACTOR)
    core.receive_sync_message(SyncState(), decode_message(make_sync_message([], [change])))
    saved = bytes(core.save())
    assert split_chunks(saved)[0].kind == DOCUMENT
    document = AutomergeDocument()
    with pytest.raises(RemoteProtocolError):
        document.apply_changes([saved])
    assert document.heads == ()


def test_numbers_and_times_as_peers_have_them_are_taken() -> None:
    document, other = AutomergeDocument(), AutomergeDocument()
    document.apply_changes([_headed(start_op=10**9, time=1_800_000_000_000)])
    put(document, "a", 1)
    other.apply_changes([document.save()])
    assert (other.heads, content(other)) == (document.heads, {"a": 1, "k0": 0})


def test_malformed_and_too_large_messages_are_refused() -> None:
    document = AutomergeDocument(limits=Limits(max_message=100))
    state = document.new_sync_state()
    changes = log_of(2)
    for bad in (b"", b"\x42", b"hello", make_sync_message([], [changes[0][:-1]]), bytes(101)):
        with pytest.raises(RemoteProtocolError):
            document.receive_sync_message(state, bad)
    assert document.heads == ()
    heads = [bytes([number]) * 32 for number in (9, 3)]
    assert document.receive_sync_message(state, make_sync_message(heads)) == tuple(sorted(heads))


# -- data


def test_a_saved_document_followed_by_changes_is_loaded_and_nothing_else_is() -> None:
    saved, changes = honest_changes()
    document = AutomergeDocument(saved + changes[0])
    assert document.changes_since(AutomergeDocument(saved).heads) == [changes[0]]
    for bad in (b"x", saved[:-1], saved + changes[0][:-1], changes[0], saved[:40] + b"x" + saved[41:]):
        with pytest.raises(RemoteProtocolError):
            AutomergeDocument(bad)
    with pytest.raises(DataError):
        AutomergeDocument(actor=b"")
    assert AutomergeDocument(saved, actor=OTHER).core.get_actor() == OTHER


def test_rows_in_any_order_make_the_document() -> None:
    rows = log_of(12)
    whole = AutomergeDocument.from_rows(reversed(rows))
    assert len(content(whole)) == 12
    assert whole.heads == AutomergeDocument.from_rows(rows).heads


def test_documents_that_were_made_apart_are_one_after_both_are_rows() -> None:
    documents = [AutomergeDocument(), AutomergeDocument()]
    for number, document in enumerate(documents):
        put(document, f"k{number}", number)
    both = AutomergeDocument.from_rows([document.save() for document in documents])
    assert content(both) == {"k0": 0, "k1": 1}
    put(both, "own", 1)
    assert both.core.get_actor() == both.actor


def test_nested_objects_arrive() -> None:
    one, other = AutomergeDocument(), AutomergeDocument()
    with one.transaction() as tx:
        text = tx.put_object(tx.put_object(ROOT, "m", ObjType.Map), "t", ObjType.Text)
        tx.splice_text(text, 0, 0, "hé👩")
    sync(one, other)
    found = other.core.get(ROOT, "m")
    assert found is not None
    inner = other.core.get(found[1], "t")
    assert inner is not None
    assert other.core.text(inner[1]) == "hé👩"


# -- confirmations, most of which are not read


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


def test_an_event_tells_what_its_changes_touched_whether_they_came_compressed_waited_or_are_our_own() -> None:
    document = AutomergeDocument()
    first, second, third, last = log_of(4)
    heard: list[DocumentEvent] = []
    document.subscribe(heard.append)
    document.apply_changes([first])
    assert document.apply_changes([third])
    document.apply_changes([second])
    (plain,) = split_chunks(last)
    deflater = zlib.compressobj(wbits=-15)
    packed = deflater.compress(last[plain.start :]) + deflater.flush()
    document.apply_changes([last[:8] + bytes((COMPRESSED,)) + write_uint(len(packed)) + packed])
    put(document, "own", 1)
    told = [pair for event in heard for pair in event.decoded()]
    assert [change for change, _ in told] == document.changes_since(())
    assert all(decoded == decode_change(change) for change, decoded in told)
