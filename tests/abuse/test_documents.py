"""Updates that once stopped or ended a process with a document in it, by an update or by a hostile server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.attacked import ATTACKS

_TESTS = Path(__file__).parent.parent
_SAID = {
    "child": "parent 3:0 is no type",
    "crowd": "40000 clients that write at one place",
    "nested_types": "types nested more than 64 deep",
}


_DOCUMENT_ONLY = {"nested_types"}  # a provider gives it to its document as it does the others


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (name, target)
        for name in sorted(ATTACKS)
        for target in ("document", "provider")
        if target == "document" or name not in _DOCUMENT_ONLY
    ],
)
def test_it_goes_on_and_says_what_was_wrong(name: str, target: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "support.attacked", name, target],
        cwd=_TESTS,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if name in _SAID:
        assert _SAID[name] in done.stdout + done.stderr
        assert target == "document" or "refused 6 times in a row" in done.stdout
