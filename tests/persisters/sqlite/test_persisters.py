from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from support.tables_suite import expect_refusal_without_row_ids
from weft.errors import StorageError
from weft.persisters import (
    JsonCell,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TableLoad,
    TableSave,
    TablesConfig,
    ValuesTable,
)
from weft.persisters.sql.names import quote
from weft.store import Store
from weft.testing.persisters import MORE, PETS, RICH, KillSuite, until

if TYPE_CHECKING:
    from pathlib import Path

    from weft.changes import Content
    from weft.persisters import Persister

PETS_CONFIG = TablesConfig(
    load={"pets": "pets"},
    save={"pets": "pets"},
    values=ValuesTable(load=True, save=True),
    nulls="absent",
    auto_load_interval_seconds=0.01,
)


def run(path: Path, *statements: str) -> list[Any]:
    """Run statements round the persister; the rows of the last one."""
    rows: list[Any] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        for statement in statements:
            rows = db.execute(statement).fetchall()
        db.execute("COMMIT")
    return rows


class TestJson(KillSuite):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    def make(self, store: Store, **options: Any) -> Persister:
        return SqliteJsonPersister(store, self.path, auto_load_interval_seconds=0.01, **options)

    async def read_raw(self) -> Content | None:
        if not run(self.path, "SELECT 1 FROM sqlite_schema WHERE name='tinybase'"):
            return None
        ((text,),) = run(self.path, """SELECT store FROM tinybase WHERE _id='_'""")
        return Store().set_json(text).get_content()

    def _write(self, text: str) -> None:
        run(
            self.path,
            'CREATE TABLE IF NOT EXISTS "tinybase"("_id" PRIMARY KEY,"store")',
            "INSERT OR REPLACE INTO tinybase VALUES('_','{}')".format(text.replace("'", "''")),
        )

    async def write_raw(self, content: Content) -> None:
        self._write(Store().set_content(content).get_json())

    async def write_bad(self) -> None:
        self._write("[{")

    def child_source(self) -> str:
        return (
            "from weft.persisters import SqliteJsonPersister\n"
            f"def make(store):\n    return SqliteJsonPersister(store, {str(self.path)!r})\n"
        )


