from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import lmdb
import pytest

from weft.errors import StorageError
from weft.persisters import LmdbPersister
from weft.store import Store
from weft.testing.persisters import MORE, PETS, KillSuite, until

if TYPE_CHECKING:
    from pathlib import Path

    from weft.changes import Content
    from weft.persisters import Persister


class TestAKey(KillSuite):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Any:
        self.path = tmp_path / "env"
        # Ours, to go round the persister; what a path opens is tried by the killed processes and below.
        with lmdb.open(str(self.path), map_size=2**24) as self.environment:
            yield

    def make(self, store: Store, **options: Any) -> Persister:
        return LmdbPersister(store, self.environment, poll_seconds=0.01, **options)

    async def read_raw(self) -> Content | None:
        with self.environment.begin() as transaction:
            value = transaction.get(b"store")
        return None if value is None else Store().set_json(bytes(value).decode()).get_content()

    def _write(self, data: bytes) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.put(b"store", data)

    async def write_raw(self, content: Content) -> None:
        self._write(Store().set_content(content).get_json().encode())

    async def write_bad(self) -> None:
        self._write(b"[{")

    def child_source(self) -> str:
        return (
            "from weft.persisters import LmdbPersister\n"
            f"def make(store):\n    return LmdbPersister(store, {str(self.path)!r}, map_bytes=2**24)\n"
        )


async def test_persisters_of_one_path_share_the_environment_and_the_last_closes_it(tmp_path: Path) -> None:
    path = tmp_path / "env"
    one, two = LmdbPersister(Store().set_content(PETS), path, "one"), LmdbPersister(Store(), path, "two")
    await one.save()
    await two.load(MORE)
    await two.save()
    await one.destroy()
    await two.load()
    await two.destroy()
    with lmdb.open(str(path)) as environment, environment.begin() as transaction:
        for key, content in ((b"one", PETS), (b"two", MORE)):
            value = transaction.get(key)
            assert value is not None
            assert json.loads(bytes(value)) == list(content)
    assert two.get_key() == "two"


async def test_a_full_environment_is_an_error_and_saving_resumes_when_there_is_room(tmp_path: Path) -> None:
    errors: list[Exception] = []
    with lmdb.open(str(tmp_path / "env"), map_size=2**17) as environment:
        store = Store()
        async with LmdbPersister(store, environment, on_error=errors.append) as persister:
            persister.first_retry_seconds = 0.01
            await persister.start_auto_persisting(PETS)
            store.set_value("long", "x" * 200_000)
            await until(lambda: len(errors) > 1)
            assert "map_bytes" in str(errors[0])
            store.set_value("long", "y")
            await until(persister.is_at_rest)
        with environment.begin() as transaction:
            assert b'"long":"y"' in bytes(transaction.get(b"store") or b"")


async def test_a_path_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    async with LmdbPersister(Store(), tmp_path / "file") as persister:
        with pytest.raises(StorageError, match="file"):
            await persister.load()


async def test_an_environment_that_is_none_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"no environment" * 1000)
    store = Store().set_content(PETS)
    async with LmdbPersister(store, tmp_path) as persister:
        for verb in (persister.load, persister.save):
            with pytest.raises(StorageError, match="not an LMDB file"):
                await verb()
    assert store.get_content() == PETS
    assert (tmp_path / "data.mdb").read_bytes() == b"no environment" * 1000


async def test_readers_that_were_killed_leave_room_for_others(tmp_path: Path) -> None:
    path = str(tmp_path / "env")
    child = f"""
import lmdb, os, signal
for _ in range(126):  # as many as LMDB has places for
    if not (child := os.fork()):
        lmdb.open({path!r}).begin()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
"""
    async with LmdbPersister(Store().set_content(PETS), path) as persister:
        await persister.save()
        subprocess.run([sys.executable, "-c", child], check=True)
        store = Store()
        async with LmdbPersister(store, path) as other:
            await other.load()
        assert store.get_content() == PETS
