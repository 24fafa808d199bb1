"""A peer with a replica alone: what it loses in a crash, what is pending then, and who it is afterwards."""

from __future__ import annotations

import pytest

from weft.testing import FaultRates, SimNet, SimOptions
from weft.testing.sim import ReplicaPeer

OPTIONS = SimOptions(topology="replica", peers=1, rates=FaultRates(disk=1.0), keep=[])


@pytest.fixture
def net() -> SimNet:
    return SimNet(3, OPTIONS)


def _started(net: SimNet) -> ReplicaPeer:
    peer = net.peers[0]
    assert isinstance(peer, ReplicaPeer)
    peer.start()
    return peer


def _pass_time(net: SimNet, seconds: float) -> None:
    until = net.clock.now + seconds
    while net.clock.step(until):
        pass


def test_what_is_on_disk_is_there_again_under_the_same_client_id(net: SimNet) -> None:
    peer = _started(net)
    author = peer.client_id
    peer.store.set_cell("t", "r", "c", 1)
    _pass_time(net, 3)
    peer.store.set_cell("t", "r", "d", 2)
    peer.crash()  # before the disk has that
    peer.restart(empty=False)
    assert peer.client_id == author
    assert peer.store.get_tables() == {"t": {"r": {"c": 1}}}
    assert peer.content.pending().updates == 1
    peer.crash()


def test_a_restored_backup_goes_on_under_another_client_id(net: SimNet) -> None:
    peer = _started(net)
    author = peer.client_id
    peer.store.set_cell("t", "r", "c", 1)
    _pass_time(net, 3)
    peer.save()
    peer.store.set_cell("t", "r", "c", 2)
    _pass_time(net, 3)
    peer.crash()
    peer.restart(empty=False)
    assert peer.client_id == author
    peer.crash()
    peer.restart(empty=True)
    assert net.stats.faults.keys() & {"restore", "machine-back"}
    assert (peer.client_id != author) == (net.stats.faults["restore"] == 1)
    peer.crash()
