"""The benchmarks run, whatever the figures are on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.interop
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize(
    ("area", "line"),
    [
        ("store", "set_cell, 100,000 transactions"),
        ("mergeable", "merge of 100,000 cells"),
        ("mirror", "one added row at 100,000 cells"),
        ("automerge", "one remote cell until the listener at 5,000 cells"),
        ("texts", "letters typed, each a transaction"),
        ("shapes", "received cell, map of maps, growth"),
        ("hop", "one hop to a Node peer"),
        ("persisters", "one changed cell, PostgreSQL, psycopg, 100,000 cells"),
        ("server", "200 clients, 10 x 100/s: latency, median"),
        ("tinybase", "200 clients, 10 x 50/s: latency, 99th percentile"),
        ("abuse", "tiny_updates: latency of others, 99th percentile"),
    ],
)
def test_an_area_is_measured_and_its_table_printed(area: str, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks", "--quick", area],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=230,
    )
    assert done.returncode == 0, done.stderr
    assert line in done.stdout
    assert done.stdout.endswith("A quick run measures nothing.\n")


def test_an_unknown_area_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no area named nothing" in done.stderr
