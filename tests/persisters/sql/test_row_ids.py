"""Row ids that several rows of the database have: told when they are loaded, and left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.foreign_tables import PLACES, SQLITES, Place, open_place
from weft.errors import StorageError
from weft.persisters import TableLoad, TableSave, TablesConfig
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = TablesConfig(
    load={"stays": TableLoad("stays", "pet")},
    save={"stays": TableSave("stays", "pet")},
    nulls="absent",
    auto_load_interval_seconds=0.02,
)
ALL = "SELECT pet, year, price FROM stays ORDER BY pet, year, price"
ROWS = [("felix", 1, 40), ("fido", 1, 50), ("fido", 2, 60)]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with open_place(request, tmp_path, CONFIG) as place:
        yield place


@pytest.mark.parametrize("key", [", PRIMARY KEY(pet, year)", ""])
async def test_rows_of_one_id_are_told_and_left_alone(place: Place, key: str) -> None:
    place.run(f"CREATE TABLE stays(pet VARCHAR(20) NOT NULL, year INTEGER NOT NULL, price INTEGER{key})")
    place.run("INSERT INTO stays VALUES('fido', 1, 50), ('fido', 2, 60), ('felix', 1, 40)")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        assert store.get_tables() == {"stays": {"felix": {"year": 1, "price": 40}}}
        assert len(errors) == 1
        assert str(errors[0]) == (
            "row 'fido' of table 'stays' is not loaded: several rows of the database have this id, and none "
            "of them is touched; give the table a column that alone names a row"
        )
        await persister.load()
        assert len(errors) == 1  # told once
        await persister.save()
        assert await place.run_between(persister, ALL) == ROWS
        with store.transaction():
            store.set_row("stays", "fido", {"year": 2, "price": 99})
            store.set_cell("stays", "felix", "price", 41)
        await until(lambda: len(errors) == 2 and persister.is_at_rest())
        assert "row 'fido' of table 'stays' is not saved: several rows" in str(errors[1])
        changed = [("felix", 1, 41), *ROWS[1:]]
        assert await place.run_between(persister, ALL) == changed
        with pytest.raises(StorageError, match="row 'fido' of table 'stays' is not saved: several rows"):
            await persister.save()
        assert await place.run_between(persister, ALL) == changed
        store.del_table("stays")
        await until(lambda: place.holds(persister, ALL, ROWS[1:]))
        await persister.save()
        assert await place.run_between(persister, ALL) == ROWS[1:]


async def test_a_row_that_gets_a_twin_leaves_the_store_and_comes_back_when_it_is_alone(place: Place) -> None:
    place.run("CREATE TABLE stays(pet VARCHAR(20), year INTEGER, price INTEGER)")
    place.run("INSERT INTO stays VALUES('fido', 1, 50)")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting(({"stays": {"initial": {"year": 9}}}, {}))
        assert store.has_row("stays", "fido")
        await place.run_between(persister, "INSERT INTO stays VALUES('fido', 2, 60)")
        await persister.load()
        assert not store.has_tables()
        assert len(errors) == 1
        await place.run_between(persister, "DELETE FROM stays WHERE year=2")
        await persister.load()
        assert store.get_tables() == {"stays": {"fido": {"year": 1, "price": 50}}}


@pytest.mark.parametrize("place", SQLITES, indirect=True)
async def test_a_number_and_its_text_are_two_rows_of_one_id(place: Place) -> None:
    """A column without a type holds both, and calls them different."""
    place.run("CREATE TABLE stays(pet PRIMARY KEY, year, price)")
    place.run("INSERT INTO stays VALUES(7, 1, 50), ('7', 2, 60), ('8', 3, 70)")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.load()
        assert store.get_row_ids("stays") == ["8"]
        await persister.save()
        await persister.start_auto_save()
        store.set_cell("stays", "7", "price", 99)
        await until(lambda: len(errors) == 2 and persister.is_at_rest())
        assert "row '7' of table 'stays' is not saved: several rows" in str(errors[1])
    assert place.run("SELECT pet, price FROM stays ORDER BY price") == [(7, 50), ("7", 60), ("8", 70)]


@pytest.mark.parametrize("place", SQLITES, indirect=True)
async def test_a_row_whose_id_is_a_number_gets_no_twin_when_it_is_saved(place: Place) -> None:
    place.run("CREATE TABLE stays(pet PRIMARY KEY, year, price)")
    place.run("INSERT INTO stays VALUES(7, 1, 50), (8.5, 2, 60), (9, 3, 70), ('10', 4, 80)")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        with store.transaction():
            store.set_cell("stays", "7", "price", 51).set_cell("stays", "8.5", "price", 61)
            store.set_cell("stays", "10", "price", 81).set_row("stays", "11", {"price": 91})
            store.del_row("stays", "9")
        await until(persister.is_at_rest)
        rows = [(7, 51), (8.5, 61), ("10", 81), ("11", 91)]
        by_price = "SELECT pet, price FROM stays ORDER BY price"
        assert await place.run_between(persister, by_price) == rows
        await persister.save()
        assert await place.run_between(persister, by_price) == rows
    assert errors == []
