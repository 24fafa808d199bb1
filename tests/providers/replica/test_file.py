"""What becomes of a replica when its disk is full, and when its file is taken away or exchanged under it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.replicas import mirrored
from support.servers import serving
from weft import Replica, Store, YjsMirror
from weft.errors import StorageError

TESTS = Path(__file__).parents[2]
FULL = """
import asyncio, resource, sys
from pathlib import Path
from support.replicas import joined, mirrored
from weft.errors import StorageError, SyncTimeoutError

async def main(path, kind, durable, url):
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    errors = []
    async with mirrored(path, kind, durable=durable, on_error=errors.append) as (replica, store):
        async with joined(replica, url) as provider:
            await provider.flush(20)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, most))
            try:
                for number in range(1_000):
                    store.set_row("r", str(number), {"text": "x" * 1_000})
                    await replica.saved()
            except StorageError as error:
                print("full", number)
            store.set_row("r", "while full", {"a": 1})
            try:
                await provider.flush(0.3)
            except SyncTimeoutError:
                print("not sent")
            assert errors and replica.pending
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            await provider.flush(20)
            await replica.saved()
            print("sent", replica.pending.updates)

asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""
FORK = """
import asyncio, os, sys
from support.replicas import mirrored
from weft import Replica, Store, YjsMirror
from weft.errors import WrongProcessError, ReplicaInUseError

def child(replica, store):
    for use in (lambda: asyncio.run(replica.saved()), lambda: store.set_cell("a", "b", "c", 1)):
        try:
            use()
        except WrongProcessError:
            continue
        os._exit(1)
    os._exit(0)

async def main(path):
    async with mirrored(path) as (replica, store):
        store.set_cell("a", "b", "c", 0)
        pid = os.fork()
        if not pid:
            asyncio._set_running_loop(None)
            child(replica, store)
        assert os.waitpid(pid, 0)[1] == 0
        await replica.saved()

asyncio.run(main(sys.argv[1]))
"""


async def run(program: str, *arguments: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, *arguments],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("kind", "durable"), [("yjs", "now"), ("automerge", "soon")])
async def test_a_full_disk_loses_nothing_and_nothing_is_sent_meanwhile(
    tmp_path: Path, kind: str, durable: str
) -> None:
    path = tmp_path / "farm.weft"
    async with serving() as server:
        said = await run(FULL, str(path), kind, durable, server.url)
    full, not_sent, sent = said.splitlines()
    assert not_sent == "not sent"
    assert sent == "sent 0"
    async with mirrored(path, kind) as (_, store):
        assert set(store.get_row_ids("r")) == {*map(str, range(int(full.split()[1]) + 1)), "while full"}


async def test_a_fork_of_the_process_does_not_use_it(tmp_path: Path) -> None:
    await run(FORK, str(tmp_path / "farm.weft"))
    async with mirrored(tmp_path / "farm.weft") as (_, store):
        assert store.get_tables() == {"a": {"b": {"c": 0}}}


@pytest.mark.parametrize("kind", ["yjs", "automerge"])
async def test_a_file_that_was_removed_is_written_again(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "farm.weft"
    async with mirrored(path, kind) as (replica, store):
        store.set_cell("a", "b", "c", 1)
        await replica.saved()
        for file in tmp_path.iterdir():
            file.unlink()
        store.set_cell("a", "b", "d", 2)
        await replica.saved()
        assert path.exists()
    async with mirrored(path, kind) as (_, store):
        assert store.get_tables() == {"a": {"b": {"c": 1, "d": 2}}}


async def test_of_a_file_that_was_replaced_nothing_is_said_to_be_saved(tmp_path: Path) -> None:
    path, other = tmp_path / "farm.weft", tmp_path / "other.weft"
    async with mirrored(other) as (_, store):
        store.set_cell("other", "b", "c", 1)
    errors: list[Exception] = []
    replica = await Replica(path, on_error=errors.append).open()
    with YjsMirror(Store(), replica.document) as mirror:
        mirror.store.set_cell("a", "b", "c", 1)
        await replica.saved()
        other.replace(path)
        mirror.store.set_cell("a", "b", "d", 2)
        with pytest.raises(StorageError, match="replaced"):
            await replica.saved()
    with pytest.raises(StorageError, match="replaced"):
        await replica.close()
    assert errors
    async with mirrored(path) as (_, store):
        assert store.get_tables() == {"other": {"b": {"c": 1}}}
    (kept,) = tmp_path.glob("*-kept-*")
    async with mirrored(kept) as (_, store):
        assert store.get_tables() == {"a": {"b": {"c": 1, "d": 2}}}


async def test_a_place_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "directory"), (tmp_path / "none" / "farm.weft", "no directory")):
        with pytest.raises(StorageError, match=reason):
            await Replica(path).open()


async def test_a_document_of_another_kind_or_url_is_an_error(tmp_path: Path) -> None:
    async with Replica(tmp_path / "a", kind="automerge") as replica:
        url = replica.url
    async with Replica(tmp_path / "a") as replica:
        assert (replica.kind, replica.url) == ("automerge", url)
    with pytest.raises(StorageError, match="kind 'automerge', not 'yjs'"):
        await Replica(tmp_path / "a", kind="yjs").open()
    with pytest.raises(StorageError, match="the replica belongs to"):
        await Replica(tmp_path / "a", url="automerge:2j9knpCseyhnK8izDmLpGP5WMdZQ").open()
    with pytest.raises(ValueError, match="has no URL"):
        await Replica(tmp_path / "b", kind="yjs", url=url).open()
