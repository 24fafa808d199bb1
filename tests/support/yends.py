"""Two ends of a y-websocket connection with a wire of lists between them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from pycrdt import Map

from weft._codecs.yjs.lib0 import Writer
from weft.documents.yjs.document import YDocument, create_doc
from weft.limits import DEFAULT_LIMITS, Limits
from weft.protocols.awareness import Awareness
from weft.protocols.ysync import Send, YSyncSession

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pycrdt import Doc

    from weft.protocols.awareness import AwarenessChange
    from weft.protocols.ysync import Effect

__all__ = ["End", "Node", "Wire", "sent"]


def sent(effects: Iterable[Effect]) -> list[bytes]:
    """The messages among effects."""
    return [effect.data for effect in effects if isinstance(effect, Send)]


class Node:
    """A document with awareness and any number of ends, which relays as a room or a program does."""

    def __init__(self, client_id: int | None = None, *, limits: Limits = DEFAULT_LIMITS) -> None:
        options = {} if client_id is None else {"client_id": client_id}
        self.doc: Doc[Any] = create_doc(**options)
        self.hub = YDocument.of(self.doc)
        self.map = self.doc.get("m", type=Map)
        self.limits = limits
        self.awareness = Awareness(self.doc.client_id, limits=limits)
        self.ends: list[End] = []
        self.heard: list[tuple[bytes, object | None]] = []
        self.hub.subscribe(self._heard)
        self.awareness.observe(self._changed)

    @property
    def content(self) -> dict[str, Any]:
        """The root map."""
        return {key: self.map[key] for key in self.map}

    def end(self, role: Literal["client", "server"], *, read_only: bool = False) -> End:
        """A new end of a connection."""
        end = End(self, role, read_only=read_only)
        self.ends.append(end)
        return end

    def _heard(self, update: bytes, origin: object | None) -> None:
        self.heard.append((update, origin))
        for end in self.ends:
            if end.session is not origin:
                end.take(end.session.local_update(update))

    def _changed(self, change: AwarenessChange, origin: object | None) -> None:
        message = Writer().uint(1).bytes(self.awareness.encode(change.ids)).finish()
        for end in self.ends:
            if end.session is not origin and end.session.connected_now:
                end.out.append(message)


class End:
    """A session, what it wants to send, and what else it has said."""

    def __init__(self, node: Node, role: Literal["client", "server"], *, read_only: bool) -> None:
        self.node = node
        self.session = YSyncSession(
            node.hub, role=role, awareness=node.awareness, limits=node.limits, read_only=read_only
        )
        self.out: deque[bytes] = deque()
        self.effects: list[Effect] = []

    def take(self, effects: Iterable[Effect]) -> None:
        """Do what a session asks for."""
        for effect in effects:
            if isinstance(effect, Send):
                self.out.append(effect.data)
            else:
                self.effects.append(effect)

    def said(self) -> list[Effect]:
        """What it has said since the last time."""
        effects, self.effects = self.effects, []
        return effects


class Wire:
    """A connection between a client's and a server's end, in order and without loss until it is cut."""

    def __init__(self, client: Node, server: Node, *, read_only: bool = False, now: float = 0.0) -> None:
        self.client = client.end("client")
        self.server = server.end("server", read_only=read_only)
        self.messages = 0
        self.now = now
        self.connect()

    def connect(self) -> None:
        """Make a new connection with the same sessions."""
        self.client.take(self.client.session.connected(self.now))
        self.server.take(self.server.session.connected(self.now))

    def step(self, which: Literal["up", "down"]) -> bool:
        """Deliver one message; whether there was one."""
        source, target = (self.client, self.server) if which == "up" else (self.server, self.client)
        if not source.out:
            return False
        self.messages += 1
        target.take(target.session.receive(source.out.popleft(), self.now))
        return True

    def run(self) -> int:
        """Deliver everything; how many messages there were."""
        before = self.messages
        while self.step("up") or self.step("down"):
            assert self.messages - before < 1_000, "the traffic does not stop"
        return self.messages - before

    def tick(self, now: float) -> None:
        """Let time pass at both ends."""
        self.now = now
        for end in (self.client, self.server):
            end.take(end.session.tick(now))

    def cut(self) -> None:
        """End the connection; what is on its way is lost."""
        for end in (self.client, self.server):
            end.out.clear()
            end.take(end.session.disconnected(self.now))
            end.out.clear()
