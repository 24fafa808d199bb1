"""The same places, used by weft and by TinyBase in Node at the same time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.persister_peer import TinyBasePeer
from weft.persisters import (
    FilePersister,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TablesConfig,
    ValuesTable,
)
from weft.store import Store
from weft.testing.persisters import MORE, PETS, RICH, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


async def test_what_one_saves_the_other_loads(place: Place) -> None:
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


async def test_both_follow_each_other_live(place: Place) -> None:
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
                await js.store("setRow", "pets", f"js{number}", {"species": "cat", "price": number})
                await until(lambda row=f"js{number}": store.has_row("pets", row))  # type: ignore[misc]
                await until(same)
            await js.store("delRow", "pets", "fido")
            await until(lambda: not store.has_row("pets", "fido"))
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
