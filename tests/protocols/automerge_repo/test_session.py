"""Two ends of an automerge-repo connection, back to back."""

from __future__ import annotations

import random
from collections import deque
from typing import Any, Literal

import pytest

from support.amdocs import numbered_document
from weft._codecs.automerge.sync_message import make_sync_message
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.errors import LocalProtocolError, RemoteProtocolError
from weft.limits import Limits
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo import (
    Denied,
    Due,
    Effect,
    Ephemeral,
    Flushed,
    FlushLost,
    Joined,
    PeerLeft,
    Refused,
    RepoSession,
    Requested,
    Send,
    Synced,
    Unavailable,
    Wanted,
    WriteDenied,
    encode_document_id,
)
from weft.protocols.automerge_repo.cbor import decode, encode

PETS, ZOOS = encode_document_id(bytes(range(16))), encode_document_id(bytes(16))


def put(document: AutomergeDocument, key: str, value: int) -> None:
    with document.transaction() as transaction:
        transaction.put(ROOT, key, ScalarType.Int, value)


class Wire:
    """A client and a server, and what happens at either. ``serves`` are the server's documents."""

    def __init__(self, **serves: AutomergeDocument) -> None:
        self.client = RepoSession(role="client", peer_id="client", session_id="one")
        self.server = RepoSession(role="server", peer_id="server", session_id="two")
        self.serves = serves
        self.somebody_brings_it = False
        self.at_client: list[Effect] = []
        self.at_server: list[Effect] = []
        self.sent: list[tuple[str, Send]] = []

    def connect(self) -> None:
        self.server.connected()
        self.pump(self.client.connected(), [])

    def pump(self, client: list[Effect], server: list[Effect]) -> None:
        queue: deque[tuple[str, Effect]] = deque([("client", effect) for effect in client])
        queue.extend(("server", effect) for effect in server)
        while queue:
            side, effect = queue.popleft()
            if isinstance(effect, Send):
                self.sent.append((side, effect))
                receiver, name = (self.server, "server") if side == "client" else (self.client, "client")
                queue.extend((name, effect) for effect in receiver.receive(effect.data))
            elif isinstance(effect, Requested):
                document = self.serves.get(effect.document_id)
                if document is None:
                    effects = self.server.unavailable(effect.document_id)
                else:
                    effects = self.server.add(effect.document_id, document)
                queue.extend(("server", effect) for effect in effects)
            elif isinstance(effect, Wanted) and not self.somebody_brings_it:
                assert side == "server"
                queue.extend(("server", answer) for answer in self.server.unavailable(effect.document_id))
            else:
                (self.at_client if side == "client" else self.at_server).append(effect)


def test_both_ends_come_to_the_same_state_and_hear_of_changes() -> None:
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    put(ours, "a", 1)
    put(theirs, "b", 2)
    wire = Wire(**{PETS: theirs})
    wire.client.add(PETS, ours)
    wire.connect()
    assert ours.heads == theirs.heads
    assert wire.at_client == [Joined("server", {"isEphemeral": False}), Synced(PETS)]
    assert wire.at_server == [Joined("client", {"isEphemeral": True}), Synced(PETS)]
    put(theirs, "b", 3)
    wire.pump([], wire.server.changed(PETS))
    put(ours, "a", 4)
    wire.pump(wire.client.changed(PETS), [])
    assert ours.heads == theirs.heads
    assert dict(zip(ours.core.keys(ROOT), (v[0][1] for v in ours.core.values(ROOT)), strict=True)) == {
        "a": 4,
        "b": 3,
    }


def test_a_flush_is_answered_by_heads_that_say_everything_is_there() -> None:
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    put(ours, "a", 1)
    wire = Wire(**{PETS: theirs})
    wire.client.add(PETS, ours)
    wire.connect()
    put(ours, "a", 2)
    put(theirs, "b", 2)  # the heads differ when the answer comes
    token, effects = wire.client.request_flush(PETS)
    assert effects
    assert Flushed(token) not in effects
    wire.pump(effects, [])
    assert Flushed(token) in wire.at_client
    again, effects = wire.client.request_flush(PETS)
    assert Flushed(again) in effects  # nothing to ask for


