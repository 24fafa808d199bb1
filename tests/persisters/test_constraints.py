"""Tables of somebody else's, with columns that must be filled, checks, and keys that are numbers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from weft.persisters import PostgresTablesPersister, SqliteTablesPersister, TableLoad, TableSave, TablesConfig
from weft.store import Store
from weft.testing.persisters import at_rest, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from weft.persisters import Persister

CONFIG = TablesConfig(
    load={"kept_pets": TableLoad("pets", "id")}, save={"pets": TableSave("kept_pets", "id")}, nulls="absent"
)


class Place:
    """A database: how to make a persister of it, and how to go round it."""

    def __init__(self, make: Callable[..., Persister], run: Callable[[str], list[Any]]) -> None:
        self.make = make
        self.run = run


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        path = tmp_path / "shop.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            yield Place(
                lambda store, **options: SqliteTablesPersister(store, path, CONFIG, **options),
                lambda sql: db.execute(sql).fetchall(),
            )
        return
    dsn = request.getfixturevalue("postgres").dsn
    with psycopg.connect(dsn, autocommit=True) as connection:

        def run(sql: str) -> list[Any]:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

        yield Place(
            lambda store, **options: PostgresTablesPersister(store, dsn, CONFIG, text="plain", **options), run
        )
        run("DROP TABLE kept_pets")


async def test_a_cell_is_saved_where_other_columns_of_its_row_must_be_filled(place: Place) -> None:
    """An upsert of that cell alone would be refused as an insert, before the row is found to be there."""
    place.run(
        "CREATE TABLE kept_pets(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER,"
        " color TEXT NOT NULL DEFAULT 'brown')"
    )
    place.run("INSERT INTO kept_pets(id, name, price) VALUES(1, 'Fido', 5), (2, 'Felix', 4)")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_ignored_error=errors.append) as persister:
        await persister.start_auto_persisting()
        store.set_cell("pets", "1", "price", 6)
        store.set_row("pets", "3", {"name": "Rex", "price": 7})
        store.del_cell("pets", "2", "price")
        await until(lambda: at_rest(persister))
    assert errors == []
    assert place.run("SELECT id, name, price, color FROM kept_pets ORDER BY id") == [
        (1, "Fido", 6, "brown"),
        (2, "Felix", None, "brown"),
        (3, "Rex", 7, "brown"),
    ]
