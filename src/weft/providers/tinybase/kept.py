"""What a provider tells the replica of its mergeable document."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from weft.errors import LocalProtocolError
from weft.providers.replica.kept import Kept as AnyKept
from weft.providers.replica.mergeable import MergeableReplicaContent

if TYPE_CHECKING:
    from weft.providers.replica.replica import Replica

__all__ = ["Kept"]


class Kept(AnyKept[MergeableReplicaContent]):
    """A replica, as the session of its document sees it.

    Args:
        replica: The replica.
        url: Of the room, without parameters.
        channel: Of the document, below that; ``None`` without channels.

    Raises:
        LocalProtocolError: The replica is not open, or another kind of document's.
        ReplicaRoomError: It belongs to another room, and may not be merged with this one.
    """

    def __init__(self, replica: Replica, url: str, channel: str | None) -> None:
        content = replica.content
        if not isinstance(content, MergeableReplicaContent):
            raise LocalProtocolError(f"{replica!r} is no mergeable document's, as this server has them")
        # With its first slash, as a server's own path is a room, too.
        room = f"/{unquote(urlsplit(url).path).removeprefix('/')}"
        if channel is not None:
            room = f"{room.rstrip('/')}/{channel}"
        replica.check_room(room)
        super().__init__(replica, content, room)
        self.durable = replica.durable

    def synced(self, now: float) -> None:
        """What the server had is here: it is asked whether it has lost what it had confirmed."""
        self.ask_at = now
