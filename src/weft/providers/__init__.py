"""Clients: a document kept in sync with a server over a websocket.

They need the extra ``weft[yjs]`` or ``weft[automerge]``; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft._aio.clock import Clock, SystemClock
    from weft.providers._core.backoff import Backoff
    from weft.providers._core.provider import ConnectionOptions, WebsocketProvider
    from weft.providers._core.status import Status, StatusListener
    from weft.providers._core.transport import Connection, Transport
    from weft.providers._core.websockets import WebsocketsTransport
    from weft.providers.automerge_repo.document import EphemeralListener
    from weft.providers.automerge_repo.handle import DocHandle
    from weft.providers.automerge_repo.presence import Presence, PresenceListener
    from weft.providers.automerge_repo.provider import AutomergeWebsocketProvider
    from weft.providers.ysync.provider import YWebsocketProvider

__all__ = [
    "AutomergeWebsocketProvider",
    "Backoff",
    "Clock",
    "Connection",
    "ConnectionOptions",
    "DocHandle",
    "EphemeralListener",
    "Presence",
    "PresenceListener",
    "Status",
    "StatusListener",
    "SystemClock",
    "Transport",
    "WebsocketProvider",
    "WebsocketsTransport",
    "YWebsocketProvider",
]

_HOMES = {
    "AutomergeWebsocketProvider": "automerge_repo.provider",
    "Backoff": "_core.backoff",
    "Clock": "weft._aio.clock",
    "Connection": "_core.transport",
    "ConnectionOptions": "_core.provider",
    "DocHandle": "automerge_repo.handle",
    "EphemeralListener": "automerge_repo.document",
    "Presence": "automerge_repo.presence",
    "PresenceListener": "automerge_repo.presence",
    "Status": "_core.status",
    "StatusListener": "_core.status",
    "SystemClock": "weft._aio.clock",
    "Transport": "_core.transport",
    "WebsocketProvider": "_core.provider",
    "WebsocketsTransport": "_core.websockets",
    "YWebsocketProvider": "ysync.provider",
}

__getattr__, __dir__ = lazy_exports(
    __name__,
    _HOMES,
    extra="yjs",
    extras={home: "automerge" for home in _HOMES.values() if home.startswith("automerge_repo.")},
)
