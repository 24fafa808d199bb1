"""Clients: a document kept in sync with a server over a websocket.

They need the extra ``weft[yjs]``; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._lazy import lazy_exports

if TYPE_CHECKING:
    from weft.providers._backoff import Backoff
    from weft.providers._clock import Clock, SystemClock
    from weft.providers._provider import ConnectionOptions, WebsocketProvider
    from weft.providers._standing import Status, StatusListener
    from weft.providers._transport import Connection, Transport
    from weft.providers._websockets import WebsocketsTransport
    from weft.providers.ywebsocket import YWebsocketProvider

__all__ = [
    "Backoff",
    "Clock",
    "Connection",
    "ConnectionOptions",
    "Status",
    "StatusListener",
    "SystemClock",
    "Transport",
    "WebsocketProvider",
    "WebsocketsTransport",
    "YWebsocketProvider",
]

_HOMES = {
    "Backoff": "_backoff",
    "Clock": "_clock",
    "Connection": "_transport",
    "ConnectionOptions": "_provider",
    "Status": "_standing",
    "StatusListener": "_standing",
    "SystemClock": "_clock",
    "Transport": "_transport",
    "WebsocketProvider": "_provider",
    "WebsocketsTransport": "_websockets",
    "YWebsocketProvider": "ywebsocket",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, extra="yjs")
