"""What joins a room to the same room in other processes."""

from __future__ import annotations

from typing import Protocol, TypeVar

__all__ = ["Broadcast", "R_contra"]


R_contra = TypeVar("R_contra", contravariant=True)


class Broadcast(Protocol[R_contra]):
    """Joins a room to the same room in other processes.

    An implementation subscribes to ``room.document`` and observes ``room.awareness``, and applies what comes
    from elsewhere to both with an origin of its own: the room stores and relays that like a client's.
    """

    async def join(self, room: R_contra) -> None:
        """The room has been loaded and serves its first client next; raising here refuses the client."""

    async def leave(self, room: R_contra) -> None:
        """The room is about to be forgotten."""
