"""Clients of every kind that write numbers into a room and ask whether the server has them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from support.bridged import Tables
from support.repoclient import RepoClient, numbered_id, read
from support.tableclient import TableClient
from support.yclient import YClient
from weft.protocols.automerge_repo import Synced, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Writer", "join"]


class Writer(Protocol):
    """A client in a room, as the rounds below need it."""

    async def begin(self) -> None: ...
    async def put(self, **cells: int) -> None: ...
    async def settle(self) -> None: ...
    def content(self) -> dict[str, Any]: ...


class YjsWriter:
    def __init__(self, client: YClient) -> None:
        self._client = client

    async def begin(self) -> None:
        await self._client.synced()

    async def put(self, **cells: int) -> None:
        await self._client.set(**cells)

    async def settle(self) -> None:
        await self._client.flush()

    def content(self) -> dict[str, Any]:
        return self._client.content


class AutomergeWriter:
    def __init__(self, client: RepoClient, document_id: str) -> None:
        self._client = client
        self._id = document_id

    async def begin(self) -> None:
        answers = (Synced(self._id), Unavailable(self._id))
        await self._client.wait(lambda: any(effect in answers for effect in self._client.effects))

    async def put(self, **cells: int) -> None:
        await self._client.put(self._id, **cells)

    async def settle(self) -> None:
        await self._client.flush(self._id)

    def content(self) -> dict[str, Any]:
        return read(self._client.documents[self._id])


class MergeableWriter:
    def __init__(self, client: TableClient) -> None:
        self._client = client

    async def begin(self) -> None:
        await self._client.wait(lambda: self._client.is_synced)

    async def put(self, **cells: int) -> None:
        written: dict[str, Any] = dict(cells)
        await self._client.set(**written)

    async def settle(self) -> None:
        await self._client.flush()

    def content(self) -> dict[str, Any]:
        return dict(self._client.document.get_living()[0].get("t", {}).get("r", {}))


class TablesWriter:
    def __init__(self, client: Tables) -> None:
        self._client = client

    async def begin(self) -> None:
        pass

    async def put(self, **cells: int) -> None:
        with self._client.store.transaction():
            for cell, value in cells.items():
                self._client.store.set_cell("t", "r", cell, value)
        await asyncio.sleep(0)

    async def settle(self) -> None:
        await self._client.flush()

    def content(self) -> dict[str, Any]:
        return dict(self._client.content[0].get("t", {}).get("r", {}))


@contextlib.asynccontextmanager
async def join(kind: str, url: str, room: str) -> AsyncIterator[Writer]:
    """Join a room: ``yjs``, ``automerge`` or ``mergeable``, or bridged, the one that is called ``farm``."""
    if kind.startswith("bridged "):
        async with Tables(url, kind.removeprefix("bridged ")) as tables:
            yield TablesWriter(tables)
    elif kind == "yjs":
        async with YClient(url, room) as client:
            yield YjsWriter(client)
    elif kind == "mergeable":
        async with TableClient(url, room) as table:
            yield MergeableWriter(table)
    else:
        document_id = numbered_id(ord(room))
        async with RepoClient(url, document_id) as repo:
            yield AutomergeWriter(repo, document_id)
