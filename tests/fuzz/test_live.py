"""A live server, clients that send it whatever can be drawn, and honest ones among them, over restarts.

Any number of cases: ``PYTHONPATH=tests python -m fuzz.live --cases 200000``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fuzz.live.judge import judged
from support.fuzzing import fuzz_seed

if TYPE_CHECKING:
    from support.node import SyncJsPeer

COUNTS = {"yjs": 10_000, "automerge": 10_000, "mergeable": 5_000}


@pytest.mark.interop
@pytest.mark.timeout(240)
@pytest.mark.parametrize("side", COUNTS)
def test_a_server_goes_on_and_its_rooms_hold_what_honest_clients_wrote(
    side: str, sync_js: SyncJsPeer
) -> None:
    count = COUNTS[side]
    result = judged(side, fuzz_seed(f"live/{side}"), count, js=sync_js)
    assert result.wrong is None, result.wrong
    assert sum(result.counts.values()) == count
    assert result.counts["answered"] > count // 10, result.counts
    assert result.counts["let go"] > count // 10, result.counts


@pytest.mark.parametrize("side", COUNTS)
def test_what_is_lost_is_found(side: str) -> None:
    result = judged(side, "lost", 50, lost="never written")
    assert "lost {'never written': 1}" in str(result.wrong)
