"""One shared document in memory, the clients in it, and its way to storage."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from weft.errors import StorageError
from weft.protocols._ymessages import awareness_message, update_message
from weft.protocols.awareness import Awareness
from weft.server._compact import build_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weft.limits import Limits
    from weft.protocols.awareness import AwarenessChange
    from weft.server._peer import Peer
    from weft.server.storage import RoomStorage

__all__ = ["Broadcast", "Room", "RoomSettings"]

_log = logging.getLogger("weft.server")

# Bytes received but not yet durable at which a room stops reading: the disk sets the pace then, not memory.
_MAX_UNSAVED = 32 * 1024 * 1024
# What a row costs beside its data, in bytes of file and in time to load; makes many small rows weigh.
_ROW_WEIGHT = 64
# Rows below which compaction is not worth its commit: while clients are in the room, and when all have left.
_LIVE_ROWS = 1_000
_IDLE_ROWS = 50
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


class Broadcast(Protocol):
    """Joins a room to the same room in other processes.

    An implementation subscribes to ``room.document`` and observes ``room.awareness``, and applies what comes
    from elsewhere to both with an origin of its own: the room stores and relays that like a client's.
    """

    async def join(self, room: Room) -> None:
        """The room has been loaded and serves its first client next; raising here refuses the client."""

    async def leave(self, room: Room) -> None:
        """The room is about to be forgotten."""


class Room:
    """One shared document in memory. Made by :class:`weft.server.registry.Rooms`, which sees to its life.

    Everything here is synchronous but waiting for storage: an update is applied, handed to storage and queued
    for every client in one go, so all of them and the log have it in the same order.

    Args:
        name: The room's name.
        updates: What storage has of it.
        storage: Where updates go, as received.
        limits: Bounds of clients that have none of their own.
        settings: How the room lives.
        clock: Seconds, monotonic.
        failed: Called once when storage could not take an update; nothing is acknowledged any more.

    Raises:
        RemoteProtocolError: Storage holds something that is not an update.
    """

    def __init__(
        self,
        name: str,
        updates: list[bytes],
        *,
        storage: RoomStorage,
        limits: Limits,
        settings: RoomSettings,
        clock: Callable[[], float],
        failed: Callable[[Room], None],
    ) -> None:
        self.name = name
        self.limits = limits
        self.settings = settings
        self.clock = clock
        self.peers: set[Peer] = set()
        self.ticket = 0  # storage's, of this room's last update
        self._doc, self.document = build_document(updates)  # both held: the hub's reference is weak
        self.awareness = Awareness(self._doc.client_id, limits=limits)
        self._storage = storage
        self._failed: Callable[[Room], None] | None = failed
        self._durable = 0  # a ticket
        self._unsaved = 0  # bytes
        self._saver: asyncio.Task[None] | None = None
        self._calm = asyncio.Event()
        self._calm.set()
        self._checking = False
        self._rows = len(updates)
        self._weight = sum(map(len, updates)) + _ROW_WEIGHT * len(updates)
        self._snapshot_weight = 0
        self._compaction: asyncio.Task[None] | None = None
        self._ends = [
            self.document.subscribe(self._take),
            self.awareness.observe(self._take_awareness),
        ]

    # For the clients

    @property
    def is_behind(self) -> bool:
        """Whether so much waits for storage that no more should be read."""
        return not self._calm.is_set()

    async def catch_up(self) -> None:
        """Wait until storage has caught up, or has failed."""
        await self._calm.wait()

    async def stored(self, ticket: int) -> None:
        """Wait until everything up to the ticket is durable.

        Raises:
            StorageError: It could not be made so.
        """
        if ticket > self._durable:
            await self._storage.stored(ticket)

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

    # For the registry

    @property
    def rows(self) -> int:
        """Rows that storage holds of this room."""
        return self._rows

    async def settle(self) -> None:
        """Wait until everything is stored and no compaction is under way; compact if it is worth it.

        Raises:
            StorageError: An update could not be stored.
        """
        while True:
            await self.stored(self.ticket)
            if self._compaction is None and self._rows >= _IDLE_ROWS and self._is_heavy:
                self._start_compaction()
            under_way = {task for task in (self._saver, self._compaction) if task is not None}
            if not under_way:
                return
            await asyncio.wait(under_way)

    def close(self) -> None:
        """Let go of the document. Clients must be gone."""
        for end in self._ends:
            end()
        self._ends = []
        self._failed = None

    def fail(self, error: Exception) -> None:
        """Let every client go: what cannot be stored is not accepted.

        Nothing is lost by it. What was acknowledged is durable, what was not the clients still have, and what
        storage took in it tries again before it loads the room for the next client.
        """
        failed, self._failed = self._failed, None
        if failed is not None:
            _log.error("room %.200r: storage failed, its clients are let go: %s", self.name, error)
            failed(self)
            self._calm.set()
            for peer in tuple(self.peers):
                peer.end(1013, "storage is not available")

    # What happens in the document

    def _take(self, update: bytes, origin: object | None) -> None:
        if self._failed is None:
            return
        try:
            self.ticket = self._storage.append(self.name, update)
        except Exception as error:  # noqa: BLE001 - the contract forbids it; whatever it is, nothing was stored
            self.fail(error)
            return
        self._unsaved += len(update)
        if self._unsaved > _MAX_UNSAVED:
            self._calm.clear()
        if self._saver is None:
            self._saver = asyncio.get_running_loop().create_task(self._save())
        message = update_message(update)
        for peer in self.peers:
            if peer.session is not origin:
                peer.relay(message)
        self._rows += 1
        self._weight += len(update) + _ROW_WEIGHT
        if self._rows >= _LIVE_ROWS and self._is_heavy and self._compaction is None:
            self._start_compaction()

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

    # Storage

    async def _save(self) -> None:
        try:
            while self._durable < self.ticket:
                ticket, size = self.ticket, self._unsaved
                await self._storage.stored(ticket)
                self._durable = ticket
                self._unsaved -= size
                if self._unsaved <= _MAX_UNSAVED:
                    self._calm.set()
        except Exception as error:  # noqa: BLE001 - whatever a storage raises, nothing is acknowledged any more
            self.fail(error)
        finally:
            self._saver = None

    @property
    def _is_heavy(self) -> bool:
        # Compacting when the tail outweighs the snapshot writes each byte a constant number of times.
        return self._weight > 2 * self._snapshot_weight

    def _start_compaction(self) -> None:
        self._compaction = asyncio.get_running_loop().create_task(self._compact())

    async def _compact(self) -> None:
        rows, weight = self._rows, self._weight
        try:
            left = await self._storage.compact(self.name)
        except StorageError as error:
            _log.error("room %.200r could not be compacted: %s", self.name, error)
            left = None
        finally:
            self._compaction = None
        # Where nothing could be gained, wait for twice as much before the next try.
        self._snapshot_weight = weight if left is None else left
        if left is not None:
            self._rows += 1 - rows
            self._weight += left - weight
