"""One shared document in memory, the clients in it, and its way to storage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from weft._codecs.yjs.state import EMPTY_UPDATE
from weft.documents.yjs.log import build_document, compact_updates
from weft.protocols.awareness import Awareness
from weft.protocols.ysync import AnswerCache, awareness_message, update_messages
from weft.server._core.room import BaseRoom, RoomClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weft.documents.yjs import YDocument
    from weft.protocols.awareness import AwarenessChange
    from weft.server._core.room import RoomContext

__all__ = ["Room", "YClient"]


class YClient(RoomClient, Protocol):
    """A client of a Yjs room, as the room knows it."""

    @property
    def session(self) -> object:
        """The origin of what this client changes."""

    def relay(self, message: bytes) -> None:
        """Queue an update message from somebody else. Never fails and never waits."""

    def relay_awareness(self, message: bytes) -> None:
        """Queue an awareness message from somebody else."""

    def note_full(self, state_vector: bytes) -> None:
        """Stop queueing updates if the queue is full; everything up to this state has been queued."""

    def tick(self, now: float) -> None:
        """Let time pass for the session."""


class Room(BaseRoom[YClient]):
    """One shared Yjs document in memory. Made by a ``RoomRegistry``, which opens and closes it.

    It belongs to the server's thread. Its ``document`` can be mirrored, and written, as long as it is held
    with ``async with server.rooms.use(name)``; after that a write raises ``DocumentClosedError``.

    Args:
        name: The room's name.
        updates: What storage has of it; updates go there as received.
        failed: Called once when storage could not take an update; nothing is acknowledged any more.
        context: What it shares with the server's other rooms.

    Raises:
        RemoteProtocolError: Storage holds something that is not an update.
    """

    def __init__(
        self,
        name: str,
        updates: list[bytes],
        failed: Callable[[Room], None],
        context: RoomContext,
    ) -> None:
        super().__init__(name, updates, failed, context, compactor=lambda: compact_updates)
        self.document: YDocument
        self._doc, self.document = build_document(updates)  # both held: the YDocument's reference is weak
        self.awareness = Awareness(self._doc.client_id, limits=context.limits)
        self.answers = AnswerCache()
        self._is_looking = False
        self._unsubscribe = [
            self.document.subscribe(self._relay_update),
            self.awareness.observe(self._relay_awareness),
        ]

    # For the clients

    def messages_since(self, state_vector: bytes) -> list[bytes]:
        """The update messages for a client that has what this state vector says."""
        update = self.document.diff(state_vector)
        return [] if update == EMPTY_UPDATE else update_messages(update, self.limits.max_part)

    def awareness_message(self, ids: Iterable[int] | None) -> bytes:
        """The awareness message with the states of these clients, or of all."""
        return awareness_message(self.awareness.encode(ids))

    def somebody_is_full(self) -> None:
        """Look at the end of this turn of the event loop who has more queued than may be.

        Not at once, because a document cannot be read inside a commit of its own.
        """
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_soon(self._note_full)

    def tick(self, now: float) -> None:
        """Let time pass for everybody in the room."""
        self.awareness.tick(now)
        for peer in tuple(self.clients):
            peer.tick(now)

    # What happens in the document

    def _relay_update(self, update: bytes, origin: object | None) -> None:
        if not self.log.append(update):
            return
        for message in update_messages(update, self.limits.max_part):
            for peer in self.clients:
                if peer.session is not origin:
                    peer.relay(message)

    def _relay_awareness(self, change: AwarenessChange, origin: object | None) -> None:
        message = self.awareness_message(change.ids)
        for peer in self.clients:
            if peer.session is not origin:
                peer.relay_awareness(message)

    def _note_full(self) -> None:
        self._is_looking = False
        state_vector = self.document.state_vector()
        for peer in self.clients:
            peer.note_full(state_vector)
