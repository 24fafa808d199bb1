"""Updates that nobody honest sends: refused or held or read alike by Yjs, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from differential.updates.attack import attack
from support.fuzzing import fuzz_seed

if TYPE_CHECKING:
    from support.node import SyncJsPeer

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("part", range(10))
def test_a_hostile_update_is_refused_held_or_read_by_yjs_as_by_the_log(
    part: int, js_session: SyncJsPeer
) -> None:
    attacked = attack(js_session, fuzz_seed(f"updates {part}"), histories=20, updates=50)
    assert attacked.wrong == []
    assert min(attacked.refused, attacked.taken, attacked.held) >= 30