def test_a_server_answers_changes_only_when_they_are_stored() -> None:
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    put(ours, "a", 1)
    wire = Wire(**{PETS: theirs})
    wire.client.add(PETS, ours)
    wire.connect()
    wire.sent.clear()
    put(ours, "a", 2)
    wire.pump(wire.client.changed(PETS), [])
    assert [send.after_stored for side, send in wire.sent if side == "server"] == [True]
    wire.sent.clear()
    put(theirs, "b", 2)  # somebody else's
    wire.pump([], wire.server.changed(PETS))
    relayed, *answers = [send.after_stored for side, send in wire.sent if side == "server"]
    assert not relayed
    assert all(answers)


def test_flushes_are_lost_with_the_connection_and_documents_stay() -> None:
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    wire = Wire(**{PETS: theirs})
    wire.client.add(PETS, ours)
    wire.connect()
    put(ours, "a", 1)
    token, _ = wire.client.request_flush(PETS)  # what it sends is cut off
    assert wire.client.disconnected() == [FlushLost((token,))]
    wire.server.disconnected()
    wire.connect()
    assert ours.heads == theirs.heads != ()


def test_an_unknown_document_is_unavailable_until_the_server_gets_it() -> None:
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    wire = Wire(**{PETS: theirs})
    wire.client.add(PETS, ours)
    wire.client.add(ZOOS, AutomergeDocument())
    wire.connect()
    assert {effect for effect in wire.at_client if isinstance(effect, Unavailable)} == {
        Unavailable(PETS),
        Unavailable(ZOOS),
    }
    put(theirs, "late", 1)
    wire.pump([], wire.server.changed(PETS))
    assert ours.heads == theirs.heads
    assert Synced(PETS) in wire.at_client


def test_who_asks_waits_for_the_owner_s_word_while_somebody_may_bring_the_document() -> None:
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    wire = Wire(**{PETS: theirs})
    wire.somebody_brings_it = True
    wire.client.add(PETS, ours)
    wire.connect()
    assert wire.at_server == [Joined("client", {"isEphemeral": True}), Wanted(PETS)]
    assert Unavailable(PETS) not in wire.at_client
    wire.pump([], wire.server.unavailable(PETS))
    assert wire.at_client.pop() == Unavailable(PETS)
    assert wire.server.unavailable(PETS) == []  # said once
    put(theirs, "late", 1)
    wire.pump([], wire.server.changed(PETS))
    assert wire.at_client[-1] == Synced(PETS)


def test_a_document_is_promised_from_its_announcement_until_it_has_come() -> None:
    for read_only in (False, True):
        wire = Wire()
        mine = AutomergeDocument()
        put(mine, "a", 1)
        wire.client.add(PETS, mine)
        wire.server.add(PETS, AutomergeDocument(), read_only=read_only)
        wire.server.connected()
        for effect in wire.client.connected():
            assert isinstance(effect, Send)
            wire.server.receive(effect.data)
        peer = encode({"type": "peer", "senderId": "server", "selectedProtocolVersion": "1"})
        (announced,) = [effect for effect in wire.client.receive(peer) if isinstance(effect, Send)]
        assert not wire.server.has_announced(PETS)
        answers = wire.server.receive(announced.data)
        assert wire.server.has_announced(PETS) is not read_only
        wire.pump([], answers)
        assert not wire.server.has_announced(PETS)
        assert not wire.server.has_announced(ZOOS)


