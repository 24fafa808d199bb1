"""An empty database for each test, through each driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.postgres_suite import DRIVERS, run

if TYPE_CHECKING:
    from support.postgres import PostgresServer
    from weft.persisters import PostgresDriver


@pytest.fixture
async def dsn(postgres: PostgresServer) -> str:
    """An empty schema."""
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return postgres.dsn


@pytest.fixture(params=DRIVERS)
def database(request: pytest.FixtureRequest, dsn: str) -> PostgresDriver:
    return DRIVERS[request.param](dsn)
