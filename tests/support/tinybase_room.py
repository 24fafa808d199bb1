"""A room of TinyBase sessions without sockets: messages in an order drawn by chance, some of them lost."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Literal

from weft.documents.mergeable import MergeableDocument
from weft.protocols.tinybase import (
    STORE,
    Effect,
    FrameReader,
    MessageType,
    SendMessage,
    TinyBaseSession,
    frames_of,
)

if TYPE_CHECKING:
    from weft.documents.mergeable import MergeableEvent
    from weft.protocols.tinybase import Message

__all__ = ["Member", "Room"]

_ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


class Member:
    """One document in a room, and the session that keeps it in sync."""

    def __init__(self, room: Room, name: str, role: Literal["client", "server"]) -> None:
        self.room = room
        self.name = name
        self.document = MergeableDocument(name, get_now=lambda: room.milliseconds)
        self.session = TinyBaseSession(self.document, role=role, new_id=room.new_id, request_timeout=1.0)
        self.reader = FrameReader(1 << 24)
        self.told: list[Effect] = []  # but what was sent
        self.heard: list[tuple[str, Message]] = []
        self.document.subscribe(self._changed)

    def _changed(self, event: MergeableEvent) -> None:
        if event.origin is not self.session:
            self.session.local_change(event.changes)

    def connect(self) -> None:
        self.perform(self.session.connected(self.room.now))

    def disconnect(self) -> None:
        self.perform(self.session.disconnected())
        self.reader.clear()
        self.room.drop(self.name)

    def set(self, row: str, cell: str, value: object) -> None:
        self.document.set_cell("t", row, cell, value)  # type: ignore[arg-type]

    def end_turn(self) -> None:
        self.perform(self.session.send_changes())

    def flush(self) -> int:
        token, effects = self.session.request_flush(self.room.now)
        self.perform(effects)
        return token

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendMessage):
                self.room.send(self.name, effect)
            else:
                self.told.append(effect)

    def receive(self, frame: str) -> None:
        read = self.reader.receive(frame, self.room.now)
        if read is not None:
            self.heard.append((read.address, read.message))
            self.perform(self.session.receive(read.address, read.message, self.room.now))

    def types(self) -> list[str]:
        """What it has heard, by type."""
        return [f"{sender}:{message.type.name}" for sender, message in self.heard]


class Room:
    """Clients that see each other, with a store of the server's own or without.

    Args:
        seed: Of all that is drawn.
        clients: How many.
        has_store: Whether the server has one.
        ordered: Whether messages from one to another come in their order, as on a socket.
        loss: The share of messages that are lost.
        fragment_size: Bytes of a part.
    """

    def __init__(
        self,
        seed: int,
        clients: int,
        *,
        has_store: bool = True,
        ordered: bool = True,
        loss: float = 0.0,
        fragment_size: int | None = None,
    ) -> None:
        self.random = Random(seed)
        self.new_id = lambda length: "".join(self.random.choices(_ALPHABET, k=length))
        self.now = 0.0
        self.loss = loss
        self.ordered = ordered
        self.fragment_size = fragment_size
        self.under_way: dict[tuple[str, str], list[str]] = {}
        self.sent: list[tuple[str, str | None, Message]] = []
        self.members = {name: Member(self, name, "client") for name in "abcdefgh"[:clients]}
        self.clients = list(self.members.values())
        self.store = Member(self, STORE, "server") if has_store else None
        if self.store is not None:
            self.members[STORE] = self.store
            self.store.connect()

    @property
    def milliseconds(self) -> int:
        return 1_800_000_000_000 + int(self.now * 1000)

    def send(self, sender: str, effect: SendMessage) -> None:
        self.sent.append((sender, effect.to, effect.message))
        for frame in frames_of(effect.to, effect.message, self.new_id, self.fragment_size):
            to, _, rest = frame.partition("\n")
            for name, member in self.members.items():
                is_meant = name != sender and to in {"", name} and member.session.connected_now
                if is_meant and self.random.random() >= self.loss:
                    self.under_way.setdefault((sender, name), []).append(f"{sender}\n{rest}")

    def drop(self, name: str) -> None:
        """Lose what is on its way to or from somebody."""
        self.under_way = {link: frames for link, frames in self.under_way.items() if name not in link}
        for member in self.members.values():
            if member.name != name and member.session.connected_now and member.session.role == "server":
                member.perform(member.session.left(name, self.now))

    def step(self) -> bool:
        """Deliver one message; whether there was one."""
        if not self.under_way:
            return False
        link = self.random.choice(list(self.under_way))
        frames = self.under_way[link]
        frame = frames.pop(0 if self.ordered else self.random.randrange(len(frames)))
        if not frames:
            del self.under_way[link]
        self.members[link[1]].receive(frame)
        return True

    def end_turns(self) -> None:
        for member in self.members.values():
            member.end_turn()

    def run(self, seconds: float = 60.0) -> None:
        """Deliver everything and let time pass, until nothing is left to do or the time is over."""
        end = self.now + seconds
        while True:
            self.end_turns()
            if self.step():
                continue
            dues = [
                due for member in self.members.values() if (due := member.session.next_tick()) is not None
            ]
            due = min(dues, default=end)
            if due >= end:
                self.now = end
                return
            self.now = max(self.now, due)
            for member in self.members.values():
                member.perform(member.session.tick(self.now))

    def sent_types(self, kind: MessageType) -> int:
        """How many messages of a type were sent."""
        return sum(message.type is kind for _, _, message in self.sent)

    def contents(self) -> list[object]:
        return [member.document.get_content() for member in self.members.values()]

    def are_equal(self) -> bool:
        hashes = [member.document.get_content_hashes() for member in self.members.values()]
        living = [member.document.get_living() for member in self.members.values()]
        return all(each == hashes[0] for each in hashes) and all(each == living[0] for each in living)
