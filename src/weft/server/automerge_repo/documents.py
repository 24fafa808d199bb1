"""Automerge documents on the server: each a room, and the clients that have it open among others."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from weft.documents.automerge.document import AutomergeDocument
from weft.documents.automerge.log_compaction import LogRows
from weft.protocols.automerge_repo.session import document_url
from weft.server._core.registry import RoomRegistry
from weft.server._core.room import BaseRoom, RoomContext
from weft.server.auth import decide
from weft.server.automerge_repo.peer import RepoPeer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from weft.documents.automerge.document import DocumentEvent
    from weft.protocols.automerge_repo.messages import EphemeralMessage
    from weft.server._core.link import Link
    from weft.server.auth import Auth, Decision, Request
    from weft.server.bridge import Bridges

__all__ = ["DocumentRoom", "Documents", "storage_name"]

# Before the document's URL in storage. No room that a URL's path names has a control character in its name:
# the logs of Yjs rooms and of Automerge documents cannot be taken for one another.
_MARK = "\x1f"


def storage_name(document_id: str) -> str:
    """Under which name a storage keeps a document: U+001F and the document's URL."""
    return _MARK + document_url(document_id)


class DocumentRoom(BaseRoom[RepoPeer]):
    """One Automerge document in memory. Made by a ``RoomRegistry``, which opens and closes it.

    Args:
        name: The document's name in storage.
        updates: What storage has of it: changes, and saved documents.
        failed: Called once when storage could not take changes; nothing is acknowledged any more.
        context: What it shares with the server's other documents.

    Raises:
        RemoteProtocolError: Storage holds something else.
    """

    def __init__(
        self,
        name: str,
        updates: list[bytes],
        failed: Callable[[DocumentRoom], None],
        context: RoomContext,
    ) -> None:
        self.document = AutomergeDocument.from_rows(updates, limits=context.limits)
        self._log_rows = LogRows(self.document, updates)
        super().__init__(name, updates, failed, context, compactor=self._log_rows.compactor)
        self.document_id = name.removeprefix(storage_name(""))
        self._wanting: set[RepoPeer] = set()
        self._ends = [self.document.subscribe(self._take)]

    def want(self, peer: RepoPeer) -> None:
        """Tell a client that asked for the document, which is empty, that it is not to be had.

        Later, where another client has announced content that has not come yet: never, if it comes.
        """
        if any(other.session.promises(self.document_id) for other in self.peers):
            self._wanting.add(peer)
        else:
            peer.unavailable(self.document_id)

    def part(self, peer: RepoPeer) -> None:
        """A client goes, and with it what it promised."""
        self.peers.discard(peer)
        wanting, self._wanting = self._wanting - {peer}, set()
        for other in wanting:
            self.want(other)

    def relay(self, message: EphemeralMessage) -> None:
        """Pass on what one client said to the others that have the document open."""
        for peer in self.peers:
            peer.relay(message)

    def _take(self, event: DocumentEvent) -> None:
        self._wanting.clear()
        row = b"".join(event.changes)
        self._log_rows.note(row)
        if not self.log.append(row):
            return
        for peer in self.peers:
            peer.changed(self, event.origin)


class Documents:
    """All Automerge documents of a server, and its automerge-repo clients.

    Args:
        context: What they share with the server's rooms. Its storage is opened and closed by the owner.
        auth: Decides on each document that a client speaks of.
        auth_timeout: Seconds the hook has.
    """

    def __init__(self, context: RoomContext, *, auth: Auth, auth_timeout: float) -> None:
        self.rooms: RoomRegistry[DocumentRoom] = RoomRegistry(
            context.storage,
            make=partial(DocumentRoom, context=context),
            settings=context.settings,
            clock=context.clock,
        )
        self.peer_id = f"weft-{secrets.token_hex(8)}"  # as this run of the server is called
        self.limits = context.limits
        self.settings = context.settings
        self.stored = context.storage.stored
        self.bridges: Bridges | None = None
        self._auth = auth
        self._auth_timeout = auth_timeout

    async def serve(self, link: Link, request: Request, *, name: str) -> None:
        """Serve one client until it leaves or is let go.

        Args:
            link: The client's connection.
            request: What is known of it; the hook is asked with a document's id for the room.
            name: How the logs call it.
        """
        await RepoPeer(link, self, request, name=name).run()

    async def decide(self, request: Request, document_id: str) -> Decision:
        """Ask the hook whether a client may have a document; of a bridged one, whether the room."""
        room = self._bridged_room(document_id) or document_id
        return await decide(self._auth, replace(request, room=room), patience=self._auth_timeout)

    @asynccontextmanager
    async def use(self, document_id: str) -> AsyncIterator[DocumentRoom]:
        """Hold a document open. However many ask at once, it is loaded once.

        Raises:
            StorageError: It could not be loaded. The next request tries again.
        """
        name = self._bridged_room(document_id)
        if self.bridges is not None and name is not None:
            async with self.bridges.use(name) as bridge:
                yield bridge.document
        else:
            async with self.rooms.use(storage_name(document_id)) as room:
                yield room

    async def close(self) -> None:
        """Settle and forget every document. Clients must be gone, or going."""
        await self.rooms.close()

    def _bridged_room(self, document_id: str) -> str | None:
        return None if self.bridges is None else self.bridges.room_of(document_id)
