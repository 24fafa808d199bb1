"""Hostile messages and both ends of automerge-repo: in a child process, which the binding could crash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.fuzzing import child, fuzz_seed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("end", ["server", "provider"])
def test_no_damaged_message_spoils_anything_but_the_connection_it_came_over(
    end: str, count: int, tmp_path: Path
) -> None:
    case = tmp_path / "case"
    seed = fuzz_seed(f"repo/{end}/{count}")
    printed = child("-m", "support.fuzz_repo", end, seed, str(count), str(case), case=case)
    result = json.loads(printed.splitlines()[-1])  # the binding prints lines of its own on some bytes
    assert result["wrong"] == [], result
    assert result["whole"], result
    # Each case ended its connection as a protocol error: none as a fault of ours.
    closed = result["closed"]
    assert sum(closed.values()) >= count, result
    assert closed.keys() <= {"1007", "1002", "1006"}, result
    assert closed["1007"] > count * 0.9, result
