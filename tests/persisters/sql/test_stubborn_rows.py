"""Rows that a database goes on refusing: they end no save in a loop, and stop nobody else."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from weft import Store
from weft.errors import StorageError
from weft.persisters import PostgresTablesPersister, SqliteTablesPersister, TablesConfig
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.postgres import PostgresServer

PARENT = "CREATE TABLE parent(_id TEXT PRIMARY KEY, name)"
CHILD = (
    "CREATE TABLE child(_id TEXT PRIMARY KEY {},"
    " p REFERENCES parent(_id) DEFERRABLE INITIALLY DEFERRED, name)"
)
OTHER = "CREATE TABLE other(_id TEXT PRIMARY KEY, name)"


def opened(path: Path, *statements: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    db.execute("PRAGMA foreign_keys=ON")
    for statement in statements:
        db.execute(statement)
    return db


def config(*tables: str) -> TablesConfig:
    return TablesConfig(load={name: name for name in tables}, save={name: name for name in tables})


async def test_a_row_that_stands_there_under_another_case_stops_no_others(tmp_path: Path) -> None:
    db = opened(
        tmp_path / "db",
        PARENT,
        CHILD.format("COLLATE NOCASE"),
        OTHER,
        "INSERT INTO parent VALUES('p1', 'x')",
        "INSERT INTO child VALUES('a', 'p1', 'n')",
    )
    store = Store()
    errors: list[str] = []
    persister = SqliteTablesPersister(
        store, db, config("child", "other"), on_error=lambda error: errors.append(str(error))
    )
    await persister.start_auto_save()
    with store.transaction():
        store.set_row("child", "A", {"p": "nope"}).set_row("child", "b", {"p": "p1"})
        store.set_row("other", "o", {"name": 1})
    await until(lambda: bool(errors) and persister.is_at_rest())
    (error,) = errors
    assert error.startswith(
        "row 'A' of table 'child' is not saved: the database writes this id in another form"
    )
    assert db.execute("SELECT * FROM other").fetchall() == [("o", 1)]
    store.del_row("child", "A")
    await until(persister.is_at_rest)
    there = "SELECT _id, p, name FROM child ORDER BY 1"
    assert db.execute(there).fetchall() == [("a", "p1", "n"), ("b", "p1", None)]
    store.set_row("child", "A", {"p": "p1"})
    db.execute("DELETE FROM child WHERE _id='a'")
    await persister.close()  # there is nothing in its way any more
    assert db.execute(there).fetchall() == [("A", "p1", None), ("b", "p1", None)]
    db.close()


async def test_a_row_that_postgres_takes_for_another_is_left_out_and_told(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as db:
        db.execute("DROP SCHEMA public CASCADE")
        db.execute("CREATE SCHEMA public")
        db.execute("CREATE COLLATION loose(provider=icu, locale='und-u-ks-level2', deterministic=false)")
        db.execute("CREATE TABLE other(_id TEXT COLLATE loose PRIMARY KEY, name TEXT)")
        db.execute("INSERT INTO other VALUES('a', 'kept')")
        store = Store()
        errors: list[str] = []
        persister = PostgresTablesPersister(
            store,
            postgres.dsn,
            config("other"),
            text="plain",
            on_error=lambda error: errors.append(str(error)),
        )
        await persister.start_auto_save()
        store.set_row("other", "A", {"name": "new"}).set_row("other", "b", {"name": "b"})
        await until(lambda: bool(errors) and persister.is_at_rest())
        assert "row 'A' of table 'other' is not saved: the database writes this id in another" in errors[0]
        store.del_row("other", "A").set_cell("other", "b", "name", "c")
        await persister.close()
        assert db.execute("SELECT * FROM other ORDER BY 1").fetchall() == [("a", "kept"), ("b", "c")]
    assert len(errors) == 1


async def test_a_row_that_cannot_be_left_out_shuts_its_table_only(tmp_path: Path) -> None:
    db = opened(
        tmp_path / "db",
        PARENT,
        CHILD.format("COLLATE NOCASE"),
        OTHER,
        "INSERT INTO parent VALUES('p1', 'x')",
        # The save deletes it, and would, where that is refused, write the row of the Store over it.
        "INSERT INTO child VALUES('a', 'p1', 'n')",
        "CREATE TRIGGER stays BEFORE DELETE ON child BEGIN SELECT RAISE(ABORT, 'stays'); END",
    )
    store = Store().set_row("child", "A", {"p": "nope"}).set_row("other", "o", {"name": 1})
    persister = SqliteTablesPersister(store, db, config("child", "other"))
    with pytest.raises(StorageError, match="table 'child' is not saved: the keys of the database refuse"):
        await persister.save()
    assert db.execute("SELECT _id, p, name FROM child").fetchall() == [("a", "p1", "n")]
    assert db.execute("SELECT * FROM other").fetchall() == [("o", 1)]
    await persister.close()
    db.close()


async def test_an_emptied_parent_with_a_child_stops_no_other_table(tmp_path: Path) -> None:
    db = opened(
        tmp_path / "db",
        PARENT,
        CHILD.format(""),
        OTHER,
        "INSERT INTO parent VALUES('p1', 'x')",
        "INSERT INTO child VALUES('c1', 'p1', 'n')",
    )
    store = Store()
    errors: list[Exception] = []
    persister = SqliteTablesPersister(store, db, config("parent", "other"), on_error=errors.append)
    async with persister.auto_persisting():
        store.del_cell("parent", "p1", "name")
        store.set_row("other", "o1", {"name": "o"})
        await until(lambda: db.execute("SELECT * FROM other").fetchall() == [("o1", "o")])
    assert db.execute("SELECT _id FROM parent").fetchall() == [("p1",)]
    assert errors
    await persister.close()
    db.close()


async def test_what_was_refused_is_tried_again_before_auto_save_ends(tmp_path: Path) -> None:
    db = opened(tmp_path / "db", PARENT, CHILD.format(""))
    store = Store()
    errors: list[Exception] = []
    persister = SqliteTablesPersister(store, db, config("child"), on_error=errors.append)
    persister.first_retry_seconds = 3600.0
    async with persister.auto_persisting():
        store.set_row("child", "c1", {"p": "p1"})
        await until(lambda: bool(errors))
        db.execute("INSERT INTO parent VALUES('p1', 'x')")
    assert db.execute("SELECT _id, p FROM child").fetchall() == [("c1", "p1")]
    await persister.close()
    db.close()


REFUSE = (
    "CREATE TRIGGER refuse BEFORE INSERT ON other WHEN new.name='bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
)
MANY = [f"r{number}" for number in range(300)]


def fill_with_refused(store: Store) -> None:
    with store.transaction():
        for row_id in MANY:
            store.set_row("other", row_id, {"name": "bad", "more": 1})


async def test_many_refused_rows_go_along_with_no_small_edit(tmp_path: Path) -> None:
    db = opened(tmp_path / "db", OTHER, REFUSE, "ALTER TABLE other ADD more")
    store = Store()
    errors: list[Exception] = []
    tried: list[str] = []

    def note(_: str, params: Sequence[Any]) -> None:
        tried.extend(row[0] for row in params if isinstance(row, tuple))

    persister = SqliteTablesPersister(store, db, config("other"), on_error=errors.append, on_sql_command=note)
    persister.first_retry_seconds = 3600.0
    async with persister.auto_persisting():
        fill_with_refused(store)
        await until(lambda: len(errors) == len(MANY) and persister.is_at_rest())
        tried.clear()
        store.set_cell("other", "good", "name", "g")
        await until(persister.is_at_rest)
        assert set(tried) == {"good"}
        tried.clear()
        # A row that is edited goes as a whole: with the cells that were refused before.
        store.set_cell("other", "r7", "name", "seven")
        store.del_row("other", "r8")
        await until(persister.is_at_rest)
        assert set(tried) == {"r7", "r8"}
        there = "SELECT _id, name, more FROM other ORDER BY 1"
        assert db.execute(there).fetchall() == [("good", "g", None), ("r7", "seven", 1)]
        assert len(errors) == len(MANY)  # what was not tried is not told again
        db.execute("DROP TRIGGER refuse")
    left = dict.fromkeys(MANY, ("bad", 1)) | {"good": ("g", None), "r7": ("seven", 1)}
    del left["r8"]
    assert {row[0]: row[1:] for row in db.execute(there)} == left
    assert len(errors) == len(MANY)
    await persister.close()
    db.close()


async def test_many_refused_rows_are_tried_again_by_themselves_and_by_a_save(tmp_path: Path) -> None:
    db = opened(tmp_path / "db", OTHER, REFUSE)
    store = Store()
    errors: list[Exception] = []
    persister = SqliteTablesPersister(store, db, config("other"), on_error=errors.append)
    persister.first_retry_seconds = 0.01
    async with persister.auto_persisting():
        fill_with_refused(store)
        await until(lambda: len(errors) == len(MANY) and persister.is_at_rest())
        with pytest.raises(StorageError, match="and 280 more"):
            await persister.save()
        await persister.schedule(lambda: asyncio.to_thread(db.execute, "DROP TRIGGER refuse"))
        await until(lambda: db.execute("SELECT count(*) FROM other").fetchone() == (len(MANY),))
    assert len(errors) == len(MANY)
    await persister.close()
    db.close()


async def test_a_table_that_is_deleted_takes_what_was_refused_of_it_along(tmp_path: Path) -> None:
    db = opened(tmp_path / "db", OTHER, REFUSE, "INSERT INTO other VALUES('kept', 'x')")
    store = Store()
    errors: list[Exception] = []
    persister = SqliteTablesPersister(store, db, config("other"), on_error=errors.append)
    persister.first_retry_seconds = 3600.0
    async with persister.auto_persisting():
        fill_with_refused(store)
        await until(lambda: len(errors) == len(MANY) and persister.is_at_rest())
        store.del_table("other")
        await until(lambda: persister.is_at_rest() and not db.execute("SELECT * FROM other").fetchall())
        db.execute("DROP TRIGGER refuse")
    assert db.execute("SELECT * FROM other").fetchall() == []
    await persister.close()
    db.close()
