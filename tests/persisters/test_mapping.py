from __future__ import annotations

import asyncio
import dbm.dumb
import json
import shelve
from typing import TYPE_CHECKING, Any, cast

import pytest

from weft.errors import StorageError
from weft.persisters import MappingPersister
from weft.store import Store
from weft.testing.persisters import PersisterSuite, until

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from pathlib import Path

    from weft.changes import Content
    from weft.persisters import Persister


def text_of(content: Content) -> str:
    return Store().set_content(content).get_json()


def content_of(text: str | bytes | None) -> Content | None:
    return (
        None
        if text is None
        else Store().set_json(text if isinstance(text, str) else text.decode()).get_content()
    )


class TestADictionary(PersisterSuite):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.mapping: MutableMapping[str, Any] = {"other": "left alone"}

    def make(self, store: Store, **options: Any) -> Persister:
        return MappingPersister(store, self.mapping, "store", poll_seconds=0.01, **options)

    async def read_raw(self) -> Content | None:
        return content_of(self.mapping.get("store"))

    async def write_raw(self, content: Content) -> None:
        self.mapping["store"] = text_of(content)

    async def write_bad(self) -> None:
        self.mapping["store"] = "[{"

    async def test_other_keys_are_left_alone(self) -> None:
        await self.fill_place()
        assert self.mapping["other"] == "left alone"

    @pytest.mark.parametrize(
        "bad", [5, "", b"", "null", "[1,2]", "{}", "[[{},'',0],[{},'',0]]", "[[],[]]", b"\xff"]
    )
    async def test_what_is_no_content_is_refused(self, bad: object) -> None:
        self.mapping["store"] = bad
        store = Store()
        async with self.make(store) as persister:
            if bad in {"", b""}:  # TinyBase makes such a file when it begins to watch
                await persister.load(({}, {"initial": 1}))
                assert store.get_values() == {"initial": 1}
            else:
                with pytest.raises(StorageError):
                    await persister.load()


class TestAMappingThatTells(TestADictionary):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        tellers = self.tellers = set[Any]()

        class Telling(dict[str, Any]):
            def __setitem__(self, key: str, value: Any) -> None:
                super().__setitem__(key, value)
                for tell in list(tellers):
                    tell()

        self.mapping = Telling(other="left alone")

    def subscribe(self, tell: Callable[[], None]) -> Callable[[], None]:
        self.tellers.add(tell)
        return lambda: self.tellers.discard(tell)

    def make(self, store: Store, **options: Any) -> Persister:
        return MappingPersister(store, self.mapping, "store", subscribe=self.subscribe, **options)


class TestAShelf(TestADictionary):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Any:
        # Not shelve.open: from Python 3.13 on its database is SQLite, which keeps to the thread that opened
        # it, and one test of the suite has a thread of its own.
        with dbm.dumb.open(str(tmp_path / "shelf"), "c") as db:
            shelf: shelve.Shelf[str] = shelve.Shelf(cast("Any", db))
            self.mapping = shelf
            shelf["other"] = "left alone"
            yield


class TestADbm(TestADictionary):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Any:
        with dbm.dumb.open(str(tmp_path / "dbm"), "c") as db:
            self.mapping = db  # type: ignore[assignment]
            db["other"] = "left alone"
            yield

    async def test_other_keys_are_left_alone(self) -> None:
        await self.fill_place()
        assert self.mapping["other"] == b"left alone"

    async def test_what_is_no_content_is_refused(self) -> None:  # type: ignore[override]
        self.mapping["store"] = json.dumps([1, 2])
        async with self.make(Store()) as persister:
            with pytest.raises(StorageError, match="not \\[tables,values\\]"):
                await persister.load()


async def test_without_a_mapping_it_has_a_dictionary_of_its_own() -> None:
    store = Store().set_value("open", 1)
    async with MappingPersister(store) as persister:
        await persister.save()
        assert persister.get_mapping() == {persister.get_key(): '[{},{"open":1}]'}


async def test_an_error_of_the_mapping_is_a_storage_error() -> None:
    class Broken(dict[str, str]):
        def __getitem__(self, key: str) -> str:
            raise OSError("gone")

        def __setitem__(self, key: str, value: str) -> None:
            raise OSError("full")

    async with MappingPersister(Store(), Broken()) as persister:
        with pytest.raises(StorageError, match="gone"):
            await persister.load()
        with pytest.raises(StorageError, match="full"):
            await persister.save()


async def test_who_tells_of_bad_content_hears_no_error_of_the_persister() -> None:
    mapping: dict[str, Any] = {}
    errors: list[Exception] = []
    told: list[Callable[[], None]] = []

    def subscribe(tell: Callable[[], None]) -> Callable[[], object]:
        told.append(tell)
        return told.clear

    async with MappingPersister(Store(), mapping, subscribe=subscribe, on_error=errors.append) as persister:
        await persister.start_auto_load(({}, {"open": True}))
        mapping["store"] = 1
        await asyncio.to_thread(told[0])
        await until(lambda: bool(errors))
        assert "holds a int" in str(errors[0])
    assert told == []


async def test_a_mapping_that_cannot_be_subscribed_to_is_not_looked_at_for_ever() -> None:
    tasks = asyncio.all_tasks()

    def subscribe(tell: Callable[[], None]) -> Callable[[], object]:
        raise OSError("no more room for those who listen")

    async with MappingPersister(Store(), subscribe=subscribe) as persister:
        with pytest.raises(OSError, match="no more room"):
            await persister.start_auto_load()
        assert asyncio.all_tasks() == tasks
