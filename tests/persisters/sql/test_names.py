from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, strategies as st

from weft.persisters.sql.names import (
    check_name,
    check_table,
    quote,
    quote_table,
    split_table,
    with_table_name,
)

# Lone surrogates and NUL cannot be names; everything else can.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(NAMES)
def test_a_quoted_name_is_that_one_name_to_a_database(name: str) -> None:
    assert check_name(name) is None
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"CREATE TABLE {quote(name)}({quote(name)})")
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [(name,)]
        (column,) = db.execute(f"SELECT * FROM {quote(name)}").description
        assert column[0] == name


def test_dots_and_quotes_mean_nothing_in_one_identifier() -> None:
    assert quote('a.b"c') == '"a.b""c"'


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("pets", ("", "pets")),
        ("app.pets", ("app", "pets")),
        ('a"b; --', ("", 'a"b; --')),
        ('"a.b"', ("", "a.b")),
        ('"a.b"."c""d"', ("a.b", 'c"d')),
        ('app."a.b"', ("app", "a.b")),
        ("my app.my pets", ("my app", "my pets")),
    ],
)
def test_a_table_may_have_its_schema_before_it(name: str, parts: tuple[str, str]) -> None:
    assert split_table(name) == parts
    assert check_table(name) is None
    assert quote_table(name) == ".".join(quote(part) for part in parts if part)


@given(NAMES, NAMES)
def test_any_names_can_be_those_of_a_schema_and_a_table_in_quotes(schema: str, table: str) -> None:
    assert split_table(f"{quote(schema)}.{quote(table)}") == (schema, table)
    assert split_table(quote(table)) == ("", table)


@pytest.mark.parametrize("name", ["a.b.c", ".a", "a.", '"a', '"a"b', 'a."b"c', ""])
def test_what_is_neither_table_nor_schema_and_table_is_refused(name: str) -> None:
    assert check_table(name) is not None
    with pytest.raises(ValueError, match=r"schema\.table|empty"):
        quote_table(name)


def test_each_part_has_its_length() -> None:
    assert check_table(f"{'a' * 63}.{'b' * 63}", max_bytes=63) is None
    assert "63 bytes long, not 64" in str(check_table(f"{'a' * 64}.b", max_bytes=63))
    assert "63 bytes long, not 64" in str(check_table(f"a.{'b' * 64}", max_bytes=63))


@pytest.mark.parametrize(
    ("name", "reason"), [("", "empty"), ("a\0b", "NUL"), ("a\ud800b", "lone surrogates")]
)
def test_what_cannot_be_a_name_is_refused_with_the_reason(name: str, reason: str) -> None:
    assert reason in str(check_name(name))
    with pytest.raises(ValueError, match=reason):
        quote(name)


def test_length_is_counted_in_bytes() -> None:
    assert check_name("é" * 31, max_bytes=63) is None
    assert check_name("é" * 32, max_bytes=63) == "a name in this database can be 63 bytes long, not 64"


def test_a_condition_gets_the_quoted_name_wherever_it_asks_for_it() -> None:
    condition = "$tableName.shop='here' OR $tableName.shop IS NULL"
    assert with_table_name(condition, quote('a"b')) == """"a""b".shop='here' OR "a""b".shop IS NULL"""
