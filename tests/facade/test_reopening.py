"""Two that would write under one client id: a second process, and a machine that was set back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import weft
from support.live import until
from support.servers import serving
from weft.errors import ReplicaInUseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOLDS = """
import asyncio, sys, weft

async def main():
    async with weft.connect(sys.argv[1], offline=sys.argv[2], on_error=lambda error: None) as store:
        store.set_value("of", "the first")
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def test_a_second_process_on_one_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "farm.weft"
    command = [sys.executable, "-c", HOLDS, "ws://127.0.0.1:9/farm", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == b"open\n"
            with pytest.raises(
                ReplicaInUseError, match=r"open already, in another process.*a file of its own"
            ):
                asyncio.run(weft.connect("ws://127.0.0.1:9/farm", offline=file).start())
            second = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            assert second.returncode == 1
            assert b"weft.errors.storage.ReplicaInUseError" in second.stderr
        finally:
            first.kill()  # which lets go of it
    with weft.open(file) as store:
        assert store.get_values() == {"of": "the first"}


def put_back(file: Path, to: dict[Path, bytes]) -> None:
    for path in (file, file.with_name(f"{file.name}-id")):
        path.write_bytes(to[path])  # into the same inode, as the whole machine is


async def test_a_machine_that_was_set_back_goes_on_under_another_client_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "farm.weft"
    async with serving() as server:
        address = f"{server.url}/farm"
        async with weft.connect(address, offline=file) as store:
            store.set_table("pets", {"fido": {"price": 1}, "felix": {"price": 1}})
            await store.sync.flush(timeout=20)
        before = {path: path.read_bytes() for path in sorted(tmp_path.iterdir())}  # noqa: ASYNC240
        async with weft.connect(address, offline=file) as store:
            store.set_value("lost here", True)
            store.set_cell("pets", "fido", "price", 2)
            await store.sync.flush(timeout=20)
        put_back(file, before)
        async with (
            weft.connect(address) as other,
            weft.connect(address, offline=file, on_error=lambda error: None) as store,
        ):
            statuses: list[str] = []
            store.sync.on_change(lambda sync: statuses.append(sync.status))
            client_id, document = store.sync.document.client_id, store.sync.document
            store.presence.me["user"] = {"name": "Ada"}
            store.set_cell("pets", "rex", "price", 3)
            store.set_value("here", "before")
            store.del_row("pets", "felix")
            closing = asyncio.create_task(until_other(store, document))
            await store.sync.flush(timeout=20)
            await closing
            store.set_value("here", "after")
            await store.sync.flush(timeout=20)
            assert not store.sync.pending
            assert "closed" not in statuses
            assert store.sync.document.client_id != client_id
            assert "its client id is used by another" in caplog.text
            expected = {"fido": {"price": 2}, "rex": {"price": 3}}
            assert store.get_content() == (
                {"pets": expected},
                {"lost here": True, "here": "after", "meanwhile": 0, "more": {"a": 1}},
            )
            await until(
                lambda: other.get_content() == store.get_content(),
                lambda changed: _listening(other, changed),
                "the other to have it",
            )
            assert store.presence.me == {"user": {"name": "Ada"}}
        put_back(file, before)
        await asyncio.to_thread(write_without_a_loop, address, file)
        async with weft.open(file) as store:
            assert not store.sync.pending
            assert store.get_table("pets") == expected | {"kit": {"price": 9}}


def write_without_a_loop(address: str, file: Path) -> None:
    with weft.sync.connect(address, offline=file, on_error=lambda error: None) as store:
        document, provider = store.sync.document, store.sync.provider
        store.presence.me["user"] = {"name": "Ben"}
        store.set_cell("pets", "kit", "price", 9)
        store.sync.flush(timeout=20)
        assert store.sync.document is not document
        assert store.sync.provider is not provider
        assert store.presence.me == {"user": {"name": "Ben"}}
        assert store.get_cell("pets", "rex", "price") == 3


async def until_other(store: weft.facade.SharedStore, document: object) -> None:
    """Write in each turn of the loop until the document is another: also while there is none."""
    at = 0
    while store.sync.document is document:
        at += 1
        store.set_value("meanwhile", at)
        store.set_value("more", {"a": at})
        await asyncio.sleep(0)
    assert store.get_value("meanwhile") == at
    store.set_value("meanwhile", 0)
    store.set_value("more", {"a": 1})


def _listening(store: weft.Store, changed: Callable[..., None]) -> Callable[[], object]:
    listener = store.add_did_finish_transaction_listener(changed)
    return lambda: store.del_listener(listener)
