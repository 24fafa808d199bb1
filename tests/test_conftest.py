"""The hostile test run catches what it is there to catch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

CANARIES = """
import asyncio, gc

async def fail():
    raise ValueError("nobody asks for this")

async def test_unretrieved():
    task = asyncio.create_task(fail())
    await asyncio.wait([task])

async def test_unretrieved_in_a_cycle():
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    cycle = [task]
    cycle.append(cycle)

async def test_left_running():
    globals()["task"] = asyncio.create_task(asyncio.Event().wait())

async def test_clean():
    task = asyncio.create_task(asyncio.sleep(0))
    await task

def test_what_stood_at_the_start_is_frozen():
    assert gc.get_freeze_count() > 1000
"""


HOSTILE = """
import time, warnings, pytest

def test_skipped():
    pytest.skip("there is no Node")

def test_warned():
    warnings.warn("careful")

@pytest.mark.timeout(0.1)
def test_late():
    time.sleep(30)
"""

UNREADABLE = {
    "test_skipped.py": "import pytest; pytest.importorskip('no_such_module')",
    "test_marked.py": "import pytest; pytestmark = getattr(pytest.mark, 'no_such_marker')",
}


def run(folder: Path, workers: int, programs: dict[str, str]) -> str:
    """The report of a run of these files as a CI starts it."""
    for name, text in programs.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", TESTS.parent / "pyproject.toml", "-p", "conftest"),
            *("-p", "no:cacheprovider", "-n", str(workers), folder),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "CI": "true",
            "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        },
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_unheard_left_running_skipped_warned_of_or_late_is_a_failure(
    tmp_path: Path, workers: int
) -> None:
    # In one process, a module that cannot be read ends the run before it begins.
    unreadable = UNREADABLE if workers else {}
    report = run(tmp_path, workers, {"test_canaries.py": CANARIES, "test_hostile.py": HOSTILE, **unreadable})
    assert dict(re.findall(r"^(?:ERROR|FAILED) \S+::(\w+) - ([^:(]+)", report, re.MULTILINE)) == {
        "test_unretrieved": "Failed",
        "test_unretrieved_in_a_cycle": "Failed",
        "test_left_running": "Failed",
        "test_skipped": "skipped, but in CI everything runs",
        "test_warned": "UserWarning",
        "test_late": "Failed",
    }
    assert len(re.findall(r"^ERROR .* - Failed: asyncio reported:$", report, re.MULTILINE)) == 2
    assert len(re.findall(r"^ERROR .* - Failed: tasks still running after", report, re.MULTILINE)) == 1
    assert len(re.findall(r"^FAILED .* - Failed: Timeout", report, re.MULTILINE)) == 1
    assert report.count("ValueError: nobody asks for this") >= 2
    assert {*re.findall(r"^ERROR \S*?(test_\w+\.py)(?: |$)", report, re.MULTILINE)} == set(unreadable)
    assert report.count("skipped, but in CI everything runs") >= 1 + len(unreadable) // 2
    assert "3 failed, 5 passed, " in report
