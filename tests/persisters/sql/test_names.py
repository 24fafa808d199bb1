from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, strategies as st

from weft.persisters.sql.names import check_name, quote, with_table_name

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


def test_dots_and_quotes_mean_nothing() -> None:
    assert quote('a.b"c') == '"a.b""c"'


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
    assert with_table_name(condition, 'a"b') == """"a""b".shop='here' OR "a""b".shop IS NULL"""
