"""The SQLite persisters on PowerSync's views, through apsw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.node import INTEROP
from support.sqlite_suite import OnAFile
from weft.persisters import (
    ApswDriver,
    SqliteDriver,
    SqliteTablesPersister,
    TableLoad,
    TableSave,
    TablesConfig,
    ValuesTable,
)
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from pathlib import Path

    from weft.changes import Content
    from weft.persisters import Persister


POWERSYNC = INTEROP / "node_modules" / "@powersync" / "node" / "lib" / "libpowersync_x64.linux.so"


def powersync_driver(path: Path) -> ApswDriver:
    """A database with PowerSync's extension and, made once, its schema."""
    driver = ApswDriver(path, extensions=[(str(POWERSYNC), "sqlite3_powersync_init")])
    columns = [{"name": "species", "type": "TEXT"}, {"name": "price", "type": "REAL"}]
    schema = {"tables": [{"name": "pets", "columns": columns, "indexes": []}]}
    driver.open()
    if not driver.execute("SELECT 1 FROM sqlite_schema WHERE name='pets'"):
        driver.execute("BEGIN IMMEDIATE")
        driver.execute("SELECT powersync_init()")
        driver.execute("SELECT powersync_replace_schema(?)", [json.dumps(schema)])
        driver.execute("COMMIT")
    return driver


POWERSYNC_CONFIG = TablesConfig(
    load={"pets": TableLoad("pets", row_id_column_name="id")},
    save={"pets": TableSave("pets", row_id_column_name="id", columns=["species", "price"])},
    values=ValuesTable(load=True, save=True, table_name="values0"),
    nulls="absent",
    auto_load_interval_seconds=0.01,
)


@pytest.mark.usefixtures("_node")
class TestPowerSync(OnAFile):
    """Rows in its views, which take no upsert; values beside them in a table of SQLite's own."""

    mode = "tables"
    contents = (PETS, MORE)

    @pytest.fixture(autouse=True)
    def number_of_the_values(self, ground: None) -> None:
        self.number = 0

    def connect(self) -> SqliteDriver:
        return powersync_driver(self.path)

    def make(self, store: Store, **options: Any) -> Persister:
        return SqliteTablesPersister(store, self._driver(), POWERSYNC_CONFIG, **options)

    async def read_raw(self) -> Content | None:
        rows = await self.run(("SELECT id, species, price FROM pets", ()))
        pets = {str(row_id): {"species": species, "price": price} for row_id, species, price in rows}
        ((open_,),) = await self.run(("SELECT open FROM values0", ()))
        return {"pets": pets}, {"open": open_}

    async def write_raw(self, content: Content) -> None:
        await self.run(
            ("DELETE FROM pets", ()),
            *(
                ("INSERT INTO pets(id, species, price) VALUES(?,?,?)", (row_id, row["species"], row["price"]))
                for row_id, row in content[0]["pets"].items()
            ),
            ("DROP TABLE IF EXISTS values0", ()),
            ("CREATE TABLE values0(_id PRIMARY KEY, open)", ()),
            ("INSERT INTO values0 VALUES('_',?)", (content[1]["open"],)),
        )

    async def write_bad(self) -> None:
        await self.run(("DROP TABLE IF EXISTS values0", ()), ("CREATE TABLE values0(no_row_ids)", ()))


@pytest.mark.usefixtures("_node")
async def test_powersync_queues_what_is_saved_and_what_it_brings_is_loaded(tmp_path: Path) -> None:
    driver = powersync_driver(tmp_path / "sync.db")
    store = Store().set_row("pets", "fido", {"species": "dog", "price": 5})
    async with SqliteTablesPersister(store, driver, POWERSYNC_CONFIG) as persister:
        await persister.start_auto_persisting()
        store.set_cell("pets", "fido", "price", 6)
        await until(persister.is_at_rest)
        store.del_row("pets", "fido")
        await until(persister.is_at_rest)
        queue = [json.loads(str(row[0])) for row in driver.execute("SELECT data FROM ps_crud ORDER BY id")]
        assert [(item["op"], item["id"], item.get("data")) for item in queue] == [
            ("PUT", "fido", {"species": "dog", "price": 5}),
            ("PATCH", "fido", {"price": 6}),
            ("DELETE", "fido", None),
        ]
        driver.execute("INSERT INTO pets(id, species) VALUES('rex', 'dog')")
        await until(lambda: store.get_row("pets", "rex") == {"species": "dog"})
    driver.close()
