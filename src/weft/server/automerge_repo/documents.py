"""All Automerge documents of a server: who may have one, and holding it open."""

from __future__ import annotations

from weft.documents.automerge.log import unreadable_rows
from weft.server.asked_rooms import AskedRooms
from weft.server.automerge_repo.room import DocumentRoom, storage_name

__all__ = ["Documents"]


class Documents(AskedRooms[DocumentRoom]):
    """All Automerge documents of a server."""

    room_type = DocumentRoom
    unreadable = staticmethod(unreadable_rows)
    key = staticmethod(storage_name)
