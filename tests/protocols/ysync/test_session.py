from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given, settings, strategies as st

from support.yends import End, Node, Wire, sent
from support.ywriter import item, key_item, section, update
from weft._codecs.yjs.lib0 import Writer
from weft.documents.yjs.log_document import LogDocument
from weft.errors import LocalProtocolError, RemoteProtocolError
from weft.limits import Limits
from weft.protocols.awareness import RENEWAL_S, AwarenessChange
from weft.protocols.ysync import (
    KEEP_ALIVE_S,
    AwarenessChanged,
    Denied,
    Flushed,
    FlushLost,
    Send,
    Synced,
    YSyncSession,
)
from weft.protocols.ysync.messages import (
    KEEP_ALIVE,
    awareness_message,
    denied_message,
    step1_message,
    step2_message,
    update_message,
)

if TYPE_CHECKING:
    from weft._codecs.yjs.state import State

STEP1, STEP2, UPDATE, AWARENESS = b"\x00\x00", b"\x00\x01", b"\x00\x02", b"\x01"


def steps(messages: list[bytes]) -> list[str]:
    """What kind of messages they are."""
    names = {STEP1: "step1", STEP2: "step2", UPDATE: "update"}
    return [names.get(data[:2], "awareness" if data[:1] == AWARENESS else "other") for data in messages]


def alone(role: Literal["client", "server"] = "client", **options: Any) -> tuple[Node, End]:
    """An end with a connection to nobody."""
    node = Node(9)
    end = node.end(role, **options)
    end.take(end.session.connected(0.0))
    return node, end


def write(client: int, clock: int, key: str, value: int = 1) -> bytes:
    """An update with one cell."""
    return update(section(client, clock, key_item(key, bytes((1, 0x7D, value)), root="m")))


def write_next(client: int, clock: int) -> bytes:
    """An update with one value in a list, behind the value before it."""
    if clock == 0:
        return update(section(client, 0, item(8, b"\x01\x7e", root="list")))
    struct = Writer().byte(0x88).uint(client).uint(clock - 1).raw(b"\x01\x7e").finish()
    return update(section(client, clock, struct))


