from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from weft.errors import StorageError
from weft.persisters import MappingPersister, Persister
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from collections.abc import Callable


class Place(Persister):
    """Keeps content in an attribute, and fails when told to."""

    def __init__(self, store: Store, **options: Any) -> None:
        super().__init__(store, **options)
        self.content: Any = None
        self.writes: list[Any] = []
        self.error: Exception | None = None
        self.listener: Callable[..., None] | None = None
        self.first_retry_seconds = 0.005
        self.last_retry_seconds = 0.02

    async def read(self) -> Any:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.content

    async def write(self, get_content: Callable[[], Any], changes: Any = None) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.writes.append(changes)
        self.content = get_content()

    async def watch(self, listener: Callable[..., None]) -> object:
        self.listener = listener
        return listener

    async def unwatch(self, handle: Any) -> None:
        self.listener = None


async def test_automatic_saves_hand_over_only_what_changed() -> None:
    store = Store()
    async with Place(store) as persister:
        persister.content = MORE
        await persister.start_auto_persisting()
        assert persister.writes == []
        store.set_cell("pets", "fido", "price", 6)
        await until(lambda: persister.writes == [({"pets": {"fido": {"price": 6}}}, {}, 1)])
        store.set_cell("pets", "fido", "price", 6)
        store.set_cell("pets", "fido", "price", 7).set_cell("pets", "fido", "price", 6)
        await persister.stop_auto_save()
    assert len(persister.writes) <= 2


async def test_a_failed_automatic_load_is_tried_again() -> None:
    errors: list[Exception] = []
    store = Store()
    async with Place(store, on_error=errors.append) as persister:
        await persister.start_auto_load()
        persister.content, persister.error = PETS, StorageError("connection lost")
        assert persister.listener is not None
        persister.listener()
        await until(lambda: len(errors) >= 4)
        persister.error = None
        await until(lambda: store.get_content() == PETS)


async def test_stopping_ends_a_pause_at_once() -> None:
    store = Store()
    persister = Place(store, on_error=lambda error: None)
    persister.first_retry_seconds = 1000.0
    await persister.start_auto_persisting(PETS)
    persister.error = StorageError("disk full")
    store.set_value("open", "no")
    await until(lambda: persister.get_stats().saves == 2)
    with pytest.raises(StorageError, match="disk full"):
        await asyncio.wait_for(persister.stop_auto_persisting(), 5)
    assert not persister.is_auto_saving()
    persister.error = None
    await persister.start_auto_save()  # what could not be saved is not forgotten
    assert persister.content[1] == {"open": "no"}
    await persister.destroy()


async def test_destroy_raises_what_could_not_be_saved_and_is_done_all_the_same() -> None:
    store = Store()
    persister = Place(store, on_error=lambda error: None)
    await persister.start_auto_persisting(PETS)
    persister.error = StorageError("disk full")
    store.set_value("open", "no")
    with pytest.raises(StorageError, match="disk full"):
        await persister.destroy()
    await persister.destroy()
    assert persister.listener is None


async def test_a_transaction_that_is_open_is_neither_saved_nor_loaded_into() -> None:
    store = Store()
    async with Place(store) as persister:
        await persister.start_auto_persisting(PETS)
        store.start_transaction()
        store.set_cell("pets", "fido", "price", 6)
        save, load = asyncio.create_task(persister.save()), asyncio.create_task(persister.load())
        for _ in range(10):
            await asyncio.sleep(0)
        assert persister.content[0]["pets"]["fido"]["price"] == 5
        store.set_cell("pets", "fido", "species", "wolf")
        store.finish_transaction()
        await asyncio.gather(save, load)
        assert store.get_row("pets", "fido") == {"species": "wolf", "price": 6}
        assert persister.content[0]["pets"]["fido"] == {"species": "wolf", "price": 6}


async def test_a_rolled_back_transaction_saves_nothing() -> None:
    store = Store()
    async with Place(store) as persister:
        await persister.start_auto_persisting(PETS)
        count = len(persister.writes)
        store.transaction(lambda: store.set_value("open", "no"), lambda _: True)
        await persister.stop_auto_save()
    assert len(persister.writes) == count


