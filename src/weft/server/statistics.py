"""What a server is doing, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.server._core.counters import RoomCounters
    from weft.server._core.registry import RoomRegistry
    from weft.server.automerge_repo.documents import Documents
    from weft.server.fanout.hub import Hub
    from weft.server.fanout.session import FanoutStats
    from weft.server.fronts.connections import Connections
    from weft.server.storage import CommitStats, RoomStorage
    from weft.server.tinybase.rooms import MergeableRooms
    from weft.server.ysync.room import Room

__all__ = ["ServerStats", "collect_stats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStats:
    """What a server is doing at one moment, and has done since its start. Sizes are in bytes.

    Attributes:
        connections: Clients that are connected.
        accepted: Connections that became websockets.
        received: Bytes that came on them.
        closed: Connections that are over, by the close code that was sent; 1006 where none was, and 0 for all
            codes beyond the first hundred.
        rooms: Yjs rooms in memory.
        documents: Automerge documents in memory.
        mergeable: Rooms of TinyBase's clients in memory.
        counters: What happened in them.
        queued: What waits to be sent to clients that are behind.
        longest_queue: What waits for one of them at most.
        refused: How often each bound has refused something, or held somebody up, by the name of the setting.
        let_go: Clients that were let go since too much waited for all of them together.
        stalls: Times that the event loop served nobody for longer than ``ServerLimits.max_stall``.
        unsaved: Updates that were taken in and are not durable yet.
        commits: What storage has committed, if it counts that.
        fanout: What went on between this process and others of the same storage, if it has a broker.
        is_broker_connected: Whether that is there; ``None`` without one.
    """

    connections: int
    accepted: int
    received: int
    closed: Mapping[int, int]
    rooms: int
    documents: int
    mergeable: int
    counters: RoomCounters
    queued: int
    longest_queue: int
    refused: Mapping[str, int]
    let_go: int
    stalls: int
    unsaved: int
    commits: CommitStats | None
    fanout: FanoutStats | None
    is_broker_connected: bool | None


def collect_stats(
    connections: Connections,
    rooms: RoomRegistry[Room],
    documents: Documents | None,
    mergeable: MergeableRooms,
    storage: RoomStorage,
    hub: Hub | None,
    counters: RoomCounters,
) -> ServerStats:
    """Put together what the parts of a server have counted; takes time linear in its clients and rooms."""
    open_rooms = [*rooms, *(() if documents is None else documents.rooms), *mergeable.rooms]
    # A client of automerge-repo or TinyBase is in many rooms, with one queue.
    waiting = {id(client.queue): client.waiting for room in open_rooms for client in room.clients}.values()
    return ServerStats(
        connections=len(connections.served),
        accepted=connections.accepted,
        received=connections.received,
        closed=dict(connections.closed),
        rooms=len(rooms),
        documents=0 if documents is None else len(documents.rooms),
        mergeable=len(mergeable.rooms),
        counters=counters,
        queued=sum(waiting),
        longest_queue=max(waiting, default=0),
        refused=dict(connections.refused.counts),
        let_go=connections.budget.let_go,
        stalls=connections.watchdog.stalls,
        unsaved=sum(room.log.unsaved for room in open_rooms),
        commits=storage.commit_stats,
        fanout=None if hub is None else hub.stats,
        is_broker_connected=hub.is_connected if hub is not None and hub.has_broker else None,
    )
