from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from support.plans import connected, run_plan
from weft.errors import StorageError
from weft.persisters import ANY, ConflictError, JsonCell
from weft.persisters._text.json_text import version_of
from weft.persisters.sql.json_cell import fetch_plan, put_plan
from weft.persisters.sqlite.dialect import SqliteDialect

if TYPE_CHECKING:
    import sqlite3

SQLITE = SqliteDialect()
CELL = JsonCell()


def fetch(db: sqlite3.Connection) -> Any:
    return run_plan(db, fetch_plan(SQLITE, CELL))


def put(db: sqlite3.Connection, data: bytes, expected: object) -> Any:
    return run_plan(db, put_plan(SQLITE, CELL, data, expected))


def test_a_text_replaces_only_the_version_it_expects() -> None:
    with closing(connected()) as db:
        assert fetch(db) == (None, None)
        with pytest.raises(ConflictError):
            put(db, b"one", version_of(b"zero"))
        version = put(db, b"one", None)
        assert fetch(db) == (b"one", version)
        for expected in (None, version_of(b"zero")):
            with pytest.raises(ConflictError):
                put(db, b"two", expected)
        assert put(db, "zwö".encode(), version) == version_of("zwö".encode())
        assert put(db, b"three", ANY) == version_of(b"three")
        assert db.execute("SELECT * FROM tinybase").fetchall() == [("_", "three")]


def test_a_blob_is_text_and_null_and_a_missing_column_are_nothing_yet() -> None:
    with closing(
        connected("CREATE TABLE tinybase(_id PRIMARY KEY)", "INSERT INTO tinybase VALUES('_')")
    ) as db:
        assert fetch(db) == (None, None)
        db.execute("ALTER TABLE tinybase ADD store")
        assert fetch(db) == (None, None)
        db.execute("UPDATE tinybase SET store=CAST('[{},{}]' AS BLOB)")
        assert fetch(db)[0] == b"[{},{}]"


@pytest.mark.parametrize(
    ("columns", "reason"), [("_id, store", "holds a int, not text"), ("id, store", "no column '_id'")]
)
def test_what_is_no_text_and_a_table_of_another_kind_are_errors(columns: str, reason: str) -> None:
    with closing(connected(f"CREATE TABLE tinybase({columns})", "INSERT INTO tinybase VALUES('_', 5)")) as db:
        with pytest.raises(StorageError, match=reason):
            fetch(db)
        assert db.execute("SELECT * FROM tinybase").fetchall() == [("_", 5)]


def test_other_rows_and_columns_are_left_alone() -> None:
    with closing(
        connected("CREATE TABLE tinybase(_id, store, more)", "INSERT INTO tinybase VALUES('other', 'x', 1)")
    ) as db:
        put(db, b"one", None)
        put(db, b"two", version_of(b"one"))
        assert db.execute("SELECT * FROM tinybase").fetchall() == [("other", "x", 1), ("_", "two", None)]
