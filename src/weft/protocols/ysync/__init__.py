"""y-websocket's protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.protocols.ysync.messages import (
        awareness_message as awareness_message,
        update_message as update_message,
    )
    from weft.protocols.ysync.session import (
        KEEP_ALIVE_S as KEEP_ALIVE_S,
        AwarenessChanged as AwarenessChanged,
        Denied as Denied,
        Effect as Effect,
        Flushed as Flushed,
        FlushLost as FlushLost,
        Send as Send,
        Synced as Synced,
        YSyncSession as YSyncSession,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "messages": "awareness_message update_message",
            "session": "KEEP_ALIVE_S AwarenessChanged Denied Effect Flushed FlushLost Send Synced"
            " YSyncSession",
        },
        extra="yjs",
    )
