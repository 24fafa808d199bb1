"""Drawing a plan: what options and shrinking change of it, and what they do not."""

from __future__ import annotations

import pytest

from weft.testing import SimNet, SimOptions
from weft.testing.sim.draw import draw_plan


def test_leaving_out_an_action_changes_no_other() -> None:
    plan = draw_plan(12, SimOptions())
    kept = draw_plan(12, SimOptions(keep=[3, 5]))
    assert kept.actions == (plan.actions[3], plan.actions[5])
    assert kept.rates == plan.rates
    assert kept.network_seed == plan.network_seed


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="peers"):
        SimNet(1, SimOptions(peers=0))
