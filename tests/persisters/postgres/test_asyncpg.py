"""The persisters' suites through asyncpg."""

from __future__ import annotations

from support.postgres_suite import JsonMode, OnPostgres, TablesMode
from weft.testing.persisters import KillSuite


class TestJson(OnPostgres, JsonMode, KillSuite):
    pass


class TestTables(OnPostgres, TablesMode, KillSuite):
    pass
