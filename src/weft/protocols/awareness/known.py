"""What is known of one client's awareness state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.protocols.awareness.message import AwarenessEntry, State

__all__ = ["RENEWAL_S", "Known", "is_free"]

RENEWAL_S = 15.0  # y-protocols: half of outdatedTimeout


@dataclass(slots=True)
class Known:
    """A state, and who spoke for it last."""

    state: State
    text: str  # as received, or as written once for all who get it
    clock: int
    at: float
    origin: object | None


def is_free(known: Known, entry: AwarenessEntry, now: float) -> bool:
    """Whether a connection may speak for a client that another one has spoken for.

    It is that other one's cursor. But a client that reconnects is here before its old connection is seen to
    be dead: it gets its id back when the renewal fails to come.
    """
    return known.origin is None or (entry.state is not None and now - known.at > RENEWAL_S + 1)
