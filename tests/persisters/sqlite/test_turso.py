"""The SQLite persisters on Turso's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.sqlite_suite import OnADriver
from weft.persisters import TursoDriver
from weft.testing.persisters import MORE, PETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class OnTurso(OnADriver):
    """One driver for all, as the engine sees nobody else's writes."""

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Iterator[None]:
        self.shared = TursoDriver(tmp_path / "store.db")
        yield
        self.shared.close()


class TestTursoJson(OnTurso):
    mode = "json"


class TestTursoTables(OnTurso):
    mode = "tables"
    contents = (PETS, MORE)
