"""A small automerge-repo server for the provider's tests: a document for each id anybody asks for."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from support.serverdouble import RoomDouble, ServerDouble, VisitDouble
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.protocols.automerge_repo import (
    Ephemeral,
    RepoSession,
    Requested,
    Send,
    Wanted,
    encode_document_id,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.protocols.automerge_repo import Effect
    from weft.providers.transport import Connection

__all__ = ["RepoRoom", "RepoServer", "cells", "id_of", "put"]


def id_of(name: str) -> str:
    """The id of the document that a test calls by a name."""
    return encode_document_id(sha256(name.encode()).digest()[:16])


def put(document: AutomergeDocument, key: str, value: str) -> None:
    """Set a key of the root."""
    with document.transaction() as transaction:
        transaction.put(ROOT, key, ScalarType.Str, value)


def cells(document: AutomergeDocument) -> dict[str, Any]:
    """The root's keys and scalars."""
    core = document.core
    values = (read[0][1] for read in core.values(ROOT))
    return dict(zip(core.keys(ROOT), values, strict=True))


class RepoRoom(RoomDouble):
    """One document on the server."""

    def __init__(self, server: RepoServer, document_id: str, *, exists: bool) -> None:
        super().__init__()
        self.document = AutomergeDocument()
        if exists:
            put(self.document, "made", "")  # automerge-repo makes an empty change
            with self.document.transaction() as transaction:
                transaction.delete(ROOT, "made")
        self.document_id = document_id
        self._server = server
        self.document.subscribe(lambda event: self._relay(event.origin))

    def content(self) -> dict[str, Any]:
        return cells(self.document)

    def write(self, key: str, value: str) -> None:
        put(self.document, key, value)

    def _relay(self, origin: object) -> None:
        for visit in self._server.visits:
            if visit.session is not origin:
                visit.perform(visit.session.changed(self.document_id))
        self.happened()


class RepoVisit(VisitDouble):
    """One client's connection."""

    def __init__(self, server: RepoServer, connection: Connection) -> None:
        super().__init__(connection)
        self.server = server
        self.session = RepoSession(role="server", peer_id="server", session_id="of the server")

    def perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self.queue.put_nowait(effect.data)
                case Requested() if effect.document_id in self.server.denied:
                    self.perform(self.session.unavailable(effect.document_id))
                case Requested():
                    room = self.server.by_id(effect.document_id)
                    read_only = effect.document_id in self.server.read_only
                    self.perform(self.session.add(effect.document_id, room.document, read_only=read_only))
                case Wanted():
                    self.perform(self.session.unavailable(effect.document_id))
                case Ephemeral():
                    for visit in self.server.visits:
                        if visit is not self:
                            visit.perform(visit.session.relay(effect.message))
                case _:
                    pass

    def connected(self) -> None:
        self.perform(self.session.connected())

    def receive(self, data: bytes) -> None:
        self.server.received.append(data)
        self.perform(self.session.receive(data))
        for room in self.server.rooms.values():
            room.happened()

    def disconnected(self) -> None:
        self.session.disconnected()
        for room in self.server.rooms.values():
            room.happened()


class RepoServer(ServerDouble[RepoVisit]):
    """Documents by id.

    Attributes:
        received: Every message of every client, in order of arrival.
        has_all: Whether it has, without content, the documents that it is asked for and that nobody made.
        denied: Documents nobody gets.
        read_only: Documents nobody may write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rooms: dict[str, RepoRoom] = {}
        self.received: list[bytes] = []
        self.has_all = True
        self.denied: set[str] = set()
        self.read_only: set[str] = set()

    def room(self, name: str = "room") -> RepoRoom:
        return self.by_id(id_of(name))

    def by_id(self, document_id: str) -> RepoRoom:
        if document_id not in self.rooms:
            self.rooms[document_id] = RepoRoom(self, document_id, exists=self.has_all)
        return self.rooms[document_id]

    def enter(self, connection: Connection, path: str) -> RepoVisit:
        return RepoVisit(self, connection)
