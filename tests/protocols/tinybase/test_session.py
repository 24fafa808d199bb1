"""Sessions of a room without sockets: what they say to each other, and that all become equal."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from support.tinybase_room import Room
from support.vectors import vectors
from weft.documents.mergeable import MergeableDocument, encode_hlc, from_json
from weft.errors import LocalProtocolError
from weft.protocols.tinybase import (
    Effect,
    Flushed,
    FlushLost,
    Message,
    MessageType,
    Refused,
    SendMessage,
    StoreMissing,
    Synced,
    TinyBaseSession,
    Unanswered,
)
from weft.protocols.tinybase.pull import answer


def joined(seed: int = 1, clients: int = 2, **options: Any) -> Room:
    room = Room(seed, clients, **options)
    for client in room.clients:
        client.connect()
    room.run(30)
    return room


def test_a_first_client_brings_what_it_has_and_a_second_one_gets_it() -> None:
    room = Room(1, 2)
    a, b = room.clients
    a.set("fido", "color", "brown")
    a.document.set_value("open", True)
    a.connect()
    room.run(10)
    assert room.are_equal() is False
    assert room.store is not None
    assert room.store.document.get_content_hashes() == a.document.get_content_hashes()
    b.set("felix", "color", "black")
    b.connect()
    room.run(10)
    assert room.are_equal()
    assert a.told == b.told == [Synced()]


def test_a_client_that_has_nothing_new_asks_once_and_tells_nobody() -> None:
    room = joined()
    a, b = room.clients
    a.set("fido", "color", "brown")
    room.run(5)
    b.disconnect()
    room.sent.clear()
    b.connect()
    room.run(5)
    assert [message.type.name for sender, _, message in room.sent if sender == "b"] == ["GET_CONTENT_HASHES"]


def test_changes_of_a_turn_are_one_message_and_are_not_echoed() -> None:
    room = joined()
    a, b = room.clients
    room.sent.clear()
    for number in range(50):
        a.set("fido", f"c{number % 10}", number)
    a.document.set_value("v", 1)
    room.run(5)
    assert [(sender, to, message.type.name) for sender, to, message in room.sent] == [
        ("a", None, "CONTENT_DIFF")
    ]
    assert b.document.get_cell("t", "fido", "c9") == 49
    assert room.are_equal()


def test_edits_made_offline_go_out_with_the_next_connection() -> None:
    room = joined()
    a, b = room.clients
    a.disconnect()
    a.set("fido", "color", "brown")
    b.set("felix", "color", "black")
    room.run(5)
    a.connect()
    room.run(5)
    assert room.are_equal()
    assert b.document.get_cell("t", "fido", "color") == "brown"


@pytest.mark.parametrize("has_store", [True, False])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("clients", [2, 3, 5])
def test_all_become_equal_in_any_order_with_losses(clients: int, has_store: bool, ordered: bool) -> None:
    for seed in range(12):
        print(f"seed {seed}")
        room = Room(seed, clients, has_store=has_store, ordered=ordered, loss=0.2)
        random = Random(seed)
        for client in room.clients:
            client.connect()
        for _ in range(60):
            client = random.choice(room.clients)
            match random.randrange(8):
                case 0 if client.session.connected_now:
                    client.disconnect()
                case 0 | 1 if not client.session.connected_now:
                    client.connect()
                case 2:
                    room.run(random.random() * 3)
                case 3:
                    client.document.set_value(f"v{random.randrange(3)}", random.randrange(100))
                case 4:
                    for row in range(random.randrange(4)):
                        client.set(f"r{row}", "c", random.randrange(100))
                case _:
                    client.set(f"r{random.randrange(5)}", f"c{random.randrange(3)}", random.randrange(100))
            room.end_turns()
            for _ in range(random.randrange(10)):
                room.step()
        room.loss = 0.0
        for _ in range(2):  # what only one has who was there alone reaches the others by the second time
            for client in room.clients:
                if client.session.connected_now:
                    client.disconnect()
                client.connect()
                room.run(60)
        assert room.are_equal(), f"seed {seed}"


def test_messages_in_parts_arrive() -> None:
    room = joined(clients=3, fragment_size=60)
    a, *_ = room.clients
    a.set("fido", "note", "héllo wörld 😀 " * 20)
    room.run(5)
    assert room.are_equal()


def test_a_flush_is_answered_when_the_store_has_everything() -> None:
    room = joined()
    a, _ = room.clients
    for row in range(20):
        a.set(f"r{row}", "c", row)
    token = a.flush()
    assert room.store is not None
    while Flushed(token) not in a.told:
        assert room.step()
    assert room.store.document.get_cell("t", "r19", "c") == 19


def test_a_flush_is_answered_while_everybody_goes_on_writing() -> None:
    room = joined(clients=3)
    a, b, c = room.clients
    token = a.flush()
    room.run(1)
    assert Flushed(token) in a.told
    a.set("mine", "c", "first")
    a.end_turn()
    token = a.flush()
    for number in range(200):
        for client in (a, b, c):
            client.set(client.name, "c", number)
            client.document.set_value(client.name, number)
        room.end_turns()
        for _ in range(6):
            room.step()
        if Flushed(token) in a.told:
            break
    assert Flushed(token) in a.told
    assert room.store is not None
    assert room.store.document.get_cell("t", "mine", "c") == "first"


def test_a_flush_is_not_answered_while_the_store_lacks_something() -> None:
    room = joined()
    a, _ = room.clients
    room.loss = 1.0
    a.set("fido", "color", "brown")
    a.end_turn()
    room.loss = 0.0
    token = a.flush()
    room.step(), room.step()
    assert Flushed(token) not in a.told
    room.run(5)
    assert Flushed(token) in a.told
    assert room.store is not None
    assert room.store.document.get_cell("t", "fido", "color") == "brown"


def test_a_store_that_never_has_it_is_asked_less_and_less() -> None:
    room = joined()
    a, _ = room.clients
    assert room.store is not None
    session, receive = room.store.session, room.store.session.receive

    def read_only(sender: str, message: Message, now: float) -> list[Effect]:
        is_word = message.type in {MessageType.CONTENT_HASHES, MessageType.CONTENT_DIFF}
        return [] if is_word else receive(sender, message, now)

    session.receive = read_only  # type: ignore[method-assign]
    a.set("fido", "color", "brown")
    token = a.flush()
    room.run(5)
    room.sent.clear()
    room.run(100)
    assert Flushed(token) not in a.told
    told = [to for sender, to, message in room.sent if sender == "a" and message.type == 2]
    assert told == ["S"] * len(told)
    assert 8 <= len(told) <= 14


def test_a_flush_is_lost_with_the_connection() -> None:
    room = joined()
    a, _ = room.clients
    token = a.flush()
    a.disconnect()
    assert a.told[-1] == FlushLost((token,))
    with pytest.raises(LocalProtocolError, match="no connection"):
        a.session.request_flush(0)


def test_a_server_that_only_relays_is_found_out_and_confirms_nothing() -> None:
    room = Room(1, 2, has_store=False)
    a, b = room.clients
    a.set("fido", "color", "brown")
    a.connect()
    token = a.flush()
    room.run(9)
    assert a.told == []
    room.run(5)
    assert a.told == [StoreMissing(), Synced()]
    b.connect()
    room.run(0.1)
    assert b.document.get_cell("t", "fido", "color") == "brown"
    room.run(4)
    assert b.told == [StoreMissing(), Synced()], "another client has answered, so that a store would have"
    assert Flushed(token) not in a.told
    b.flush()
    assert b.told[-1] == StoreMissing()


def test_a_store_that_begins_late_is_waited_for() -> None:
    room = Room(1, 1)
    (a,) = room.clients
    assert room.store is not None
    room.store.disconnect()
    room.store.set("fido", "color", "brown")
    a.connect()
    a.flush()
    room.run(7)
    assert a.told == []
    room.store.connect()
    room.run(5)
    assert Synced() in a.told
    assert Flushed(0) in a.told
    assert a.document.get_cell("t", "fido", "color") == "brown"


def test_what_is_too_far_ahead_is_refused_whole_and_reported() -> None:
    room = joined()
    a, _ = room.clients
    ahead = encode_hlc(room.milliseconds + 600_000, 0, "x")
    now = encode_hlc(room.milliseconds, 0, "x")
    body: list[Any] = [[{"t": [{"r": [{"a": [1, now], "b": [2, ahead]}]}]}], [{}], 1]
    before = a.document.get_content()
    effects = a.session.receive("b", Message("x", MessageType.CONTENT_DIFF, body), room.now)
    assert len(effects) == 1
    assert isinstance(effects[0], Refused)
    assert "five minutes ahead" in str(effects[0].error)
    assert a.document.get_content() == before


def test_an_answer_to_another_question_is_refused() -> None:
    document = MergeableDocument("a")
    session = TinyBaseSession(document, role="client", new_id=lambda length: "x" * length)
    (sent,) = session.connected(0)
    assert isinstance(sent, SendMessage)
    (asked,) = session.receive("b", Message(sent.message.request_id, MessageType.RESPONSE, [1, 0]), 0)
    assert isinstance(asked, SendMessage)
    assert (asked.to, asked.message.type) == ("b", MessageType.GET_TABLE_DIFF)
    bodies: list[Any] = [[1, 0], [{}], [[{}], {"t": {"r": 5}}]]
    for body in bodies:
        again = TinyBaseSession(document, role="client", new_id=lambda length: "x" * length)
        (sent,) = again.connected(0)
        assert isinstance(sent, SendMessage)
        again.receive("b", Message(sent.message.request_id, MessageType.RESPONSE, [1, 0]), 0)
        effects = again.receive("b", Message(asked.message.request_id, MessageType.RESPONSE, body), 0)
        assert [type(effect) for effect in effects] == [Refused], body


def test_answers_of_others_and_of_nobody_are_passed_over() -> None:
    session = TinyBaseSession(MergeableDocument("a"), role="client", new_id=lambda length: "x" * length)
    (sent,) = session.connected(0)
    assert isinstance(sent, SendMessage)
    (asked,) = session.receive("b", Message(sent.message.request_id, MessageType.RESPONSE, [1, 0]), 0)
    assert isinstance(asked, SendMessage)
    for sender, request_id in (("c", asked.message.request_id), ("b", "unknown"), ("b", None)):
        answer = Message(request_id, MessageType.RESPONSE, [[{}], {}])
        assert session.receive(sender, answer, 0) == []


def test_who_does_not_answer_is_told_of_and_others_go_on() -> None:
    session = TinyBaseSession(MergeableDocument("a"), role="client", new_id=lambda length: "x" * length)
    session.connected(0)
    (asked,) = session.receive("b", Message("t", MessageType.CONTENT_HASHES, [1, 0]), 0)
    assert isinstance(asked, SendMessage)
    assert asked.message.request_id == "t.xxxx", "the transaction is the one of whom it asks, as in TinyBase"
    assert session.receive("c", Message("u", MessageType.CONTENT_HASHES, [1, 0]), 0) == []
    effects = [effect for number in range(1, 12) for effect in session.tick(number)]
    assert Unanswered("b", asked.message) in effects
    assert any(isinstance(effect, SendMessage) and effect.to == "c" for effect in effects)


def test_who_left_is_asked_nothing_more() -> None:
    session = TinyBaseSession(MergeableDocument("S"), role="server", new_id=lambda length: "x" * length)
    assert session.connected(0) == []
    assert session.next_tick() is None
    session.receive("b", Message("t", MessageType.CONTENT_HASHES, [1, 0]), 0)
    assert session.next_tick() is not None
    session.receive("c", Message("u", MessageType.CONTENT_HASHES, [1, 0]), 0)
    (asked,) = session.left("b", 0)
    assert isinstance(asked, SendMessage)
    assert asked.to == "c"
    session.left("c", 0)
    assert session.next_tick() is None


def test_a_server_asks_a_client_for_what_it_has() -> None:
    session = TinyBaseSession(MergeableDocument("S"), role="server", new_id=lambda length: "x" * length)
    session.connected(0)
    (asked,) = session.ask("b", 0)
    assert isinstance(asked, SendMessage)
    assert (asked.to, asked.message.type) == ("b", MessageType.GET_CONTENT_HASHES)
    answer = Message(asked.message.request_id, MessageType.RESPONSE, [0, 3])
    (asked,) = session.receive("b", answer, 0)
    assert isinstance(asked, SendMessage)
    assert asked.message.type is MessageType.GET_VALUE_DIFF


def test_a_client_that_missed_changes_while_it_began_comes_for_them() -> None:
    # TinyBase passes changes over until it has what there was when it asked; then it says what it has.
    room = Room(1, 2)
    a, b = room.clients
    a.connect()
    room.run()
    a.set("r", "missed", 1)
    a.end_turn()
    room.run()
    assert room.store is not None
    hashes = b.document.get_content_hashes()
    effects = room.store.session.receive("b", Message("x" * 11, MessageType.CONTENT_HASHES, hashes), room.now)
    while (sent := effects.pop()).message.type is not MessageType.CONTENT_HASHES:  # type: ignore[union-attr]
        assert isinstance(sent, SendMessage)
        body = answer(b.document, sent.message)
        reply = Message(sent.message.request_id, MessageType.RESPONSE, body)
        effects += room.store.session.receive("b", reply, room.now)
    assert isinstance(sent, SendMessage)
    assert (sent.to, sent.message.body) == ("b", room.store.document.get_content_hashes())
    assert effects == []
    equal = Message("y" * 11, MessageType.CONTENT_HASHES, room.store.document.get_content_hashes())
    assert room.store.session.receive("b", equal, room.now) == []


def test_of_two_hundred_who_have_the_same_one_is_asked() -> None:
    session = TinyBaseSession(MergeableDocument("a"), role="client", new_id=lambda length: "x" * length)
    (sent,) = session.connected(0)
    assert isinstance(sent, SendMessage)
    answer = Message(sent.message.request_id, MessageType.RESPONSE, [1, 0])
    asked = [effect for number in range(200) for effect in session.receive(f"peer{number}", answer, 0)]
    assert len(asked) == 1


def test_two_connections_at_once_are_a_mistake() -> None:
    session = TinyBaseSession(MergeableDocument("a"), role="client", new_id=lambda length: "x" * length)
    session.connected(0)
    assert session.connected_now
    with pytest.raises(LocalProtocolError, match="a connection already"):
        session.connected(1)
    assert session.disconnected() == []
    assert session.disconnected() == []


def conversation(lines: list[str], client: str) -> list[tuple[str, str, list[Any]]]:
    """The messages of a transcript to and from a client: direction, address and fields."""
    found = []
    for line in lines:
        name, way, text = line.split(" ", 2)
        if name == client and way in {"c>s", "s>c"} and text.startswith('"'):
            address, _, rest = from_json(text).partition("\n")
            found.append((way, address, from_json(rest)))
    return found


def test_a_session_says_what_a_client_of_tinybase_says() -> None:
    """The second client of a real room: what it is told, and that it says the same."""
    talk = conversation(vectors("tinybase_sync")["server"]["transcript"], "conn2")
    document = MergeableDocument("s2", get_now=lambda: 1735689600000)
    document.set_cell("pets", "felix", "color", "black", "OFU9Mk-----CnH-J")
    session = TinyBaseSession(document, role="client", new_id=lambda length: "i" * length)
    said: list[tuple[str, int, Any]] = []
    asked = ""

    def perform(effects: list[Any]) -> None:
        nonlocal asked
        for effect in effects:
            if isinstance(effect, SendMessage):
                said.append((effect.to or "", int(effect.message.type), effect.message.body))
                asked = (effect.message.request_id or "") if effect.message.type else asked

    perform(session.connected(0))
    wanted = []
    for way, address, (request_id, kind, body) in talk:
        if way == "c>s":
            if kind == MessageType.CONTENT_DIFF:
                break
            wanted.append((address, kind, body))
        else:
            answers = asked if kind == MessageType.RESPONSE else request_id
            perform(session.receive(address, Message(answers, MessageType(kind), body), 0))
    assert [kind for _, kind, _ in wanted] == [1, 4, 5, 7, 2, 0, 0, 0, 0]
    assert said == wanted
