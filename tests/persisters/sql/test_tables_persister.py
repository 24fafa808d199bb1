from __future__ import annotations

from typing import TYPE_CHECKING

from weft.persisters import TablesConfig
from weft.persisters.sql.save import Saved
from weft.persisters.sql.tables_persister import TablesPersister
from weft.persisters.sqlite.database import SqliteDatabase
from weft.persisters.sqlite.dialect import SqliteDialect
from weft.store import Store

if TYPE_CHECKING:
    from weft.persisters._core.unsaved import StoredChanges


def test_what_is_left_out_is_told_once_for_each_place() -> None:
    told: list[str] = []
    persister = TablesPersister(
        Store(),
        SqliteDatabase(":memory:", None),
        SqliteDialect(),
        TablesConfig(save={"t": "t"}),
        on_error=lambda error: told.append(str(error)),
    )
    persister.expects_use = False
    changes: StoredChanges = ({"t": {"a": {}}}, {}, 1)
    persister._tell(Saved({("cell", "t", "a"): "one"}), changes)
    persister._tell(Saved({("cell", "t", "a"): "one", ("row", "t", "a"): "two"}), changes)
    persister._tell(Saved({("row", "t", "a"): "two"}), changes)
    persister._tell(Saved({("cell", "t", "a"): "one", ("cell", "u", "a"): "three"}), changes)
    persister._tell(Saved({("row", "t", "a"): "two again, as it was saved in between"}), changes)
    elsewhere: StoredChanges = ({"t": {"b": {}}}, {}, 1)
    persister._tell(Saved(), elsewhere)
    persister._tell(Saved({("row", "t", "a"): "two again, which was not tried in between"}), changes)
    assert told == ["one", "two", "three", "two again, as it was saved in between"]