def test_both_ends_come_to_the_same_content_and_fall_silent() -> None:
    client, server = Node(), Node()
    client.map["a"] = "1"
    server.map["b"] = "2"
    wire = Wire(client, server)
    assert wire.run() == 4
    assert client.content == server.content == {"a": "1", "b": "2"}
    assert wire.client.said() == wire.server.said() == [Synced()]
    client.map["c"] = "3"
    server.map["d"] = "4"
    assert wire.run() == 2
    assert client.content == server.content == {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert wire.run() == 0


def test_a_client_greets_with_its_question_and_its_state() -> None:
    node = Node(9)
    node.awareness.set_local_state({"name": "Ada"}, 0.0)
    session = YSyncSession(node.hub, role="client", awareness=node.awareness)
    assert session.connected(1.0) == [
        Send(step1_message(node.hub.state_vector())),
        Send(awareness_message(b"\x01\x09\x02\x0e" + b'{"name":"Ada"}')),
    ]
    assert not session.synced


def test_a_client_without_a_state_greets_with_its_question_alone() -> None:
    for awareness in (Node(9).awareness, None):
        node = Node(9)
        session = YSyncSession(node.hub, role="client", awareness=awareness)
        assert session.connected(0.0) == [Send(step1_message(b"\x00"))]


def test_a_server_greets_with_its_question_and_everybodys_states() -> None:
    node = Node(9)
    session = YSyncSession(node.hub, role="server", awareness=node.awareness)
    assert steps(sent(session.connected(0.0))) == ["step1"]
    session.disconnected(0.0)
    node.awareness.apply(b"\x02\x05\x01\x02{}\x06\x01\x02{}", now=0.0)
    assert session.connected(0.0)[1] == Send(awareness_message(b"\x02\x05\x01\x02{}\x06\x01\x02{}"))


def test_a_servers_answer_waits_for_storage_and_a_clients_does_not() -> None:
    for role, stored in (("server", True), ("client", False)):
        _, end = alone(role)  # type: ignore[arg-type]
        (answer,) = end.session.receive(step1_message(b"\x00"), 0.0)
        assert answer == Send(step2_message(b"\x00\x00"), after_stored=stored)


def test_an_answer_holds_what_the_question_lacks_and_no_more() -> None:
    node, end = alone("server")
    node.hub.apply(write(5, 0, "a"), origin=None)
    node.hub.apply(write(5, 1, "b"), origin=None)
    assert sent(end.session.receive(step1_message(b"\x01\x05\x01"), 0.0)) == [step2_message(write(5, 1, "b"))]


def test_received_bytes_are_told_as_received_with_the_session_as_origin() -> None:
    node, end = alone()
    data = write(5, 0, "a")
    end.session.receive(update_message(data), 0.0)
    assert node.heard == [(data, end.session)]
    assert not end.out or steps(list(end.out)) == ["step1"]


def test_nothing_is_sent_back_to_where_it_came_from() -> None:
    client, server = Node(), Node()
    one, other = Wire(client, server), Wire(Node(), server)
    one.run()
    other.run()
    client.map["a"] = 1
    assert one.run() == 1
    assert other.run() == 1
    assert other.client.node.content == {"a": 1}
    assert (one.run(), other.run()) == (0, 0)


def test_an_update_that_is_empty_is_told_to_nobody() -> None:
    node, end = alone()
    assert end.session.receive(update_message(b"\x00\x00"), 0.0) == []
    assert node.heard == []


def test_several_messages_in_one_frame_are_all_taken() -> None:
    node, end = alone("server")
    frame = step1_message(b"\x00") + update_message(write(5, 0, "a")) + step1_message(b"\x00") + b"\x03"
    effects = end.session.receive(frame, 0.0)
    assert steps(sent(effects)) == ["step2", "step2", "awareness"]
    assert sent(effects)[0] == step2_message(b"\x00\x00")
    assert sent(effects)[1] == step2_message(write(5, 0, "a"))
    assert node.content == {"a": 1}


def test_messages_of_unknown_types_are_ignored() -> None:
    _, end = alone()
    assert end.session.receive(b"\x66\x01\x02", 0.0) == []
    assert end.session.receive(b"\x02\x09", 0.0) == []


def test_a_denial_is_reported_by_a_client_and_ignored_by_a_server() -> None:
    _, end = alone("client")
    assert end.session.receive(denied_message("read-only"), 0.0) == [Denied("read-only")]
    _, end = alone("server")
    assert end.session.receive(denied_message("nonsense"), 0.0) == []


@pytest.mark.parametrize("role", ["client", "server"])
def test_a_query_of_awareness_is_answered_in_both_roles(role: Literal["client", "server"]) -> None:
    node, end = alone(role)
    node.awareness.apply(b"\x01\x05\x01\x02{}", now=0.0)
    assert end.session.receive(b"\x03", 0.0) == [Send(awareness_message(b"\x01\x05\x01\x02{}"))]


def test_without_awareness_its_messages_are_ignored() -> None:
    node = Node(9)
    session = YSyncSession(node.hub, role="server")
    session.connected(0.0)
    assert session.receive(b"\x03" + awareness_message(b"\xff"), 0.0) == []
    assert session.tick(1.0) == []


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xff" * 20,
        update_message(b"\x01"),
        update_message(b"\x01\x01\x05\x00\x08\x01\x01r\x01" + b"u\x01" * 13_000 + b"\x7e\x00"),
        step1_message(b"\x05"),
        awareness_message(b"\x01\x05"),
        awareness_message(b"\x02\x07\x05\x02{}\x08\x05\x01{"),
    ],
)
def test_a_bad_message_in_a_frame_leaves_everything_as_it_was(
    role: Literal["client", "server"], bad: bytes
) -> None:
    node, end = alone(role)
    node.map["before"] = 1
    node.awareness.set_local_state({"before": 1}, 0.0)
    node.heard.clear()
    session = end.session

    def seen() -> tuple[object, ...]:
        return (
            node.content,
            dict(node.awareness.states),
            node.heard[:],
            session.synced,
            session.next_tick(0.0),
        )

    before = seen()
    good = (
        update_message(write(5, 0, "a"))
        + awareness_message(b"\x01\x06\x01\x02{}")
        + step2_message(b"\x00\x00")
    )
    for frame in [good + bad, bad + good] if bad else [bad]:
        with pytest.raises(RemoteProtocolError):
            session.receive(frame, 1.0)
        assert seen() == before
    # The session is as good as before; whether to go on is its owner's decision.
    session.receive(good, 1.0)
    assert node.content == {"before": 1, "a": 1}


