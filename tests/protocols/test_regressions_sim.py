"""What the simulation found in the protocols, each small; seeds: tests/testing/sim/seeds.txt."""

from __future__ import annotations

from support.yends import Node, sent
from support.ywriter import item, section, update
from weft._codecs.yjs.lib0 import Writer
from weft.protocols.ysync.messages import step1_message, step2_message, update_message

NOTHING = b"\x00\x00"


def nth(client: int, clock: int) -> bytes:
    """An update with one value in a list, behind the value before it."""
    if clock == 0:
        return update(section(client, 0, item(8, b"\x01\x7e", root="list")))
    struct = Writer().byte(0x88).uint(client).uint(clock - 1).raw(b"\x01\x7e").finish()
    return update(section(client, clock, struct))


def test_a_gap_that_another_connection_closed_does_not_hide_the_next_one() -> None:
    node = Node(9)
    session = node.end("server").session
    session.connected(0.0)
    session.receive(step1_message(b"\x00") + step2_message(NOTHING), 0.0)
    assert len(sent(session.receive(update_message(nth(5, 1)), 0.0))) == 1
    for turn in range(12):  # asked, and asked again, in vain
        session.receive(step2_message(NOTHING), float(turn * 1_000))
        session.tick(float(turn * 1_000 + 999))
    node.hub.apply(nth(5, 0), origin="another")
    assert not node.hub.is_waiting
    questions = sent(session.receive(update_message(nth(5, 3)), 20_000.0))
    assert questions == [step1_message(node.hub.state_vector())]


def test_a_gap_that_another_connection_closed_before_the_next_question_is_over() -> None:
    node = Node(9)
    session = node.end("server").session
    session.connected(0.0)
    session.receive(step1_message(b"\x00") + step2_message(NOTHING), 0.0)
    session.receive(update_message(nth(5, 1)), 0.0)
    session.receive(step2_message(NOTHING), 0.0)
    node.hub.apply(nth(5, 0), origin="another")
    assert sent(session.tick(0.5)) == []
    assert len(sent(session.receive(update_message(nth(5, 3)), 1.0))) == 1
