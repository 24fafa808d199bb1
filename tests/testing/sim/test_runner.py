"""Seeds are run in several processes, whatever happens to one of them, and a failure is made small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.canaries import KillsProcess
from weft.testing import SimFailure, SimNet, SimOptions
from weft.testing.sim.runner import outcomes, shrink_failure

if TYPE_CHECKING:
    from weft.testing.sim import Network


def test_a_seed_that_takes_its_process_along_is_found_and_the_others_run() -> None:
    found = list(outcomes(range(150), SimOptions(peer_type=KillsProcess, edits=1, peers=2), 2))
    assert sum(count for count, _, _ in found) == 100
    (dead,) = [failure for _, _, failures in found for failure in failures]
    assert dead == (-1, "crash", "the process that ran seeds 50 to 99 died")


class ThirdEditIsOneTooMany:
    def step(self, net: Network, peer: object) -> None:
        assert net.stats.edits < 3, "three edits"

    def end(self, net: Network) -> None: ...


def test_a_failing_schedule_becomes_as_small_as_its_failure() -> None:
    options = SimOptions(oracles=[ThirdEditIsOneTooMany()])
    failure = None
    try:
        SimNet(2, options).run()
    except SimFailure as caught:
        failure = caught
    assert failure is not None
    small = shrink_failure(2, failure, options)
    assert [action.kind for action in small.plan.actions] == ["edit"] * 3
    assert "three edits" in small.reason
    kept = ",".join(str(action.index) for action in small.plan.actions)
    assert small.command == f"python -m weft.testing.sim --seed 2 --keep {kept}"
