"""A MergeableStore in each place that keeps whole content as text."""

from __future__ import annotations

import copy
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import lmdb
import obstore
import pytest
from obstore.store import MemoryStore

from support.postgres_suite import JsonMode
from support.sqlite_suite import OnADriver, OnAFile
from weft.mergeable import from_json, to_json
from weft.persisters import (
    ApswDriver,
    FilePersister,
    LibsqlDriver,
    LmdbPersister,
    MappingPersister,
    ObjectStorePersister,
    SqliteJsonPersister,
    TursoDriver,
    create_custom_persister,
)
from weft.testing.persisters import KillSuite, MergeablePersisterSuite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.postgres import PostgresServer
    from weft.persisters import Persister
    from weft.store import Store

_CHILD = "from weft.mergeable import MergeableStore as Store\n"


class TestInAFile(MergeablePersisterSuite, KillSuite):
    kills = 20

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.json"

    def make(self, store: Store, **options: Any) -> Persister:
        return FilePersister(store, self.path, poll_seconds=0.01, **options)

    async def read_text(self) -> str | None:
        return self.path.read_text() if self.path.exists() else None

    async def write_text(self, text: str) -> None:
        other = self.path.with_suffix(".other")
        other.write_text(text)
        other.replace(self.path)

    def child_source(self) -> str:
        return (
            f"{_CHILD}from weft.persisters import FilePersister\n"
            f"def make(store):\n    return FilePersister(store, {str(self.path)!r})\n"
        )


class TestInAMapping(MergeablePersisterSuite):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.mapping: dict[str, str] = {}

    def make(self, store: Store, **options: Any) -> Persister:
        return MappingPersister(store, self.mapping, poll_seconds=0.01, **options)

    async def read_text(self) -> str | None:
        return self.mapping.get("store")

    async def write_text(self, text: str) -> None:
        self.mapping["store"] = text


class TestInLmdb(MergeablePersisterSuite):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Iterator[None]:
        with lmdb.open(str(tmp_path / "env"), map_size=2**24) as self.environment:
            yield

    def make(self, store: Store, **options: Any) -> Persister:
        return LmdbPersister(store, self.environment, poll_seconds=0.01, **options)

    async def read_text(self) -> str | None:
        with self.environment.begin() as transaction:
            value = transaction.get(b"store")
        return None if value is None else bytes(value).decode()

    async def write_text(self, text: str) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.put(b"store", text.encode())


class TestInAnObject(MergeablePersisterSuite):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.objects = MemoryStore()

    def make(self, store: Store, **options: Any) -> Persister:
        return ObjectStorePersister(store, self.objects, poll_seconds=0.01, **options)

    async def read_text(self) -> str | None:
        try:
            return bytes(obstore.get(self.objects, "store.json").bytes()).decode()
        except FileNotFoundError:
            return None

    async def write_text(self, text: str) -> None:
        obstore.put(self.objects, "store.json", text.encode())


class OnSqlite(MergeablePersisterSuite, OnADriver):
    mode = "json"
    read_text, write_text = OnADriver.read_text, OnADriver.write_text


class TestInSqliteByApsw(OnSqlite, OnAFile):
    kind = ApswDriver


class TestInSqliteByLibsql(OnSqlite, OnAFile):
    kind = LibsqlDriver


class TestInSqlite(MergeablePersisterSuite):
    """By Python's own library, on both sides: two of them in one process undo each other's locks."""

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    def make(self, store: Store, **options: Any) -> Persister:
        return SqliteJsonPersister(store, self.path, auto_load_interval_seconds=0.01, **options)

    def run(self, sql: str, *params: str) -> list[tuple[str]]:
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS tinybase(_id PRIMARY KEY, store)")
            return db.execute(sql, params).fetchall()

    async def read_text(self) -> str | None:
        rows = self.run("SELECT store FROM tinybase WHERE _id='_'")
        return rows[0][0] if rows else None

    async def write_text(self, text: str) -> None:
        self.run("INSERT OR REPLACE INTO tinybase VALUES('_', ?)", text)


class TestInTurso(OnSqlite):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Iterator[None]:
        self.shared = TursoDriver(tmp_path / "store.db")
        yield
        self.shared.close()


class OnPostgres(MergeablePersisterSuite, JsonMode):
    read_text, write_text = JsonMode.read_text, JsonMode.write_text

    @pytest.fixture(autouse=True)
    def place(self, postgres: PostgresServer) -> None:
        self.dsn = postgres.dsn


class TestInPostgresByAsyncpg(OnPostgres):
    driver = "AsyncpgDriver"


class TestInPostgresByPsycopg(OnPostgres):
    driver = "PsycopgDriver"


class TestInFourFunctions(MergeablePersisterSuite):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.kept: Any = None
        self.listeners: list[Callable[..., None]] = []

    def make(self, store: Store, **options: Any) -> Persister:
        def put(get_content: Callable[[], Any], changes: object) -> None:
            self.kept = get_content()
            for listener in self.listeners:
                if listener.__self__ is not persister:  # type: ignore[attr-defined]
                    listener(copy.deepcopy(self.kept))

        def add(listener: Callable[..., None]) -> Callable[..., None]:
            self.listeners.append(listener)
            return listener

        persister = create_custom_persister(
            store, lambda: copy.deepcopy(self.kept), put, add, self.listeners.remove, **options
        )
        return persister

    async def read_text(self) -> str | None:
        return None if self.kept is None else to_json(self.kept)

    async def write_text(self, text: str) -> None:
        try:
            self.kept = from_json(text)
        except ValueError:
            self.kept = text
        for listener in self.listeners:
            listener()
