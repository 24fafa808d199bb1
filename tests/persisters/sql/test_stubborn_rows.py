"""Rows that a database goes on refusing: they end no save in a loop, and stop nobody else."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from weft import Store
from weft.persisters import SqliteTablesPersister, TablesConfig
from weft.testing.persisters import until

if TYPE_CHECKING:
    from pathlib import Path

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


async def test_a_row_that_stands_there_under_another_case_ends_the_save(tmp_path: Path) -> None:
    db = opened(
        tmp_path / "db",
        PARENT,
        CHILD.format("COLLATE NOCASE"),
        "INSERT INTO parent VALUES('p1', 'x')",
        "INSERT INTO child VALUES('a', 'p1', 'n')",
    )
    store = Store()
    errors: list[Exception] = []
    persister = SqliteTablesPersister(store, db, config("child"), on_error=errors.append)
    await persister.start_auto_save()
    store.set_row("child", "A", {"p": "nope"})
    await until(lambda: bool(errors))
    assert "'a' of table 'child'" in str(errors[0])
    store.set_row("child", "A", {"p": "p1"})
    await persister.close()
    assert db.execute("SELECT p FROM child").fetchall() == [("p1",)]
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