def test_what_the_binding_would_refuse_is_refused_by_the_session() -> None:
    node, end = alone()
    with pytest.raises(RemoteProtocolError, match="not UTF-8"):
        end.session.receive(update_message(update(section(5, 0, key_item("a", b"\x01\x77\x01\xff")))), 0.0)
    assert node.content == {}
    assert node.heard == []


def test_a_message_over_the_limit_is_refused() -> None:
    node = Node(9, limits=Limits(max_message=100))
    end = node.end("server")
    end.session.connected(0.0)
    with pytest.raises(RemoteProtocolError, match="are allowed"):
        end.session.receive(update_message(update(section(5, 0, key_item("k" * 100)))), 0.0)


# What is written before the connection is complete.


def test_what_is_written_before_the_first_question_is_in_its_answer() -> None:
    node, end = alone()
    node.map["early"] = 1
    assert list(end.out)[1:] == []
    effects = end.session.receive(step1_message(b"\x00"), 0.0)
    assert sent(effects) == [step2_message(node.hub.diff(b"\x00"))]
    node.map["late"] = 1
    assert steps(list(end.out)) == ["step1", "update"]


def test_to_a_server_that_answers_and_does_not_ask_everything_is_sent() -> None:
    node, end = alone()
    node.map["early"] = 1
    effects = end.session.receive(step2_message(b"\x00\x00"), 0.0)
    assert effects == [Synced(), Send(update_message(node.hub.diff(b"\x00")))]
    node.map["late"] = 1
    assert steps(list(end.out)) == ["step1", "update"]


def test_without_a_connection_nothing_is_sent_and_nothing_asked() -> None:
    node = Node(9)
    end = node.end("client")
    session = end.session
    assert session.local_update(b"\x00\x00") == []
    assert session.disconnected(0.0) == []
    assert session.next_tick(0.0) is None
    assert session.tick(100.0) == []
    for call in (lambda: session.receive(b"\x03", 0.0), lambda: session.request_flush(0.0)):
        with pytest.raises(LocalProtocolError):
            call()
    session.connected(0.0)
    with pytest.raises(LocalProtocolError):
        session.connected(0.0)


def test_a_new_connection_starts_over() -> None:
    client, server = Node(), Node()
    wire = Wire(client, server)
    wire.run()
    wire.cut()
    assert not wire.client.session.synced
    client.map["offline"] = 1
    server.map["meanwhile"] = 1
    wire.client.said()
    wire.connect()
    wire.run()
    assert client.content == server.content == {"offline": 1, "meanwhile": 1}
    assert wire.client.said() == [Synced()]


# Flushes.


def test_a_flush_is_confirmed_when_the_server_has_all_that_was_written_before() -> None:
    client, server = Node(), Node()
    wire = Wire(client, server)
    wire.run()
    wire.client.said()
    client.map["a"] = 1
    token, effects = wire.client.session.request_flush(0.0)
    wire.client.take(effects)
    client.map["b"] = 1
    while wire.step("up"):
        pass
    assert wire.client.said() == []
    wire.run()
    assert wire.client.said() == [Flushed(token)]
    assert server.content == {"a": 1, "b": 1}


def test_flushes_are_confirmed_in_order_each_by_its_own_answer() -> None:
    _, end = alone()
    session = end.session
    session.receive(step1_message(b"\x00"), 0.0)
    tokens = [session.request_flush(0.0)[0] for _ in range(3)]
    assert len(set(tokens)) == 3
    answer = step2_message(b"\x00\x00")
    assert session.receive(answer, 0.0) == [Synced()]  # the greeting's
    assert session.receive(answer, 0.0) == [Flushed(tokens[0])]
    assert session.receive(answer + answer, 0.0) == [Flushed(tokens[1]), Flushed(tokens[2])]
    assert session.receive(answer, 0.0) == []  # nobody asked
    token, _ = session.request_flush(0.0)
    assert session.receive(answer, 0.0) == [Flushed(token)]


def test_an_update_is_no_answer() -> None:
    _, end = alone()
    end.session.receive(step1_message(b"\x00") + step2_message(b"\x00\x00"), 0.0)
    end.session.request_flush(0.0)
    assert end.session.receive(update_message(write(5, 0, "a")), 0.0) == []


