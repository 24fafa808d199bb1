"""A server for y-websocket and automerge-repo clients, in Python or a browser.

It needs the extra ``weft[server]``; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._lazy import lazy_exports

if TYPE_CHECKING:
    from weft.server._names import bridge_document_id
    from weft.server.auth import Allow, Auth, Decision, Deny, Request, allow_all
    from weft.server.rooms import Broadcast, Room, RoomSettings
    from weft.server.sqlite import SqliteRoomStorage
    from weft.server.storage import Compacted, Compactor, MemoryRoomStorage, RoomStorage
    from weft.server.websocket import Server, serve

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
    "Broadcast": "rooms",
    "Compacted": "storage",
    "Compactor": "storage",
    "Decision": "auth",
    "Deny": "auth",
    "MemoryRoomStorage": "storage",
    "Request": "auth",
    "Room": "rooms",
    "RoomSettings": "rooms",
    "RoomStorage": "storage",
    "Server": "websocket",
    "SqliteRoomStorage": "sqlite",
    "allow_all": "auth",
    "bridge_document_id": "_names",
    "serve": "websocket",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, extra="server")
