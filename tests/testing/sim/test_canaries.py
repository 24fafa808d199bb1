"""The simulation finds the faults it is there to find: each of these is caught within its number of seeds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support import canaries
from support.cluster_canaries import CLUSTER_CANARIES
from support.replica_canaries import REPLICA_CANARIES
from weft.testing import SimFailure, SimNet, SimOptions

CANARIES = canaries.CANARIES | CLUSTER_CANARIES | REPLICA_CANARIES


def _failure(seed: int, options: SimOptions) -> SimFailure | None:
    try:
        SimNet(seed, options).run()
    except SimFailure as failure:
        return failure
    return None


@pytest.mark.parametrize("name", CANARIES)
def test_a_canary_is_caught_and_it_is_the_canary(name: str) -> None:
    canary = CANARIES[name]
    for seed in range(canary.first, canary.first + canary.seeds):
        failure = _failure(seed, replace(canary.world, **canary.fault))
        assert failure is None or failure.rule in canary.breaks | canary.beside, str(failure)
        if failure is not None and failure.rule in canary.breaks:
            assert _failure(seed, canary.world) is None
            return
    pytest.fail(f"{name}: not caught in {canary.seeds} seeds")


def test_there_are_a_score_of_canaries() -> None:
    assert len(CANARIES) >= 20
