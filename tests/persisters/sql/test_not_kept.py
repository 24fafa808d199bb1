"""Rows that a trigger does not let into the table, or for which it ends the transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.foreign_tables import PLACES, SQLITES, Place, open_place
from weft.errors import StorageError
from weft.persisters import TableLoad, TableSave, TablesConfig, ValuesTable
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = TablesConfig(
    load={"pets": TableLoad("pets", "id"), "other": TableLoad("other", "id")},
    save={name: TableSave(name, "id") for name in ("pets", "alone", "other")},
    values=ValuesTable(load=True, save=True),
    nulls="absent",
    auto_load_interval_seconds=0.02,
)
NOT_KEPT = "the database did not keep it, as a trigger of the table has it"


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with open_place(request, tmp_path, CONFIG) as place:
        for table in ("pets", "alone", "other"):
            place.run(f"CREATE TABLE {table}(id TEXT PRIMARY KEY, name TEXT)")
        place.run("CREATE TABLE seen(name TEXT)")
        yield place


def leave_out(place: Place, table: str) -> None:
    """Have a trigger leave out rows of the name ``bad``, and write that down."""
    if place.is_postgres:
        place.run(
            "CREATE OR REPLACE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN IF NEW.name = ''bad'' THEN INSERT INTO seen VALUES(NEW.name); RETURN NULL; END IF;"
            " RETURN NEW; END'"
        )
        place.run(f"CREATE TRIGGER t BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION leave_out()")
    else:
        place.run(
            f"CREATE TRIGGER t_{table} BEFORE INSERT ON {table} WHEN NEW.name = 'bad'"
            " BEGIN INSERT INTO seen VALUES(NEW.name); SELECT RAISE(IGNORE); END"
        )


def three(table: str) -> Store:
    store = Store()
    with store.transaction():
        for row_id, name in (("a", "good"), ("b", "bad"), ("c", "fine")):
            store.set_row(table, row_id, {"name": name})
        store.set_row("other", "o", {"name": "other"})
    return store


@pytest.mark.parametrize("table", ["pets", "alone"])
async def test_a_row_that_a_trigger_leaves_out_does_not_count_as_saved(place: Place, table: str) -> None:
    leave_out(place, table)
    store, errors = three(table), list[str]()
    persister = place.make(store, on_error=lambda error: errors.append(str(error)))
    async with persister:
        with pytest.raises(StorageError) as raised:
            await persister.save()
        assert str(raised.value) == f"row 'b' of table {table!r} is not saved: {NOT_KEPT}"
        rows = await place.run_between(persister, f"SELECT id, name FROM {table} ORDER BY id")
        assert rows == [("a", "good"), ("c", "fine")]
        assert await place.holds(persister, "SELECT id, name FROM other", [("o", "other")])
        assert await place.holds(persister, "SELECT * FROM seen", [])  # it is as if it had not been tried
        store.set_cell(table, "b", "name", "better")
        await persister.save()
        assert await place.holds(persister, f"SELECT name FROM {table} WHERE id='b'", [("better",)])
    assert errors == []


async def test_auto_save_says_it_once_and_saves_the_row_when_the_trigger_is_gone(place: Place) -> None:
    leave_out(place, "pets")
    store, errors = Store(), list[str]()
    persister = place.make(store, on_error=lambda error: errors.append(str(error)))
    persister.first_retry_seconds = 0.01
    async with persister:
        await persister.start_auto_persisting()
        with store.transaction():
            for row_id, name in (("a", "good"), ("b", "bad")):
                store.set_row("pets", row_id, {"name": name})
        await until(lambda: errors != [])
        store.set_row("pets", "c", {"name": "fine"})
        await until(persister.is_at_rest)
        assert store.get_table("pets").keys() == {"a", "b", "c"}
        assert errors == [f"row 'b' of table 'pets' is not saved: {NOT_KEPT}"]

        async def drop() -> None:
            place.run("DROP TRIGGER t ON pets" if place.is_postgres else "DROP TRIGGER t_pets")

        await persister.schedule(drop)
        await until(persister.is_at_rest)
        await persister.save()
        rows = await place.run_between(persister, "SELECT id, name FROM pets ORDER BY id")
        assert rows == [("a", "good"), ("b", "bad"), ("c", "fine")]
    assert len(errors) == 1


async def test_values_that_a_trigger_leaves_out_are_told(place: Place) -> None:
    place.run("CREATE TABLE tinybase_values(_id TEXT PRIMARY KEY, name TEXT)")
    leave_out(place, "tinybase_values")
    async with place.make(Store().set_value("name", "bad")) as persister:
        with pytest.raises(
            StorageError, match="row '_' of table 'tinybase_values' is not saved: the database"
        ):
            await persister.save()


async def test_a_row_that_a_trigger_takes_out_again_was_saved(place: Place) -> None:
    """As where a table keeps the newest row alone, or hands on what is put into it."""
    if place.is_postgres:
        place.run(
            "CREATE FUNCTION hand_on() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen"
            " VALUES(NEW.name); DELETE FROM pets WHERE id = NEW.id; RETURN NULL; END'"
        )
        place.run("CREATE TRIGGER t AFTER INSERT ON pets FOR EACH ROW EXECUTE FUNCTION hand_on()")
    else:
        place.run(
            "CREATE TRIGGER t AFTER INSERT ON pets BEGIN INSERT INTO seen VALUES(NEW.name);"
            " DELETE FROM pets WHERE id = NEW.id; END"
        )
    errors = list[Exception]()
    async with place.make(three("pets"), on_error=errors.append) as persister:
        await persister.start_auto_save()
        await until(persister.is_at_rest)
    assert errors == []
    assert place.run("SELECT name FROM seen ORDER BY 1") == [("bad",), ("fine",), ("good",)]


async def test_a_row_under_another_form_of_its_id_was_kept(place: Place) -> None:
    place.run("DROP TABLE pets")
    place.run("CREATE TABLE pets(id INTEGER PRIMARY KEY, name TEXT)")
    leave_out(place, "pets")
    async with place.make(Store().set_row("pets", "7", {"name": "good"})) as persister:
        await persister.save()
    assert place.run("SELECT * FROM pets") == [(7, "good")]


@pytest.mark.parametrize("place", SQLITES, indirect=True)
@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
@pytest.mark.parametrize("way", ["ABORT", "FAIL", "ROLLBACK"])
async def test_a_row_that_a_trigger_refuses_is_not_there_and_stops_no_other(
    place: Place, when: str, way: str
) -> None:
    place.run(
        f"CREATE TRIGGER t {when} INSERT ON pets WHEN NEW.name = 'bad'"
        f" BEGIN SELECT RAISE({way}, 'no bad'); END"
    )
    async with place.make(three("pets"), on_error=lambda error: None) as persister:
        with pytest.raises(StorageError, match=r"^row 'b' of table 'pets' is not saved: .*no bad"):
            await persister.save()
        rows = await place.run_between(persister, "SELECT id, name FROM pets ORDER BY id")
        assert rows == [("a", "good"), ("c", "fine")]
        assert await place.holds(persister, "SELECT id, name FROM other", [("o", "other")])


@pytest.mark.parametrize("place", SQLITES, indirect=True)
async def test_rows_that_end_the_transaction_when_they_are_changed_or_deleted_stop_no_other(
    place: Place,
) -> None:
    for table in ("pets", "other"):
        place.run(f"INSERT INTO {table} VALUES('a', 'one'), ('b', 'two'), ('c', 'three')")
    for event, row in (("UPDATE", "NEW.id = 'b'"), ("DELETE", "OLD.id = 'c'")):
        place.run(
            f"CREATE TRIGGER t_{event} BEFORE {event} ON pets WHEN {row}"
            " BEGIN SELECT RAISE(ROLLBACK, 'it stays'); END"
        )
    store, errors = Store(), list[str]()
    persister = place.make(store, on_error=lambda error: errors.append(str(error)))
    persister.first_retry_seconds = 60.0
    async with persister:
        await persister.start_auto_persisting()
        with store.transaction():
            for row_id in ("a", "b", "c", "d"):
                store.set_cell("pets", row_id, "name", "new")
            store.del_row("other", "a")
        await until(lambda: errors != [] and persister.is_at_rest())
        rows = await place.run_between(persister, "SELECT id, name FROM pets ORDER BY id")
        assert rows == [("a", "new"), ("b", "two"), ("c", "new"), ("d", "new")]
        assert await place.holds(persister, "SELECT count(*) FROM other", [(2,)])
        assert len(errors) == 1
        assert errors[0].startswith("row 'b' of table 'pets' is not saved: ")
        store.del_table("pets")
        await until(lambda: len(errors) == 2 and persister.is_at_rest())
        assert await place.holds(persister, "SELECT id, name FROM pets", [("c", "new")])
        assert errors[1].startswith("row 'c' of table 'pets' is not deleted: ")


# Turso's engine refuses what has such a constraint.
@pytest.mark.parametrize("place", SQLITES[:3], indirect=True)
async def test_a_constraint_that_rolls_back_refuses_its_row_alone(place: Place) -> None:
    place.run("DROP TABLE pets")
    place.run("CREATE TABLE pets(id TEXT PRIMARY KEY, name TEXT UNIQUE ON CONFLICT ROLLBACK)")
    place.run("INSERT INTO pets VALUES('z', 'bad')")
    store = three("pets").set_row("pets", "z", {"name": "bad"})
    async with place.make(store, on_error=lambda error: None) as persister:
        with pytest.raises(StorageError, match=r"^row 'b' of table 'pets' is not saved: .*UNIQUE"):
            await persister.save()
        rows = await place.run_between(persister, "SELECT id, name FROM pets ORDER BY id")
        assert rows == [("a", "good"), ("c", "fine"), ("z", "bad")]


@pytest.mark.parametrize("place", SQLITES, indirect=True)
async def test_a_table_most_of_whose_rows_end_the_transaction_stops_no_other(place: Place) -> None:
    place.run(
        "CREATE TRIGGER t BEFORE INSERT ON pets WHEN NEW.name = 'bad'"
        " BEGIN SELECT RAISE(ROLLBACK, 'no bad'); END"
    )
    store = three("pets").set_table("pets", {str(number): {"name": "bad"} for number in range(300)})
    async with place.make(store, on_error=lambda error: None) as persister:
        with pytest.raises(StorageError, match=r"table 'pets' is not saved: .*for more than 100 rows"):
            await persister.save()
        assert await place.holds(persister, "SELECT count(*) FROM pets", [(0,)])
        assert await place.holds(persister, "SELECT id, name FROM other", [("o", "other")])
