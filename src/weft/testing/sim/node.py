"""The nodes of a simulation: production parts, with a network made of function calls around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from weft._codecs.yjs.lib0 import Writer
from weft.protocols.awareness import Awareness
from weft.protocols.ysync import (
    AwarenessChanged,
    Denied,
    Flushed,
    FlushLost,
    Send,
    Synced,
    YSyncSession,
)
from weft.testing.sim.links import AWARENESS_KINDS, describe
from weft.testing.sim.result import Violation
from weft.testing.sim.scheduler import seeded_random

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pycrdt import Doc

    from weft.protocols.awareness import AwarenessChange
    from weft.protocols.ysync import Effect
    from weft.protocols.ysync.session import SyncDocument
    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.world import World

__all__ = ["FROZEN_S", "SimNode"]

FROZEN_S = 0.5  # seconds after which somebody who is frozen, or cut off, tries again

_LOWEST_CLIENT, _HIGHEST_CLIENT = 1 << 28, (1 << 32) - 1


class SimNode:
    """Something with a document, awareness, sessions and a clock of its own.

    Attributes:
        name: ``p0``, ``p1``, … and ``s0``, ``s1``.
        index: The number in the name.
        alive: Whether it runs; while it does, the attributes below are set.
        client_id: Of its document and awareness, drawn anew for each life.
        document: Its document, as sessions know one.
        awareness: Its awareness.
        sessions: By connection.
    """

    role: Literal["client", "server"] = "client"

    document: SyncDocument
    awareness: Awareness

    def __init__(self, world: World, name: str, index: int, seed: int) -> None:
        self.world = world
        self.name = name
        self.index = index
        self.random = seeded_random(seed)
        self.alive = False
        self.lives = 0
        self.sessions: dict[SimConnection, YSyncSession] = {}
        self._clock_offset = self.random.uniform(0, 1_000_000)
        self._wake_at = float("inf")
        self._ends: list[Callable[[], None]] = []

    # -- life ------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The node's own monotonic clock, in seconds."""
        return self.world.clock.now + self._clock_offset

    @property
    def life(self) -> tuple[str, int]:
        """Name and number of the present life, as the ledger knows it."""
        return self.name, self.lives

    @property
    def accepts(self) -> bool:
        """Whether it can be connected to."""
        return self.alive

    def start(self) -> None:
        """Start with a new document and a new client id."""
        self.alive = True
        self.lives += 1
        self._wake_at = float("inf")
        self.client_id = self.make_client_id()
        self.document = self.make_document()
        self.awareness = self.make_awareness()
        self._restore()
        self._ends = [*self._subscribe(), self.awareness.observe(self._awareness_changed)]
        self.schedule_wake()

    def crash(self) -> None:
        """Stop at once: nothing is sent, nothing is saved."""
        self.alive = False
        for end in self._ends:
            end()
        self._ends = []
        sessions, self.sessions = self.sessions, {}
        for connection in sessions:
            connection.crashed(self)
        self._forget()

    def jump_clock(self, seconds: float) -> None:
        """Have the node's clock jump ahead."""
        self._clock_offset += seconds
        self.wake_in(0.0)

    def _restore(self) -> None:
        """Load what was saved, and start what a document needs."""

    def _forget(self) -> None:
        """Let go of what :meth:`_restore` started."""

    def _subscribe(self) -> list[Callable[[], None]]:
        """Hear of updates of the document; returns what ends it."""
        return []

    def read(self) -> Doc[Any]:
        """The document as somebody reads it who knows nothing of it yet."""
        raise NotImplementedError

    # -- parts, to be replaced by tests of the simulation itself ---------------------------------------

    def make_client_id(self) -> int:
        """Draw a client id that nobody has had."""
        return self.random.randint(_LOWEST_CLIENT, _HIGHEST_CLIENT)

    def make_document(self) -> SyncDocument:
        """Make the node's document."""
        raise NotImplementedError

    def make_awareness(self) -> Awareness:
        """Make the node's awareness."""
        return Awareness(self.client_id, limits=self.world.limits)

    def make_session(self, connection: SimConnection) -> YSyncSession:
        """Make the session of a new connection."""
        del connection
        return YSyncSession(self.document, role=self.role, awareness=self.awareness, limits=self.world.limits)

    # -- connections -----------------------------------------------------------------------------------

    def connected(self, connection: SimConnection) -> None:
        """Greet the other end."""
        session = self.sessions[connection] = self.make_session(connection)
        self.perform(connection, session.connected(self.now))
        self.after_step()

    def deliver(self, connection: SimConnection, data: bytes) -> None:
        """Take in one message."""
        session = self.sessions.get(connection)
        if session is None:
            return
        kind = describe(data)
        self.world.stats.delivered += 1
        self.world.note("delivered", f"{kind} {self.name} {connection.name}")
        self.receive(connection, session, data)
        if kind in AWARENESS_KINDS:
            self.schedule_wake()
        else:
            self.after_step()

    def receive(self, connection: SimConnection, session: YSyncSession, data: bytes) -> None:
        """Have a session take in one message."""
        self.perform(connection, session.receive(data, self.now))

    def disconnected(self, connection: SimConnection) -> None:
        """Learn that a connection is over."""
        session = self.sessions.pop(connection, None)
        if session is not None:
            self.perform(connection, session.disconnected(self.now))
            self.after_step()

    def perform(self, connection: SimConnection, effects: Sequence[Effect]) -> None:
        """Do what a session asks for."""
        for effect in effects:
            match effect:
                case Send():
                    self.send(connection, effect)
                case Flushed():
                    self.flushed(connection, effect.token)
                case FlushLost():
                    self.flush_lost(connection, effect.tokens)
                case Synced():
                    self.world.note("synced", f"{self.name} {connection.name}")
                case AwarenessChanged():
                    pass  # awareness has told _awareness_changed
                case Denied():
                    raise Violation("denied", f"{self.name} is denied: {effect.reason}")

    def send(self, connection: SimConnection, effect: Send) -> None:
        """Put a message on its way."""
        connection.send(self, effect.data)

    def flushed(self, connection: SimConnection, token: int) -> None:
        """Learn that the other end has everything written before the flush was asked for."""

    def flush_lost(self, connection: SimConnection, tokens: Sequence[int]) -> None:
        """Learn that these will not be answered."""

    def relay(self, update: bytes, origin: object | None) -> None:
        """Pass an update on to every session but its own."""
        for connection, session in tuple(self.sessions.items()):
            if session is not origin:
                self.perform(connection, session.local_update(update))

    def _awareness_changed(self, change: AwarenessChange, origin: object | None) -> None:
        """Pass a change of awareness on to every session but its own."""
        message = Writer().uint(1).bytes(self.awareness.encode(change.ids)).finish()
        for connection, session in tuple(self.sessions.items()):
            if session is not origin:
                self.send(connection, Send(message))

    def next_due(self) -> float | None:
        """When time next matters, by the node's own clock; ``None`` where it does not."""
        dues = [
            self.awareness.next_tick(),
            *(session.next_tick(self.now) for session in self.sessions.values()),
        ]
        return min((due for due in dues if due is not None), default=None)

    # -- time ------------------------------------------------------------------------------------------

    def after_step(self) -> None:
        """See to what follows where something has happened: sessions may be due at another time."""
        if self.alive:
            self.schedule_wake()

    def schedule_wake(self) -> None:
        """Have time pass for the sessions when they are due."""
        due = self.next_due()
        if due is not None:
            # In a microsecond at the earliest: clocks are floats, and a rounding may miss a moment.
            self.wake_in(max(1e-6, due - self.now))

    def wake_in(self, seconds: float) -> None:
        """Have time pass for the sessions in a moment."""
        when = self.world.clock.now + seconds
        if when < self._wake_at:
            self._wake_at = when
            self.world.clock.at(when, self._wake, when, self.lives)

    def disk_delay(self) -> float:
        """Draw how long the disk takes for something."""
        slowness = self.world.faults.rates.disk
        return self.random.uniform(0, slowness) if slowness else 0.0

    def later(self, delay: float, call: Callable[..., None], *arguments: Any, counts: bool = True) -> None:
        """Have something done in a moment, if the node still lives then.

        Args:
            delay: Seconds.
            call: What.
            arguments: Of the call.
            counts: Whether the world has not come to rest before it.
        """
        self.world.clock.after(delay, self._do, self.lives, call, arguments)
        if counts:
            self.world.busy(self.world.clock.now + delay)

    def _do(self, life: int, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if life != self.lives or not self.alive:
            return
        if self.world.faults.is_frozen(self.name):
            self.world.clock.after(FROZEN_S, self._do, life, call, arguments)
            return
        call(*arguments)
        self.after_step()

    def _wake(self, when: float, life: int) -> None:
        if not self.alive or life != self.lives or when != self._wake_at:
            return
        self._wake_at = float("inf")
        if self.world.faults.is_frozen(self.name):
            self.wake_in(0.5)
            return
        self.tick()
        self.schedule_wake()

    def tick(self) -> None:
        """Let time pass."""
        self.awareness.tick(self.now)
        for connection, session in tuple(self.sessions.items()):
            self.perform(connection, session.tick(self.now))
