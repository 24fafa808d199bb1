"""What the suite of all persisters does not say of the blocking form."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import pytest

from weft.errors import StorageError
from weft.persisters import FilePersister, MappingPersister, blocking
from weft.store import Store
from weft.testing.persisters import MORE, PETS

if TYPE_CHECKING:
    from pathlib import Path


def test_outside_of_its_block_it_refuses_to_work() -> None:
    persister = blocking(MappingPersister(Store()))
    with pytest.raises(RuntimeError, match="inside its with block"):
        persister.load()
    with persister:
        persister.save()
    with pytest.raises(RuntimeError, match="inside its with block"):
        persister.save()
    gc.collect()  # and no coroutine was left without having been awaited


def test_it_may_be_closed_before_the_end_of_its_block() -> None:
    mapping: dict[str, str] = {}
    with blocking(MappingPersister(Store().set_content(PETS), mapping)) as persister:
        persister.save()
        persister.close()
        persister.close()
        with pytest.raises(RuntimeError, match="inside its with block"):
            persister.load()
    assert Store().set_json(mapping["store"]).get_content() == PETS


def test_it_gives_the_persister_the_store_and_the_statistics() -> None:
    store, mapping = Store(), MappingPersister(Store())
    with blocking(MappingPersister(store)) as persister:
        assert persister.load(PETS).save().get_store() is store
        assert store.get_content() == PETS
        assert (persister.get_stats().loads, persister.get_stats().saves) == (1, 1)
        assert persister.persister is not mapping
    with blocking(mapping) as persister:
        assert persister.persister is mapping
        persister.load()


def test_leaving_the_block_by_an_error_destroys_and_saves_nothing_of_itself(tmp_path: Path) -> None:
    store = Store().set_content(PETS)

    def fail() -> None:
        with blocking(FilePersister(store, tmp_path / "store.json")) as persister:
            persister.save()
            store.set_content(MORE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tmp_path / "store.json").read_text() == Store().set_content(PETS).get_json()
    for thread in threading.enumerate():
        if thread.name.startswith("weft-file"):
            thread.join(10)
            assert not thread.is_alive()


def test_errors_are_those_of_the_persister(tmp_path: Path) -> None:
    with blocking(FilePersister(Store(), tmp_path / "none" / "store.json")) as persister:
        with pytest.raises(StorageError, match="none"):
            persister.save()
        with pytest.raises(StorageError, match="none"):
            persister.load(PETS)
