"""One room over both protocols: a Yjs room and an Automerge document that hold the same tables.

One Store stands between them, mirrored into both, so a change on one side is on the other before the next
message is read. Each side has its own log, and neither confirms a change before both have it. After a crash
in between, or when one side was changed while there was no bridge, opening the room merges: what only one
side has the other gets, and where a cell differs Automerge's is taken.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from weft.mirrors.automerge import AutomergeMirror, genesis
from weft.mirrors.yjs import YjsMirror
from weft.server.automerge_repo.room import storage_name
from weft.server.bridge_id import bridge_document_id
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from weft.server._core.registry import RoomRegistry
    from weft.server.automerge_repo.room import DocumentRoom
    from weft.server.ysync.room import Room

__all__ = ["Bridge", "BridgedRooms"]

_log = logging.getLogger("weft.server")

_ROOT = "tinybase"  # the key of the Store in both documents, TinyBase's default


class Bridge:
    """Keeps a room and a document equal for as long as both are open.

    Args:
        room: The Yjs room, loaded.
        document: The Automerge document, loaded.
    """

    def __init__(self, room: Room, document: DocumentRoom) -> None:
        self.room = room
        self.document = document
        store = Store()
        self._is_closed = False
        self._stack = ExitStack()
        local = self._stack.enter_context(room.edit())
        self._mirrors = (
            YjsMirror(store, local.document, _ROOT, on_error=self._report),
            AutomergeMirror(store, document.document, _ROOT, on_error=self._report),
        )
        room.bind(document, self.close)
        document.bind(room, self.close)
        self._stack.callback(local.document.subscribe(self._note_tickets))
        try:
            if not document.document.heads:  # to whoever opens it first it is there, and not unavailable
                document.document.apply_changes([genesis(_ROOT)])
            for mirror in self._mirrors:
                mirror.start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the two sides go their own ways; nobody is in them. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        for mirror in self._mirrors:
            mirror.stop()
        self._stack.close()
        self.room.unbind()
        self.document.unbind()

    def _note_tickets(self, _update: bytes, _origin: object | None) -> None:
        """Have the document's clients wait for what has just been handed to storage on the other side."""
        for peer in self.document.clients:
            peer.note_ticket(self.document.log.ticket)

    def _report(self, error: Exception) -> None:
        _log.warning("bridge of room %.200r: %s", self.room.name, error)


class BridgedRooms:
    """The bridged rooms of a server.

    Args:
        names: Their names.
        rooms: The server's Yjs rooms.
        documents: The server's Automerge documents.
    """

    def __init__(
        self, names: Iterable[str], *, rooms: RoomRegistry[Room], documents: RoomRegistry[DocumentRoom]
    ) -> None:
        self._names = {bridge_document_id(name): name for name in names}
        self._rooms = rooms
        self._documents = documents
        self._open: WeakValueDictionary[str, Bridge] = WeakValueDictionary()  # the rooms hold them

    def __contains__(self, room: str) -> bool:
        """Whether a room is bridged."""
        return self._names.get(bridge_document_id(room)) == room

    def room_of(self, document_id: str) -> str | None:
        """The room that a document is bridged with."""
        return self._names.get(document_id)

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Bridge]:
        """Hold both sides of a room open, equal and following each other.

        Raises:
            StorageError: One side could not be loaded. The next request tries again.
        """
        key = storage_name(bridge_document_id(name))
        async with self._rooms.use(name) as room, self._documents.use(key) as document:
            bridge = self._open.get(name)
            # One side may have been forgotten, and loaded again, while the other was still being stored.
            if bridge is None or bridge.room is not room or bridge.document is not document:
                if bridge is not None:
                    bridge.close()
                bridge = self._open[name] = Bridge(room, document)
            yield bridge

    @asynccontextmanager
    async def use_room(self, name: str) -> AsyncIterator[Room]:
        """Hold both sides of a room open, for a client of the room: see :meth:`use`."""
        async with self.use(name) as bridge:
            yield bridge.room

    @asynccontextmanager
    async def use_document(self, name: str) -> AsyncIterator[DocumentRoom]:
        """Hold both sides of a room open, for a client of the document: see :meth:`use`."""
        async with self.use(name) as bridge:
            yield bridge.document
