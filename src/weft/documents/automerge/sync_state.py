"""Where an Automerge document and one peer stand on one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents.automerge.binding import SyncState

if TYPE_CHECKING:
    from weft._codecs.automerge.sync_message import SyncMessage
    from weft.documents.automerge.history import ChangeNumbers

__all__ = ["PeerSyncState"]

# Confirmations of a peer that are left unread between two that are read. The binding walks through the whole
# history for each message that it takes in, and fifty peers confirm each change.
_MAX_UNREAD = 31


class PeerSyncState:
    """What is known of one peer over one connection."""

    __slots__ = ("core", "held", "unread")

    def __init__(self) -> None:
        self.core = SyncState()
        # Its changes that wait for others. Nobody else is asked for those: a peer that is asked for what it
        # has not got, and is told nothing else, brings nothing any more.
        self.held: list[bytes] = []
        self.unread: int | None = None  # confirmations since a message was read; the first is read

    def may_skip(self, message: SyncMessage, numbers: ChangeNumbers) -> bool:
        """Whether the peer's next message can be left unread. Called once for each.

        That the peer has what it was sent, and needs nothing, changes no message to come: nothing is sent
        twice. But the more of these are left unread, the more the binding thinks over for the next message.
        """
        confirms = bool(message.heads) and not (message.needs or message.chunks or self.held)
        if not confirms or not numbers.has(message.heads):
            self.unread = None
            return False
        if self.unread is None or self.unread == _MAX_UNREAD:
            self.unread = 0
            return False
        self.unread += 1
        return True
