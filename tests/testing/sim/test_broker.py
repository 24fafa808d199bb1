"""The broker of a cluster by itself: in order from each sender, and lost where there is no connection."""

from __future__ import annotations

from weft.server.fanout.messages import beat_message, hint_message, told_message
from weft.testing import FaultRates, SimNet, SimOptions
from weft.testing.sim.broker import BROKER, SimBroker, describe_hint

ONE, TWO = b"process1", b"process2"


class Client:
    """A server that writes down what it hears."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections = 0
        self.heard: list[bytes] = []

    def broker_connected(self) -> None:
        self.connections += 1

    def broker_received(self, channel: str, message: bytes) -> None:
        assert channel == "room"
        self.heard.append(message)


class World:
    """A broker with three servers, of which the last has not subscribed."""

    def __init__(self, rates: FaultRates) -> None:
        self.net = SimNet(5, SimOptions(topology="cluster", rates=rates, keep=[]))
        self.broker = SimBroker(self.net, 7)
        self.one, self.two, self.deaf = Client("s0"), Client("s1"), Client("s2")
        for client in (self.one, self.two):
            self.broker.join(client, "room")
        self.broker.join(self.deaf)

    def publish(self, client: Client, *texts: str) -> list[bytes]:
        messages = [told_message(ONE, text.encode()) for text in texts]
        for message in messages:
            self.broker.publish(client, "room", message)
        return messages

    def pass_time(self, seconds: float) -> None:
        until = self.net.clock.now + seconds
        while self.net.clock.step(until):
            pass


def test_what_one_sends_arrives_in_order_and_what_two_send_may_overtake() -> None:
    world = World(FaultRates(delay=1.0))
    third = Client("third")
    world.broker.join(third, "room")
    texts = [f"{number:02}" for number in range(30)]
    sent = [(world.publish(world.one, text), world.publish(world.two, text)) for text in texts]
    world.pass_time(2.0)
    assert world.two.heard == [message for (message,), _ in sent]
    assert world.one.heard == [message for _, (message,) in sent]
    assert sorted(third.heard) == sorted(world.one.heard + world.two.heard)
    assert third.heard != [message for pair in sent for (message,) in pair]
    assert world.deaf.heard == []


def test_messages_are_lost_and_none_comes_twice() -> None:
    world = World(FaultRates(broker_loss=0.5))
    sent = world.publish(world.one, *map(str, range(100)))
    world.pass_time(1.0)
    assert 20 < len(world.two.heard) < 80
    assert [message for message in sent if message in set(world.two.heard)] == world.two.heard


def test_a_broker_that_is_away_loses_all_and_is_connected_to_again() -> None:
    world = World(FaultRates())
    world.broker.away(5.0)
    world.publish(world.one, "lost")
    world.pass_time(4.0)
    world.publish(world.one, "lost too")
    world.pass_time(16.0)
    assert (world.one.connections, world.two.connections) == (2, 2)
    assert world.two.heard == []
    sent = world.publish(world.one, "heard")
    world.pass_time(1.0)
    assert world.two.heard == sent


def test_one_that_is_cut_off_loses_what_is_sent_to_it_until_it_has_noticed() -> None:
    world = World(FaultRates())
    world.net.faults.partition([(BROKER, "s1")], 0.5)
    world.pass_time(0.4)
    world.publish(world.one, "lost")
    world.pass_time(0.2)
    world.publish(world.one, "lost too: the connection is dead, and nobody knows yet")
    world.pass_time(11.0)
    assert world.two.heard == []
    assert world.two.connections == 2
    assert world.one.connections == 1


def test_one_that_is_frozen_hears_it_later_and_one_that_is_gone_never() -> None:
    world = World(FaultRates())
    world.net.faults.freeze("s1", 3.0)
    sent = world.publish(world.one, "1", "2")
    world.pass_time(2.0)
    assert world.two.heard == []
    world.pass_time(2.0)
    assert world.two.heard == sent
    world.broker.leave(world.two)
    world.publish(world.one, "3")
    world.pass_time(2.0)
    assert world.two.heard == sent


def test_messages_are_known_by_their_kind() -> None:
    assert describe_hint(hint_message(TWO, 0, 1, 1, [b"x"])) == "hint"
    assert describe_hint(told_message(TWO, b"")) == "told"
    assert describe_hint(beat_message(TWO)) == "beat"
    assert describe_hint(b"") == "unknown"
