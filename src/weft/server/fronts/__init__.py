"""The world outside: handshakes, frames, shutdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.server.fronts.websocket import Server as Server
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "websocket": "Server",
        },
        extra="server",
    )
