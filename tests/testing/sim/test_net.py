"""Networks of weft peers keep every promise, on as many seeds as a test run has time for."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from weft.testing import FaultRates, SimFailure, SimNet, SimOptions
from weft.testing.sim.__main__ import main
from weft.testing.sim.result import SimStats
from weft.testing.sim.runner import run_seeds

if TYPE_CHECKING:
    from weft.testing.sim import Network

SEEDS = 375
CLUSTER_SEEDS = 75
REPLICA_SEEDS = 50
CHUNK = 25
CLUSTER = SimOptions(topology="cluster")
REPLICA = SimOptions(topology="replica")
FAILED_ONCE = [
    line.partition("#")[0].split()
    for line in (Path(__file__).parent / "seeds.txt").read_text(encoding="utf-8").splitlines()
    if line.partition("#")[0].strip()
]


@pytest.fixture(scope="module")
def tally() -> tuple[list[int], SimStats]:
    """How many seeds the tests of this run have run, and what they did."""
    return [], SimStats()


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_peers_and_servers_keep_their_promises(first: int, tally: tuple[list[int], SimStats]) -> None:
    count, stats, failures = run_seeds(range(first, first + CHUNK), SimOptions())
    assert not failures, "\n\n".join(text for _, _, text in failures)
    assert count == CHUNK
    ran, total = tally
    ran.append(count)
    total.add(stats)


@pytest.mark.parametrize("first", range(0, CLUSTER_SEEDS, CHUNK))
def test_servers_on_one_storage_keep_their_promises(first: int) -> None:
    _, stats, failures = run_seeds(range(first, first + CHUNK), CLUSTER)
    assert not failures, "\n\n".join(text for _, _, text in failures)
    assert {"broker-away", "broker-loss", "disk-away", "crash"} <= {
        kind for kind, times in stats.faults.items() if times
    }


@pytest.mark.parametrize("first", range(0, REPLICA_SEEDS, CHUNK))
def test_replicas_keep_their_promises(first: int) -> None:
    _, stats, failures = run_seeds(range(first, first + CHUNK), REPLICA)
    assert not failures, "\n\n".join(text for _, _, text in failures)
    assert {"crash", "copy", "restore"} <= {kind for kind, times in stats.faults.items() if times}


def test_the_run_had_every_fault_in_it(tally: tuple[list[int], SimStats]) -> None:
    ran, total = tally
    if sum(ran) < SEEDS:
        count, stats, failures = run_seeds(range(60), SimOptions())
        assert count == 60
        assert not failures
        total = stats
    assert total.edits > 0
    assert total.delivered > 0
    assert total.lost > 0
    assert total.crashes > 0
    assert total.reconnects > 0
    assert total.flushes > 0
    one_by_one = {"clog", "crash", "disconnect", "freeze", "jump", "partition"}
    of_messages = {"drop", "duplicate", "half-open", "reorder"}
    assert {kind for kind, times in total.faults.items() if times} == one_by_one | of_messages


@pytest.mark.parametrize("words", FAILED_ONCE, ids=" ".join)
def test_what_has_failed_once_does_not_fail_again(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--no-shrink", "--seed", *words]) == 0, capsys.readouterr().out


def test_plans_are_as_varied_as_the_tier_needs() -> None:
    plans = [SimNet(seed).plan for seed in range(SEEDS)]
    assert {plan.peers for plan in plans} == {2, 3, 4, 5, 6}
    worlds = Counter((plan.topology, plan.ordered, plan.layout) for plan in plans)
    assert len(worlds) == 12
    assert min(worlds.values()) >= 3
    assert {plan.bridges for plan in plans} == {0, 1, 2}
    assert {SimNet(seed, CLUSTER).plan.servers for seed in range(20)} == {2, 3}
    assert any(plan.rates == FaultRates(delay=plan.rates.delay) for plan in plans), (
        "worlds without faults count too"
    )


@pytest.mark.parametrize("options", [SimOptions(), CLUSTER, REPLICA], ids=["any", "cluster", "replica"])
@pytest.mark.parametrize("seed", [3, 10, 21, 37])
def test_a_seed_gives_the_same_run_again(seed: int, options: SimOptions) -> None:
    first, second = SimNet(seed, options), SimNet(seed, options)
    assert first.run() == second.run()
    assert first.trace == second.trace
    assert first.stats.edits > 0


def test_a_seed_gives_the_same_run_in_another_process_with_another_order_of_sets() -> None:
    program = (
        "from weft.testing import SimNet, SimOptions\n"
        "for seed in range(8): print(SimNet(seed).run().digest)\n"
        "print(SimNet(5, SimOptions(topology='mesh', ordered=False, layout='tinybase')).run().digest)\n"
        "print(SimNet(6, SimOptions(topology='cluster')).run().digest)\n"
        "print(SimNet(7, SimOptions(topology='replica')).run().digest)"
    )

    def digests(hash_seed: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=50,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PATH": ""},
        )
        return done.stdout

    one = digests("1")
    assert len(one.splitlines()) == 11
    assert len(set(one.splitlines())) == 11
    assert digests("2") == one


def test_a_world_without_faults_has_none() -> None:
    result = SimNet(1, SimOptions(rates=FaultRates(), topology="star", peers=3)).run()
    assert not result.stats.faults
    assert result.stats.crashes == result.stats.reconnects == result.stats.lost == 0
    assert result.stats.connections == 3


def test_a_cluster_without_faults_fetches_nothing() -> None:
    net = SimNet(2, SimOptions(rates=FaultRates(), topology="cluster", peers=6, edits=30))
    result = net.run()
    assert not result.stats.faults
    kinds = Counter(kind for _, kind, _ in net.trace)
    assert kinds["publish"] > 30
    assert kinds["fetched"] == kinds["forget"] == 0
    dialled = {detail.partition("-")[2] for _, kind, detail in net.trace if kind == "connect"}
    assert dialled == {server.name for server in net.servers}


def test_a_failure_says_how_to_see_it_again() -> None:
    class Wrong:
        def step(self, net: Network, peer: object) -> None:
            raise AssertionError("this is what is wrong")

        def end(self, net: Network) -> None: ...

    with pytest.raises(SimFailure) as caught:
        SimNet(7, SimOptions(topology="star", ordered=True, oracles=[Wrong()])).run()
    text = str(caught.value)
    assert "this is what is wrong" in text
    assert "seed 7: star" in text
    assert text.endswith("again: python -m weft.testing.sim --seed 7 --topology star --ordered")


def test_an_exception_of_the_code_under_test_is_a_failure_that_says_where() -> None:
    class Breaks:
        def step(self, net: Network, peer: object) -> None:
            raise KeyError("deep down")

        def end(self, net: Network) -> None: ...

    with pytest.raises(SimFailure) as caught:
        SimNet(1, SimOptions(oracles=[Breaks()])).run()
    assert caught.value.rule == "KeyError"
    assert "deep down" in caught.value.reason
    assert "test_net.py" in caught.value.reason
