"""The same places, used by weft and by TinyBase in Node at the same time."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from support.persister_peer import TinyBasePeer
from support.ports import free_port
from weft.persisters import (
    AsyncpgDriver,
    FilePersister,
    LibsqlDriver,
    PostgresDriver,
    PostgresJsonPersister,
    PostgresTablesPersister,
    PsycopgDriver,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TablesConfig,
    ValuesTable,
)
from weft.store import Store
from weft.testing.persisters import MORE, PETS, RICH, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.postgres import PostgresServer
    from support.sqld import Sqld
    from weft.changes import Content
    from weft.persisters import Persister

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("_node")]

JS_TABLES = {
    "mode": "tabular",
    "tables": {"load": {"pets": "pets"}, "save": {"pets": "pets"}},
    "values": {"load": True, "save": True},
    "autoLoadIntervalSeconds": 0.02,
}
TABLES = TablesConfig(
    load={"pets": "pets"},
    save={"pets": "pets"},
    values=ValuesTable(load=True, save=True),
    auto_load_interval_seconds=0.02,
)

NUMBERS = itertools.count()

Place = tuple["Callable[[Store], Persister]", TinyBasePeer, "tuple[Content, ...]"]


@pytest.fixture(params=["file", "sqlite json", "sqlite tables"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    path = tmp_path / "place"
    if request.param == "file":
        return (
            lambda store: FilePersister(store, path),
            TinyBasePeer("file", path=str(path)),
            (PETS, MORE, RICH),
        )
    if request.param == "sqlite json":
        config: Any = {"mode": "json", "autoLoadIntervalSeconds": 0.02}
        return (
            lambda store: SqliteJsonPersister(store, path, auto_load_interval_seconds=0.02),
            TinyBasePeer("libsql", path=str(path), config=config),
            (PETS, MORE, RICH),
        )
    return (
        lambda store: SqliteTablesPersister(store, path, TABLES),
        TinyBasePeer("libsql", path=str(path), config=JS_TABLES),
        (PETS, MORE),
    )


@pytest.fixture(params=["asyncpg json", "asyncpg tables", "psycopg json", "psycopg tables"])
def postgres_place(request: pytest.FixtureRequest, postgres: PostgresServer) -> Place:
    number = next(NUMBERS)
    kind = AsyncpgDriver if "asyncpg" in request.param else PsycopgDriver
    driver: PostgresDriver = kind(postgres.dsn)
    if "json" in request.param:
        name = f"js_json{number}"
        config: Any = {"mode": "json", "storeTableName": name}
        return (
            lambda store: PostgresJsonPersister(store, driver, name),
            TinyBasePeer("pg", dsn=postgres.dsn, config=config),
            (PETS, MORE, RICH),
        )
    our_config, js_config = numbered_tables(number)
    return (
        lambda store: PostgresTablesPersister(store, driver, our_config),
        TinyBasePeer("pg", dsn=postgres.dsn, config=js_config),
        (PETS, MORE),
    )


@pytest.fixture(params=["json", "tables"])
def sqld_place(request: pytest.FixtureRequest, sqld: Sqld) -> Iterator[Place]:
    number = next(NUMBERS)
    driver = LibsqlDriver(sqld.url)
    if request.param == "json":
        name = f"js_json{number}"
        config: Any = {"mode": "json", "storeTableName": name, "autoLoadIntervalSeconds": 0.02}
        yield (
            lambda store: SqliteJsonPersister(store, driver, name, auto_load_interval_seconds=0.02),
            TinyBasePeer("libsql", url=sqld.url, config=config),
            (PETS, MORE, RICH),
        )
    else:
        our_config, js_config = numbered_tables(number)
        yield (
            lambda store: SqliteTablesPersister(store, driver, our_config),
            TinyBasePeer("libsql", url=sqld.url, config=js_config),
            (PETS, MORE),
        )
    driver.close()


def numbered_tables(number: int) -> tuple[TablesConfig, dict[str, Any]]:
    """Both sides' configuration for tables of a server that other tests use too."""
    pets, values = f"js_pets{number}", f"js_values{number}"
    ours = TablesConfig(
        load={pets: "pets"},
        save={"pets": pets},
        values=ValuesTable(load=True, save=True, table_name=values),
        auto_load_interval_seconds=0.02,
    )
    theirs = {
        "mode": "tabular",
        "tables": {"load": {pets: "pets"}, "save": {"pets": pets}},
        "values": {"load": True, "save": True, "tableName": values},
        "autoLoadIntervalSeconds": 0.02,
    }
    return ours, theirs


async def test_sqld_what_one_saves_the_other_loads(sqld_place: Place) -> None:
    await exchange(sqld_place)


