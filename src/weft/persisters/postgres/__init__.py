"""Persisting to PostgreSQL, and what speaks as it does: as JSON text in one cell, or as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.persisters.postgres.asyncpg import AsyncpgDriver as AsyncpgDriver
    from weft.persisters.postgres.driver import PostgresDriver as PostgresDriver
    from weft.persisters.postgres.persisters import (
        PostgresJsonPersister as PostgresJsonPersister,
        PostgresTablesPersister as PostgresTablesPersister,
    )
    from weft.persisters.postgres.psycopg import PsycopgDriver as PsycopgDriver
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "asyncpg": "AsyncpgDriver",
            "driver": "PostgresDriver",
            "persisters": "PostgresJsonPersister PostgresTablesPersister",
            "psycopg": "PsycopgDriver",
        },
        extra="postgres",
        extras={
            "psycopg": "psycopg",
        },
    )
