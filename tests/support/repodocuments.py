"""What tests of a server's Automerge documents ask of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from support.repoclient import RepoClient, numbered_id, put
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo.cbor import decode
from weft.server.automerge_repo.peer import RepoPeer
from weft.server.automerge_repo.room import storage_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from weft.server.automerge_repo.documents import Documents
    from weft.server.automerge_repo.room import DocumentRoom
    from weft.server.fronts.websocket import Server


PETS = numbered_id(1)


ZOOS = numbered_id(2)


def documents_of(server: Server) -> Documents:
    assert server.documents is not None
    return server.documents


def room_of(server: Server, document_id: str) -> DocumentRoom | None:
    return documents_of(server).rooms.get(storage_name(document_id))


def open_room(server: Server, document_id: str) -> DocumentRoom:
    room = room_of(server, document_id)
    assert room is not None
    return room


def peers_in(room: DocumentRoom) -> list[RepoPeer]:
    return [peer for peer in room.clients if isinstance(peer, RepoPeer)]


@asynccontextmanager
async def sharing(server: Server) -> AsyncIterator[tuple[RepoClient, RepoClient]]:
    """Two clients that have ``PETS`` in common, with ``a`` being 0."""
    async with RepoClient(server.url, PETS) as one, RepoClient(server.url, PETS) as two:
        await one.put(PETS, a=0)
        await two.wait_cells(PETS, a=0)
        yield one, two


async def settled(client: RepoClient) -> None:
    """Wait until the server has answered everything that the client has sent before."""
    document_id = numbered_id(1000 + len(client.documents))
    await client.open(document_id)
    await client.unavailable(document_id)


def syncs(client: RepoClient) -> list[Any]:
    """The sync messages of ``PETS`` that came."""
    messages: list[Any] = [decode(frame) for frame in client.frames]
    return [message for message in messages if message["type"] == "sync" and message["documentId"] == PETS]


def saved(**cells: int) -> bytes:
    document = AutomergeDocument()
    put(document, **cells)
    return document.save()