def test_what_one_client_may_ask_for_is_bounded() -> None:
    server = RepoSession(
        role="server", peer_id="server", session_id="x", limits=Limits(max_documents=2, max_ephemeral=10)
    )
    server.connected()
    server.receive(_message(type="join", senderId="c", supportedProtocolVersions=["1"]))
    ids = [encode_document_id(bytes([number]) * 16) for number in range(3)]
    data = bytes.fromhex("4200000000")
    for document_id in ids[:2]:
        ask = _message(type="request", senderId="c", documentId=document_id, data=data)
        assert server.receive(ask) == [Requested(document_id)]
        assert server.receive(ask) == []  # asked again before it was answered
    server.add(ids[0], AutomergeDocument())
    for _ in range(2):
        answer, refused = server.receive(_message(type="request", senderId="c", documentId=ids[2], data=data))
        assert isinstance(answer, Send)
        said: Any = decode(answer.data)
        assert (said["type"], said["documentId"]) == ("doc-unavailable", ids[2])
        assert refused == Refused(ids[2])
    word = {"type": "ephemeral", "senderId": "c", "documentId": ids[0], "sessionId": "s", "count": 1}
    with pytest.raises(RemoteProtocolError, match="an ephemeral message of 11 bytes"):
        server.receive(_message(**word, data=b"x" * 11))
    assert len(server.receive(_message(**word, data=b"x" * 10))) == 1


def test_an_answer_waits_for_storage_though_somebody_else_brought_the_change() -> None:
    mine, theirs = AutomergeDocument(), AutomergeDocument()
    wire = Wire(**{PETS: theirs})
    wire.client.add(PETS, mine)
    put(mine, "a", 1)
    theirs.apply_changes(mine.changes_since(()))  # from another client, and not stored yet
    wire.connect()
    answers = [send for side, send in wire.sent if side == "server"][1:]
    assert answers
    assert all(send.after_stored for send in answers)


def test_a_reader_is_told_and_not_heard() -> None:
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    put(theirs, "a", 1)
    wire = Wire()
    wire.client.add(PETS, ours)
    wire.server.add(PETS, theirs, read_only=True)
    wire.connect()
    assert ours.heads == theirs.heads
    put(ours, "mine", 1)
    wire.pump(wire.client.changed(PETS), [])
    denied = WriteDenied(PETS, f"document {PETS} may not be written")
    assert (wire.at_server.count(denied), wire.at_client.count(denied)) == (1, 1)
    put(ours, "mine", 2)
    wire.pump(wire.client.changed(PETS), [])
    assert (wire.at_server.count(denied), wire.at_client.count(denied)) == (1, 1)  # once
    assert theirs.core.keys(ROOT) == ["a"]
    put(theirs, "a", 2)
    wire.pump([], wire.server.changed(PETS))
    assert ours.includes(theirs.heads)


def test_a_reader_that_brings_what_is_known_writes_nothing_and_one_that_deletes_does() -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    server = RepoSession(role="server", peer_id="server", session_id="x")
    server.add(PETS, document, read_only=True)
    server.connected()
    server.receive(_message(type="join", senderId="c", supportedProtocolVersions=["1"]))

    def brought(changes: list[bytes]) -> bool:
        data = make_sync_message(document.heads, changes)
        effects = server.receive(_message(type="sync", senderId="c", documentId=PETS, data=data))
        return any(isinstance(effect, WriteDenied) for effect in effects)

    assert not brought(document.changes_since(()))
    reader = AutomergeDocument(document.save())
    with reader.transaction() as transaction:
        transaction.delete(ROOT, "a")
    heads = document.heads
    assert brought(reader.changes_since(heads))
    assert document.heads == heads


def test_ephemeral_messages_arrive_once_and_are_relayed_unchanged() -> None:
    wire = Wire(**{PETS: AutomergeDocument()})
    ours = AutomergeDocument()
    put(ours, "a", 1)
    wire.client.add(PETS, ours)
    wire.connect()
    said = wire.client.broadcast(PETS, encode({"cursor": 3}))
    wire.pump(said, [])
    (heard,) = [effect for effect in wire.at_server if isinstance(effect, Ephemeral)]
    assert decode(heard.message.data) == {"cursor": 3}
    wire.pump(said, [])  # the same again, as over another way round
    assert len([effect for effect in wire.at_server if isinstance(effect, Ephemeral)]) == 1
    assert wire.server.relay(heard.message) == []  # not back to who said it
    other = RepoSession(role="server", peer_id="server", session_id="x")
    other.connected()
    other.receive(_message(type="join", senderId="third", supportedProtocolVersions=["1"]))
    other.add(PETS, AutomergeDocument())
    (send,) = other.relay(heard.message)
    assert isinstance(send, Send)
    fields: Any = decode(send.data)
    assert (fields["senderId"], fields["sessionId"], fields["count"]) == ("client", "one", 1)


