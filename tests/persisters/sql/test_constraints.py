"""Tables of somebody else's, with columns that must be filled, checks, and keys that are numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.foreign_tables import PLACES, Place, open_place
from weft.errors import StorageError
from weft.persisters import TableLoad, TableSave, TablesConfig, TursoDriver
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = TablesConfig(
    load={"kept_pets": TableLoad("pets", "id")},
    save={"pets": TableSave("kept_pets", "id")},
    nulls="absent",
    auto_load_interval_seconds=0.02,
)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with open_place(request, tmp_path, CONFIG) as place:
        yield place


async def test_a_cell_is_saved_where_other_columns_of_its_row_must_be_filled(place: Place) -> None:
    """An upsert of that cell alone would be refused as an insert, before the row is found to be there."""
    place.run(
        "CREATE TABLE kept_pets(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER,"
        " color TEXT NOT NULL DEFAULT 'brown')"
    )
    place.run("INSERT INTO kept_pets(id, name, price) VALUES(1, 'Fido', 5), (2, 'Felix', 4)")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        store.set_cell("pets", "1", "price", 6)
        store.set_row("pets", "3", {"name": "Rex", "price": 7})
        store.del_cell("pets", "2", "price")
        await until(persister.is_at_rest)
    assert errors == []
    assert place.run("SELECT id, name, price, color FROM kept_pets ORDER BY id") == [
        (1, "Fido", 6, "brown"),
        (2, "Felix", None, "brown"),
        (3, "Rex", 7, "brown"),
    ]


async def test_a_row_that_the_database_refuses_stops_no_others_and_is_told(place: Place) -> None:
    """Whoever may write to the Store could otherwise stop all saving by one row."""
    place.run(
        "CREATE TABLE kept_pets(id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
        " price INTEGER CHECK(price > 0), tag TEXT UNIQUE)"
    )
    place.run("INSERT INTO kept_pets VALUES(1, 'Fido', 5, 'a'), (2, 'Felix', 4, 'b')")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        persister.first_retry_seconds = 0.01
        await persister.start_auto_persisting()
        with store.transaction():
            store.set_row("pets", "no number", {"name": "Rex", "price": 1})
            store.set_row("pets", "3", {"price": 7})  # without a name
            store.set_row("pets", "4", {"name": "Rex", "price": 8})
            store.set_cell("pets", "1", "price", -1)
            store.set_cell("pets", "2", "tag", "a")
        await until(persister.is_at_rest)
        told = sorted(str(error)[:40] for error in errors)
        assert told == [
            f"row {row!r} of table 'kept_pets' is not saved: "[:40] for row in ("1", "2", "3", "no number")
        ]
        saved = [(1, "Fido", 5, "a"), (2, "Felix", 4, "b"), (4, "Rex", 8, None)]
        assert place.run("SELECT * FROM kept_pets ORDER BY id") == saved
        with pytest.raises(StorageError, match="is not saved"):
            await persister.save()
        assert place.run("SELECT * FROM kept_pets ORDER BY id") == saved
        # It stays in the Store, whatever others change.
        place.run("UPDATE kept_pets SET name='Rex II' WHERE id=4")
        await until(lambda: store.get_cell("pets", "4", "name") == "Rex II")
        assert store.get_row("pets", "3") == {"price": 7}
        # What is mended is saved, with all of it.
        store.set_cell("pets", "3", "name", "Lassie").set_cell("pets", "1", "price", 6)
        await until(persister.is_at_rest)
        await persister.stop_auto_persisting()
    assert place.run("SELECT id, name, price FROM kept_pets ORDER BY id") == [
        (1, "Fido", 6),
        (2, "Felix", 4),
        (3, "Lassie", 7),
        (4, "Rex II", 8),
    ]


# Turso's engine has none.
@pytest.mark.parametrize("place", [place for place in PLACES if place is not TursoDriver], indirect=True)
async def test_a_column_that_the_database_computes_is_not_written_and_that_is_told(place: Place) -> None:
    place.run(
        "CREATE TABLE kept_pets(id INTEGER PRIMARY KEY, price INTEGER,"
        " twice INTEGER GENERATED ALWAYS AS (price * 2) STORED)"
    )
    place.run("INSERT INTO kept_pets(id, price) VALUES(1, 5)")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        store.set_row("pets", "1", {"price": 6, "twice": 7})
        await until(persister.is_at_rest)
        await persister.save()
    assert [str(error) for error in errors] == [
        "cell 'twice' is not saved in table 'kept_pets': the database computes it"
    ]
    assert place.run("SELECT * FROM kept_pets") == [(1, 6, 12)]
