"""The hostile test run catches what it is there to catch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

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


def test_tasks_that_fail_unheard_or_run_on_fail_their_test_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "test_canaries.py").write_text(CANARIES, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", TESTS.parent / "pyproject.toml", "-p", "conftest", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
    )
    report = done.stdout + done.stderr
    assert dict(re.findall(r"^ERROR \S+::(\w+) - Failed: (.*):$", report, re.MULTILINE)) == {
        "test_unretrieved": "asyncio reported",
        "test_unretrieved_in_a_cycle": "asyncio reported",
        "test_left_running": "tasks still running after the test",
    }
    assert report.count("ValueError: nobody asks for this") >= 2
    assert "5 passed, 3 errors" in report