async def test_news_from_another_thread_is_taken_in_the_loops_own() -> None:
    store = Store()
    threads: list[int] = []
    store.add_tables_listener(lambda *_: threads.append(threading.get_ident()))
    async with Place(store) as persister:
        await persister.start_auto_load()
        assert persister.listener is not None
        listener = persister.listener
        await asyncio.to_thread(listener, PETS)
        await until(lambda: store.get_content() == PETS)
    assert threads == [threading.get_ident()]


async def test_without_a_handler_automatic_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    async with Place(store) as persister:
        await persister.start_auto_save()
        persister.error = StorageError("disk full")
        with caplog.at_level(logging.WARNING, "weft.persisters"):
            store.set_value("open", "no")
            await until(lambda: "disk full" in caplog.text)
        persister.error = None
    assert caplog.records[0].levelno == logging.WARNING


async def test_a_handler_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(error: Exception) -> None:
        raise ZeroDivisionError

    store = Store()
    async with Place(store, on_error=broken) as persister:
        await persister.start_auto_save()
        persister.add_status_listener(lambda *_: 1 / 0)
        store.set_value("open", "no")
        await until(lambda: bool(persister.writes))
    assert "on_error failed" in caplog.text


async def test_persisters_of_one_connection_take_turns() -> None:
    mapping: dict[str, str] = {}
    one, two = MappingPersister(Store(), mapping, "1"), MappingPersister(Store(), mapping, "2")
    other = MappingPersister(Store(), {}, "1")
    busy: list[str] = []

    async def action(name: str) -> None:
        busy.append(name)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        busy.append(name)

    await asyncio.gather(
        one.schedule(lambda: action("one")),
        two.schedule(lambda: action("two")),
        one.schedule(lambda: action("3")),
    )
    assert busy == ["one", "one", "two", "two", "3", "3"]
    assert one._turns is two._turns
    assert one._turns is not other._turns
    other.expects_use = False
    for persister in (one, two, other):
        await persister.destroy()


async def test_what_waits_for_its_turn_when_the_persister_is_destroyed_raises() -> None:
    persister = Place(Store())
    gate = asyncio.Event()
    running = asyncio.create_task(persister.schedule(gate.wait))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(persister.save())
    await asyncio.sleep(0)
    destruction = asyncio.create_task(persister.destroy())
    await asyncio.sleep(0)
    gate.set()
    await running
    with pytest.raises(StorageError, match="closed"):
        await waiting
    await destruction


async def test_a_load_without_auto_save_replaces_older_edits_and_keeps_those_made_meanwhile() -> None:
    store = Store()
    async with Place(store) as persister:
        persister.content = PETS
        await persister.load()
        store.set_cell("pets", "fido", "price", 1).set_value("mine", 1)
        load = asyncio.create_task(persister.load())
        await asyncio.sleep(0)
        store.set_cell("pets", "fido", "species", "wolf")
        await load
        assert store.get_content() == ({"pets": {"fido": {"species": "wolf", "price": 5}}}, {"open": "yes"})
        await persister.start_auto_save()
        assert persister.writes == [({"pets": {"fido": {"species": "wolf"}}}, {}, 1)]


async def test_deletions_made_after_a_load_are_in_the_first_automatic_save() -> None:
    store = Store()
    async with Place(store) as persister:
        persister.content = MORE
        await persister.load()
        store.del_row("pets", "felix").del_cell("pets", "fido", "price")
        await persister.start_auto_save()
        ((tables, values, _),) = persister.writes
        assert {row: cells and set(cells) for row, cells in tables["pets"].items()} == {
            "felix": persister.writes[0][0]["pets"]["felix"],
            "fido": {"price"},
        }
        assert not tables["pets"]["felix"]
        assert values == {}


async def test_an_edit_whose_explicit_save_fails_is_saved_by_auto_save() -> None:
    store = Store()
    async with Place(store, on_error=lambda error: None) as persister:
        await persister.start_auto_persisting(PETS)
        persister.error = StorageError("connection lost")
        store.set_cell("pets", "fido", "price", 6)
        with pytest.raises(StorageError):
            await persister.save()
        persister.error = None
        await until(lambda: persister.content == store.get_content())


async def test_news_that_an_explicit_load_fails_to_load_are_loaded_by_auto_load() -> None:
    store = Store()
    async with Place(store, on_error=lambda error: None) as persister:
        await persister.start_auto_load(PETS)
        persister.content, persister.error = MORE, StorageError("connection lost")
        assert persister.listener is not None
        persister.listener()
        with pytest.raises(StorageError):
            await persister.load()
        persister.error = None
        await until(lambda: store.get_content() == MORE)


