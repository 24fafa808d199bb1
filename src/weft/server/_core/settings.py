"""How rooms live."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RoomSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """How rooms live. Times are in seconds.

    Attributes:
        unload_delay: How long an empty room stays in memory. Reloading a page takes a second or two, and
            loading a large room again costs more than keeping it.
        stall_timeout: How long a client that has something to read may make no progress.
        tick: How often time passes for the sessions: keep-alives and the expiry of awareness are up to this
            late.
    """

    unload_delay: float = 10.0
    stall_timeout: float = 30.0
    tick: float = 1.0
