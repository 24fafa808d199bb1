"""Persisters: a Store loaded from a place and saved there, on demand and by itself.

Those that need a package beyond Python's own are imported from modules of their own when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.persisters import postgres as postgres, sql as sql, sqlite as sqlite
    from weft.persisters._core.blocking import BlockingPersister as BlockingPersister, blocking as blocking
    from weft.persisters._core.persister import Persister as Persister, PersisterStats as PersisterStats
    from weft.persisters._core.states import PersisterStatus as PersisterStatus
    from weft.persisters._core.unsaved import (
        RawContent as RawContent,
        StoredChanges as StoredChanges,
        StoredContent as StoredContent,
    )
    from weft.persisters._text.persister import (
        ANY as ANY,
        ConflictError as ConflictError,
        TextPersister as TextPersister,
    )
    from weft.persisters.automerge import AutomergePersister as AutomergePersister
    from weft.persisters.browser.indexed_db import IndexedDbPersister as IndexedDbPersister
    from weft.persisters.browser.opfs import OpfsPersister as OpfsPersister
    from weft.persisters.browser.web_storage import (
        LocalPersister as LocalPersister,
        SessionPersister as SessionPersister,
    )
    from weft.persisters.custom import (
        CustomPersister as CustomPersister,
        create_custom_persister as create_custom_persister,
    )
    from weft.persisters.durable_objects.persister import DurableObjectPersister as DurableObjectPersister
    from weft.persisters.file import FilePersister as FilePersister
    from weft.persisters.lmdb import LmdbPersister as LmdbPersister
    from weft.persisters.mapping import MappingPersister as MappingPersister
    from weft.persisters.objectstore import ObjectStorePersister as ObjectStorePersister
    from weft.persisters.partykit.persister import PartyKitPersister as PartyKitPersister
    from weft.persisters.postgres.asyncpg import AsyncpgDriver as AsyncpgDriver
    from weft.persisters.postgres.driver import PostgresDriver as PostgresDriver
    from weft.persisters.postgres.persisters import (
        PostgresJsonPersister as PostgresJsonPersister,
        PostgresTablesPersister as PostgresTablesPersister,
    )
    from weft.persisters.postgres.psycopg import PsycopgDriver as PsycopgDriver
    from weft.persisters.remote import RemotePersister as RemotePersister, remote_handler as remote_handler
    from weft.persisters.sql.config import (
        TableLoad as TableLoad,
        TableSave as TableSave,
        TablesConfig as TablesConfig,
        ValuesTable as ValuesTable,
    )
    from weft.persisters.sql.json_cell import JsonCell as JsonCell
    from weft.persisters.sqlite.apsw import ApswDriver as ApswDriver
    from weft.persisters.sqlite.driver import SqliteDriver as SqliteDriver
    from weft.persisters.sqlite.libsql import LibsqlDriver as LibsqlDriver
    from weft.persisters.sqlite.persisters import (
        SqliteJsonPersister as SqliteJsonPersister,
        SqliteTablesPersister as SqliteTablesPersister,
    )
    from weft.persisters.sqlite.turso import TursoDriver as TursoDriver
    from weft.persisters.yjs import YjsPersister as YjsPersister
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "sqlite": "",
            "sql": "",
            "postgres": "",
            "_core.blocking": "BlockingPersister blocking",
            "_core.persister": "Persister PersisterStats",
            "_core.states": "PersisterStatus",
            "_core.unsaved": "RawContent StoredChanges StoredContent",
            "_text.persister": "ANY ConflictError TextPersister",
            "automerge": "AutomergePersister",
            "browser.indexed_db": "IndexedDbPersister",
            "browser.opfs": "OpfsPersister",
            "browser.web_storage": "LocalPersister SessionPersister",
            "custom": "CustomPersister create_custom_persister",
            "durable_objects.persister": "DurableObjectPersister",
            "file": "FilePersister",
            "lmdb": "LmdbPersister",
            "mapping": "MappingPersister",
            "objectstore": "ObjectStorePersister",
            "partykit.persister": "PartyKitPersister",
            "postgres.asyncpg": "AsyncpgDriver",
            "postgres.driver": "PostgresDriver",
            "postgres.persisters": "PostgresJsonPersister PostgresTablesPersister",
            "postgres.psycopg": "PsycopgDriver",
            "remote": "RemotePersister remote_handler",
            "sql.config": "TableLoad TableSave TablesConfig ValuesTable",
            "sql.json_cell": "JsonCell",
            "sqlite.apsw": "ApswDriver",
            "sqlite.driver": "SqliteDriver",
            "sqlite.libsql": "LibsqlDriver",
            "sqlite.persisters": "SqliteJsonPersister SqliteTablesPersister",
            "sqlite.turso": "TursoDriver",
            "yjs": "YjsPersister",
        },
        extra="all",
        extras={
            "automerge": "automerge",
            "lmdb": "lmdb",
            "objectstore": "objects",
            "partykit.persister": "http",
            "postgres.asyncpg": "postgres",
            "postgres.psycopg": "psycopg",
            "remote": "http",
            "sqlite.apsw": "apsw",
            "sqlite.libsql": "libsql",
            "sqlite.turso": "turso",
            "yjs": "yjs",
        },
    )
