"""The y-websocket client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.providers.ysync.provider import YWebsocketProvider as YWebsocketProvider
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "provider": "YWebsocketProvider",
        },
        extra="yjs",
    )
