"""Persisting to PostgreSQL, and what speaks as it does: as JSON text in one cell, or as tables."""

from __future__ import annotations

from weft.persisters.postgres.persisters import PostgresJsonPersister, PostgresTablesPersister

__all__ = ["PostgresJsonPersister", "PostgresTablesPersister"]
