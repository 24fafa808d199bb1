"""A small server of TinyBase's synchronisation for the provider's tests, with a store of its own or not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.serverdouble import RoomDouble, ServerDouble, VisitDouble
from weft._aio.clock import SystemClock
from weft.documents.mergeable import MergeableDocument, get_unique_id
from weft.protocols.tinybase import (
    STORE,
    ChannelFrame,
    Channels,
    Control,
    FrameReader,
    SendMessage,
    TinyBaseSession,
    channel_frame,
    frames_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.documents.mergeable import MergeableEvent
    from weft.protocols.tinybase import Effect, Message
    from weft.providers.transport import Connection

__all__ = ["TinyBaseServer", "TinyBaseVisit", "mergeable_cells"]


def mergeable_cells(document: MergeableDocument) -> dict[str, Any]:
    """The cells of the one row that the tests write to."""
    return dict(document.get_living()[0].get("t", {}).get("r", {}))


class TinyBaseRoom(RoomDouble):
    """One document on the server.

    Attributes:
        has_store: Whether the server's store is there; without it messages are relayed only.
        received: Every message of every client, in order of arrival.
    """

    def __init__(self, has_store: bool, fragment_size: int | None) -> None:
        super().__init__()
        self.has_store = has_store
        self.fragment_size = fragment_size
        self.document = MergeableDocument()
        self.session = TinyBaseSession(self.document, role="server", new_id=get_unique_id)
        self.session.connected(0)
        self.members: dict[str, tuple[TinyBaseVisit, str | None]] = {}
        self.received: list[tuple[str, Message]] = []
        self._clock = SystemClock()
        self.document.subscribe(self._changed)

    def counts(self) -> Counter[str]:
        """How many messages of each kind have come."""
        return Counter(message.type.name for _, message in self.received)

    def content(self) -> dict[str, Any]:
        return mergeable_cells(self.document)

    def write(self, key: str, value: str) -> None:
        self.document.set_cell("t", "r", key, value)
        self.perform(self.session.send_changes())

    def _changed(self, event: MergeableEvent) -> None:
        if event.origin is not self.session:
            self.session.local_change(event.changes)
        self.happened()

    def enter(self, visit: TinyBaseVisit, channel: str | None) -> FrameReader:
        self.members[visit.name] = visit, channel
        self.happened()
        return FrameReader(1 << 24)

    def leave(self, visit: TinyBaseVisit) -> None:
        if self.members.pop(visit.name, None) is not None:
            self.perform(self.session.left(visit.name, self._clock.now()))
            self.happened()

    def receive(self, visit: TinyBaseVisit, reader: FrameReader, text: str) -> None:
        frame = reader.receive(text, self._clock.now())
        if frame is None:
            return
        self.received.append((frame.address, frame.message))
        if frame.address in {"", STORE} and self.has_store:
            self.perform(self.session.receive(visit.name, frame.message, self._clock.now()))
        if frame.address != STORE:
            self.relay(visit.name, frame.address, frame.relayed(visit.name))
        self.happened()

    def relay(self, sender: str, to: str, frames: Sequence[str]) -> None:
        for name, (visit, channel) in self.members.items():
            if name != sender and to in {"", name}:
                for frame in frames:
                    visit.queue.put_nowait(frame if channel is None else channel_frame(channel, frame))

    def perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendMessage):
                frames = frames_of(STORE, effect.message, get_unique_id, self.fragment_size)
                self.relay(STORE, effect.to or "", frames)


class TinyBaseVisit(VisitDouble):
    """One client."""

    def __init__(self, server: TinyBaseServer, path: str, connection: Connection) -> None:
        super().__init__(connection)
        self.name = get_unique_id()
        self.server = server
        self.path = path
        self.channels = Channels() if connection.subprotocol == "tinybase" else None
        self.rooms: dict[str, tuple[TinyBaseRoom, FrameReader]] = {}

    def connected(self) -> None:
        if self.channels is None:
            room = self.server.room(self.path)
            self.rooms[""] = room, room.enter(self, None)

    def receive(self, data: str) -> None:
        if self.channels is None:
            room, reader = self.rooms[""]
            room.receive(self, reader, data)
            return
        frame, answer = self.channels.receive(data)
        if answer is not None:
            self.queue.put_nowait(answer)
        if isinstance(frame, ChannelFrame):
            room, reader = self.rooms[frame.channel]
            room.receive(self, reader, frame.frame)
        elif frame is not None and frame.control is Control.SUBSCRIBE:
            channel = str(frame.argument)
            room = self.server.room(f"{self.path}/{channel}")
            self.rooms[channel] = room, room.enter(self, channel)
        elif frame is not None:
            self.rooms.pop(str(frame.argument))[0].leave(self)

    def disconnected(self) -> None:
        for room, _ in self.rooms.values():
            room.leave(self)


class TinyBaseServer(ServerDouble[TinyBaseVisit]):
    """Rooms by path."""

    kind = str

    def __init__(
        self, *, has_store: bool = True, has_channels: bool = True, fragment_size: int | None = None
    ) -> None:
        super().__init__()
        self.subprotocol = "tinybase" if has_channels else None
        self.rooms: dict[str, TinyBaseRoom] = {}
        self.has_store = has_store
        self.fragment_size = fragment_size

    def room(self, name: str = "room") -> TinyBaseRoom:
        if name not in self.rooms:
            self.rooms[name] = TinyBaseRoom(self.has_store, self.fragment_size)
        return self.rooms[name]

    def enter(self, connection: Connection, path: str) -> TinyBaseVisit:
        return TinyBaseVisit(self, urlsplit(path).path.removeprefix("/"), connection)
