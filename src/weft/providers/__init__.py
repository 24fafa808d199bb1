"""Clients: a document kept in sync with a server over a websocket.

They need the extra ``weft[yjs]`` or ``weft[automerge]``; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._lazy import lazy_exports

if TYPE_CHECKING:
    from weft.providers._backoff import Backoff
    from weft.providers._clock import Clock, SystemClock
    from weft.providers._dochandle import DocHandle
    from weft.providers._presence import Presence, PresenceListener
    from weft.providers._provider import ConnectionOptions, WebsocketProvider
    from weft.providers._shared import EphemeralListener
    from weft.providers._standing import Status, StatusListener
    from weft.providers._transport import Connection, Transport
    from weft.providers._websockets import WebsocketsTransport
    from weft.providers.automerge import AutomergeWebsocketProvider
    from weft.providers.ywebsocket import YWebsocketProvider

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
    "AutomergeWebsocketProvider": "automerge",
    "Backoff": "_backoff",
    "Clock": "_clock",
    "Connection": "_transport",
    "ConnectionOptions": "_provider",
    "DocHandle": "_dochandle",
    "EphemeralListener": "_shared",
    "Presence": "_presence",
    "PresenceListener": "_presence",
    "Status": "_standing",
    "StatusListener": "_standing",
    "SystemClock": "_clock",
    "Transport": "_transport",
    "WebsocketProvider": "_provider",
    "WebsocketsTransport": "_websockets",
    "YWebsocketProvider": "ywebsocket",
}

__getattr__, __dir__ = lazy_exports(
    __name__, _HOMES, extra="yjs", extras=dict.fromkeys(("automerge", "_dochandle", "_shared"), "automerge")
)
