"""Persisters: a Store loaded from a place and saved there, on demand and by itself.

Those that need a package beyond Python's own are imported from modules of their own when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._lazy import lazy_exports

if TYPE_CHECKING:
    from weft.persisters._apswdriver import ApswDriver
    from weft.persisters._asyncpgdriver import AsyncpgDriver
    from weft.persisters._blocking import BlockingPersister, blocking
    from weft.persisters._custom import CustomPersister, create_custom_persister
    from weft.persisters._dirty import RawContent, StoredChanges, StoredContent
    from weft.persisters._document import ANY, ConflictError, DocumentPersister
    from weft.persisters._libsqldriver import LibsqlDriver
    from weft.persisters._persister import Persister, PersisterStats
    from weft.persisters._postgresdriver import PostgresDriver
    from weft.persisters._psycopgdriver import PsycopgDriver
    from weft.persisters._sqlconfig import TableLoad, TableSave, TablesConfig, ValuesTable
    from weft.persisters._sqlitedriver import SqliteDriver
    from weft.persisters._sqljson import JsonCell
    from weft.persisters._states import Persists, Status
    from weft.persisters._tursodriver import TursoDriver
    from weft.persisters.automerge import AutomergePersister
    from weft.persisters.file import FilePersister
    from weft.persisters.lmdb import LmdbPersister
    from weft.persisters.mapping import MappingPersister
    from weft.persisters.objectstore import ObjectStorePersister
    from weft.persisters.postgres import PostgresJsonPersister, PostgresTablesPersister
    from weft.persisters.remote import RemotePersister, remote_handler
    from weft.persisters.sqlite import SqliteJsonPersister, SqliteTablesPersister
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
    "ANY": "_document",
    "ApswDriver": "_apswdriver",
    "AsyncpgDriver": "_asyncpgdriver",
    "AutomergePersister": "automerge",
    "BlockingPersister": "_blocking",
    "ConflictError": "_document",
    "CustomPersister": "_custom",
    "DocumentPersister": "_document",
    "FilePersister": "file",
    "JsonCell": "_sqljson",
    "LibsqlDriver": "_libsqldriver",
    "LmdbPersister": "lmdb",
    "MappingPersister": "mapping",
    "ObjectStorePersister": "objectstore",
    "Persister": "_persister",
    "PersisterStats": "_persister",
    "Persists": "_states",
    "PostgresDriver": "_postgresdriver",
    "PostgresJsonPersister": "postgres",
    "PostgresTablesPersister": "postgres",
    "PsycopgDriver": "_psycopgdriver",
    "RawContent": "_dirty",
    "RemotePersister": "remote",
    "SqliteDriver": "_sqlitedriver",
    "SqliteJsonPersister": "sqlite",
    "SqliteTablesPersister": "sqlite",
    "Status": "_states",
    "StoredChanges": "_dirty",
    "StoredContent": "_dirty",
    "TableLoad": "_sqlconfig",
    "TableSave": "_sqlconfig",
    "TablesConfig": "_sqlconfig",
    "TursoDriver": "_tursodriver",
    "ValuesTable": "_sqlconfig",
    "YjsPersister": "yjs",
    "blocking": "_blocking",
    "create_custom_persister": "_custom",
    "remote_handler": "remote",
}

# Modules that need a package beyond Python's own, and the extra that brings it.
_EXTRAS = {
    "_apswdriver": "apsw",
    "_asyncpgdriver": "postgres",
    "_libsqldriver": "libsql",
    "_psycopgdriver": "psycopg",
    "_tursodriver": "turso",
    "automerge": "automerge",
    "lmdb": "lmdb",
    "objectstore": "objects",
    "remote": "http",
    "yjs": "yjs",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, extra="all", extras=_EXTRAS)
