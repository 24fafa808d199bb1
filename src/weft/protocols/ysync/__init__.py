"""y-websocket's protocol."""

from __future__ import annotations

from weft.protocols.ysync.session import (
    KEEP_ALIVE_S,
    AwarenessChanged,
    Denied,
    Effect,
    Flushed,
    FlushLost,
    Send,
    Synced,
    YSyncSession,
)

__all__ = [
    "KEEP_ALIVE_S",
    "AwarenessChanged",
    "Denied",
    "Effect",
    "FlushLost",
    "Flushed",
    "Send",
    "Synced",
    "YSyncSession",
]
