from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from support.plans import connected, run_plan
from weft.errors import StorageError
from weft.persisters import TableLoad, TablesConfig, ValuesTable
from weft.persisters.sql.load import load_plan, read_schema
from weft.persisters.sqlite.dialect import SqliteDialect

ABSENT: Any = {"nulls": "absent"}


def load(config: TablesConfig, *statements: str) -> Any:
    with closing(connected(*statements)) as db:
        return run_plan(db, load_plan(SqliteDialect(), config)).content


def test_nothing_is_loaded_where_nothing_is_or_nothing_is_asked_for() -> None:
    asked = TablesConfig(load={"t": "t"}, values=ValuesTable(load=True))
    assert load(asked) is None
    assert load(asked, "CREATE TABLE t(_id PRIMARY KEY, a)") is None
    assert load(TablesConfig(), "CREATE TABLE t(_id PRIMARY KEY, a)", "INSERT INTO t VALUES(1,2)") is None


def test_row_ids_are_text_as_javascript_would_write_them_and_rows_without_one_are_left_out() -> None:
    rows = "('x','text'),(7,'integer'),(8.0,'whole'),(8.5,'real'),(NULL,'none')"
    loaded = load(TablesConfig(load={"t": "t"}), "CREATE TABLE t(_id, a)", f"INSERT INTO t VALUES{rows}")
    assert {row_id: row["a"] for row_id, row in loaded[0]["t"].items()} == {
        "x": "text",
        "7": "integer",
        "8": "whole",
        "8.5": "real",
    }


def test_two_tables_may_become_one_and_a_view_is_a_table() -> None:
    config = TablesConfig(load={"a": "t", "v": TableLoad("t", "key")}, **ABSENT)
    loaded = load(
        config,
        "CREATE TABLE a(_id PRIMARY KEY, x)",
        "INSERT INTO a VALUES('1', 1)",
        "CREATE VIEW v AS SELECT '2' AS key, 2 AS y, NULL AS z",
    )
    assert loaded == ({"t": {"1": {"x": 1}, "2": {"y": 2}}}, {})


def test_names_are_found_in_any_case_and_columns_keep_theirs() -> None:
    loaded = load(
        TablesConfig(load={"PETS": TableLoad("pets", "ID")}),
        "CREATE TABLE Pets(Id PRIMARY KEY, Price)",
        "INSERT INTO Pets VALUES('a', 1)",
    )
    assert loaded == ({"pets": {"a": {"Price": 1}}}, {})


def test_of_the_values_those_asked_for_in_their_one_row() -> None:
    statements = (
        "CREATE TABLE tinybase_values(_id PRIMARY KEY, a, b)",
        "INSERT INTO tinybase_values VALUES('_', 1, 2), ('other', 3, 4)",
    )
    assert load(TablesConfig(values=ValuesTable(load=True)), *statements) == ({}, {"a": 1, "b": 2})
    assert load(TablesConfig(values=ValuesTable(load=["b", "c"])), *statements) == ({}, {"b": 2})


def test_a_table_without_the_column_of_the_row_ids_is_an_error_that_names_both() -> None:
    with pytest.raises(StorageError, match="table 't' has no column 'key'"):
        load(TablesConfig(load={"t": TableLoad("t", "key")}), "CREATE TABLE t(_id PRIMARY KEY)")


def test_only_columns_that_alone_name_a_row_are_unique() -> None:
    with closing(
        connected(
            "CREATE TABLE a(x, y UNIQUE, z, PRIMARY KEY(x))",
            "CREATE TABLE b(x, y, z, w, PRIMARY KEY(x, y))",
            "CREATE UNIQUE INDEX partial ON b(z) WHERE z>0",
            "CREATE UNIQUE INDEX two ON b(z, w)",
            "CREATE UNIQUE INDEX expression ON b(lower(w))",
            "CREATE INDEX plain ON b(w)",
        )
    ) as db:
        schema = run_plan(db, read_schema(SqliteDialect(), ["A", "b", "none"]))
    assert {name: info.unique for name, info in schema.items()} == {"a": {"x", "y"}, "b": set()}
    assert [*schema["b"].columns] == ["x", "y", "z", "w"]
