"""Hostile bytes and the Automerge binding: in a child process, because it panics on some and could crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.fuzzing import fuzz_seed

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("count", [2_000, pytest.param(40_000, marks=pytest.mark.long)])
def test_no_damaged_bytes_crash_the_process_or_spoil_a_document(count: int, tmp_path: Path) -> None:
    case = tmp_path / "case"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "support.fuzz_automerge",
            fuzz_seed(f"automerge/{count}"),
            str(count),
            str(case),
        ],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS), "RUST_BACKTRACE": "0"},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    if done.returncode:
        print(f"last case: {case.read_bytes().hex()}")
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-2_000:]}"
    result = json.loads(done.stdout.splitlines()[-1])  # the binding prints lines of its own on some bytes
    assert result["wrong"] == [], result
    assert result["found"]["cases"] >= count
    assert result["found"]["refused"] > 50
    assert result["found"]["applied"] > 20