async def test_content_that_is_brought_during_a_save_does_not_undo_what_is_saved() -> None:
    class Bringing(Place):
        async def write(self, get_content: Callable[[], Any], changes: Any = None) -> None:
            if self.listener is not None:
                self.listener(PETS)
            await super().write(get_content, changes)

    store = Store()
    async with Bringing(store) as persister:
        await persister.start_auto_persisting(PETS)
        store.set_cell("pets", "fido", "price", 6)
        await until(persister.is_at_rest)
        assert persister.content[0]["pets"]["fido"]["price"] == 6
        assert store.get_content() == persister.content


async def test_content_that_waits_while_a_save_comes_first_does_not_undo_what_is_saved() -> None:
    store, connection, gate = Store(), object(), asyncio.Event()
    async with (
        Place(store, connection=connection) as persister,
        Place(Store(), connection=connection) as other,
    ):
        await persister.start_auto_load(PETS)
        waiting = asyncio.create_task(other.schedule(gate.wait))
        await asyncio.sleep(0)
        store.set_cell("pets", "fido", "price", 6)
        save = asyncio.create_task(persister.save())
        await asyncio.sleep(0)
        assert persister.listener is not None
        persister.listener(PETS)
        gate.set()
        await asyncio.gather(waiting, save)
        await until(persister.is_at_rest)
        assert persister.content[0]["pets"]["fido"]["price"] == 6
        assert store.get_content() == persister.content


async def test_a_load_of_what_is_no_content_leaves_unsaved_edits_to_the_next_save() -> None:
    store = Store()
    async with Place(store) as persister:
        persister.content = PETS
        await persister.load()
        store.set_cell("pets", "fido", "price", 6)
        persister.content = (None, None)
        with pytest.raises(AttributeError):
            await persister.load()
        await persister.start_auto_save()
        assert persister.content[0]["pets"]["fido"]["price"] == 6


class Watched(Place):
    """Takes its time to begin a watch, and counts those that go on."""

    watches = 0
    closings = 0

    async def watch(self, listener: Callable[..., None]) -> object:
        await asyncio.sleep(0)
        self.watches += 1
        return listener

    async def unwatch(self, handle: Any) -> None:
        await asyncio.sleep(0)
        self.watches -= 1

    async def release(self) -> None:
        self.closings += 1


async def test_no_watch_outlives_a_stop_or_a_second_start_that_comes_while_it_begins() -> None:
    async with Watched(Store()) as persister:
        start = asyncio.create_task(persister.start_auto_load())
        await asyncio.sleep(0)
        await persister.stop_auto_load()
        await start
        assert (persister.watches, persister.is_auto_loading()) == (0, False)
        await asyncio.gather(persister.start_auto_load(), persister.start_auto_load())
        assert persister.watches == 1
        start = asyncio.create_task(persister.start_auto_load())
        await asyncio.sleep(0)
        await asyncio.gather(persister.destroy(), persister.destroy())
        with suppress(StorageError):  # where it came too late
            await start
    assert (persister.watches, persister.closings) == (0, 1)


async def test_a_destroy_that_is_cancelled_while_it_waits_can_be_called_again() -> None:
    connection, gate = object(), asyncio.Event()
    async with Place(Store(), connection=connection) as other:
        persister = Watched(Store(), connection=connection)
        await persister.load()
        waiting = asyncio.create_task(other.schedule(gate.wait))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await persister.destroy()
        gate.set()
        await waiting
        await persister.destroy()
        await persister.destroy()
    assert persister.closings == 1


@pytest.mark.parametrize("brought", [((None, None),), (None, ({"pets": 5}, {}, 1))])
async def test_what_is_brought_and_is_no_content_is_reported_and_the_place_is_looked_at(
    brought: tuple[Any, ...],
) -> None:
    errors: list[Exception] = []
    store = Store()
    async with Place(store, on_error=errors.append) as persister:
        await persister.start_auto_load(PETS)
        persister.content = MORE
        assert persister.listener is not None
        persister.listener(*brought)
        await until(lambda: store.get_content() == MORE)
        await until(persister.is_at_rest)
    assert [type(error) for error in errors] == [AttributeError]
