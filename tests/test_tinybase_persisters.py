"""docs/tinybase-persisters.md has a row for each persister of TinyBase, and the tests it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.node import INTEROP

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "tinybase-persisters.md").read_text()
MODULES = INTEROP / "node_modules" / "tinybase" / "persisters"
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| `")]


def test_each_persister_has_a_row() -> None:
    if not MODULES.is_dir():
        pytest.skip("TinyBase is not installed")
    modules = {path.name for path in MODULES.iterdir() if path.name.startswith("persister-")}
    named = {name for first, *_ in ROWS for name in re.findall(r"`(persister-[\w-]+)`", first)}
    assert modules <= named
    removed = {name for first, *_ in ROWS if "removed" in first for name in re.findall(r"`([\w-]+)`", first)}
    assert named - modules == removed
    assert removed == {"persister-sqlite3", "persister-cr-sqlite-wasm", "persister-electric-sql"}


def test_each_test_that_is_named_is_there() -> None:
    assert len(ROWS) > 30
    for row in ROWS:
        assert len(row) == 4
    paths = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert len(set(paths)) > 15
    assert [path for path in paths if not (ROOT / path).is_file()] == []