class TestTables(KillSuite):
    contents = (PETS, MORE)  # a column has one type of name for all rows; RICH is tried below

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    def make(self, store: Store, **options: Any) -> Persister:
        return SqliteTablesPersister(store, self.path, PETS_CONFIG, **options)

    async def read_raw(self) -> Content | None:
        with closing(sqlite3.connect(self.path)) as db:
            db.row_factory = sqlite3.Row
            rows = [dict(row) for row in db.execute("SELECT * FROM pets")]
            values = [dict(row) for row in db.execute("SELECT * FROM tinybase_values")]
        for value in values:
            assert value.pop("_id") == "_"
        return {"pets": {row.pop("_id"): row for row in rows}}, values[0]

    async def write_raw(self, content: Content) -> None:
        tables, values = content
        statements = [
            "DROP TABLE IF EXISTS pets",
            "CREATE TABLE pets(_id PRIMARY KEY, species, price)",
            "DROP TABLE IF EXISTS tinybase_values",
            "CREATE TABLE tinybase_values(_id PRIMARY KEY, open)",
            f"INSERT INTO tinybase_values VALUES('_','{values['open']}')",
        ]
        for row_id, row in tables["pets"].items():
            statements.append(f"INSERT INTO pets VALUES('{row_id}','{row['species']}',{row['price']})")
        run(self.path, *statements)

    async def write_bad(self) -> None:
        run(
            self.path,
            "DROP TABLE IF EXISTS pets",
            "CREATE TABLE pets(no_row_ids)",
            "INSERT INTO pets VALUES(1)",
        )

    def child_source(self) -> str:
        return (
            "from weft.persisters import SqliteTablesPersister, TablesConfig, ValuesTable\n"
            "config = TablesConfig(load={'pets': 'pets'}, save={'pets': 'pets'},"
            " values=ValuesTable(load=True, save=True))\n"
            f"def make(store):\n    return SqliteTablesPersister(store, {str(self.path)!r}, config)\n"
        )

    async def test_bad_stored_data_is_an_error_and_a_save_repairs_it(self) -> None:
        """A table without row ids is somebody else's: it is refused, and not repaired."""
        await expect_refusal_without_row_ids(self)
        assert run(self.path, "SELECT * FROM pets") == [(1,)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


async def save(path: Path, content: Content, config: TablesConfig, **options: Any) -> None:
    async with SqliteTablesPersister(Store().set_content(content), path, config, **options) as persister:
        await persister.save()


async def load(path: Path, config: TablesConfig, **options: Any) -> Content:
    store = Store()
    async with SqliteTablesPersister(store, path, config, **options) as persister:
        await persister.load()
    return store.get_content()


BOTH = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"}, nulls="absent")


async def test_the_tables_are_those_that_tinybase_makes(path: Path) -> None:
    commands: list[str] = []
    await save(path, PETS, PETS_CONFIG, on_sql_command=lambda sql, params: commands.append(sql))
    assert run(path, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name") == [
        ('CREATE TABLE "pets"("_id" PRIMARY KEY,"species","price")',),
        ('CREATE TABLE "tinybase_values"("_id" PRIMARY KEY,"open")',),
    ]
    assert run(path, "SELECT * FROM pets") == [("fido", "dog", 5)]
    assert run(path, "SELECT * FROM tinybase_values") == [("_", "yes")]
    assert any(command.startswith('INSERT INTO "pets"') for command in commands)


async def test_columns_are_made_in_the_order_in_which_cells_were_set(path: Path) -> None:
    store = Store()
    async with SqliteTablesPersister(store, path, PETS_CONFIG) as persister:
        await persister.start_auto_persisting()
        store.set_row("pets", "fido", dict.fromkeys("zyxabcdefg", 1))
        store.set_values(dict.fromkeys("zyxabcdefg", 1))
    assert run(path, "SELECT group_concat(name, '') FROM pragma_table_info('pets')") == [("_idzyxabcdefg",)]
    assert run(path, "SELECT group_concat(name, '') FROM pragma_table_info('tinybase_values')") == [
        ("_idzyxabcdefg",)
    ]


async def test_hostile_names_of_tables_columns_and_rows_are_only_names(path: Path) -> None:
    config = TablesConfig(
        load={quote(name): name for name in RICH[0]},
        save={name: quote(name) for name in RICH[0]},
        nulls="absent",
    )
    tables: Any = Store().set_content(RICH).get_tables()
    errors: list[Exception] = []
    await save(path, (tables, {}), config, on_error=errors.append)
    assert [str(error) for error in errors] == [
        "cell '' is not saved in table '\"pets\"': a name in a database cannot be empty"
    ]
    del tables["pets"]["9"][""]
    del tables["pets"]["fido"]["owner"]
    tables["pets"]["fido"]["sold"] = 1  # an untyped column knows no booleans
    assert (await load(path, config))[0] == tables


async def test_a_saved_change_costs_the_change_and_touches_nothing_else(path: Path) -> None:
    pets: Any = {str(number): {"species": "dog", "price": number} for number in range(1000)}
    await save(path, ({"pets": pets}, {}), BOTH)
    ran: list[tuple[str, Any]] = []
    store = Store()
    async with SqliteTablesPersister(
        store, path, BOTH, on_sql_command=lambda sql, params: ran.append((sql, params))
    ) as persister:
        await persister.start_auto_persisting()
        ran.clear()
        store.set_cell("pets", "7", "price", 700)
        store.del_row("pets", "8")
        store.set_row("pets", "new", {"species": "cat", "color": "red"})
        await persister.stop_auto_save()
    writes = [(sql, params) for sql, params in ran if not sql.startswith("SELECT")]
    assert ('DELETE FROM "pets" WHERE "_id"=?', [("8",)]) in writes
    assert 'ALTER TABLE "pets" ADD "color"' in [sql for sql, _ in writes]
    assert sum(len(params) for sql, params in writes if sql.startswith("INSERT")) == 2
    # One look whether any id is a number, which an index answers.
    read = [sql for sql, _ in ran if sql.startswith("SELECT") and 'FROM "pets"' in sql]
    assert read == ["""SELECT 1 FROM "pets" WHERE "_id"<'' LIMIT 1"""]
    assert run(path, "SELECT count(*), sum(price) FROM pets") == [(1000, sum(range(1000)) - 7 - 8 + 700)]


async def test_typed_columns_are_respected(path: Path) -> None:
    run(
        path,
        "CREATE TABLE pets(id INTEGER PRIMARY KEY, sold BOOLEAN, tags JSON, born TEXT, price REAL)",
        """INSERT INTO pets VALUES(7, 1, '["big",{"a":1}]', '2020', 5.0)""",
        "INSERT INTO pets VALUES(8, 0, '\"text\"', NULL, 5.5)",
    )
    config = TablesConfig(
        load={"pets": TableLoad("pets", "id")}, save={"pets": TableSave("pets", "id")}, nulls="absent"
    )
    tables, _ = await load(path, config)
    assert tables["pets"] == {
        "7": {"sold": True, "tags": ["big", {"a": 1}], "born": "2020", "price": 5},
        "8": {"sold": False, "tags": "text", "price": 5.5},
    }
    store = Store()
    async with SqliteTablesPersister(store, path, config) as persister:
        await persister.start_auto_persisting()
        store.set_row("pets", "9", {"sold": True, "tags": {"deep": [True, None]}, "born": "2021", "price": 1})
        store.set_cell("pets", "8", "sold", True)
    assert run(path, "SELECT *, typeof(id), typeof(sold), typeof(tags) FROM pets WHERE id=9") == [
        (9, 1, '{"deep":[true,null]}', "2021", 1.0, "integer", "integer", "text")
    ]
    assert (await load(path, config))[0] == store.get_tables()


@pytest.mark.parametrize("drop", [False, True])
async def test_a_full_save_leaves_alone_what_the_store_could_not_take(path: Path, drop: bool) -> None:
    """BLOBs, and integers that are no JavaScript numbers, in a database of somebody else's."""
    run(
        path,
        "CREATE TABLE pets(id REAL PRIMARY KEY, name TEXT, photo BLOB, chip INTEGER, note)",
        "INSERT INTO pets VALUES(1, 'Fido', x'00ff', 9007199254740993, 'a'),(2, 'Felix', NULL, 5, x'00')",
        "INSERT INTO pets VALUES(3, NULL, x'01', NULL, NULL),(4, 'Rex', x'02', 6, 'b')",
        "CREATE TABLE tinybase_values(_id PRIMARY KEY, logo BLOB)",
        "INSERT INTO tinybase_values VALUES('_', x'07')",
    )
    config = TablesConfig(
        load={"pets": TableLoad("pets", "id")},
        save={"pets": TableSave("pets", "id", delete_empty_columns=drop, delete_empty_table=drop)},
        values=ValuesTable(load=True, save=True),
        nulls="absent",
    )
    store, errors = Store(), list[Exception]()
    async with SqliteTablesPersister(store, path, config, on_error=errors.append) as persister:
        await persister.load()
        assert len(errors) == 1
        store.set_cell("pets", "1", "name", "Fido II").del_row("pets", "4")
        store.set_cell("pets", "2", "note", "text now")
        await persister.save()
        assert run(path, "SELECT * FROM pets ORDER BY id") == [
            (1.0, "Fido II", b"\0\xff", 9007199254740993, "a"),
            (2.0, "Felix", None, 5, "text now"),
            (3.0, None, b"\1", None, None),
        ]
        assert run(path, "SELECT * FROM tinybase_values") == [("_", b"\7")]
        store.del_tables()
        await persister.save()
        # The third row was never the Store's.
        assert run(path, "SELECT id, photo FROM pets") == [(3.0, b"\1")]
        assert run(path, "SELECT * FROM tinybase_values") == [("_", b"\7")]


async def test_booleans_of_the_stores_schema_make_columns_that_keep_them(path: Path) -> None:
    store = Store()
    store.set_tables_schema({"pets": {"sold": {"type": "boolean"}, "name": {"type": "string"}}})
    store.set_row("pets", "fido", {"sold": True, "name": "Fido"})
    async with SqliteTablesPersister(store, path, BOTH) as persister:
        await persister.save()
    assert (await load(path, BOTH))[0] == {"pets": {"fido": {"sold": True, "name": "Fido"}}}


async def test_a_null_is_none_unless_it_is_to_be_absent(path: Path) -> None:
    content: Content = ({"pets": {"a": {"x": 1}, "b": {"y": None}}}, {})
    await save(path, content, BOTH)
    assert (await load(path, BOTH))[0] == {"pets": {"a": {"x": 1}}}
    dense = TablesConfig(load={"pets": "pets"})
    assert (await load(path, dense))[0] == {"pets": {"a": {"x": 1, "y": None}, "b": {"x": None, "y": None}}}


async def test_a_condition_bounds_what_is_loaded_saved_and_deleted(path: Path) -> None:
    run(
        path,
        "CREATE TABLE pets(_id PRIMARY KEY, price, shop)",
        "INSERT INTO pets VALUES('mine', 1, 'here'),('mine too', 2, 'here'),('theirs', 3, 'there')",
    )
    config = TablesConfig(
        load={"pets": TableLoad("pets", condition="$tableName.shop='here'")}, save={"pets": "pets"}
    )
    store = Store()
    async with SqliteTablesPersister(store, path, config) as persister:
        await persister.load()
        assert store.get_row_ids("pets") == ["mine", "mine too"]
        store.del_row("pets", "mine too")
        store.set_row("pets", "theirs", {"price": 0, "shop": "here"})  # not ours to overwrite
        store.set_row("pets", "new", {"price": 4, "shop": "here"})
        await persister.save()
        expected = [("mine", 1, "here"), ("new", 4, "here"), ("theirs", 3, "there")]
        assert run(path, "SELECT * FROM pets ORDER BY _id") == expected
        await persister.start_auto_save()
        store.del_table("pets")
    assert run(path, "SELECT * FROM pets") == [("theirs", 3, "there")]


async def test_only_the_values_asked_for_are_loaded_and_saved(path: Path) -> None:
    run(
        path,
        "CREATE TABLE tinybase_values(_id PRIMARY KEY, a, b, c)",
        "INSERT INTO tinybase_values VALUES('_', 1, 2, 3)",
    )
    config = TablesConfig(values=ValuesTable(load=["a", "b"], save=["b", "d"]))
    store = Store()
    async with SqliteTablesPersister(store, path, config) as persister:
        await persister.start_auto_persisting()
        assert store.get_values() == {"a": 1, "b": 2}
        store.set_partial_values({"a": 10, "b": 20, "c": 30, "d": 40})
        await until(persister.is_at_rest)
        assert run(path, "SELECT a, b, c, d FROM tinybase_values") == [(1, 20, 3, 40)]
        store.del_value("b")
        await persister.save()
    assert run(path, "SELECT a, b, c, d FROM tinybase_values") == [(1, None, 3, 40)]


async def test_empty_columns_and_tables_go_where_that_is_wanted(path: Path) -> None:
    config = TablesConfig(
        save={"pets": TableSave("pets", delete_empty_columns=True, delete_empty_table=True), "kept": "kept"}
    )
    await save(path, ({"pets": {"a": {"x": 1, "y": 2}}, "kept": {"a": {"x": 1, "y": 2}}}, {}), config)
    await save(path, ({"pets": {"a": {"y": 3}}, "kept": {"a": {"y": 3}}}, {}), config)
    assert run(path, "SELECT * FROM pets") == [("a", 3)]
    assert run(path, "SELECT * FROM kept") == [("a", None, 3)]
    await save(path, ({}, {}), config)
    assert run(path, "SELECT name FROM sqlite_schema WHERE type='table'") == [("kept",)]
    assert run(path, "SELECT * FROM kept") == []


async def test_only_allowed_columns_are_made_and_each_refusal_is_told_once(path: Path) -> None:
    config = TablesConfig(save={"pets": TableSave("pets", columns=["species", "price"])})
    errors: list[str] = []
    store = Store().set_content(PETS)
    async with SqliteTablesPersister(store, path, config, on_error=lambda e: errors.append(str(e))) as p:
        await p.start_auto_save()
        store.set_cell("pets", "fido", "evil", 1)
        await until(p.is_at_rest)
        store.set_cell("pets", "fido", "evil", 2).set_cell("pets", "fido", "price", 6)
    assert run(path, "SELECT * FROM pets") == [("fido", "dog", 6)]
    assert errors == ["cell 'evil' is not saved in table 'pets': it is not among the columns allowed"]


@pytest.mark.parametrize("cell_id", ["_id", "_ID", "rowid", "OID", "Species", "a\0b"])
async def test_cells_whose_names_the_database_mistakes_are_left_out_and_told(
    path: Path, cell_id: str
) -> None:
    errors: list[str] = []
    store = Store().set_content(PETS)
    store.set_cell("pets", "fido", cell_id, 1)
    async with SqliteTablesPersister(store, path, BOTH, on_error=lambda e: errors.append(str(e))) as p:
        await p.save()
    assert len(errors) == 1
    assert (await load(path, BOTH))[0] == PETS[0]


async def test_a_table_whose_row_ids_are_not_unique_by_itself_is_written_all_the_same(path: Path) -> None:
    run(path, "CREATE TABLE pets(_id, species, price)", "INSERT INTO pets VALUES('fido','dog',1)")
    store = Store()
    async with SqliteTablesPersister(store, path, BOTH) as persister:
        await persister.start_auto_persisting()
        store.set_cell("pets", "fido", "price", 2)
        store.set_row("pets", "felix", {"species": "cat"})
    assert run(path, "SELECT * FROM pets") == [("fido", "dog", 2), ("felix", "cat", None)]
    assert run(path, "SELECT name FROM sqlite_schema") == [("pets",)]


async def test_two_persisters_share_a_connection(path: Path) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False)) as db:
        tables, text = Store(), Store()
        async with (
            SqliteTablesPersister(tables, db, PETS_CONFIG) as first,
            SqliteJsonPersister(text, db, auto_load_interval_seconds=0.01) as second,
        ):
            assert first._turns is second._turns
            await first.start_auto_persisting(PETS)
            await second.start_auto_persisting(MORE)
            for number in range(10):
                tables.set_cell("pets", "fido", "price", number)
                text.set_cell("pets", "fido", "price", -number)
        assert db.execute("SELECT price FROM pets").fetchall() == [(9,)]
        ((stored,),) = db.execute("SELECT store FROM tinybase").fetchall()
    assert json.loads(stored)[0]["pets"]["fido"]["price"] == -9


