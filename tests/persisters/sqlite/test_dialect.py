from __future__ import annotations

import pytest

from weft.persisters.sqlite.dialect import SqliteDialect
from weft.store import Store

SQLITE = SqliteDialect()


def test_only_ascii_letters_are_one_in_either_case() -> None:
    assert SQLITE.fold("PRICE") == SQLITE.fold("price")
    assert SQLITE.fold("É") != SQLITE.fold("é")


def test_names_that_sqlite_keeps_are_refused_where_they_would_mean_something_else() -> None:
    assert SQLITE.refusal("Sqlite_x", table=True)
    assert SQLITE.refusal("sqlite_x", table=False) is None
    assert SQLITE.refusal("RowId", table=False)
    assert SQLITE.refusal("rowid", table=True) is None


@pytest.mark.parametrize(
    ("column_type", "stored", "cell"),
    [
        ("BOOLEAN", 1, True),
        ("BOOL", 0, False),
        ("BOOLEAN", 2, 2),
        ("BOOLEAN", b"\x01", b"\x01"),
        ("BOOLEAN", "yes", "yes"),
        ("JSON", '{"a":[1]}', {"a": [1]}),
        ("JSON", "not json", "not json"),
        ("JSON", 5, 5),
    ],
)
def test_columns_say_what_a_cell_is(column_type: str, stored: object, cell: object) -> None:
    decode = SQLITE.decoder(column_type)
    assert decode is not None
    assert decode(stored) == cell
    assert type(decode(stored)) is type(cell)


def test_json_columns_hold_json_text_of_every_cell() -> None:
    encode = SQLITE.encoder("JSON")
    assert encode is not None
    stored = Store().set_values({"object": {"é": 1}, "text": "a", "true": True, "none": None})._values
    assert [encode(cell) for cell in stored.values()] == ['{"é":1}', '"a"', "true", "null"]


def test_columns_without_a_type_take_and_give_cells_as_they_are() -> None:
    for column_type in ("", "TEXT", "REAL"):
        assert SQLITE.encoder(column_type) is None
        assert SQLITE.decoder(column_type) is None
    assert (SQLITE.new_column("boolean"), SQLITE.new_column("string"), SQLITE.new_column(None)) == (
        "BOOLEAN",
        "",
        "",
    )
