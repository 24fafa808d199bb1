"""The persisters' suites through psycopg."""

from __future__ import annotations

from support.postgres_suite import JsonMode, OnPostgres, TablesMode
from weft.testing.persisters import KillSuite


class TestPsycopgJson(OnPostgres, JsonMode, KillSuite):
    driver = "PsycopgDriver"
    kills, server_kills = 20, 10


class TestPsycopgTables(OnPostgres, TablesMode, KillSuite):
    driver = "PsycopgDriver"
    kills, server_kills = 20, 10