async def test_a_connection_of_another_thread_is_refused_with_the_reason(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        async with SqliteJsonPersister(Store(), db) as persister:
            with pytest.raises(StorageError, match="thread"):
                await persister.load()


@pytest.mark.parametrize("config", [None, BOTH])
async def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(path: Path, config: Any) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at " * 100)
    before = path.read_bytes()
    store = Store().set_content(PETS)
    persister: Persister = (
        SqliteJsonPersister(store, path) if config is None else SqliteTablesPersister(store, path, config)
    )
    async with persister:
        for verb in (persister.load, persister.save):
            with pytest.raises(StorageError, match="not a database"):
                await verb()
    assert path.read_bytes() == before
    assert store.get_content() == PETS


async def test_a_full_database_is_an_error_and_saving_resumes_when_there_is_room(path: Path) -> None:
    errors: list[Exception] = []
    with closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as db:
        store = Store()
        async with SqliteTablesPersister(store, db, BOTH, on_error=errors.append) as persister:
            persister.first_retry_seconds = 0.01
            await persister.start_auto_persisting(({"pets": PETS[0]["pets"]}, {}))
            db.execute("PRAGMA max_page_count=4")
            store.set_cell("pets", "fido", "species", "x" * 100_000)
            await until(lambda: len(errors) > 1)
            assert "full" in str(errors[0])
            assert db.execute("SELECT species FROM pets").fetchall() == [("dog",)]
            with pytest.raises(StorageError, match="full"):
                await persister.save()
            db.execute("PRAGMA max_page_count=1000")
            await until(persister.is_at_rest)
        assert db.execute("SELECT length(species) FROM pets").fetchall() == [(100_000,)]


async def test_a_database_locked_by_another_is_waited_for(path: Path) -> None:
    await save(path, PETS, PETS_CONFIG)
    errors: list[Exception] = []
    store = Store()
    async with SqliteTablesPersister(store, path, PETS_CONFIG, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE tinybase_values SET open='changed'")
            store.set_cell("pets", "fido", "price", 6)
            other.execute("COMMIT")
        await until(persister.is_at_rest)
        await until(lambda: store.get_value("open") == "changed")
        assert store.get_cell("pets", "fido", "price") == 6
    assert errors == []


async def test_json_mode_takes_other_names(path: Path) -> None:
    cell = JsonCell("my store", "key", "content")
    async with SqliteJsonPersister(Store().set_content(PETS), path, cell) as persister:
        await persister.save()
    assert run(path, 'SELECT key, content FROM "my store"') == [("_", Store().set_content(PETS).get_json())]
    run(path, "CREATE TABLE other(a, b)")
    async with SqliteJsonPersister(Store(), path, "other") as persister:
        with pytest.raises(StorageError, match="no column '_id'"):
            await persister.load()


async def test_tables_that_others_empty_are_empty_and_are_not_filled_again(path: Path) -> None:
    config = TablesConfig(
        load={"pets": "pets"}, save={"pets": "pets"}, nulls="absent", auto_load_interval_seconds=0.01
    )
    store = Store()
    async with SqliteTablesPersister(store, path, config) as persister:
        await persister.start_auto_persisting(({"pets": {"fido": {"price": 5}}}, {}))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            for row_id in ("felix", "cujo"):
                other.execute("DELETE FROM pets")
                await until(lambda: not store.has_tables() and persister.is_at_rest())
                assert other.execute("SELECT * FROM pets").fetchall() == []
                other.execute("INSERT INTO pets VALUES(?,6)", (row_id,))
                await until(lambda row_id=row_id: store.has_row("pets", row_id))  # type: ignore[misc]


async def test_tables_that_never_held_anything_get_the_initial_content(path: Path) -> None:
    config = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"})
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE pets(_id PRIMARY KEY, price)")
    async with SqliteTablesPersister(Store(), path, config) as persister:
        await persister.start_auto_persisting(({"pets": {"fido": {"price": 5}}}, {}), start_save_first=True)
    assert await load(path, config) == ({"pets": {"fido": {"price": 5}}}, {})


@pytest.mark.parametrize("kind", ["json", "tables"])
async def test_who_fails_to_hear_of_a_statement_stops_no_save(kind: str, path: Path) -> None:
    errors: list[Exception] = []
    heard: list[str] = []

    def hear(sql: str, params: object) -> None:
        heard.append(sql)
        raise ZeroDivisionError

    store = Store().set_content(PETS)
    options: Any = {"on_sql_command": hear, "on_ignored_error": errors.append}
    async with (
        SqliteJsonPersister(store, path, **options)
        if kind == "json"
        else SqliteTablesPersister(store, path, PETS_CONFIG, **options)
    ) as persister:
        await persister.save()
        await persister.load()
    assert store.get_content() == PETS
    assert [type(error) for error in errors] == [ZeroDivisionError] * len(heard)
    assert any(sql.startswith("INSERT") for sql in heard)


@pytest.mark.parametrize("kind", ["INTEGER", "INT", "NUMERIC"])
async def test_a_row_id_that_the_database_takes_for_another_is_left_out(kind: str, path: Path) -> None:
    config = TablesConfig(
        load={"pets": TableLoad("pets", "id")}, save={"pets": TableSave("pets", "id")}, nulls="absent"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"CREATE TABLE pets(id {kind} PRIMARY KEY, price)")
        other.execute("INSERT INTO pets VALUES(1, 5), (2, 6)")
        errors: list[str] = []
        store = Store()
        async with SqliteTablesPersister(
            store, path, config, on_error=lambda error: errors.append(str(error))
        ) as persister:
            await persister.start_auto_persisting()
            for row_id in ("01", " 1", "1.0", "1e0", "+1"):
                store.set_cell("pets", row_id, "price", 7)
            store.set_cell("pets", "-3", "price", 8)
            await until(persister.is_at_rest)
            await persister.save()
            store.del_row("pets", "01")
            await until(persister.is_at_rest)
            rows = other.execute("SELECT id, price FROM pets ORDER BY id").fetchall()
            assert rows == [(-3, 8), (1, 5), (2, 6)]
            assert len(errors) == 5
            assert all("another form" in error for error in errors)
