"""Links by themselves: delays, losses, clogs, and what is under way when a node crashes."""

from __future__ import annotations

import pytest

from weft.testing import FaultRates, SimNet, SimOptions
from weft.testing.sim.links import SimConnection, SimLink, describe


class Recording(SimNet):
    """A net of two peers of which the test moves the messages."""

    def __init__(self, *, ordered: bool, rates: FaultRates) -> None:
        options = SimOptions(topology="mesh", peers=2, ordered=ordered, rates=rates, keep=[])
        super().__init__(5, options)
        self.arrived: list[bytes] = []
        for node in self.nodes:
            node.alive = True
            node.connected = lambda connection: None  # type: ignore[method-assign]
            node.disconnected = lambda connection: self.arrived.append(b"closed")  # type: ignore[method-assign]
            node.deliver = lambda connection, data: self.arrived.append(data)  # type: ignore[method-assign]
        self.link: SimLink = self.links[0]
        self.link.dial_soon(0.0)
        self.pass_time(0.0)
        assert self.link.connection is not None
        self.connection: SimConnection = self.link.connection

    def send(self, *texts: str) -> None:
        for text in texts:
            self.connection.send(self.peers[0], text.encode())

    def pass_time(self, seconds: float) -> None:
        until = self.clock.now + seconds
        while self.clock.step(until):
            pass


def test_an_ordered_link_keeps_order_whatever_the_delays() -> None:
    net = Recording(ordered=True, rates=FaultRates(delay=5.0))
    texts = [f"{number:02}" for number in range(50)]
    net.send(*texts)
    net.pass_time(6.0)
    assert [data.decode() for data in net.arrived] == texts


def test_an_ordered_link_breaks_where_it_loses_and_delivers_nothing_after() -> None:
    net = Recording(ordered=True, rates=FaultRates(drop=1.0))
    net.send("lost", "never")
    assert net.connection.broken
    net.pass_time(0.1)
    assert net.arrived == [b"closed", b"closed"]
    assert net.stats.faults["drop"] == 1
    assert net.stats.lost == 2


def test_an_unordered_link_repeats_overtakes_and_loses_and_goes_on() -> None:
    net = Recording(ordered=False, rates=FaultRates(delay=1.0, drop=0.3, duplicate=0.3, reorder=0.5))
    texts = [f"\x00\x02{number:02}" for number in range(100)]
    net.send(*texts)
    net.pass_time(10.0)
    arrived = [data.decode() for data in net.arrived]
    assert set(arrived) < set(texts)
    assert len(arrived) > len(set(arrived))
    assert arrived != sorted(arrived)
    assert not net.connection.broken


def test_an_unordered_link_does_not_lose_the_handshake() -> None:
    net = Recording(ordered=False, rates=FaultRates(drop=1.0))
    net.send("\x00\x00", "\x00\x01", "\x00\x02")
    net.pass_time(1.0)
    assert net.arrived == [b"\x00\x00", b"\x00\x01"]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_clog_holds_one_direction_and_loses_nothing(ordered: bool) -> None:
    net = Recording(ordered=ordered, rates=FaultRates())
    one, other = net.peers
    net.faults.clog(one.name, other.name, 3.0)
    net.send("held", "held too")
    net.connection.send(other, b"free")
    net.pass_time(2.9)
    assert net.arrived == [b"free"]
    net.pass_time(0.2)
    assert net.arrived == [b"free", b"held", b"held too"]


def test_what_a_node_sent_before_it_crashed_arrives_and_what_is_sent_to_it_does_not() -> None:
    net = Recording(ordered=True, rates=FaultRates(delay=1.0))
    net.send("last words")
    net.connection.send(net.peers[1], b"to the dead")
    net.connection.crashed(net.peers[0])
    net.pass_time(5.0)
    assert net.arrived == [b"last words", b"closed"]


def test_messages_are_known_by_their_first_bytes() -> None:
    assert [describe(data) for data in (b"\x00\x00\x01\x00", b"\x00\x01", b"\x00\x02", b"\x01\x01\x00")] == [
        "step1",
        "step2",
        "update",
        "keep-alive",
    ]
    assert describe(b"\x01\x05\x01\x02\x03\x00\x00") == "awareness"
    assert describe(b"") == "unknown"
