"""One shared document in memory, the clients in it, and its way to storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weft._codecs.yjs.merge import merge_updates
from weft._codecs.yjs.state import EMPTY_UPDATE
from weft.documents.yjs.log import build_document, compact_updates
from weft.protocols.awareness import Awareness
from weft.protocols.ysync import AnswerCache, awareness_message, update_messages
from weft.server._core.room import BaseRoom, RoomClient
from weft.server.ysync.turn import Turn, TurnClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weft.documents.yjs import YDocument
    from weft.protocols.awareness import AwarenessChange
    from weft.server._core.room import RoomContext

__all__ = ["Room", "YClient"]


class YClient(RoomClient, TurnClient, Protocol):
    """A client of a Yjs room, as the room knows it."""

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
        self._turn = Turn(
            self.clients,
            update_messages=self._messages_of,
            awareness_message=self.awareness_message,
            state_vector=self.document.state_vector,
        )
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

    def tick(self, now: float) -> None:
        """Let time pass for everybody in the room."""
        self.awareness.tick(now)
        self.answers.clear()
        for peer in tuple(self.clients):
            peer.tick(now)

    # What happens in the document

    def _relay_update(self, update: bytes, origin: object | None) -> None:
        if self.log.append(update):
            self._turn.add_update(update, origin)

    def _relay_awareness(self, change: AwarenessChange, origin: object | None) -> None:
        self._turn.add_awareness(change.ids, origin)

    def _messages_of(self, updates: Sequence[bytes]) -> list[bytes]:
        """One message, as y-websocket clients read one of a frame."""
        update = updates[0] if len(updates) == 1 else merge_updates(updates)
        return update_messages(update, self.limits.max_part)