async def test_sqld_weft_follows_tinybase_live_which_loads_when_told_to(sqld_place: Place) -> None:
    """TinyBase's auto-load hears of nothing there: its client counts anew with each statement."""
    await follow_one_way(sqld_place)


@pytest.mark.parametrize("mode", ["json", "tables"])
async def test_pglite_weft_follows_tinybase_live_which_loads_when_told_to(mode: str) -> None:
    """TinyBase's auto-load, in PGlite's process, is not told of what comes through the socket server."""
    port = free_port()
    driver = AsyncpgDriver(f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable", listens=False)
    if mode == "json":
        peer = TinyBasePeer("pglite", port=port, config={"mode": "json"})
        await follow_one_way(
            (
                lambda store: PostgresJsonPersister(store, driver, auto_load_interval_seconds=0.02),
                peer,
                (),
            )
        )
    else:
        peer = TinyBasePeer("pglite", port=port, config=JS_TABLES)
        await follow_one_way((lambda store: PostgresTablesPersister(store, driver, TABLES), peer, ()))


async def follow_one_way(place: Place) -> None:
    make, peer, _ = place
    store = Store()
    async with peer as js, make(store) as persister:
        await persister.start_auto_persisting(PETS)
        await js.persister("startAutoPersisting")
        assert await js.content() == PETS

        async def same() -> bool:
            await js.persister("load")
            return await js.content() == store.get_content()

        for number in range(3):
            await js.store("setRow", "pets", f"js{number}", {"species": "cat", "price": number})
            await until(lambda number=number: store.has_row("pets", f"js{number}"))  # type: ignore[misc]
            store.set_row("pets", f"py{number}", {"species": "dog", "price": number})
            await until(same)

        async def deleted() -> bool:
            # TinyBase does not save what was edited while it loaded by itself.
            await js.persister("load")
            if "fido" in (await js.content())[0]["pets"]:
                await js.store("delRow", "pets", "fido")
            return not store.has_row("pets", "fido")

        await until(deleted)
        store.del_row("pets", "js0")
        store.set_value("open", "no")
        await until(same)
        assert sorted(store.get_row_ids("pets")) == ["js1", "js2", "py0", "py1", "py2"]
    assert peer.ignored == []


async def test_postgres_what_one_saves_the_other_loads(postgres_place: Place) -> None:
    await exchange(postgres_place)


async def test_postgres_both_follow_each_other_live(postgres_place: Place) -> None:
    await follow(postgres_place)


async def test_what_one_saves_the_other_loads(place: Place) -> None:
    await exchange(place)


async def test_both_follow_each_other_live(place: Place) -> None:
    await follow(place)


async def exchange(place: Place) -> None:
    make, peer, contents = place
    async with peer as js:
        for content in contents:
            store = Store().set_content(content)
            async with make(store) as persister:
                await persister.save()
                await js.persister("load")
                assert await js.content() == content
                await js.store("setCell", "pets", "fido", "price", 123.5)
                await js.persister("save")
                await persister.load()
                assert store.get_cell("pets", "fido", "price") == 123.5
                assert store.get_content() == await js.content()
    assert peer.ignored == []


async def follow(place: Place) -> None:
    make, peer, _ = place
    store = Store()
    async with make(store) as persister:
        await persister.start_auto_persisting(PETS)
        async with peer as js:
            await js.persister("startAutoPersisting")
            assert await js.content() == PETS

            async def same() -> bool:
                return await js.content() == store.get_content()

            for number in range(5):
                store.set_row("pets", f"py{number}", {"species": "dog", "price": number})
                await until(same)
                row = f"js{number}"
                edit = ("setRow", "pets", row, {"species": "cat", "price": number})
                await js.edit(edit, ("delRow", "pets", row), lambda row=row: store.has_row("pets", row))  # type: ignore[misc]
                await until(same)
            fido = ("setRow", "pets", "fido", PETS[0]["pets"]["fido"])
            await js.edit(("delRow", "pets", "fido"), fido, lambda: not store.has_row("pets", "fido"))
            store.del_row("pets", "js0")
            await until(same)
            store.set_value("open", "no")
            await until(same)
            assert store.get_row_count("pets") == 9


async def test_the_file_has_the_very_bytes_of_tinybase(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for content in (PETS, MORE, RICH):
        async with FilePersister(Store().set_content(content), ours) as persister:
            await persister.save()
        async with TinyBasePeer("file", path=str(theirs)) as js:
            await js.store("setContent", json.loads(json.dumps(content)))
            await js.persister("save")
        assert ours.read_bytes() == theirs.read_bytes()
