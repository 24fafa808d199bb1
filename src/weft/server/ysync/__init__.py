"""Yjs rooms and their clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.server.ysync.room import Room as Room
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "room": "Room",
        },
        extra="server",
    )
