"""Places in the file system that a process may not read or write."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from weft.persisters import (
    FilePersister,
    LmdbPersister,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TablesConfig,
)
from weft.store import Store
from weft.testing.persisters import PETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from weft.persisters import Persister

CONFIG = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"})
MAKERS: dict[str, Callable[[Store, str], Persister]] = {
    "FilePersister(store, path)": FilePersister,
    "LmdbPersister(store, path)": LmdbPersister,
    "SqliteJsonPersister(store, path)": SqliteJsonPersister,
    "SqliteTablesPersister(store, path, config)": lambda store, path: SqliteTablesPersister(
        store, path, CONFIG
    ),
    "SqliteTablesPersister(store, ApswDriver(path), config)": lambda store, path: SqliteTablesPersister(
        store, path, CONFIG
    ),
}

CHILD = """
import asyncio, os, sys
from weft.errors import StorageError
from weft.persisters import *
from weft.store import Store
from weft.testing.persisters import MORE, PETS

config = TablesConfig(load={{"pets": "pets"}}, save={{"pets": "pets"}})

async def main(path):
    store = Store().set_content(MORE)
    persister = {maker}
    for action in (persister.load, persister.save, lambda: persister.start_auto_persisting(PETS)):
        try:
            await action()
        except StorageError as error:
            print(error)
    assert store.get_content() == MORE
    await persister.destroy()

# The directories above may be closed to others: the child enters before it drops its rights.
os.chdir(sys.argv[1])
if os.getuid() == 0:
    os.setuid(65534)
asyncio.run(main("place"))
"""


@pytest.mark.parametrize("maker", MAKERS)
async def test_what_may_not_be_read_or_written_is_an_error_that_says_so(maker: str, tmp_path: Path) -> None:
    path = tmp_path / "place"
    async with MAKERS[maker](Store().set_content(PETS), str(path)) as persister:
        await persister.save()
    closed = [*path.iterdir()] if path.is_dir() else [path]
    for place in (*closed, tmp_path):
        place.chmod(0o555 if place == tmp_path else 0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", CHILD.format(maker=maker), tmp_path],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        for place in (tmp_path, *closed):
            place.chmod(0o755 if place == tmp_path else 0o644)
    assert done.returncode == 0, done.stderr
    errors = done.stdout.splitlines()
    assert len(errors) == 3
    for error in errors:
        assert "place: " in error
        assert any(reason in error for reason in ("Permission denied", "unable to open database file"))
    store = Store()
    async with MAKERS[maker](store, str(path)) as persister:
        await persister.load()
    assert store.get_tables() == PETS[0]
