"""A server for y-websocket and automerge-repo clients, in Python or a browser.

It needs the extra ``weft[server]``; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.server._core.settings import RoomSettings as RoomSettings
    from weft.server.auth import (
        Allow as Allow,
        Auth as Auth,
        Decision as Decision,
        Deny as Deny,
        Request as Request,
        allow_all as allow_all,
        allow_tokens as allow_tokens,
    )
    from weft.server.bridge_id import bridge_document_id as bridge_document_id
    from weft.server.fanout import (
        Broadcast as Broadcast,
        NatsBroadcast as NatsBroadcast,
        RedisBroadcast as RedisBroadcast,
    )
    from weft.server.fronts.operations import Operations as Operations
    from weft.server.fronts.websocket import Server as Server
    from weft.server.object_versions import ObjectVersions as ObjectVersions
    from weft.server.statistics import ServerStats as ServerStats
    from weft.server.storage import (
        MemoryRoomStorage as MemoryRoomStorage,
        PostgresRoomStorage as PostgresRoomStorage,
        RoomStorage as RoomStorage,
        SqliteRoomStorage as SqliteRoomStorage,
    )
    from weft.server.versions import (
        Version as Version,
        VersionDifference as VersionDifference,
        VersionPlace as VersionPlace,
        Versions as Versions,
    )
    from weft.server.ysync.room import Room as Room
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "_core.settings": "RoomSettings",
            "auth": "Allow Auth Decision Deny Request allow_all allow_tokens",
            "bridge_id": "bridge_document_id",
            "fanout": "Broadcast NatsBroadcast RedisBroadcast",
            "fronts.operations": "Operations",
            "fronts.websocket": "Server",
            "statistics": "ServerStats",
            "storage": "MemoryRoomStorage PostgresRoomStorage RoomStorage SqliteRoomStorage",
            "versions": "Version VersionDifference VersionPlace Versions",
            "ysync.room": "Room",
            "object_versions": "ObjectVersions",
        },
        extra="server",
    )
