"""A small y-websocket server for the provider's tests.

It is a server session around a document for each room, with what a test wants to see or break beside it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pycrdt import Doc, Map

from support.serverdouble import RoomDouble, ServerDouble, VisitDouble
from weft._aio.clock import SystemClock
from weft._codecs.yjs.lib0 import Writer
from weft.documents.yjs.document import YDocument, create_doc
from weft.protocols.awareness import Awareness
from weft.protocols.ysync import Send, YSyncSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft._aio.clock import Clock
    from weft.protocols.awareness import AwarenessChange
    from weft.protocols.ysync import Effect
    from weft.providers.transport import Connection

__all__ = ["Room", "SyncServer", "kind"]

_NAMES = {(0, 0): "step1", (0, 1): "step2", (0, 2): "update"}


def kind(message: bytes | str) -> str:
    """What a message of y-protocols is."""
    if isinstance(message, str):
        return "text"
    if message[:1] == b"\x01":
        return "awareness"
    return _NAMES.get((message[0], message[1]), "other") if len(message) > 1 else "other"


class Room(RoomDouble):
    """One document on the server.

    Attributes:
        echo: Whether a client is sent its own updates and awareness too, as the Node server does.
        received: Every message of every client, in order of arrival.
    """

    def __init__(self) -> None:
        super().__init__()
        self.doc: Doc[Any] = create_doc()
        self.map = self.doc.get("m", type=Map)
        self.hub = YDocument.of(self.doc)
        self.awareness = Awareness(self.doc.client_id)
        self.visits: list[Visit] = []
        self.received: list[bytes] = []
        self.echo = False
        self.hub.subscribe(self._relay)
        self.awareness.observe(self._relay_awareness)

    def counts(self) -> Counter[str]:
        """How many messages of each kind have come."""
        return Counter(map(kind, self.received))

    def content(self) -> dict[str, Any]:
        return dict(self.map.items())

    def write(self, key: str, value: str) -> None:
        self.map[key] = value

    def _relay(self, update: bytes, origin: object | None) -> None:
        for visit in self.visits:
            if self.echo or visit.session is not origin:
                visit.perform(visit.session.local_update(update))
        self.happened()

    def _relay_awareness(self, change: AwarenessChange, origin: object | None) -> None:
        message = Writer().uint(1).bytes(self.awareness.encode(change.ids)).finish()
        for visit in self.visits:
            if self.echo or visit.session is not origin:
                visit.queue.put_nowait(message)
        self.happened()


class Visit(VisitDouble):
    """One client in a room."""

    def __init__(self, room: Room, connection: Connection, clock: Clock) -> None:
        super().__init__(connection)
        self.room = room
        self.clock = clock
        self.session = YSyncSession(room.hub, role="server", awareness=room.awareness)

    def perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.queue.put_nowait(effect.data)

    def connected(self) -> None:
        self.room.visits.append(self)
        self.perform(self.session.connected(self.clock.now()))

    def receive(self, data: bytes) -> None:
        self.room.received.append(data)
        self.perform(self.session.receive(data, self.clock.now()))
        self.room.happened()

    def disconnected(self) -> None:
        self.room.visits.remove(self)
        self.session.disconnected(self.clock.now())
        self.room.happened()


class SyncServer(ServerDouble[Visit]):
    """Rooms by path."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__()
        self.rooms: dict[str, Room] = {}
        self.clock = clock or SystemClock()

    def room(self, name: str = "room") -> Room:
        if name not in self.rooms:
            self.rooms[name] = Room()
        return self.rooms[name]

    def enter(self, connection: Connection, path: str) -> Visit:
        return Visit(self.room(unquote(urlsplit(path).path.strip("/"))), connection, self.clock)