def test_an_answer_that_is_refused_confirms_nothing() -> None:
    _, end = alone()
    end.session.receive(step1_message(b"\x00") + step2_message(b"\x00\x00"), 0.0)
    token, _ = end.session.request_flush(0.0)
    with pytest.raises(RemoteProtocolError):
        end.session.receive(step2_message(update(section(5, 0, key_item("a", b"\x01\x77\x01\xff")))), 0.0)
    assert end.session.disconnected(0.0) == [FlushLost((token,))]


def test_a_flush_before_what_was_written_could_be_sent_is_asked_after_it() -> None:
    node, end = alone()
    node.map["offline"] = 1
    token, effects = end.session.request_flush(0.0)
    assert effects == []
    assert end.session.receive(step2_message(b"\x00\x00"), 0.0)[0] == Synced()
    node, end = alone()
    node.map["offline"] = 1
    token, effects = end.session.request_flush(0.0)
    effects = end.session.receive(step1_message(b"\x00"), 0.0)
    assert steps(sent(effects)) == ["step2", "step1"]
    answer = step2_message(b"\x00\x00")
    assert end.session.receive(answer, 0.0) == [Synced()]
    assert end.session.receive(answer, 0.0) == [Flushed(token)]


def test_flushes_that_a_connection_did_not_confirm_are_reported_lost() -> None:
    _, end = alone()
    waiting, _ = end.session.request_flush(0.0)
    assert end.session.disconnected(0.0) == [FlushLost((waiting,))]
    end.session.connected(0.0)
    end.session.receive(step1_message(b"\x00"), 0.0)
    asked = [end.session.request_flush(0.0)[0] for _ in range(2)]
    assert end.session.disconnected(0.0) == [FlushLost(tuple(asked))]
    assert len({waiting, *asked}) == 3


# Gaps.


def test_a_gap_is_followed_by_a_question_at_once_and_by_one_only() -> None:
    node, end = alone()
    end.session.receive(step1_message(b"\x00") + step2_message(b"\x00\x00"), 0.0)
    effects = end.session.receive(update_message(write_next(5, 1)), 0.0)
    assert effects == [Send(step1_message(node.hub.state_vector()))]
    for clock in (2, 3, 4):
        assert end.session.receive(update_message(write_next(5, clock)), 0.0) == []
    assert end.session.next_tick(0.0) is None
    assert end.session.receive(step2_message(write_next(5, 0)), 0.0) == []
    assert end.session.next_tick(0.0) is None
    assert end.session.tick(1_000.0) == []
    assert node.hub.state_vector() == b"\x01\x05\x05"


def test_a_gap_that_the_answer_leaves_open_is_asked_about_again_ever_less_often() -> None:
    _, end = alone()
    end.session.receive(step1_message(b"\x00") + step2_message(b"\x00\x00"), 0.0)
    end.session.receive(update_message(write_next(5, 1)), 0.0)
    now, asked = 0.0, []
    end.session.receive(step2_message(b"\x00\x00"), now)
    while (due := end.session.next_tick(now)) is not None:
        assert end.session.tick(due - 0.001) == []
        assert steps(sent(end.session.tick(due))) == ["step1"]
        assert end.session.tick(due) == []
        asked.append(due - now)
        now = due
        end.session.receive(update_message(write_next(5, 2 + len(asked))), now)
        end.session.receive(step2_message(b"\x00\x00"), now)
    assert asked == [0.5 * 2**turn for turn in range(10)]
    # It has given up, and updates of the same client change nothing about it; those of another do.
    assert end.session.receive(update_message(write_next(5, 50)), now) == []
    assert steps(sent(end.session.receive(update_message(write_next(6, 1)), now))) == ["step1"]


def test_a_gap_that_another_connection_closes_is_not_asked_about_again() -> None:
    node, end = alone()
    end.session.receive(step1_message(b"\x00") + step2_message(b"\x00\x00"), 0.0)
    end.session.receive(update_message(write_next(5, 1)), 0.0)
    end.session.receive(step2_message(b"\x00\x00"), 0.0)
    node.hub.apply(write_next(5, 0), origin="another")
    due = end.session.next_tick(0.0)
    assert due is not None
    assert end.session.tick(due) == []
    assert end.session.next_tick(due) is None


