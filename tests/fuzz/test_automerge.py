"""Hostile bytes and the Automerge binding: in a child process, because it panics on some and could crash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.fuzzing import child, fuzz_seed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("count", [2_000, pytest.param(40_000, marks=pytest.mark.long)])
def test_no_damaged_bytes_crash_the_process_or_spoil_a_document(count: int, tmp_path: Path) -> None:
    case = tmp_path / "case"
    seed = fuzz_seed(f"automerge/{count}")
    printed = child("-m", "support.fuzz_automerge", seed, str(count), str(case), case=case)
    result = json.loads(printed.splitlines()[-1])  # the binding prints lines of its own on some bytes
    assert result["wrong"] == [], result
    assert result["found"]["cases"] >= count
    assert result["found"]["refused"] > 50
    assert result["found"]["applied"] > 20
