"""Writing rows into tables, statement by statement: what is made, what is left out, and why."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from weft.errors import StorageError
from weft.persisters.sql.config import TableSave
from weft.persisters.sql.database import RunningPlan
from weft.persisters.sql.table_writer import TableWriter
from weft.persisters.sqlite.dialect import SqliteDialect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.persisters.sql.dialect import Plan

R = TypeVar("R")
SAVE = TableSave("pets")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def run(db: sqlite3.Connection, plan: Plan[R]) -> tuple[R, list[str]]:
    running, ran = RunningPlan(plan), list[str]()
    while (statement := running.next_statement()) is not None:
        ran.append(statement.sql)
        if statement.many:
            db.executemany(statement.sql, statement.params)
            running.rows = []
        else:
            running.rows = db.execute(statement.sql, statement.params).fetchall()
    return running.result, ran


def prepared(db: sqlite3.Connection) -> TableWriter:
    writer = TableWriter(SqliteDialect())
    run(db, writer.prepare(["pets"]))
    return writer


def test_a_table_is_made_with_its_columns_and_then_only_what_is_missing(db: sqlite3.Connection) -> None:
    writer = prepared(db)
    chosen, ran = run(db, writer.columns(SAVE, ["species"], {}))
    assert list(chosen) == ["species"]
    assert ran == ['CREATE TABLE "pets"("_id" PRIMARY KEY,"species")']
    _, ran = run(db, writer.columns(SAVE, ["species", "price"], {}))
    assert ran[1:] == ['ALTER TABLE "pets" ADD "price"']  # after a look whether the table is STRICT
    assert run(db, prepared(db).columns(SAVE, ["price", "species"], {}))[1] == []


def test_rows_are_written_over_those_that_are_there_and_deleted(db: sqlite3.Connection) -> None:
    writer = prepared(db)
    chosen, _ = run(db, writer.columns(SAVE, ["species", "price"], {}))
    columns = list(chosen.values())
    run(db, writer.upsert(SAVE, columns, [("fido", ["dog", 5]), ("felix", ["cat", None])]))
    run(db, writer.upsert(SAVE, columns[1:], [("fido", [6])]))
    rows: Any = "SELECT * FROM pets ORDER BY _id"
    assert db.execute(rows).fetchall() == [("felix", "cat", None), ("fido", "dog", 6)]
    run(db, writer.delete(SAVE, ["felix"]))
    assert db.execute(rows).fetchall() == [("fido", "dog", 6)]
    run(db, writer.delete_all(SAVE))
    assert db.execute(rows).fetchall() == []


def test_what_has_no_column_is_left_out_with_the_reason(db: sqlite3.Connection) -> None:
    writer = prepared(db)
    save = TableSave("pets", columns=["_id", "species", "Species"])
    chosen, _ = run(db, writer.columns(save, ["_id", "species", "Species", "price"], {}))
    assert list(chosen) == ["species"]
    assert writer.left_out == {
        ("cell", "pets", cell_id): f"cell {cell_id!r} is not saved in table 'pets': {reason}"
        for cell_id, reason in (
            ("_id", "the column of the row ids has this name"),
            ("Species", "the database takes its name for that of 'species'"),
            ("price", "it is not among the columns allowed"),
        )
    }


def test_a_table_without_the_column_of_the_row_ids_is_an_error(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE pets(id PRIMARY KEY)")
    with pytest.raises(StorageError, match="no column '_id' for the row ids"):
        run(db, prepared(db).columns(SAVE, ["species"], {}))
