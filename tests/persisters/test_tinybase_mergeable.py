"""The same places, with a MergeableStore on both sides: weft's and TinyBase's in Node, at the same time."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from support.persister_peer import TinyBasePeer
from weft.documents.mergeable import from_json
from weft.mergeable import MergeableStore
from weft.persisters import (
    AsyncpgDriver,
    FilePersister,
    MappingPersister,
    PostgresJsonPersister,
    SqliteJsonPersister,
)
from weft.testing.persisters import MORE, PETS, RICH, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.postgres import PostgresServer
    from weft.persisters import Persister
    from weft.store import Store

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("_node")]

NUMBERS = itertools.count()
Place = tuple["Callable[[Store], Persister]", TinyBasePeer]


@pytest.fixture(params=["file", "sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    path = tmp_path / "place"
    if request.param == "file":
        return lambda store: FilePersister(store, path), TinyBasePeer("file", path=str(path), mergeable="js")
    config: Any = {"mode": "json", "autoLoadIntervalSeconds": 0.02}
    if request.param == "sqlite":
        return (
            lambda store: SqliteJsonPersister(store, path, auto_load_interval_seconds=0.02),
            TinyBasePeer("sqlite", path=str(path), config=config, mergeable="js"),
        )
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"js_mergeable{next(NUMBERS)}"
    return (
        lambda store: PostgresJsonPersister(store, AsyncpgDriver(server.dsn), name),
        TinyBasePeer("pg", dsn=server.dsn, config={"mode": "json", "storeTableName": name}, mergeable="js"),
    )


async def test_what_one_saves_the_other_loads_stamp_by_stamp(place: Place) -> None:
    make, peer = place
    async with peer as js:
        for content in (PETS, MORE, RICH):
            store = MergeableStore()
            async with make(store) as persister:
                await persister.load()
                store.set_content(content)
                await persister.save()
                await js.persister("load")
                assert await js.text() == store.document.content_text()
                assert await js.content() == content
                await js.store("setPartialRow", "pets", "fido", {"price": 123.5, "tags": ["ü", {"a": None}]})
                await js.store("delCell", "pets", "fido", "species")
                await js.store("delValue", "open")
                await js.persister("save")
                await persister.load()
                assert await js.text() == store.document.content_text()
                assert store.get_content() == await js.content()
                assert store.get_mergeable_content_hashes() == await js.store("getMergeableContentHashes")
    assert [error for error in peer.ignored if "tinybase:1:null" not in error] == []


async def test_both_follow_each_other_live(place: Place) -> None:
    make, peer = place
    store = MergeableStore()
    async with make(store) as persister:
        await persister.start_auto_persisting(PETS)
        async with peer as js:
            await js.persister("startAutoPersisting")

            async def same() -> bool:
                return bool(from_json(await js.text()) == store.document.get_content())

            await until(same)
            for number in range(3):
                store.set_row("pets", f"py{number}", {"species": "dog", "price": number})
                await until(same)
                row = f"js{number}"
                edit = ("setRow", "pets", row, {"species": "cat", "price": number})
                await js.edit(edit, ("delRow", "pets", row), lambda row=row: store.has_row("pets", row))  # type: ignore[misc]
                await until(same)
            fido = ("setRow", "pets", "fido", PETS[0]["pets"]["fido"])
            await js.edit(("delRow", "pets", "fido"), fido, lambda: not store.has_row("pets", "fido"))
            with store.transaction():  # of which only the mark of the deletion is left
                store.set_value("gone", True)
                store.del_value("gone")
            await until(same)
            assert sorted(store.get_row_ids("pets")) == ["js0", "js1", "js2", "py0", "py1", "py2"]


async def test_default_content_of_both_has_the_same_bytes(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for content in (PETS, MORE, RICH):
        ours.unlink(missing_ok=True)
        async with FilePersister(MergeableStore(), ours) as persister:
            await persister.start_auto_persisting(content)
        async with TinyBasePeer("file", path=str(theirs), mergeable="js") as js:
            await js.store("setDefaultContent", content)
            await js.persister("save")
        assert ours.read_bytes() == theirs.read_bytes()


async def test_what_is_there_in_plain_form_is_taken_over_by_both(tmp_path: Path) -> None:
    path = tmp_path / "plain.json"
    plain = '[{"pets":{"fido":{"price":5,"tags":"\ufffd[1]"}}},{"open":true}]'
    path.write_text(plain)
    async with TinyBasePeer("file", path=str(path), mergeable="js") as js:
        await js.persister("load")
        theirs = from_json(await js.text())
    kept = {"store": plain}
    store = MergeableStore()
    async with MappingPersister(store, kept) as persister:
        await persister.start_auto_persisting()
    assert unstamped(from_json(kept["store"])) == unstamped(theirs)
    assert all(store.document.get_content()[1][0]["open"][1:])


def unstamped(content: Any) -> Any:
    """Content without stamps of the clock and hashes."""
    if isinstance(content, list):
        return unstamped(content[0])
    if isinstance(content, dict):
        return {key: unstamped(item) for key, item in content.items()}
    return content
