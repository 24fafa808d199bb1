"""How long automatic saves stay apart: saves are counted, and no edit is lost."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from weft.persisters import FilePersister, MappingPersister, SqliteTablesPersister, TablesConfig
from weft.persisters._core.intervals import SaveInterval
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


AN_HOUR = 3600.0
CONFIG = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"})


async def edit(store: Store, times: int = 50) -> None:
    for price in range(times):
        store.set_cell("pets", "fido", "price", price)
        for _ in range(3):  # turns of the event loop, in which a save would begin
            await asyncio.sleep(0)


def price(path: Path) -> Any:
    return json.loads(path.read_text())[0].get("pets", {}).get("fido", {}).get("price")


async def test_without_an_interval_each_edit_may_be_a_save(tmp_path: Path) -> None:
    store, path = Store(), tmp_path / "store.json"
    async with FilePersister(store, path) as persister:
        await persister.start_auto_save()
        for number in range(5):
            store.set_cell("pets", "fido", "price", number)
            await until(persister.is_at_rest)
            assert price(path) == number
        assert persister.get_stats().saves >= 5


@pytest.mark.parametrize("end", ["stop", "close"])
async def test_fifty_edits_within_the_interval_are_two_saves(tmp_path: Path, end: str) -> None:
    store, path = Store().set_value("open", True), tmp_path / "store.json"
    persister = FilePersister(store, path)
    await persister.start_auto_save(min_interval=AN_HOUR)
    saves = persister.get_stats().saves  # the one that it begins with
    await edit(store)
    assert persister.get_stats().saves == saves
    assert not persister.is_at_rest()
    await (persister.stop_auto_save() if end == "stop" else persister.close())
    assert persister.get_stats().saves == saves + 1
    assert price(path) == 49
    await persister.close()


async def test_the_first_edit_after_a_pause_is_saved_at_once() -> None:
    store, mapping = Store(), dict[str, Any]()
    async with MappingPersister(Store().set_value("there", 1), mapping) as other:
        await other.save()
    async with MappingPersister(store, mapping) as persister:
        await persister.start_auto_persisting(min_interval=AN_HOUR)
        assert persister.get_stats().saves == 0  # nothing to be saved, so no interval has begun
        store.set_value("v", 1)
        await until(persister.is_at_rest)
        assert persister.get_stats().saves == 1


async def test_saves_are_at_least_the_interval_apart_and_the_last_edit_is_saved(tmp_path: Path) -> None:
    loop, store, path = asyncio.get_running_loop(), Store(), tmp_path / "store.json"
    begun, ended = list[float](), list[float]()

    class Persister(FilePersister):
        async def put(self, data: bytes, expected: object) -> object:
            begun.append(loop.time())
            version = await super().put(data, expected)
            ended.append(loop.time())
            return version

    interval = 0.02
    async with Persister(store, path) as persister, persister.auto_save(min_interval=interval):
        for number in range(1_000_000):
            store.set_cell("pets", "fido", "price", number)
            await asyncio.sleep(0)
            if len(ended) > 5:
                break
        await until(persister.is_at_rest)
        assert price(path) == number
    for end, begin in zip(ended, begun[1:], strict=False):
        assert begin - end >= interval - 0.001  # the resolution of clocks


async def test_an_explicit_save_does_not_wait() -> None:
    store, mapping = Store(), dict[str, Any]()
    async with MappingPersister(store, mapping) as persister:
        async with persister.auto_persisting(min_interval=AN_HOUR):
            await edit(store, 2)
            await persister.save()
            assert json.loads(mapping["store"])[0] == {"pets": {"fido": {"price": 1}}}
            store.set_value("v", 1)
        assert json.loads(mapping["store"])[1] == {"v": 1}


async def test_what_others_wrote_does_not_wait_for_the_end_of_the_interval(tmp_path: Path) -> None:
    store, path = Store(), tmp_path / "store.db"
    config = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"}, auto_load_interval_seconds=0.01)
    async with (
        SqliteTablesPersister(store, path, config) as persister,
        SqliteTablesPersister(Store().set_cell("pets", "rex", "price", 1), path, config) as other,
    ):
        await persister.start_auto_persisting(min_interval=AN_HOUR)
        await edit(store, 2)
        await other.start_auto_save()
        await until(lambda: store.has_row("pets", "rex"))
    async with SqliteTablesPersister(store, path, config) as persister:
        await persister.load()
    assert store.get_tables() == {"pets": {"fido": {"price": 1}, "rex": {"price": 1}}}


async def test_a_failed_save_is_tried_again_without_waiting_for_it(tmp_path: Path) -> None:
    store, path, errors = Store().set_value("v", 0), tmp_path / "folder" / "store.json", list[Exception]()
    path.parent.mkdir()
    persister = FilePersister(store, path, on_error=errors.append)
    persister.first_retry_seconds = 0.001
    async with persister, persister.auto_save():
        path.unlink()
        path.parent.rmdir()
        store.set_value("v", 1)
        await until(lambda: len(errors) > 1)
        path.parent.mkdir()
        await until(persister.is_at_rest)
    assert json.loads(path.read_text())[1] == {"v": 1}


def test_an_event_loop_that_ended_keeps_no_edit_waiting() -> None:
    store, mapping = Store(), dict[str, Any]()
    persister = MappingPersister(store, mapping)

    async def begin() -> None:
        await persister.start_auto_save(min_interval=0.01)
        store.set_value("v", 1)

    async def go_on() -> None:
        await persister.load()
        store.set_value("v", 2)
        await until(persister.is_at_rest)
        await persister.close()

    asyncio.run(begin())
    asyncio.run(go_on())
    assert json.loads(mapping["store"])[1] == {"v": 2}


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
@pytest.mark.parametrize("start", ["start_auto_save", "start_auto_persisting"])
async def test_an_interval_is_a_number_of_seconds(seconds: float, start: str) -> None:
    async with MappingPersister(Store()) as persister:
        start_it: Callable[..., Any] = getattr(persister, start)
        with pytest.raises(ValueError, match=r"^min_interval must be a number of seconds, 0 or more"):
            await start_it(min_interval=seconds)
        assert not persister.is_auto_saving()
        assert not persister.is_auto_loading()


async def test_the_interval_calls_back_once() -> None:
    loop, interval, called = asyncio.get_running_loop(), SaveInterval(), list[int]()
    interval.seconds = 0.005
    assert interval.is_over(loop)
    interval.saved(loop)
    assert not interval.is_over(loop)
    for number in range(3):
        interval.wait(loop, lambda number=number: called.append(number))  # type: ignore[misc]
    await until(lambda: bool(called))
    assert called == [0]
    interval.saved(loop)
    interval.wait(loop, lambda: called.append(9))
    interval.end()
    assert interval.is_over(loop)