def test_a_new_gap_after_a_closed_one_is_asked_about_at_once() -> None:
    _, end = alone()
    end.session.receive(step1_message(b"\x00") + step2_message(b"\x00\x00"), 0.0)
    for turn in range(3):
        clock = 2 * turn + 1
        effects = end.session.receive(update_message(write_next(5, clock)), 0.0)
        assert steps(sent(effects)) == ["step1"]
        end.session.receive(step2_message(write_next(5, clock - 1)), 0.0)


def test_a_lost_message_heals_by_itself() -> None:
    client, server = Node(), Node()
    wire = Wire(client, server)
    wire.run()
    client.map["a"] = 1
    wire.client.out.clear()  # no websocket does this, but a server that drops for a slow client does
    client.map["b"] = 1
    wire.run()
    assert server.content == {"a": 1, "b": 1}
    assert wire.run() == 0


# Read-only.


def test_a_read_only_session_applies_nothing_and_says_so_once() -> None:
    client, server = Node(), Node()
    server.map["a"] = 1
    wire = Wire(client, server, read_only=True)
    wire.run()
    assert client.content == {"a": 1}
    assert wire.client.said() == [Synced()]  # nothing was written, so nothing was refused
    server.heard.clear()
    client.map["b"] = 1
    wire.run()
    assert wire.client.said() == [Denied("read-only")]
    client.map["c"] = 1
    wire.run()
    assert wire.client.said() == []
    assert server.content == {"a": 1}
    assert server.heard == []
    server.map["d"] = 1
    wire.run()
    assert client.content == {"a": 1, "b": 1, "c": 1, "d": 1}
    wire.cut()
    wire.connect()
    wire.run()
    assert wire.client.said() == [Synced(), Denied("read-only")]


@pytest.mark.parametrize("overwrites", [False, True])
def test_a_deletion_is_a_write_too(overwrites: bool) -> None:
    client, server = Node(), Node()
    server.map["a"] = 1
    wire = Wire(client, server, read_only=True)
    wire.run()
    assert wire.client.said() == [Synced()]
    server.heard.clear()
    if overwrites:
        client.map["a"] = 2
    else:
        del client.map["a"]
    wire.run()
    assert wire.client.said() == [Denied("read-only")]
    assert (server.content, server.heard) == ({"a": 1}, [])


@pytest.mark.parametrize("overwrites", [False, True])
@pytest.mark.parametrize("has_log", [False, True])
def test_what_was_deleted_offline_is_told_in_the_handshake(overwrites: bool, has_log: bool) -> None:
    writer, reader = Node(), Node()
    writer.map["a"] = 1
    writer.map["b"] = 1
    log = LogDocument(taken_in=lambda *_: None)
    log.apply(writer.doc.get_update(), origin=None)
    reader.hub.apply(writer.doc.get_update(), origin=None)
    document = log if has_log else writer.hub
    before = document.diff(b"\0")
    if overwrites:
        reader.map["a"] = 2
    else:
        del reader.map["a"]
    server = YSyncSession(document, role="server", read_only=True)
    client = YSyncSession(reader.hub, role="client")
    (ask,) = server.connected(0.0)
    client.connected(0.0)
    assert isinstance(ask, Send)
    (answer,) = sent(client.receive(ask.data, 0.0))
    assert server.receive(answer, 0.0)[:2] == [Send(denied_message("read-only")), Synced()]
    assert document.diff(b"\0") == before


def test_what_yjs_deletes_by_itself_is_nobody_s_write() -> None:
    """Of two concurrent writes to a key one is deleted at each reader, which names it when it is asked."""
    told: list[object] = []
    log = LogDocument(taken_in=lambda *news: told.append(news))
    for client_id in (1, 2):
        writer = Node(client_id)
        writer.map["a"] = client_id
        log.apply(writer.doc.get_update(), origin=None)
    told.clear()
    reader, session = Node(), YSyncSession(log, role="server", read_only=True)
    reader.hub.apply(log.diff(b"\0"), origin=None)
    session.connected(0.0)
    everything = reader.doc.get_update()
    for message in (step2_message(reader.doc.get_update(log.state_vector())), update_message(everything)):
        assert denied_message("read-only") not in sent(session.receive(message, 0.0))
    with reader.doc.transaction():
        before = reader.doc.get_state()
        del reader.map["a"]
    assert session.receive(update_message(reader.doc.get_update(before)), 0.0) == [
        Send(denied_message("read-only"))
    ]
    assert told == []


