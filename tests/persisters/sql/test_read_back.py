"""What triggers, defaults and computed columns make of rows that are written, on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.foreign_tables import PLACES, Place, open_place
from weft.errors import StorageError
from weft.persisters import TableLoad, TableSave, TablesConfig, TursoDriver, ValuesTable
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = TablesConfig(
    load={"pets": TableLoad("pets", "id")},
    save={"pets": TableSave("pets", "id")},
    values=ValuesTable(load=True, save=True),
    nulls="absent",
    auto_load_interval_seconds=0.02,
)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with open_place(request, tmp_path, CONFIG) as place:
        yield place


def add_trigger(place: Place, table: str, when: str, statement: str, for_new: str) -> None:
    """SQLite changes the row once it is written, PostgreSQL before."""
    if place.is_postgres:
        place.run(
            f"CREATE OR REPLACE FUNCTION change_{table}() RETURNS trigger LANGUAGE plpgsql AS"
            f" 'BEGIN {for_new}; RETURN NEW; END'"
        )
        place.run(
            f"CREATE TRIGGER change BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
            f" EXECUTE FUNCTION change_{table}()"
        )
        return
    for number, event in enumerate(when.split("|")):
        place.run(f"CREATE TRIGGER change{number} AFTER {event} ON {table} BEGIN {statement}; END")


async def test_what_a_trigger_makes_of_a_row_is_in_the_store_and_is_no_edit(place: Place) -> None:
    place.run("CREATE TABLE pets(id INTEGER PRIMARY KEY, name TEXT, version INTEGER)")
    place.run("INSERT INTO pets VALUES(1, 'FIDO', 1), (2, 'FELIX', 1)")
    add_trigger(
        place,
        "pets",
        "INSERT|UPDATE OF name",
        "UPDATE pets SET name=upper(NEW.name), version=coalesce(NEW.version, 0) + 1 WHERE id=NEW.id",
        "NEW.name = upper(NEW.name); NEW.version = coalesce(NEW.version, 0) + 1",
    )
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        store.set_cell("pets", "1", "name", "Rex")
        store.set_row("pets", "3", {"name": "Lassie"})
        await until(lambda: store.get_cell("pets", "3", "name") == "LASSIE")
        await until(persister.is_at_rest)
        assert store.get_row("pets", "1") == {"name": "REX", "version": 2}
        assert store.get_row("pets", "2") == {"name": "FELIX", "version": 1}
        saves = persister.get_stats().saves
        # Nothing stale is written back, and nothing is saved again.
        await persister.save()
        assert persister.get_stats().saves == saves + 1
    assert errors == []
    rows = place.run("SELECT id, name FROM pets ORDER BY id")
    assert rows == [(1, "REX"), (2, "FELIX"), (3, "LASSIE")]
    assert {row_id: row["version"] for row_id, row in store.get_table("pets").items()} == {
        str(row_id): version for row_id, version in place.run("SELECT id, version FROM pets")
    }


async def test_defaults_of_a_new_row_are_in_the_store(place: Place) -> None:
    place.run(
        "CREATE TABLE pets(id INTEGER PRIMARY KEY, name TEXT, color TEXT NOT NULL DEFAULT 'brown', x TEXT)"
    )
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_save()
        store.set_row("pets", "1", {"name": "Fido"})
        await until(lambda: store.get_cell("pets", "1", "color") == "brown")
        await until(persister.is_at_rest)
        assert store.get_row("pets", "1") == {"name": "Fido", "color": "brown"}
    assert errors == []


# Turso's engine has none.
@pytest.mark.parametrize("place", [kind for kind in PLACES if kind is not TursoDriver], indirect=True)
async def test_columns_that_others_are_computed_of_are_read_again(place: Place) -> None:
    place.run(
        "CREATE TABLE pets(id INTEGER PRIMARY KEY, price INTEGER,"
        " color TEXT DEFAULT 'none', twice INTEGER GENERATED ALWAYS AS (price * 2) STORED)"
    )
    store = Store()
    async with place.make(store) as persister:
        await persister.start_auto_persisting()
        store.set_row("pets", "1", {"price": 4, "color": "red"})
        await until(persister.is_at_rest)
        assert store.get_row("pets", "1") == {"price": 4, "color": "red"}  # as a load gives it


async def test_an_edit_made_while_it_was_written_wins_over_what_a_trigger_made(place: Place) -> None:
    place.run("CREATE TABLE pets(id INTEGER PRIMARY KEY, name TEXT)")
    add_trigger(
        place,
        "pets",
        "INSERT|UPDATE OF name",
        "UPDATE pets SET name=upper(NEW.name) WHERE id=NEW.id",
        "NEW.name = upper(NEW.name)",
    )
    store = Store()
    async with place.make(
        store,
        on_sql_command=lambda sql, _: (
            store.set_cell("pets", "1", "name", "Second")
            if sql.startswith("INSERT") and store.get_cell("pets", "1", "name") == "First"
            else None
        ),
    ) as persister:
        await persister.start_auto_save()
        store.set_row("pets", "1", {"name": "First"})
        await until(lambda: store.get_cell("pets", "1", "name") == "SECOND")
        await until(persister.is_at_rest)
    assert place.run("SELECT * FROM pets") == [(1, "SECOND")]


async def test_the_values_are_read_again_too(place: Place) -> None:
    place.run("CREATE TABLE tinybase_values(_id VARCHAR(9) PRIMARY KEY, city TEXT)")
    add_trigger(
        place,
        "tinybase_values",
        "INSERT|UPDATE OF city",
        "UPDATE tinybase_values SET city=upper(NEW.city) WHERE _id=NEW._id",
        "NEW.city = upper(NEW.city)",
    )
    store = Store()
    async with place.make(store) as persister:
        await persister.start_auto_save()
        store.set_value("city", "Oslo")
        await until(lambda: store.get_value("city") == "OSLO")
        await until(persister.is_at_rest)


async def test_a_row_that_a_trigger_keeps_from_being_deleted_comes_back(place: Place) -> None:
    place.run("CREATE TABLE pets(id INTEGER PRIMARY KEY, name TEXT, gone INTEGER)")
    place.run("INSERT INTO pets VALUES(1, 'Fido', 0)")
    if place.is_postgres:
        place.run(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN UPDATE pets SET gone = 1 WHERE id = OLD.id; RETURN NULL; END'"
        )
        place.run("CREATE TRIGGER keep BEFORE DELETE ON pets FOR EACH ROW EXECUTE FUNCTION keep()")
    else:
        place.run(
            "CREATE TRIGGER keep BEFORE DELETE ON pets BEGIN UPDATE pets SET gone=1 WHERE id=OLD.id;"
            " SELECT RAISE(IGNORE); END"
        )
    store = Store()
    async with place.make(store) as persister:
        await persister.start_auto_persisting()
        store.del_row("pets", "1")
        await until(lambda: store.get_row("pets", "1") == {"name": "Fido", "gone": 1})


async def test_a_table_without_any_of_these_is_not_read_again(place: Place) -> None:
    place.run("CREATE TABLE pets(id INTEGER PRIMARY KEY, name TEXT)")
    store, ran = Store(), list[str]()
    async with place.make(store, on_sql_command=lambda sql, _: ran.append(sql)) as persister:
        await persister.start_auto_persisting()  # on PostgreSQL, with our own trigger
        store.set_row("pets", "1", {"name": "Fido"})
        await until(persister.is_at_rest)
        ran.clear()
        await persister.save()
    assert not any(sql.startswith("SELECT") and " IN (" in sql and 'FROM "pets"' in sql for sql in ran)


async def test_what_was_refused_stays_in_the_store_and_triggers_see_each_row_once(place: Place) -> None:
    place.run("CREATE TABLE seen(id INTEGER, price INTEGER)")
    place.run("CREATE TABLE pets(id INTEGER PRIMARY KEY, price INTEGER CHECK(price > 0), name TEXT)")
    place.run("INSERT INTO pets VALUES(1, 5, 'a'), (2, 5, 'b'), (3, 5, 'c')")
    if place.is_postgres:
        place.run(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO seen VALUES(NEW.id, NEW.price); RETURN NEW; END'"
        )
        place.run("CREATE TRIGGER note AFTER UPDATE ON pets FOR EACH ROW EXECUTE FUNCTION note()")
    else:
        place.run(
            "CREATE TRIGGER note AFTER UPDATE ON pets BEGIN INSERT INTO seen VALUES(NEW.id, NEW.price); END"
        )
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        persister.first_retry_seconds = 60.0
        await persister.start_auto_persisting()
        with store.transaction():
            for row_id, price in (("1", 6), ("2", -1), ("3", 7)):
                store.set_cell("pets", row_id, "price", price)
        await until(lambda: errors != [] and persister.is_at_rest())
        assert await place.run_between(persister, "SELECT * FROM seen ORDER BY id") == [(1, 6), (3, 7)]
        assert store.get_cell("pets", "2", "price") == -1
        with pytest.raises(StorageError, match="row '2'"):
            await persister.save()
        assert store.get_cell("pets", "2", "price") == -1
    assert len(errors) == 1
