"""One shared document in memory, the clients in it, and its way to storage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from weft.protocols._ymessages import awareness_message, update_message
from weft.protocols.awareness import Awareness
from weft.server._compact import build_document, compact_updates
from weft.server._room import BaseRoom, RoomContext
from weft.server._ypeer import YPeer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weft.protocols.awareness import AwarenessChange

__all__ = ["Broadcast", "Room", "RoomSettings"]

_NOTHING = b"\0\0"  # the update without structs and deletions


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


class Room(BaseRoom[YPeer]):
    """One shared Yjs document in memory. Made by :class:`weft.server.registry.Rooms`, which sees to its life.

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
        self._doc, self.document = build_document(updates)  # both held: the hub's reference is weak
        self.awareness = Awareness(self._doc.client_id, limits=context.limits)
        self._checking = False
        self._ends = [
            self.document.subscribe(self._take),
            self.awareness.observe(self._take_awareness),
        ]

    # For the clients

    def message_since(self, state_vector: bytes) -> bytes | None:
        """The update message for a client that has what this state vector says; ``None`` if that is all."""
        update = self.document.diff(state_vector)
        return None if update == _NOTHING else update_message(update)

    def awareness_message(self, ids: Iterable[int] | None) -> bytes:
        """The awareness message with the states of these clients, or of all."""
        return awareness_message(self.awareness.encode(ids))

    def somebody_is_full(self) -> None:
        """Look at the end of this turn of the event loop who has more queued than may be.

        Not at once, because a document cannot be read inside a commit of its own.
        """
        if not self._checking:
            self._checking = True
            asyncio.get_running_loop().call_soon(self._note_full)

    def tick(self, now: float) -> None:
        """Let time pass for everybody in the room."""
        self.awareness.tick(now)
        for peer in tuple(self.peers):
            peer.tick(now)

    # What happens in the document

    def _take(self, update: bytes, origin: object | None) -> None:
        if not self.log.append(update):
            return
        message = update_message(update)
        for peer in self.peers:
            if peer.session is not origin:
                peer.relay(message)

    def _take_awareness(self, change: AwarenessChange, origin: object | None) -> None:
        message = self.awareness_message(change.ids)
        for peer in self.peers:
            if peer.session is not origin:
                peer.relay_awareness(message)

    def _note_full(self) -> None:
        self._checking = False
        state_vector = self.document.state_vector()
        for peer in self.peers:
            peer.note_full(state_vector)
