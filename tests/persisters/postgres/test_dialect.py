"""PostgreSQL's types and names: what a column is given, and what it cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.postgres_suite import run
from weft.errors import StorageError
from weft.persisters import PostgresJsonPersister, PostgresTablesPersister, TableLoad, TableSave, TablesConfig
from weft.store import Store
from weft.testing.persisters import MORE

if TYPE_CHECKING:
    from support.postgres import PostgresServer
    from weft.persisters import PostgresDriver


async def test_the_cells_of_the_tables_are_json_text_as_tinybase_writes_it(
    database: PostgresDriver, dsn: str
) -> None:
    store = Store()
    store.set_row("rich", "fido", {"s": "dog", "b": True, "n": 1.5, "z": None, "l": [1, {"a": 2}]})
    config = TablesConfig(load={"rich": "rich"}, save={"rich": "rich"}, nulls="absent")
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.save()
        assert await run(dsn, "SELECT _id, s, b, n, z, l FROM rich") == [
            ("fido", '"dog"', "true", "1.5", None, '"\ufffd[1,{\\"a\\":2}]"')
        ]
        other = Store()
        async with PostgresTablesPersister(other, database, config) as reader:
            await reader.load()
        store.del_cell("rich", "fido", "z")
        assert other.get_tables() == store.get_tables()


async def test_typed_columns_are_respected(database: PostgresDriver, dsn: str) -> None:
    await run(
        dsn,
        "CREATE TABLE typed(id integer PRIMARY KEY, sold boolean, tags jsonb, name varchar(20),"
        " price numeric(10,2), weight double precision, length real, born date, note text)",
        """INSERT INTO typed VALUES(7, true, '["big",{"a":1}]', 'Fido', 12.50, 1.5, 1.1, '2020-01-02',"""
        " 'plain')",
    )
    config = TablesConfig(
        load={"typed": TableLoad("t", "id")}, save={"t": TableSave("typed", "id")}, nulls="absent"
    )
    store = Store()
    async with PostgresTablesPersister(store, database, config, text="plain") as persister:
        await persister.start_auto_persisting()
        fido = {
            "sold": True, "tags": ["big", {"a": 1}], "name": "Fido", "price": 12.5, "weight": 1.5,
            "length": 1.1, "born": "2020-01-02", "note": "plain",
        }  # fmt: skip
        assert store.get_tables() == {"t": {"7": fido}}
        store.set_row("t", "8", {**fido, "sold": False, "tags": {"deep": [None]}, "born": "2021-03-04"})
        store.set_cell("t", "7", "price", 13)
    assert await run(
        dsn, "SELECT id, sold, tags::text, price::text, born::text, note FROM typed ORDER BY id"
    ) == [
        (7, True, '["big", {"a": 1}]', "13.00", "2020-01-02", "plain"),
        (8, False, '{"deep": [null]}', "12.50", "2021-03-04", "plain"),
    ]


async def test_a_row_id_with_nul_is_left_out_told_once_and_stops_no_other_row(
    database: PostgresDriver, dsn: str, postgres: PostgresServer
) -> None:
    errors: list[str] = []
    config = TablesConfig(load={"nul": "nul"}, save={"nul": "nul"})
    store = Store().set_tables({"nul": {"a": {"x": "b\0"}, "c\0": {"x": 1}}})
    async with PostgresTablesPersister(
        store, database, config, on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.save()
        await persister.start_auto_save()
        store.set_cell("nul", "c\0", "x", 2)
        store.set_cell("nul", "d", "x", 3)
    assert errors == ["row 'c\\x00' of table 'nul' is not saved: NUL in its id"]
    expected = [("a", '"b\\u0000"'), ("d", "3")]
    assert await run(dsn, "SELECT _id, x FROM nul ORDER BY _id") == expected


async def test_a_cell_with_nul_is_left_out_where_its_column_cannot_hold_it_and_stops_no_other(
    database: PostgresDriver, dsn: str
) -> None:
    await run(
        dsn,
        "CREATE TABLE nuls(_id text PRIMARY KEY, plain text, short varchar, any_ json, binary_ jsonb,"
        " n integer)",
        """INSERT INTO nuls VALUES('old', 'kept', 'kept', '1', '"kept"', 1)""",
    )
    errors: list[str] = []
    config = TablesConfig(load={"nuls": "t"}, save={"t": "nuls"}, nulls="absent")
    store = Store()
    async with PostgresTablesPersister(
        store, database, config, text="plain", on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.start_auto_persisting()
        store.set_row(
            "t",
            "old",
            {"plain": "a\0", "short": "\0", "any_": ["\0"], "binary_": {"a\0": 1}, "n": 2},
        )
        store.set_row("t", "backslash", {"binary_": ["\\u0000"], "short": "\\u0000"})
        store.set_row("t", "lost", {"plain": "\0"})
        await persister.stop_auto_save()
        select = "SELECT _id, plain, short, any_::text, binary_::text, n FROM nuls ORDER BY _id"
        backslash = ("backslash", None, "\\u0000", None, '["\\\\u0000"]', None)
        assert await run(dsn, select) == [backslash, ("old", "kept", "kept", '["\\u0000"]', '"kept"', 2)]
        assert sorted(errors) == [
            "cell 'binary_' of row 'old' of table 'nuls' is not saved: it contains NUL",
            "cell 'plain' of row 'lost' of table 'nuls' is not saved: it contains NUL",
            "cell 'plain' of row 'old' of table 'nuls' is not saved: it contains NUL",
            "cell 'short' of row 'old' of table 'nuls' is not saved: it contains NUL",
        ]
        await persister.save()
        assert len(errors) == 4
        whole = [backslash, ("lost", *[None] * 5), ("old", None, None, '["\\u0000"]', None, 2)]
        assert await run(dsn, select) == whole


@pytest.mark.parametrize("kind", ["text", "varchar", "json", "jsonb"])
async def test_the_one_cell_of_json_mode_may_be_of_any_type_of_text(
    database: PostgresDriver, dsn: str, kind: str
) -> None:
    await run(dsn, f"CREATE TABLE tinybase(_id text PRIMARY KEY, store {kind})")
    store = Store().set_content(MORE)
    async with PostgresJsonPersister(store, database) as persister:
        await persister.start_auto_persisting()
        store.set_value("open", "\\u0000")
    store.set_value("nul", "\0")
    async with PostgresJsonPersister(store, database) as persister:
        if kind == "jsonb":
            with pytest.raises(StorageError, match="Unicode escape"):
                await persister.save()
            store.del_value("nul")
        await persister.save()
    read = Store()
    async with PostgresJsonPersister(read, database) as persister:
        await persister.load()
    assert read.get_content() == store.get_content()


async def test_text_that_is_too_long_for_its_column_is_an_error_and_not_cut_off(
    database: PostgresDriver, dsn: str
) -> None:
    await run(dsn, "CREATE TABLE short(_id varchar(3) PRIMARY KEY, x varchar(3), y char(3), z bit(3))")
    row = {"x": "abc", "y": "de", "z": "101"}
    config, store = TablesConfig(save={"t": "short"}), Store().set_row("t", "abc", row)
    async with PostgresTablesPersister(store, database, config) as persister:
        await persister.save()
        for row_id, cell_id in (("abc", "x"), ("abc", "y"), ("abc", "z"), ("1011", "z")):
            store.set_row("t", row_id, {cell_id: "1011"})
            with pytest.raises(StorageError, match=r"too long|does not match type bit"):
                await persister.save()
            store.set_table("t", {"abc": row})
        await persister.save()
    assert await run(dsn, "SELECT _id, x, y, z::text FROM short") == [("abc", "abc", "de ", "101")]


@pytest.mark.parametrize(
    ("kind", "row_id", "other"),
    [
        ("integer", "1", "01"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
    ],
)
async def test_a_row_id_that_the_database_takes_for_another_is_left_out(
    database: PostgresDriver, dsn: str, kind: str, row_id: str, other: str
) -> None:
    await run(dsn, f"CREATE TABLE forms(_id {kind} PRIMARY KEY, x integer)")
    config, errors = TablesConfig(load={"forms": "t"}, save={"t": "forms"}), list[str]()
    store = Store().set_table("t", {row_id: {"x": 1}, other: {"x": 2}})
    async with PostgresTablesPersister(
        store, database, config, on_error=lambda error: errors.append(str(error))
    ) as persister:
        await persister.save()
    assert await run(dsn, "SELECT _id::text, x FROM forms") == [(row_id, 1)]
    assert len(errors) == 1
    assert "another form" in errors[0]
