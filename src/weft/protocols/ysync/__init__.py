"""y-websocket's protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.protocols.effects import (
        Denied as Denied,
        Flushed as Flushed,
        FlushLost as FlushLost,
        Send as Send,
    )
    from weft.protocols.ysync.messages import (
        AnswerCache as AnswerCache,
        awareness_message as awareness_message,
        update_message as update_message,
        update_messages as update_messages,
    )
    from weft.protocols.ysync.session import (
        KEEP_ALIVE_S as KEEP_ALIVE_S,
        AwarenessChanged as AwarenessChanged,
        Effect as Effect,
        Synced as Synced,
        YSyncSession as YSyncSession,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "messages": "AnswerCache awareness_message update_message update_messages",
            "session": "KEEP_ALIVE_S AwarenessChanged Effect Synced YSyncSession",
            "weft.protocols.effects": "Denied Flushed FlushLost Send",
        },
        extra="yjs",
    )
