"""Persisting to SQLite: as JSON text in one cell, or as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.persisters.sqlite.apsw import ApswDriver as ApswDriver
    from weft.persisters.sqlite.driver import SqliteDriver as SqliteDriver
    from weft.persisters.sqlite.libsql import LibsqlDriver as LibsqlDriver
    from weft.persisters.sqlite.persisters import (
        SqliteJsonPersister as SqliteJsonPersister,
        SqliteTablesPersister as SqliteTablesPersister,
    )
    from weft.persisters.sqlite.turso import TursoDriver as TursoDriver
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "apsw": "ApswDriver",
            "driver": "SqliteDriver",
            "libsql": "LibsqlDriver",
            "persisters": "SqliteJsonPersister SqliteTablesPersister",
            "turso": "TursoDriver",
        },
        extra="all",
        extras={
            "apsw": "apsw",
            "libsql": "libsql",
            "turso": "turso",
        },
    )
