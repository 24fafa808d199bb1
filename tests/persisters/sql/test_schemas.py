"""Tables of other schemas, and of attached databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.foreign_tables import PLACES, Place, open_place
from weft.errors import StorageError
from weft.persisters import (
    PostgresJsonPersister,
    SqliteJsonPersister,
    TableLoad,
    TableSave,
    TablesConfig,
    TursoDriver,
)
from weft.persisters.sqlite.driver import StdlibDriver
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = TablesConfig(
    load={"app.pets": TableLoad("pets", "id", condition="$tableName.price > 0"), '"app.own"': "own"},
    save={
        "pets": TableSave("app.pets", "id"),
        "new": TableSave("app.new", "id"),
        "own": '"app.own"',
        "pens": TableSave("app.pens", "id"),
    },
    nulls="absent",
    auto_load_interval_seconds=0.02,
)
# Turso's engine attaches nothing unless it is asked to try.
KINDS = [kind for kind in PLACES if kind is not TursoDriver]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with open_place(request, tmp_path, CONFIG) as place:
        if place.is_postgres:
            place.run("DROP SCHEMA IF EXISTS app CASCADE")
            place.run("CREATE SCHEMA app")
        else:
            place.run(f"ATTACH '{tmp_path / 'app.db'}' AS app")
        yield place
        if place.is_postgres:
            place.run("DROP SCHEMA IF EXISTS app CASCADE")


async def test_a_table_of_another_schema_is_loaded_saved_and_watched_there(place: Place) -> None:
    place.run("CREATE TABLE app.pens(id INTEGER PRIMARY KEY, x TEXT)")
    pens = "app.pens" if place.is_postgres else "pens"  # SQLite's keys stay in their database
    place.run(
        f"CREATE TABLE app.pets(id INTEGER PRIMARY KEY, price INTEGER, pen INTEGER REFERENCES {pens}(id))"
    )
    place.run("INSERT INTO app.pets VALUES(1, 5, NULL), (2, 0, NULL)")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        assert store.get_tables() == {"pets": {"1": {"price": 5}}}
        with store.transaction():
            store.set_row("pets", "3", {"price": 7, "pen": 1})
            store.set_row("pens", "1", {"x": "y"})
            store.set_row("new", "a", {"x": "y"})
            store.set_row("own", "a", {"x": "y"})
        await until(persister.is_at_rest)
        assert await place.run_between(persister, "SELECT id, price FROM app.pets ORDER BY id") == [
            (1, 5),
            (2, 0),
            (3, 7),
        ]
        assert await place.run_between(persister, "SELECT id, x FROM app.new") == [("a", "y")]
        assert await place.run_between(persister, 'SELECT _id, x FROM "app.own"') == [("a", "y")]
        await place.run_between(persister, "UPDATE app.pets SET price=6 WHERE id=1")
        await until(lambda: store.get_cell("pets", "1", "price") == 6)
    assert errors == []


async def test_a_schema_that_is_not_there_is_an_error_and_makes_no_table_elsewhere(place: Place) -> None:
    place.run("DROP SCHEMA app" if place.is_postgres else "DETACH app")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        with store.transaction():
            store.set_row("new", "a", {"x": "y"})
            store.set_row("own", "a", {"x": "y"})
        with pytest.raises(StorageError, match=r"table 'app.new' is not saved: .*app"):
            await persister.save()
    assert place.run('SELECT _id, x FROM "app.own"') == [("a", "y")]


@pytest.mark.parametrize("place", [StdlibDriver], indirect=True)
async def test_what_another_program_writes_in_an_attached_file_is_found(place: Place, tmp_path: Path) -> None:
    place.run("CREATE TABLE app.pets(id INTEGER PRIMARY KEY, price INTEGER)")
    store = Store()
    async with place.make(store) as persister:
        await persister.start_auto_load()
        other = StdlibDriver(tmp_path / "app.db")
        other.open()
        other.execute("INSERT INTO pets VALUES(1, 5)")
        other.close()
        await until(lambda: store.has_row("pets", "1"))


async def test_the_text_of_a_store_can_be_in_another_schema(place: Place) -> None:
    for content in ({"t": {"r": {"c": 1}}}, {"t": {"r": {"c": 2}}}):
        for store in (Store().set_tables(content), Store()):
            persister = (
                PostgresJsonPersister(store, place.where, "app.texts")
                if place.is_postgres
                else SqliteJsonPersister(store, place.where, "app.texts")
            )
            async with persister:
                await (persister.save() if store.has_tables() else persister.load())
            assert store.get_tables() == content
    assert len(place.run("SELECT * FROM app.texts")) == 1
