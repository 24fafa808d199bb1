"""A server: one room, its log on a disk that is slow and knows nothing of what it has not been given yet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from weft.documents.yjs.document import create_doc
from weft.documents.yjs.log_document import LogDocument
from weft.server.fanout.session import FanoutSession
from weft.testing.sim.fanout import SimFanout
from weft.testing.sim.node import FROZEN_S, SimNode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pycrdt import Doc

    from weft.protocols.ysync import Send
    from weft.testing.sim.broker import SimBroker
    from weft.testing.sim.disk import SimDisk
    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.world import World

__all__ = ["SimServer"]

_COMPACTIONS = 0.3  # share of starts before which the log is compacted
_LIVE_COMPACTIONS = 0.1  # share of commits of one of several servers after which it is compacted
_UNTOLD = 0.5  # share of commits, of those that a cut kept from being told at once, that are never told


class SimServer(SimNode):
    """A server that relays and stores what it receives, as received.

    It does what a room of ``weft.server`` does, without its tasks: the protocol sessions, the log of updates,
    the rules of what is stored and relayed, and compaction are the same code.

    Args:
        disk: What it has stored.
        broker: The way to other servers that share the disk.

    Attributes:
        taken: Updates taken in during this life.
        kept: Those of them of which the server knows that they are stored.
        unsaved: Those that are not being committed yet.
        loaded: What was stored when it started.
        fanout: Its part in the cluster, while it runs in one.
    """

    role = "server"

    document: LogDocument

    def __init__(
        self,
        world: World,
        name: str,
        index: int,
        seed: int,
        *,
        disk: SimDisk,
        broker: SimBroker | None = None,
    ) -> None:
        super().__init__(world, name, index, seed)
        self.disk = disk
        self.loaded = disk.since(0)
        self.taken = self.kept = 0
        self.fanout: SimFanout | None = None
        self._broker = broker
        self._is_starting = self._is_stopping = False
        self.unsaved: list[bytes] = []
        self._is_saving = False
        self._queues: dict[SimConnection, deque[tuple[bytes, int]]] = {}

    def make_client_id(self) -> int:
        """Give an id that no peer has; nothing is ever written under it."""
        return 1 + self.index

    def make_document(self) -> LogDocument:
        """Make the document out of what was loaded."""
        return LogDocument(
            self.loaded.rows, taken_in=self.on_update, limits=self.world.limits, name=self.name
        )

    def make_fanout_session(self, sender: bytes, *, max_message: int, now: float) -> FanoutSession:
        """Make what keeps the server equal to the others of its storage."""
        return FanoutSession(sender, max_message=max_message, now=now)

    def read(self) -> Doc[Any]:
        """What a newcomer gets."""
        doc = create_doc(client_id=1 << 28)
        doc.apply_update(self.document.diff(b"\0"))
        return doc

    # -- life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load what is stored; one of several servers hears the broker first, and may have to wait."""
        if self._is_starting:
            return
        self._queues = {}
        self.unsaved = []
        self._is_saving = False
        self.taken = self.kept = 0
        if self.random.random() < _COMPACTIONS:
            self.compact()
        if self._broker is None:
            self.loaded = self.disk.since(0)
            super().start()
            return
        self._is_starting = True
        self.fanout = SimFanout(self, self._broker, self.make_fanout_session)
        self.fanout.open()
        self._load()

    def _load(self) -> None:
        if self.fanout is None or self.fanout.is_cut_off or self.world.faults.is_frozen(self.name):
            self.world.clock.after(FROZEN_S, self._load)
            self.world.busy(self.world.clock.now + FROZEN_S)
            return
        self.loaded = self.disk.since(0)
        delay = self.disk_delay()
        self.world.clock.after(delay, self._open)
        self.world.busy(self.world.clock.now + delay)

    def _open(self) -> None:
        self._is_starting = self._is_stopping = False
        super().start()
        if self.fanout is not None:
            self.fanout.opened(self.loaded.head)
        self.after_step()

    def crash(self) -> None:
        """Lose what was not stored."""
        if self.fanout is not None:
            self.fanout.crash()
            self.fanout = None
        super().crash()

    @property
    def accepts(self) -> bool:
        """Whether it can be connected to."""
        return self.alive and not self._is_stopping

    def stop(self, stopped: Callable[[], None]) -> None:
        """End as a process that is told to: what was taken in is stored, then it says goodbye."""
        if not self._is_stopping:
            self._is_stopping = True
            for connection in tuple(self.sessions):
                connection.close(self)
        if self.unsaved or self._is_saving:
            self.later(FROZEN_S, self.stop, stopped)
            return
        if self.fanout is not None:
            self.fanout.bye()
        self.crash()
        stopped()

    def next_due(self) -> float | None:
        """When time next matters."""
        due = super().next_due()
        if self.fanout is None:
            return due
        return min(self.fanout.session.next_tick(), float("inf") if due is None else due)

    def tick(self) -> None:
        """Let time pass."""
        super().tick()
        if self.fanout is not None:
            self.fanout.tick()

    # -- what is stored and relayed ---------------------------------------------------------------------

    def on_update(self, update: bytes, news: tuple[bytes, ...], origin: object) -> None:
        """Store what was received, and relay what is news of it to everybody but the sender."""
        self.store_update(update)
        for each in news:  # what others had sent, and waited for this, is news to the sender too
            self.relay(each, origin if each is update else None)

    def take_in(self, updates: Sequence[bytes]) -> None:
        """Relay what other servers have stored."""
        for each in self.document.take_stored(updates):
            self.relay(each, None)

    def store_update(self, update: bytes) -> None:
        """Hand an update to the disk, which takes its time."""
        self.unsaved.append(update)
        self.taken += 1
        if not self._is_saving:
            self._begin_saving()

    def _begin_saving(self) -> None:
        self._is_saving = True
        self.later(self.disk_delay(), self.save)

    def compact(self) -> None:
        """Have the disk compact what it has."""
        self.disk.compact()

    def save(self) -> None:
        """Commit what has been taken in."""
        if self.fanout is None:
            updates, self.unsaved = self.unsaved, []
            self.saved(self.disk.commit(updates), updates)
        elif self.fanout.is_cut_off:
            self.later(FROZEN_S, self.save)
        else:
            updates, self.unsaved = self.unsaved, []
            first = self.disk.commit(updates)
            # From here on others can see them, and this server may die before it knows.
            self.later(self.disk_delay(), self._learn_saved, first, updates)

    def _learn_saved(self, first: int, updates: list[bytes], missed: bool = False) -> None:
        if self.fanout is not None and self.fanout.is_cut_off:
            self.later(FROZEN_S, self._learn_saved, first, updates, True)
            return
        self.saved(first, updates)
        # What was committed while the connection to the place was lost may never be told.
        if self.fanout is not None and not (missed and self.random.random() < _UNTOLD):
            self.fanout.committed(first, updates)
        if self.random.random() < _LIVE_COMPACTIONS:
            self.compact()

    def saved(self, first: int, updates: list[bytes]) -> None:
        """Learn that updates are stored, and from which number on."""
        del first
        self._is_saving = False
        self.kept += len(updates)
        for connection in tuple(self._queues):
            self._drain(connection)
        if self.unsaved:
            self._begin_saving()

    # -- other servers ---------------------------------------------------------------------------------

    def broker_connected(self) -> None:
        """There is a connection to the broker."""
        if self.fanout is not None:
            self.fanout.connected()
            self.after_step()

    def broker_received(self, channel: str, message: bytes) -> None:
        """A message came from the broker."""
        if self.fanout is not None:
            self.fanout.received(channel, message)
            self.after_step()

    # -- what leaves, in order -------------------------------------------------------------------------

    def connected(self, connection: SimConnection) -> None:
        """Greet a client."""
        self._queues[connection] = deque()
        super().connected(connection)

    def disconnected(self, connection: SimConnection) -> None:
        """Let a client go."""
        self._queues.pop(connection, None)
        super().disconnected(connection)

    def send(self, connection: SimConnection, effect: Send) -> None:
        """Put a message on its way, an acknowledgement only when the disk has what it acknowledges."""
        queue = self._queues.get(connection)
        if queue is not None:
            queue.append((effect.data, self.must_be_kept() if effect.after_stored else 0))
            self._drain(connection)

    def must_be_kept(self) -> int:
        """How many of the updates taken in must be stored before an answer given now may leave."""
        return self.taken

    def _drain(self, connection: SimConnection) -> None:
        queue = self._queues[connection]
        while queue and queue[0][1] <= self.kept:
            connection.send(self, queue.popleft()[0])
