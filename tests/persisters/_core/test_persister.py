"""What all persisters have in common for those who use several: their names, and how they end."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from weft import persisters
from weft.errors import StorageError
from weft.persisters import FilePersister, MappingPersister, Persister, SqliteTablesPersister, TablesConfig
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY = {
    name: made
    for name in dir(persisters)
    if inspect.isclass(made := getattr(persisters, name)) and issubclass(made, Persister)
}


def test_every_persister_takes_on_error_and_tinybases_name() -> None:
    assert len(EVERY) > 10
    for name, made in EVERY.items():
        options = inspect.signature(made).parameters
        assert options["on_error"].kind is inspect.Parameter.KEYWORD_ONLY, name
        assert options.keys() & {"on_ignored_error", "tinybase"}, name


@pytest.mark.parametrize("option", ["on_error", "on_ignored_error"])
def test_the_handler_is_called_under_either_name(option: str, tmp_path: Path) -> None:
    errors: list[Exception] = []
    options: Any = {option: errors.append}
    makers: list[Callable[[], Persister]] = [
        lambda: MappingPersister(Store(), **options),
        lambda: FilePersister(Store(), tmp_path / "store.json", **options),
        lambda: SqliteTablesPersister(Store(), tmp_path / "store.db", TablesConfig(), **options),
    ]
    for make in makers:
        persister = make()
        persister.add_status_listener(lambda teller, status: 1 / 0)
        with persisters.blocking(persister) as blocking:
            blocking.save()
    assert [type(error) for error in errors] == [ZeroDivisionError] * 2 * len(makers)


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(TypeError, match="two names of one option"):
        MappingPersister(Store(), on_error=print, on_ignored_error=print)
    with pytest.raises(TypeError, match="on_errors"):
        MappingPersister(Store(), on_errors=print)  # type: ignore[call-arg]


@pytest.mark.parametrize("end", [Persister.close, Persister.destroy])
async def test_close_is_destroy(end: Callable[[Persister], Any]) -> None:
    mapping: dict[str, str] = {}
    store = Store()
    persister = MappingPersister(store, mapping)
    await persister.start_auto_persisting(PETS)
    store.set_content(MORE)
    await end(persister)
    await persister.close()
    await persister.destroy()
    assert Store().set_json(mapping["store"]).get_content() == MORE
    with pytest.raises(StorageError, match="MappingPersister was closed"):
        await persister.save()


async def test_a_block_loads_nothing_by_itself_and_closes_at_its_end() -> None:
    mapping, store = {"store": Store().set_content(PETS).get_json()}, Store()
    async with MappingPersister(store, mapping) as persister:
        assert store.get_content() == ({}, {})
        assert not persister.is_auto_loading()
        assert not persister.is_auto_saving()
        store.set_content(MORE)
        assert persister.expects_use  # of which a warning tells: test_wrong_arguments.py
        persister.expects_use = False
    assert Store().set_json(mapping["store"]).get_content() == PETS  # nobody asked for a save
    with pytest.raises(StorageError, match="closed"):
        await persister.load()


async def test_it_is_at_rest_when_everything_is_saved() -> None:
    store = Store()
    async with MappingPersister(store) as persister:
        await persister.start_auto_save()
        assert persister.is_at_rest()
        store.set_content(PETS)
        assert not persister.is_at_rest()
        await persister.save()
        await until(persister.is_at_rest)
