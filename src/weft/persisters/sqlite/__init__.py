"""Persisting to SQLite: as JSON text in one cell, or as tables."""

from __future__ import annotations

from weft.persisters.sqlite.persisters import SqliteJsonPersister, SqliteTablesPersister

__all__ = ["SqliteJsonPersister", "SqliteTablesPersister"]