def test_a_read_only_session_takes_part_in_awareness() -> None:
    client, server = Node(), Node()
    wire = Wire(client, server, read_only=True)
    client.awareness.set_local_state({"name": "reader"}, 0.0)
    wire.run()
    assert server.awareness.states == {client.doc.client_id: {"name": "reader"}}


# Time.


def test_a_server_sends_something_every_twenty_seconds_and_a_client_nothing() -> None:
    _, end = alone("server")
    assert end.session.next_tick(0.0) == KEEP_ALIVE_S
    assert end.session.tick(KEEP_ALIVE_S - 0.001) == []
    assert end.session.tick(KEEP_ALIVE_S) == [Send(KEEP_ALIVE)]
    assert end.session.tick(KEEP_ALIVE_S) == []
    end.session.receive(step1_message(b"\x00"), 30.0)  # which it answers
    assert end.session.next_tick(30.0) == 30.0 + KEEP_ALIVE_S
    _, end = alone("client")
    assert end.session.next_tick(0.0) is None
    assert end.session.tick(1_000.0) == []


def test_a_keep_alive_changes_nothing_at_a_client() -> None:
    node, end = alone("client")
    assert end.session.receive(KEEP_ALIVE, 0.0) == []
    assert node.awareness.states == {}


def test_time_passes_for_the_awareness_too() -> None:
    client, server = Node(), Node()
    client.awareness.set_local_state({"a": 1}, 0.0)
    wire = Wire(client, server)
    wire.run()
    assert wire.client.session.next_tick(0.0) == RENEWAL_S
    for step in range(1, 20):
        wire.tick(5.0 * step)
        wire.run()
    assert server.awareness.states == {client.doc.client_id: {"a": 1}}
    wire.server.take(wire.server.session.tick(200.0))
    assert server.awareness.states == {}


# Awareness and connections.


def test_who_is_known_through_a_connection_leaves_with_it() -> None:
    server = Node()
    wires = [Wire(Node(), server) for _ in range(3)]
    for number, wire in enumerate(wires):
        wire.client.node.awareness.set_local_state({"n": number}, 0.0)
    for _ in range(3):
        for wire in wires:
            wire.run()
    assert all(len(wire.client.node.awareness.states) == 3 for wire in wires)
    wires[0].client.said()
    wires[0].cut()
    for wire in wires:
        wire.run()
    assert [len(wire.client.node.awareness.states) for wire in wires] == [1, 2, 2]
    gone = wires[0].client.node.doc.client_id
    assert gone not in server.awareness.states
    (said,) = wires[0].client.said()
    assert isinstance(said, AwarenessChanged)
    assert len(said.change.removed) == 2


def test_everybody_is_seen_again_at_once_after_a_reconnect() -> None:
    server = Node()
    wires = [Wire(Node(), server) for _ in range(2)]
    for number, wire in enumerate(wires):
        wire.client.node.awareness.set_local_state({"n": number}, 0.0)
    for _ in range(3):
        for wire in wires:
            wire.run()
    wires[0].cut()
    wires[1].run()
    wires[0].connect()
    for _ in range(3):
        for wire in wires:
            wire.run()
    assert all(len(wire.client.node.awareness.states) == 2 for wire in wires)


def test_a_client_has_no_say_over_others_at_a_server() -> None:
    server = Node()
    wires = [Wire(Node(), server) for _ in range(2)]
    victim = wires[0].client.node
    victim.awareness.set_local_state({"cursor": 1}, 0.0)
    for wire in wires:
        wire.run()
    clock = 50
    for text in ("null", '{"cursor":666}'):
        spoof = Writer().uint(1).uint(victim.doc.client_id).uint(clock).string(text).finish()
        wires[1].client.out.append(awareness_message(spoof))
    for wire in wires:
        wire.run()
    assert server.awareness.states == {victim.doc.client_id: {"cursor": 1}}


def test_a_change_of_awareness_is_reported() -> None:
    _, end = alone("server")
    effects = end.session.receive(awareness_message(b"\x01\x05\x01\x02{}"), 0.0)
    assert effects == [AwarenessChanged(AwarenessChange(added=(5,)))]
    assert end.session.receive(awareness_message(b"\x01\x05\x01\x02{}"), 0.0) == []


