from __future__ import annotations

from weft.persisters import TablesConfig
from weft.persisters.sql.tables_persister import TablesPersister
from weft.persisters.sqlite.database import SqliteDatabase
from weft.persisters.sqlite.dialect import SqliteDialect
from weft.store import Store


def test_what_is_left_out_is_told_once_for_each_place() -> None:
    told: list[str] = []
    persister = TablesPersister(
        Store(),
        SqliteDatabase(":memory:", None),
        SqliteDialect(),
        TablesConfig(),
        on_error=lambda error: told.append(str(error)),
    )
    persister.expects_use = False
    persister._tell({("cell", "t", "a"): "one"}, {})
    persister._tell({("cell", "t", "a"): "one", ("row", "t", "a"): "two"}, {})
    persister._tell({("row", "t", "a"): "two"}, {})
    persister._tell({("cell", "t", "a"): "one", ("cell", "u", "a"): "three"}, {})
    persister._tell({("row", "t", "a"): "two again, as it was saved in between"}, {})
    assert told == ["one", "two", "three", "two again, as it was saved in between"]
