"""Persisters: a Store loaded from a place and saved there, on demand and by itself.

Those that need a package beyond Python's own are imported from modules of their own when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.persisters._core.blocking import BlockingPersister, blocking
    from weft.persisters._core.persister import Persister, PersisterStats
    from weft.persisters._core.states import Persists, Status
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.persisters._text.persister import ANY, ConflictError, DocumentPersister
    from weft.persisters.automerge import AutomergePersister
    from weft.persisters.custom import CustomPersister, create_custom_persister
    from weft.persisters.file import FilePersister
    from weft.persisters.lmdb import LmdbPersister
    from weft.persisters.mapping import MappingPersister
    from weft.persisters.objectstore import ObjectStorePersister
    from weft.persisters.postgres.asyncpg import AsyncpgDriver
    from weft.persisters.postgres.driver import PostgresDriver
    from weft.persisters.postgres.persisters import PostgresJsonPersister, PostgresTablesPersister
    from weft.persisters.postgres.psycopg import PsycopgDriver
    from weft.persisters.remote import RemotePersister, remote_handler
    from weft.persisters.sql.config import TableLoad, TableSave, TablesConfig, ValuesTable
    from weft.persisters.sql.json_cell import JsonCell
    from weft.persisters.sqlite.apsw import ApswDriver
    from weft.persisters.sqlite.driver import SqliteDriver
    from weft.persisters.sqlite.libsql import LibsqlDriver
    from weft.persisters.sqlite.persisters import SqliteJsonPersister, SqliteTablesPersister
    from weft.persisters.sqlite.turso import TursoDriver
    from weft.persisters.yjs import YjsPersister

__all__ = [
    "ANY",
    "ApswDriver",
    "AsyncpgDriver",
    "AutomergePersister",
    "BlockingPersister",
    "ConflictError",
    "CustomPersister",
    "DocumentPersister",
    "FilePersister",
    "JsonCell",
    "LibsqlDriver",
    "LmdbPersister",
    "MappingPersister",
    "ObjectStorePersister",
    "Persister",
    "PersisterStats",
    "Persists",
    "PostgresDriver",
    "PostgresJsonPersister",
    "PostgresTablesPersister",
    "PsycopgDriver",
    "RawContent",
    "RemotePersister",
    "SqliteDriver",
    "SqliteJsonPersister",
    "SqliteTablesPersister",
    "Status",
    "StoredChanges",
    "StoredContent",
    "TableLoad",
    "TableSave",
    "TablesConfig",
    "TursoDriver",
    "ValuesTable",
    "YjsPersister",
    "blocking",
    "create_custom_persister",
    "remote_handler",
]

_HOMES = {
    "ANY": "_text.persister",
    "ApswDriver": "sqlite.apsw",
    "AsyncpgDriver": "postgres.asyncpg",
    "AutomergePersister": "automerge",
    "BlockingPersister": "_core.blocking",
    "ConflictError": "_text.persister",
    "CustomPersister": "custom",
    "DocumentPersister": "_text.persister",
    "FilePersister": "file",
    "JsonCell": "sql.json_cell",
    "LibsqlDriver": "sqlite.libsql",
    "LmdbPersister": "lmdb",
    "MappingPersister": "mapping",
    "ObjectStorePersister": "objectstore",
    "Persister": "_core.persister",
    "PersisterStats": "_core.persister",
    "Persists": "_core.states",
    "PostgresDriver": "postgres.driver",
    "PostgresJsonPersister": "postgres.persisters",
    "PostgresTablesPersister": "postgres.persisters",
    "PsycopgDriver": "postgres.psycopg",
    "RawContent": "_core.unsaved",
    "RemotePersister": "remote",
    "SqliteDriver": "sqlite.driver",
    "SqliteJsonPersister": "sqlite.persisters",
    "SqliteTablesPersister": "sqlite.persisters",
    "Status": "_core.states",
    "StoredChanges": "_core.unsaved",
    "StoredContent": "_core.unsaved",
    "TableLoad": "sql.config",
    "TableSave": "sql.config",
    "TablesConfig": "sql.config",
    "TursoDriver": "sqlite.turso",
    "ValuesTable": "sql.config",
    "YjsPersister": "yjs",
    "blocking": "_core.blocking",
    "create_custom_persister": "custom",
    "remote_handler": "remote",
}

# Modules that need a package beyond Python's own, and the extra that brings it.
_EXTRAS = {
    "sqlite.apsw": "apsw",
    "postgres.asyncpg": "postgres",
    "sqlite.libsql": "libsql",
    "postgres.psycopg": "psycopg",
    "sqlite.turso": "turso",
    "automerge": "automerge",
    "lmdb": "lmdb",
    "objectstore": "objects",
    "remote": "http",
    "yjs": "yjs",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, extra="all", extras=_EXTRAS)
