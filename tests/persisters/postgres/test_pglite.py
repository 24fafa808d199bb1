"""PGlite through its socket server, which gives all clients one session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.postgres_suite import JsonMode, TablesMode
from weft.testing.persisters import KillSuite

if TYPE_CHECKING:
    from support.pglite import Pglite

pytestmark = pytest.mark.interop


class OnPglite:
    listens = False

    @pytest.fixture(autouse=True)
    def place(self, pglite: Pglite) -> None:
        self.dsn = pglite.dsn


class TestJson(OnPglite, JsonMode, KillSuite):
    kills = 20


class TestTables(OnPglite, TablesMode, KillSuite):
    kills = 20


class TestPsycopgJson(OnPglite, JsonMode):
    driver = "PsycopgDriver"


class TestPsycopgTables(OnPglite, TablesMode):
    driver = "PsycopgDriver"
