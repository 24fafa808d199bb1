"""All rooms of TinyBase's clients: who may have one, and holding it open."""

from __future__ import annotations

from weft.documents.mergeable.log import unreadable_rows
from weft.server.asked_rooms import AskedRooms
from weft.server.tinybase.room import MergeableRoom, storage_name

__all__ = ["MergeableRooms"]


class MergeableRooms(AskedRooms[MergeableRoom]):
    """All rooms of a server that hold mergeable documents."""

    room_type = MergeableRoom
    unreadable = staticmethod(unreadable_rows)
    key = staticmethod(storage_name)
