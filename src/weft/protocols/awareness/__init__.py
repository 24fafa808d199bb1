"""Small states that come and go with their owners: who is here, where the cursor is."""

from __future__ import annotations

from weft.protocols.awareness.states import (
    EXPIRY_S,
    RENEWAL_S,
    Awareness,
    AwarenessChange,
    AwarenessEntry,
    State,
)

__all__ = ["EXPIRY_S", "RENEWAL_S", "Awareness", "AwarenessChange", "AwarenessEntry", "State"]