def test_what_a_client_says_in_the_name_of_another_is_not_heard() -> None:
    """JavaScript's clients say again whatever a server has relayed to them."""
    server, _ = _joined()
    said = {"type": "ephemeral", "documentId": PETS, "sessionId": "s", "data": b"1", "count": 1}
    assert server.receive(_message(**said, senderId="another")) == []
    (heard,) = server.receive(_message(**said, senderId="c"))
    assert isinstance(heard, Ephemeral)


def test_a_client_of_another_version_is_refused_with_the_reason() -> None:
    server = RepoSession(role="server", peer_id="server", session_id="x")
    server.connected()
    effects = server.receive(_message(type="join", senderId="c", supportedProtocolVersions=["9"]))
    assert effects[1:] == [Denied("unsupported protocol version")]
    client = RepoSession(role="client", peer_id="c", session_id="y")
    client.connected()
    assert isinstance(effects[0], Send)
    assert client.receive(effects[0].data) == [Denied("unsupported protocol version")]


def _message(**fields: object) -> bytes:
    return encode({"targetId": "x", **fields})


def _joined() -> tuple[RepoSession, AutomergeDocument]:
    document = AutomergeDocument()
    put(document, "a", 1)
    server = RepoSession(role="server", peer_id="server", session_id="x")
    server.add(PETS, document)
    server.connected()
    server.receive(_message(type="join", senderId="c", supportedProtocolVersions=["1"]))
    return server, document


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "CBOR"),
        (encode([1]), "no CBOR map"),
        (_message(), "no type"),
        (_message(type="sync", senderId="c", documentId=PETS), "no data"),
        (_message(type="sync", senderId="c", documentId=PETS, data=b""), "no data"),
        (_message(type="sync", senderId="c", documentId="nonsense", data=b"\x42"), "no document id"),
        (_message(type="sync", senderId="c", documentId=PETS, data=b"\x42"), "too large or incomplete"),
        (_message(type="sync", senderId="c", documentId=PETS, data=b"\x99"), "no Automerge sync message"),
        (_message(type="join", senderId="c"), "after the handshake"),
        (_message(type="ephemeral", senderId="c", documentId=PETS, sessionId="s", data=b"1"), "count"),
    ],
)
def test_bad_messages_are_refused_and_change_nothing(message: bytes, reason: str) -> None:
    server, document = _joined()
    before = document.save()
    with pytest.raises(RemoteProtocolError, match=reason):
        server.receive(message)
    assert document.save() == before


@pytest.mark.parametrize("role", ["client", "server"])
def test_what_is_said_before_the_handshake_is_bounded(role: Literal["client", "server"]) -> None:
    session = RepoSession(role=role, peer_id="here", session_id="x")
    session.connected()
    fields = {"senderId": "c", "supportedProtocolVersions": ["1"], "selectedProtocolVersion": "1"}
    greeting = _message(
        type="join" if role == "server" else "peer", **fields, peerMetadata={"x": bytes(70_000)}
    )
    with pytest.raises(RemoteProtocolError, match="before the handshake"):
        session.receive(greeting)
    session.disconnected()
    session.connected()
    joined = Joined("c", {"x": bytes(60_000)})
    greeting = _message(
        type="join" if role == "server" else "peer", **fields, peerMetadata={"x": bytes(60_000)}
    )
    assert joined in session.receive(greeting)


def test_a_server_that_never_comes_to_the_handshake_is_left() -> None:
    client = RepoSession(role="client", peer_id="here", session_id="x")
    for _ in range(2):
        client.connected()
        for _ in range(16):
            assert client.receive(_message(type="of a later version", senderId="s")) == []
        with pytest.raises(RemoteProtocolError, match="before the handshake"):
            client.receive(_message(type="of a later version", senderId="s"))
        client.disconnected()


