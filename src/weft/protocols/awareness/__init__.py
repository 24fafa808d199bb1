"""Small states that come and go with their owners: who is here, where the cursor is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.protocols.awareness.change import AwarenessChange as AwarenessChange
    from weft.protocols.awareness.message import AwarenessEntry as AwarenessEntry, State as State
    from weft.protocols.awareness.states import (
        EXPIRY_S as EXPIRY_S,
        RENEWAL_S as RENEWAL_S,
        Awareness as Awareness,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "message": "AwarenessEntry State",
            "change": "AwarenessChange",
            "states": "EXPIRY_S RENEWAL_S Awareness",
        },
        extra="yjs",
    )
