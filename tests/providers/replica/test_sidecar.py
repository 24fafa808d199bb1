"""Which client id a replica writes with."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support.replicas import connected, joined, mirrored
from support.servers import serving
from weft._support.files import FileIdentity
from weft.errors import ConnectionClosedError
from weft.providers.replica.file import ReplicaFile
from weft.providers.replica.sidecar import Sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from weft import Replica


def author_of(replica: Replica) -> object:
    return replica.document.client_id


async def test_a_client_id_that_somebody_else_writes_with_is_given_up(tmp_path: Path) -> None:
    """Nothing here can tell, as where a whole machine was set back: the server can."""
    path, copy = tmp_path / "farm.weft", tmp_path / "copy" / "farm.weft"
    async with serving() as server:
        async with connected(path, server.url) as (replica, store, provider):
            store.set_row("readings", "1", {"t": 1, "text": "a"})
            await provider.flush()
            author = author_of(replica)
        copy.parent.mkdir()
        shutil.copy(path, copy)
        pretend_proof(copy)
        async with connected(path, server.url) as (replica, store, provider):
            store.set_row("readings", "2", {"t": 2})
            await provider.flush()
        async with mirrored(copy) as (replica, store):
            assert author_of(replica) == author
            store.set_cell("readings", "1", "text", "b")
            store.del_cell("readings", "1", "t")
            for number in range(5):  # more than the other one has written
                store.set_row("readings", f"offline {number}", {"t": number})
        async with (
            mirrored(copy) as (replica, store),
            joined(replica, server.url) as provider,
        ):
            assert author_of(replica) == author
            with pytest.raises(ConnectionClosedError, match="Open the replica again"):
                await provider.flush()
            pending = replica.pending
            assert pending
        wanted = store.get_tables() | {}
        wanted["readings"]["2"] = {"t": 2}
        async with connected(copy, server.url) as (replica, store, provider):
            assert author_of(replica) != author
            await provider.flush()
            assert not replica.pending
            assert store.get_tables() == wanted
        async with connected(path, server.url) as (_, store, _):
            assert store.get_tables() == wanted


async def test_a_client_id_is_given_up_before_anything_was_written(tmp_path: Path) -> None:
    path, copy = tmp_path / "farm.weft", tmp_path / "copy" / "farm.weft"
    async with serving() as server:
        async with mirrored(path) as (replica, _):
            author = author_of(replica)
        copy.parent.mkdir()
        shutil.copy(path, copy)
        pretend_proof(copy)
        async with connected(path, server.url) as (_, store, provider):
            store.set_row("readings", "1", {"t": 1})
            await provider.flush()
        async with mirrored(copy) as (replica, _), joined(replica, server.url) as provider:
            with pytest.raises(ConnectionClosedError, match="Open the replica again"):
                await provider.wait_synced()
        async with connected(copy, server.url) as (replica, store, _):
            assert author_of(replica) != author
            assert store.get_tables() == {"readings": {"1": {"t": 1}}}


def pretend_proof(path: Path) -> None:
    """Write beside a copy that it is the original."""
    file = ReplicaFile(str(path))
    _, meta, _ = file.open()
    identity = FileIdentity.of(path)
    assert meta is not None
    assert identity is not None
    file.close()
    Sidecar(str(path)).write(identity, meta.token, meta.session, file.last)
