"""Where an Automerge document and one peer stand on one connection."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from weft._codecs.automerge.change import decode_change
from weft.documents.automerge.binding import SyncState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft._codecs.automerge.chunks import Chunk
    from weft._codecs.automerge.sync_message import SyncMessage
    from weft.documents.automerge.history import ChangeNumbers

__all__ = ["HeldChanges", "PeerSyncState"]

# Confirmations of a peer that are left unread between two that are read. The binding walks through the whole
# history for each message that it takes in, and fifty peers confirm each change.
_MAX_UNREAD = 31
# What a peer is asked for at a time of what its changes wait for.
_MAX_ASKED = 256


class HeldChanges:
    """Changes of a peer that wait for others; each is touched when it comes, and when what it waits for does.

    Attributes:
        needs: What they wait for and is not among them.
        size: Bytes of them.
    """

    __slots__ = ("_chunks", "_followers", "_lacking", "_seen", "needs", "size")

    def __init__(self) -> None:
        self.needs: dict[bytes, None] = {}
        self.size = 0
        self._chunks: dict[bytes, bytes] = {}
        self._lacking: dict[bytes, int] = {}
        self._followers: dict[bytes, list[bytes]] = {}
        self._seen = 0  # how many changes of the document they have been told of

    def __len__(self) -> int:
        return len(self._chunks)

    def add(self, chunks: Iterable[Chunk], numbers: ChangeNumbers) -> None:
        """Hold changes of which each waits for one that is not noted."""
        if not self._chunks:
            self._seen = len(numbers.added)
        for chunk in chunks:
            name = chunk.hash
            if name in self._chunks:
                continue
            self._chunks[name] = chunk.data
            self.size += len(chunk.data)
            missing = [dep for dep in set(decode_change(chunk.data).deps) if not numbers.has((dep,))]
            self._lacking[name] = len(missing)
            for dep in missing:
                self._followers.setdefault(dep, []).append(name)
                if dep not in self._chunks:
                    self.needs[dep] = None
            self.needs.pop(name, None)

    def take(self, numbers: ChangeNumbers) -> list[bytes]:
        """Those that do not wait any more, in an order to apply them in; they are not held any more."""
        if not self._chunks:
            return []
        taken = []
        come = numbers.added[self._seen :]
        self._seen += len(come)
        for name in come:
            self.needs.pop(name, None)
            for follower in self._followers.pop(name, ()):
                self._lacking[follower] -= 1
                if not self._lacking[follower]:
                    del self._lacking[follower]
                    taken.append(self._chunks.pop(follower))
                    self.size -= len(taken[-1])
                    come.append(follower)
        return taken

    def ask(self, needs: Iterable[bytes]) -> list[bytes]:
        """What to ask the peer for instead of what a document without them asks for."""
        others = [name for name in needs if name not in self._chunks and name not in self.needs]
        return others + list(islice(self.needs, _MAX_ASKED))


class PeerSyncState:
    """What is known of one peer over one connection."""

    __slots__ = ("core", "held", "unread")

    def __init__(self) -> None:
        self.core = SyncState()
        # Its changes that wait for others. Nobody else is asked for those: a peer that is asked for what it
        # has not got, and is told nothing else, brings nothing any more.
        self.held = HeldChanges()
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
