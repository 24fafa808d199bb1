"""What happened in the rooms of one server, counted since its start."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RoomCounters"]


@dataclass(slots=True)
class RoomCounters:
    """Of all rooms of a server together, since they come and go.

    Attributes:
        updates: Updates that clients, or who edits in the process, have brought and that were handed to
            storage.
        update_bytes: Bytes of them.
        relayed: Times that one of them, or of another process, was told a client.
        relayed_bytes: Bytes of that.
        compactions: Logs that were compacted.
        failed_compactions: Logs that could not be.
        damaged: Times that a room which was opened turned out to be damaged in storage.
        set_aside: Rows that were set aside then.
    """

    updates: int = 0
    update_bytes: int = 0
    relayed: int = 0
    relayed_bytes: int = 0
    compactions: int = 0
    failed_compactions: int = 0
    damaged: int = 0
    set_aside: int = 0
