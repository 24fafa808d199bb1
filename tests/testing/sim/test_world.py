"""The parts of the simulated world by themselves: time, links, disk, ledger, plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pycrdt import Map

from weft.documents.yjs.document import YDocument, create_doc
from weft.testing import FaultRates, SimFailure, SimNet, SimOptions
from weft.testing.sim.draw import draw_plan
from weft.testing.sim.ledger import Ledger
from weft.testing.sim.links import SimConnection, SimLink, describe
from weft.testing.sim.scheduler import Scheduler
from weft.testing.sim.server import SimDisk

if TYPE_CHECKING:
    from weft.testing.sim import Network


def test_calls_are_made_in_the_order_of_their_moments_and_then_of_their_asking() -> None:
    clock = Scheduler()
    heard: list[str] = []
    clock.at(2.0, heard.append, "late")
    clock.at(1.0, heard.append, "first")
    clock.at(1.0, heard.append, "second")
    clock.at(1.0, clock.at, 0.5, heard.append, "too late for 0.5")
    while clock.step(1.5):
        assert clock.now == 1.0
    assert heard == ["first", "second", "too late for 0.5"]
    assert clock.now == 1.5
    assert clock.step(2.0)
    assert heard[-1] == "late"


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


def test_a_crash_leaves_what_was_synced_and_compaction_loses_nothing() -> None:
    disk = SimDisk()
    doc = create_doc()
    YDocument.of(doc).subscribe(lambda update, _origin: disk.append(update))
    content = doc.get("m", type=Map)
    for number in range(10):
        content[f"k{number}"] = number
        if number == 6:
            disk.sync()
    assert (disk.appended, disk.kept) == (10, 7)
    disk.crash()
    assert (disk.appended, disk.kept, len(disk.log)) == (7, 7, 7)
    disk.compact()
    assert len(disk.log) == disk.durable == 1
    assert disk.kept == 7
    again = create_doc()
    again.apply_update(disk.log[0])
    assert again.get("m", type=Map).to_py() == {f"k{number}": float(number) for number in range(7)}


def test_the_ledger_asks_only_for_what_was_promised() -> None:
    ledger = Ledger()
    first, second = ("p0", 1), ("p0", 2)
    ledger.wrote(first, ("t", "r", "saved"), 1, unique=True)
    ledger.wrote(first, ("t", "r", "collides"), 2, unique=False)
    saved = ledger.of(first)
    ledger.wrote(first, ("t", "r", "acknowledged"), 3, unique=True)
    ledger.acknowledge(ledger.of(first)[2:])
    ledger.wrote(first, ("t", "r", "gone"), 4, unique=True)
    assert {write.number for write in ledger.must_be_there()} == {1, 3, 4}
    ledger.ended(first)
    assert {write.number for write in ledger.must_be_there()} == {3}
    ledger.inherit(second, saved)
    assert {write.number for write in ledger.must_be_there()} == {1, 3}
    assert ledger.was_written(("t", "r", "collides"), 2)
    assert not ledger.was_written(("t", "r", "elsewhere"), 2)


def test_the_ledger_knows_which_write_stands_over_which() -> None:
    ledger = Ledger()
    ledger.wrote(("p0", 1), ("v",), 1, unique=False)
    ledger.wrote(("p1", 1), ("v",), 2, unique=False)
    assert ledger.superseded_by(("v",), 1) is None
    ledger.wrote(("p0", 1), ("v",), 3, unique=False)
    later = ledger.superseded_by(("v",), 1)
    assert later is not None
    assert later.number == 3
    ledger.ended(("p0", 1))
    assert ledger.superseded_by(("v",), 1) is None, "nobody promised to keep it"


def test_leaving_out_an_action_changes_no_other() -> None:
    plan = draw_plan(12, SimOptions())
    kept = draw_plan(12, SimOptions(keep=[3, 5]))
    assert kept.actions == (plan.actions[3], plan.actions[5])
    assert kept.rates == plan.rates
    assert kept.network_seed == plan.network_seed


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="peers"):
        SimNet(1, SimOptions(peers=0))


def test_an_exception_of_the_code_under_test_is_a_failure_that_says_where() -> None:
    class Breaks:
        def step(self, net: Network, peer: object) -> None:
            raise KeyError("deep down")

        def end(self, net: Network) -> None: ...

    with pytest.raises(SimFailure) as caught:
        SimNet(1, SimOptions(oracles=[Breaks()])).run()
    assert caught.value.rule == "KeyError"
    assert "deep down" in caught.value.reason
    assert "test_world.py" in caught.value.reason
