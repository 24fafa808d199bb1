"""Damaged SQLite files: never a crash, and nothing lost without a word.

Any number of them: ``PYTHONPATH=tests python -m support.corruption 5000``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.corruption import DAMAGES, losses, make_database

if TYPE_CHECKING:
    from pathlib import Path


# Each was a loss without a word, or another's exception, before there was something against it; drawn
# from the first ways to damage a file that there were.
FOUND = [1605, 3091, 10301]


@pytest.mark.parametrize("first", [0, 100, 200, 300])
async def test_what_is_missing_of_a_damaged_file_is_said(tmp_path: Path, first: int) -> None:
    rows = await make_database(tmp_path / "rooms.sqlite3")
    content = (tmp_path / "rooms.sqlite3").read_bytes()
    for seed in range(first, first + 100):
        assert await losses(content, rows, tmp_path / str(seed), seed) == [], f"seed {seed}"


@pytest.mark.parametrize("seed", FOUND)
async def test_what_was_found_stays_mended(tmp_path: Path, seed: int) -> None:
    rows = await make_database(tmp_path / "rooms.sqlite3")
    content = (tmp_path / "rooms.sqlite3").read_bytes()
    assert await losses(content, rows, tmp_path / "damaged", seed, DAMAGES[:6]) == []