# Everything at once.


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_clients_of_one_server_converge_and_no_flush_lies(seed: int) -> None:
    random_ = random.Random(seed)
    server = Node(1_000)
    wires = [Wire(Node(1_001 + number), server) for number in range(3)]
    flushing: list[dict[int, set[str]]] = [{} for _ in wires]
    written: set[str] = set()
    confirmed = now = 0.0

    def settle(number: int) -> None:
        nonlocal confirmed
        for said in wires[number].client.said():
            if isinstance(said, Flushed):
                confirmed += 1
                assert flushing[number].pop(said.token) <= server.content.keys()
            elif isinstance(said, FlushLost):
                assert {*said.tokens} == flushing[number].keys()
                flushing[number].clear()

    for turn in range(60):
        number = random_.randrange(3)
        wire, node = wires[number], wires[number].client.node
        match random_.choice(["write", "write", "write", "flush", "cut", "tick", "state", *["go"] * 8]):
            case "write":
                node.map[f"{number}.{turn}"] = turn
                written.add(f"{number}.{turn}")
            case "flush" if wire.client.session.connected_now:
                token, effects = wire.client.session.request_flush(now)
                flushing[number][token] = {key for key in node.content if key.startswith(f"{number}.")}
                wire.client.take(effects)
            case "cut":
                if wire.client.session.connected_now:
                    wire.cut()
                else:
                    wire.connect()
            case "tick":
                now += random_.choice((0.1, 1.0, 10.0))
                for each in wires:
                    each.tick(now)
            case "state":
                node.awareness.set_local_state({"turn": turn}, now)
            case "go":
                for _ in range(random_.randrange(6)):
                    wire.step(random_.choice(("up", "down")))
        settle(number)
    for wire in wires:
        if not wire.client.session.connected_now:
            wire.connect()
    for _ in range(4):
        for wire in wires:
            wire.run()
    for number, wire in enumerate(wires):
        settle(number)
        assert flushing[number] == {}
        assert wire.client.node.content.keys() == server.content.keys() == written
        assert wire.client.node.content == server.content
        assert wire.client.session.synced
        assert wire.run() == 0
        assert wire.client.node.awareness.states == server.awareness.states


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_a_document_on_two_servers_carries_everything_from_one_to_the_other(seed: int) -> None:
    random_ = random.Random(seed)
    servers = [Node(100), Node(200)]
    middle = Node(300)
    wires = [Wire(middle, server) for server in servers]
    edges = [Wire(Node(400 + number), server) for number, server in enumerate(servers)]
    everybody = [*servers, middle, *(edge.client.node for edge in edges)]
    for turn in range(40):
        node = random_.choice(everybody)
        node.map[f"k{random_.randrange(8)}"] = turn
        wire = random_.choice([*wires, *edges])
        if random_.random() < 0.1:
            (wire.cut if wire.client.session.connected_now else wire.connect)()
        for _ in range(random_.randrange(4)):
            wire.step(random_.choice(("up", "down")))
    for wire in [*wires, *edges]:
        if not wire.client.session.connected_now:
            wire.connect()
    for _ in range(6):
        traffic = sum(wire.run() for wire in [*wires, *edges])
    assert traffic == 0
    assert all(node.content == middle.content for node in everybody)
    assert not any(node.hub.is_waiting for node in everybody)


def test_a_flood_of_gaps_is_asked_about_once_and_costs_each_update_the_same() -> None:
    """Looking through all clients, and all that waits, for each update that waits takes quadratic time."""

    class Log(LogDocument):
        looked_at = 0

        def state(self) -> State:
            raise AssertionError("all clients were looked through")

        def lacking(self, wanted: State) -> State:
            self.looked_at += len(wanted)
            return super().lacking(wanted)

    document = Log(taken_in=lambda *_: None)
    session = YSyncSession(document, role="server")
    session.connected(0.0)
    count = 5_000
    asked = 0
    for client in range(1, count):
        struct = Writer().byte(0x88).uint(client + 1).uint(0).raw(b"\x01\x7e").finish()
        asked += len(session.receive(update_message(update(section(client, 0, struct))), 0.0))
    assert asked == 1
    assert document.looked_at < 6 * count
    # What has come is a gap no more, and the next one is news.
    last = update(section(count, 0, key_item("k")))
    session.receive(update_message(last), 0.0)
    assert not document.is_waiting
