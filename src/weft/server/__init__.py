"""A server for y-websocket and automerge-repo clients, in Python or a browser.

It needs the extra ``weft[server]``; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.documents.compaction import Compacted, Compactor
    from weft.server._core.broadcast import Broadcast
    from weft.server._core.settings import RoomSettings
    from weft.server.auth import Allow, Auth, Decision, Deny, Request, allow_all
    from weft.server.bridge_id import bridge_document_id
    from weft.server.fronts.websocket import Server, serve
    from weft.server.sqlite import SqliteRoomStorage
    from weft.server.storage import MemoryRoomStorage, RoomStorage
    from weft.server.ysync.room import Room

__all__ = [
    "Allow",
    "Auth",
    "Broadcast",
    "Compacted",
    "Compactor",
    "Decision",
    "Deny",
    "MemoryRoomStorage",
    "Request",
    "Room",
    "RoomSettings",
    "RoomStorage",
    "Server",
    "SqliteRoomStorage",
    "allow_all",
    "bridge_document_id",
    "serve",
]

_HOMES = {
    "Allow": "auth",
    "Auth": "auth",
    "Broadcast": "_core.broadcast",
    "Compacted": "weft.documents.compaction",
    "Compactor": "weft.documents.compaction",
    "Decision": "auth",
    "Deny": "auth",
    "MemoryRoomStorage": "storage",
    "Request": "auth",
    "Room": "ysync.room",
    "RoomSettings": "_core.settings",
    "RoomStorage": "storage",
    "Server": "fronts.websocket",
    "SqliteRoomStorage": "sqlite",
    "allow_all": "auth",
    "bridge_document_id": "bridge_id",
    "serve": "fronts.websocket",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, extra="server")