def test_messages_of_later_versions_are_left_alone() -> None:
    server, _ = _joined()
    assert server.receive(_message(type="remote-heads-changed", senderId="c", anything=1)) == []
    assert server.receive(_message(type="leave", senderId="c")) == [PeerLeft()]


def test_a_removed_document_is_added_again_only_to_the_next_connection() -> None:
    """The server's sync state goes on, and would take what it sent meanwhile for received."""
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    put(theirs, "a", 1)
    wire = Wire(**{PETS: theirs})
    wire.client.add(PETS, ours)
    wire.connect()
    wire.client.remove(PETS)
    put(theirs, "b", 2)
    wire.pump([], wire.server.changed(PETS))
    assert wire.client.was_removed(PETS)
    with pytest.raises(LocalProtocolError, match="takes a new connection"):
        wire.client.add(PETS, ours)
    wire.client.disconnected()
    wire.server.disconnected()
    assert not wire.client.was_removed(PETS)
    wire.client.add(PETS, ours)
    wire.connect()
    assert ours.heads == theirs.heads


def test_a_session_that_defers_tells_what_is_due_and_says_it_when_asked() -> None:
    ours, theirs = AutomergeDocument(), AutomergeDocument()
    put(ours, "a", 1)
    put(theirs, "b", 1)
    wire = Wire(**{PETS: theirs})
    wire.client = RepoSession(role="client", peer_id="client", session_id="one", defers=True)
    wire.client.add(PETS, ours)
    wire.connect()
    assert wire.at_client[-1] == Due(PETS)
    assert wire.at_server == [Joined("client", {"isEphemeral": True})]
    while Due(PETS) in wire.at_client:
        wire.at_client.clear()
        wire.pump(wire.client.changed(PETS), [])
    assert ours.heads == theirs.heads
    assert wire.client.add(ZOOS, AutomergeDocument()) == [Due(ZOOS)]


def test_who_leaves_says_so_when_there_is_somebody_to_tell() -> None:
    wire = Wire()
    assert wire.client.leave() == []
    wire.connect()
    wire.pump(wire.client.leave(), [])
    assert wire.at_server[-1] == PeerLeft()


def test_a_session_without_a_connection_says_so() -> None:
    session = RepoSession(role="client", peer_id="c", session_id="s")
    with pytest.raises(LocalProtocolError, match="not connected"):
        session.receive(b"")
    session.connected()
    with pytest.raises(LocalProtocolError, match="connected already"):
        session.connected()
    with pytest.raises(ValueError, match="no document id"):
        session.add("nonsense", AutomergeDocument())


@pytest.mark.parametrize("seed", range(20))
def test_mutated_frames_raise_the_one_error_and_harm_nothing(seed: int) -> None:
    """The seed is the test's parameter."""
    rng = random.Random(seed)
    client = AutomergeDocument()
    for number in range(5):
        put(client, f"k{number}", number)
    ours = RepoSession(role="client", peer_id="c", session_id="s")
    ours.add(PETS, client)
    ours.connected()
    peer = encode({"type": "peer", "senderId": "server", "selectedProtocolVersion": "1"})
    (frame,) = [effect.data for effect in ours.receive(peer) if isinstance(effect, Send)]
    for _ in range(50):
        server, document = _joined()
        before = document.save()
        data = bytearray(frame)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            server.receive(bytes(data))
        except RemoteProtocolError:
            assert document.save() == before
        AutomergeDocument(document.save())


def test_what_a_filter_wrongly_takes_for_known_is_sent_before_leaving() -> None:
    for number in range(2, 2_000):
        ours, theirs = numbered_document(number), numbered_document(1)
        put(theirs, "made", 1)
        wire = Wire(**{PETS: theirs})
        wire.client.add(PETS, ours)
        wire.connect()
        put(ours, "last", 2)
        (word,) = wire.client.changed(PETS)
        assert isinstance(word, Send)
        wire.server.receive(word.data)
        if theirs.heads != ours.heads:
            break
    else:
        raise AssertionError("no filter was wrong")
    for effect in wire.client.send_unconfirmed(PETS):
        assert isinstance(effect, Send)
        wire.server.receive(effect.data)
    assert theirs.heads == ours.heads
