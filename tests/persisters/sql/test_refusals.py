"""Tables that cannot be written at all stop no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.foreign_tables import PLACES, SQLITES, Place, open_place
from weft.errors import StorageError
from weft.persisters import SqliteJsonPersister, TableLoad, TableSave, TablesConfig, TursoDriver, ValuesTable
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("first", "odd", "last")
CONFIG = TablesConfig(
    load={name: TableLoad(name, "id") for name in NAMES},
    save={name: TableSave(name, "id") for name in NAMES},
    values=ValuesTable(save=True),
    nulls="absent",
    auto_load_interval_seconds=0.02,
)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with open_place(request, tmp_path, CONFIG) as place:
        yield place


@pytest.mark.parametrize("place", SQLITES, indirect=True)
async def test_a_new_cell_of_a_strict_table_gets_a_column_of_any_type(place: Place) -> None:
    place.run("CREATE TABLE odd(id TEXT PRIMARY KEY, price INTEGER) STRICT")
    store, errors = Store(), list[Exception]()
    store.set_tables_schema({"odd": {"new": {"type": "boolean"}, "other": {"type": "string"}}})
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_save()
        store.set_row("odd", "a", {"new": True, "other": "text"})
        await until(persister.is_at_rest)
    assert errors == []
    assert place.run("SELECT id, new, other FROM odd") == [("a", 1, "text")]


@pytest.mark.parametrize("place", SQLITES, indirect=True)
async def test_the_text_of_a_store_goes_into_a_strict_table_as_well(place: Place) -> None:
    place.run("CREATE TABLE tinybase(_id TEXT PRIMARY KEY) STRICT")
    async with SqliteJsonPersister(Store().set_value("a", 1), place.where) as persister:
        await persister.save()
    assert place.run("SELECT * FROM tinybase") == [("_", '[{},{"a":1}]')]


ODD = {
    "a view": "CREATE VIEW odd AS SELECT 'a' AS id, 1 AS x",
    "no row ids": "CREATE TABLE odd(key VARCHAR(9) PRIMARY KEY)",
    "a broken trigger": "",
}


# Turso's engine has no views yet.
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [kind for kind in PLACES if kind is not TursoDriver], indirect=True)
async def test_a_table_that_takes_nothing_stops_no_others_and_close_ends(place: Place, odd: str) -> None:
    if ODD[odd]:
        place.run(ODD[odd])
    elif place.is_postgres:
        place.run("CREATE TABLE odd(id TEXT PRIMARY KEY, x TEXT)")
        place.run(
            "CREATE FUNCTION bad() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO none VALUES(1); RETURN NEW; END'"
        )
        place.run("CREATE TRIGGER bad BEFORE INSERT ON odd FOR EACH ROW EXECUTE FUNCTION bad()")
    else:
        place.run("CREATE TABLE odd(id TEXT PRIMARY KEY, x TEXT)")
        place.run("CREATE TRIGGER bad AFTER INSERT ON odd BEGIN INSERT INTO none VALUES(1); END")
    store, errors = Store(), list[Exception]()
    persister = place.make(store, on_error=errors.append)
    persister.first_retry_seconds = 0.01
    await persister.start_auto_save()
    with store.transaction():
        for name in NAMES:
            store.set_row(name, "b", {"x": "y"})
        store.set_value("v", "w")
    await until(lambda: errors != [] and persister.is_at_rest())
    assert all("odd" in str(error) for error in errors)
    for query in ("SELECT x FROM first", "SELECT x FROM last", "SELECT v FROM tinybase_values"):
        assert len(await place.run_between(persister, query)) == 1
    store.set_cell("last", "c", "x", "z")
    with pytest.raises(StorageError, match="odd"):
        await persister.save()
    assert len(await place.run_between(persister, "SELECT x FROM last")) == 2
    told = len(errors)
    await persister.destroy()
    assert len(errors) == told  # not again with each try
    assert place.run("SELECT count(*) FROM last") == [(2,)]


@pytest.mark.parametrize("place", [kind for kind in PLACES if kind not in SQLITES], indirect=True)
async def test_a_table_that_a_role_may_not_write_stops_no_others_and_is_saved_once_it_may(
    place: Place,
) -> None:
    for name in NAMES:
        place.run(f"CREATE TABLE {name}(id TEXT PRIMARY KEY, x TEXT)")
    place.run("DROP ROLE IF EXISTS reader")
    place.run("CREATE ROLE reader")
    place.run("GRANT ALL ON SCHEMA public TO reader")
    place.run("GRANT ALL ON first, last TO reader")
    place.run("GRANT SELECT ON odd TO reader")
    store, errors = Store(), list[Exception]()
    persister = place.make(store, on_error=errors.append)
    persister.first_retry_seconds = 0.01
    # The persister's own sessions, and not that of the test.
    place.run("ALTER ROLE weft SET role = reader")
    try:
        await persister.start_auto_save()
        with store.transaction():
            for name in NAMES:
                store.set_row(name, "b", {"x": "y"})
        await until(lambda: place.run("SELECT x FROM last") == [("y",)])
        await until(lambda: errors != [] and persister.is_at_rest())
        assert len(errors) == 1
        assert "table 'odd' is not saved: permission denied for table odd" in str(errors[0])
        place.run("GRANT ALL ON odd TO reader")
        await until(lambda: place.run("SELECT x FROM odd") == [("y",)])
        await persister.close()
    finally:
        place.run("ALTER ROLE weft RESET role")
        place.run("DROP OWNED BY reader")
        place.run("DROP ROLE reader")
