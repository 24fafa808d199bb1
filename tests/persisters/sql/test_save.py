from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from support.edits import apply_edits, edits
from support.plans import connected, run_plan
from weft.persisters import TableSave, TablesConfig, ValuesTable
from weft.persisters._core.unsaved import NotLoaded, changes_at
from weft.persisters.sql.load import load_plan
from weft.persisters.sql.save import Saved, save_changes_plan, save_content_plan
from weft.persisters.sqlite.dialect import SqliteDialect
from weft.store import Store
from weft.store.replica import Paths
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from weft.persisters.sql.dialect import Statement

SQLITE = SqliteDialect()
BOTH = TablesConfig(
    load={"t": "t", "u": "u"},
    save={"t": "t", "u": "u"},
    values=ValuesTable(load=True, save=True),
    nulls="absent",
)


def save(db: sqlite3.Connection, content: Any, config: TablesConfig = BOTH) -> Any:
    return run_plan(db, save_content_plan(SQLITE, config, {}, content, NotLoaded()))


def merge(
    db: sqlite3.Connection, changes: Any, config: TablesConfig = BOTH, ran: list[Statement] | None = None
) -> Any:
    return run_plan(db, save_changes_plan(SQLITE, config, {}, changes), ran)


@given(edits("tu", 8), st.lists(edits("tu", 4), max_size=4), st.booleans())
def test_saved_changes_come_to_what_saved_content_comes_to(
    before: Any, transactions: Any, unique: bool
) -> None:
    """Also where the row ids of a table are not unique by themselves."""
    store, dirty = apply_edits(Store(), before), Paths()
    with closing(
        connected("CREATE TABLE t(_id PRIMARY KEY, a)" if unique else "CREATE TABLE t(_id, a)")
    ) as db:
        save(db, (store._tables, store._values))
        store.add_did_finish_transaction_listener(
            lambda _: dirty.add(*store._stored_changes(), *store._removed())
        )
        for transaction in transactions:
            apply_edits(store, transaction)
        assert merge(db, changes_at(dirty, store._tables, store._values)) == Saved()
        loaded = run_plan(db, load_plan(SQLITE, BOTH)).content
        expected = store.get_content()
        assert loaded == (expected if expected != ({}, {}) else None)
        save(db, (store._tables, store._values))
        assert run_plan(db, load_plan(SQLITE, BOTH)).content == loaded


def test_rows_that_change_alike_are_one_statement_and_nothing_else_is_read() -> None:
    with closing(connected("CREATE TABLE t(_id PRIMARY KEY, a, b)")) as db:
        ran: list[Statement] = []
        rows = {str(number): {"a": number} for number in range(100)}
        merge(db, ({"t": rows}, {}, 1), ran=ran)
        writes = [statement for statement in ran if not statement.sql.startswith("SELECT s.name")]
        look, write = writes
        assert look.sql == """SELECT 1 FROM "t" WHERE "_id"<'' LIMIT 1"""  # whether any id is a number
        assert (write.many, len(write.params)) == (True, 100)


def test_what_is_not_configured_is_left_alone() -> None:
    with closing(
        connected("CREATE TABLE other(_id PRIMARY KEY, a)", "INSERT INTO other VALUES('r', 1)")
    ) as db:
        content: Any = ({"other": {"r": {"a": 2}}, "t": {"r": {"a": 2}}}, {"v": 1})
        save(db, content, TablesConfig(save={"t": "t"}))
        merge(db, (*content, 1), TablesConfig(save={"t": "t"}))
        assert db.execute("SELECT * FROM other").fetchall() == [("r", 1)]
        assert db.execute("SELECT name FROM sqlite_schema WHERE type='table'").fetchall() == [
            ("other",),
            ("t",),
        ]


def test_a_cell_deleted_where_there_is_no_column_makes_none() -> None:
    with closing(connected("CREATE TABLE t(_id PRIMARY KEY, a)", "INSERT INTO t VALUES('r', 1)")) as db:
        merge(db, ({"t": {"r": {"none": UNDEFINED}, "new": {"none": UNDEFINED}}}, {"v": UNDEFINED}, 1))
        assert db.execute("SELECT * FROM t").fetchall() == [("r", 1)]
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name='tinybase_values'").fetchone() == (
            0,
        )


def test_a_table_can_have_so_many_columns_and_what_is_left_out_is_told() -> None:
    class Narrow(SqliteDialect):
        max_columns = 3

    with closing(connected()) as db:
        content: Any = ({"t": {"r": {"a": 1, "b": 2, "c": 3}}}, {})
        plan = save_content_plan(Narrow(), BOTH, {}, content, NotLoaded())
        assert run_plan(db, plan).left_out == {
            ("cell", "t", "c"): "cell 'c' is not saved in table 't': a table can have 3 columns"
        }
        assert db.execute("SELECT * FROM t").fetchall() == [("r", 1, 2)]


def test_columns_that_are_not_allowed_are_neither_emptied_nor_dropped() -> None:
    for drop in (False, True):
        config = TablesConfig(save={"t": TableSave("t", columns=["a", "b"], delete_empty_columns=drop)})
        with closing(
            connected("CREATE TABLE t(_id PRIMARY KEY, a, b, c)", "INSERT INTO t VALUES('r', 1, 2, 3)")
        ) as db:
            assert save(db, ({"t": {"r": {"a": 4}}}, {}), config) == Saved()
            db.row_factory = sqlite3.Row
            row = dict(db.execute("SELECT * FROM t").fetchone())
            assert row == {"_id": "r", "a": 4, "c": 3, **({} if drop else {"b": None})}


@pytest.mark.parametrize("name", ["sqlite_t", "SQLITE_T"])
def test_a_table_that_the_database_keeps_for_itself_is_refused_and_stops_no_other(name: str) -> None:
    with closing(connected()) as db:
        config = TablesConfig(save={"t": TableSave(name), "u": "u"})
        saved = save(db, ({"t": {"r": {"a": 1}}, "u": {"r": {"a": 2}}}, {}), config)
        assert "keeps names" in saved.refused["table", name]
        assert db.execute("SELECT * FROM u").fetchall() == [("r", 2)]
