from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.postgres_suite import run
from weft.persisters import (
    JsonCell,
    PostgresJsonPersister,
    PostgresTablesPersister,
    TableLoad,
    TableSave,
    TablesConfig,
    ValuesTable,
)
from weft.persisters.sql.names import quote
from weft.store import Store
from weft.testing.persisters import PETS, RICH, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.persisters import PostgresDriver


async def test_hostile_and_overlong_names_are_only_names_or_left_out(
    database: PostgresDriver, dsn: str
) -> None:
    tables: Any = Store().set_content(RICH).get_tables()
    config = TablesConfig(
        load={quote(f"hostile {name}"): name for name in tables},
        save={name: quote(f"hostile {name}") for name in tables},
        nulls="absent",
    )
    tables["pets"]["fido"]["x" * 64] = 1
    tables["pets"]["fido"]["é" * 32] = 1
    tables["pets"]["fido"]["y" * 63] = 1
    errors: list[str] = []
    async with PostgresTablesPersister(
        Store().set_tables(tables), database, config, on_error=lambda e: errors.append(str(e))
    ) as persister:
        await persister.save()
    assert len([error for error in errors if "63 bytes long, not 64" in error]) == 2
    assert len(errors) == 3  # and the empty id
    store = Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.load()
    del tables["pets"]["fido"]["x" * 64], tables["pets"]["fido"]["é" * 32]
    del tables["pets"]["9"][""], tables["pets"]["fido"]["owner"]
    assert store.get_tables() == tables


async def test_a_condition_bounds_what_is_loaded_saved_and_deleted(
    database: PostgresDriver, dsn: str
) -> None:
    await run(
        dsn,
        "CREATE TABLE part(_id text PRIMARY KEY, price integer, shop varchar)",
        "INSERT INTO part VALUES('mine', 1, 'here'),('mine too', 2, 'here'),('theirs', 3, 'there')",
    )
    config = TablesConfig(
        load={"part": TableLoad("pets", condition="$tableName.shop='here'")}, save={"pets": "part"}
    )
    store = Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.start_auto_persisting()
        assert store.get_row_ids("pets") == ["mine", "mine too"]
        store.del_row("pets", "mine too")
        store.set_row("pets", "theirs", {"price": 0, "shop": "here"})
        store.set_row("pets", "new", {"price": 4, "shop": "here"})
    expected = [("mine", 1, "here"), ("new", 4, "here"), ("theirs", 3, "there")]
    assert await run(dsn, "SELECT * FROM part ORDER BY _id") == expected


async def test_a_name_that_postgresql_would_cut_off_is_refused_at_once() -> None:
    long = "é" * 32
    for config in (
        TablesConfig(load={long: "t"}),
        TablesConfig(save={"t": long}),
        TablesConfig(load={"t": TableLoad("t", long)}),
        TablesConfig(save={"t": TableSave("t", long)}),
        TablesConfig(values=ValuesTable(load=True, table_name=long)),
        TablesConfig(values=ValuesTable(save=True, table_name=long)),
    ):
        with pytest.raises(ValueError, match="63 bytes long, not 64"):
            PostgresTablesPersister(Store(), "", config)
    for cell in (JsonCell(long), JsonCell("t", long), JsonCell("t", "_id", long)):
        with pytest.raises(ValueError, match="63 bytes long, not 64"):
            PostgresJsonPersister(Store(), "", cell)


async def test_only_columns_of_the_allow_list_are_made(database: PostgresDriver, dsn: str) -> None:
    errors: list[str] = []
    config = TablesConfig(save={"t": TableSave("allowed", columns=["x"])})
    store = Store().set_row("t", "a", {"x": 1, "y": 2})
    async with PostgresTablesPersister(
        store, database, config, on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.save()
    assert await run(dsn, "SELECT * FROM allowed") == [("a", "1")]
    assert len(errors) == 1


async def test_tables_that_others_empty_are_empty_and_are_not_filled_again(
    database: PostgresDriver, dsn: str
) -> None:
    config, store = TablesConfig(load={"emptied": "t"}, save={"t": "emptied"}), Store()
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.start_auto_persisting(({"t": {"a": {"x": 1}}}, {}))
        await until(persister.is_at_rest)
        await run(dsn, "TRUNCATE emptied")
        await until(lambda: not store.has_tables() and persister.is_at_rest())
        assert await run(dsn, "SELECT * FROM emptied") == []


async def test_who_hears_of_each_statement_stops_no_save_by_failing(database: PostgresDriver) -> None:
    errors: list[Exception] = []
    heard: list[tuple[str, list[object]]] = []

    def hear(sql: str, params: Sequence[object]) -> None:
        heard.append((sql, list(params)))
        raise ZeroDivisionError

    async with PostgresJsonPersister(
        Store().set_content(PETS), database, on_sql_command=hear, on_error=errors.append
    ) as persister:
        await persister.save()
    text = Store().set_content(PETS).get_json()
    assert [params for sql, params in heard if sql.startswith("INSERT")] == [["_", text]]
    assert [type(error) for error in errors] == [ZeroDivisionError] * len(heard)
