"""Several processes with one place in the file system: all edits of all come to all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MAKERS = [
    "FilePersister(store, path)",
    "LmdbPersister(store, path)",
    "SqliteJsonPersister(store, path, auto_load_interval_seconds=0.02)",
    "FilePersister(store := MergeableStore(), path)",
    "SqliteTablesPersister(store, path, config)",
    "SqliteTablesPersister(store, ApswDriver(path), config)",
    "SqliteTablesPersister(store, LibsqlDriver(path), config)",
]

PROCESS = """
import asyncio, sys
from weft.mergeable import MergeableStore
from weft.persisters import *
from weft.store import Store
from weft.testing.persisters import until

config = TablesConfig(
    load={{"t": "t"}}, save={{"t": "t"}}, nulls="absent", auto_load_interval_seconds=0.02
)

async def main(path, name, *others):
    store, errors = Store(), []
    persister = {maker}
    persister._on_error = errors.append
    async with persister:
        await persister.start_auto_persisting()
        for number in range(20):
            store.set_cell("t", name, f"c{{number}}", number)
            await asyncio.sleep(0.002)
        await until(lambda: all(len(store.get_row("t", row)) == 20 for row in others), seconds=150)
    print(*errors)

asyncio.run(main(*sys.argv[1:]))
"""


# On a busy machine the processes wait long for their turn at the lock, and for the disk.
@pytest.mark.timeout(200)
@pytest.mark.parametrize("maker", MAKERS)
def test_the_edits_of_three_processes_come_to_all_three(maker: str, tmp_path: Path) -> None:
    names = ["one", "two", "three"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS.format(maker=maker), tmp_path / "place", name, *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    told = [(*process.communicate(timeout=160), process.returncode) for process in processes]
    # All of them: where one waited in vain, another may say why.
    assert [(output.strip(), code) for output, _, code in told] == [("", 0)] * 3, told
