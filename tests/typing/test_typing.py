"""What users see of the types: mypy in strict mode and pyright find the mistakes, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.node import INTEROP

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
USES = HERE / "uses.py"
MISUSES = HERE / "misuses.py"


def wrong_lines() -> set[int]:
    lines = MISUSES.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


def mypy(path: Path) -> set[int]:
    """Lines with an error."""
    # Not the project's own exclusions: the misuses are excluded from them.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    found = re.findall(rf"{path.name}:(\d+): error: (.*)", done.stdout)
    assert bool(found) == (done.returncode == 1), done.stdout
    print(done.stdout)
    return {int(line) for line, _ in found}


def pyright(path: Path) -> set[int]:
    """Lines with an error."""
    done = subprocess.run(
        [
            "node",
            str(INTEROP / "node_modules" / "pyright" / "index.js"),
            "--outputjson",
            "--pythonpath",
            sys.executable,
            str(path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 1
    errors = [found for found in report["generalDiagnostics"] if found["severity"] == "error"]
    for error in errors:
        print(error["range"]["start"]["line"] + 1, error["message"])
    return {error["range"]["start"]["line"] + 1 for error in errors}


@pytest.mark.timeout(180)
def test_mypy_accepts_typical_uses_and_finds_every_mistake() -> None:
    assert mypy(USES) == set()
    assert mypy(MISUSES) == wrong_lines()


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
@pytest.mark.timeout(180)
def test_pyright_accepts_typical_uses_and_finds_every_mistake() -> None:
    assert pyright(USES) == set()
    assert pyright(MISUSES) == wrong_lines()
