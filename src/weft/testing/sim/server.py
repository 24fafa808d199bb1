"""A server: one room, its log on a disk that is slow and forgets what it was not told to keep."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from weft.documents.yjs.log import build_document, compact_updates
from weft.testing.sim.node import SimNode

if TYPE_CHECKING:
    from pycrdt import Doc

    from weft.documents.yjs.document import YDocument
    from weft.protocols.ysync import Send
    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.world import World

__all__ = ["SimDisk", "SimServer"]

_COMPACTIONS = 0.3  # share of starts before which the log is compacted


class SimDisk:
    """A log of updates of which a crash leaves what has been synced.

    Attributes:
        log: Updates, oldest first.
        durable: How many of them a crash leaves.
        taken: How many were ever appended.
    """

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.durable = 0
        self.appended = 0

    def append(self, update: bytes) -> None:
        """Take in an update; it is not durable yet."""
        self.log.append(update)
        self.appended += 1

    def sync(self) -> None:
        """Make everything durable."""
        self.durable = len(self.log)

    def crash(self) -> None:
        """Forget what was not durable."""
        self.appended -= len(self.log) - self.durable
        del self.log[self.durable :]

    @property
    def kept(self) -> int:
        """How many of the updates ever appended are durable."""
        return self.appended - (len(self.log) - self.durable)

    def compact(self) -> None:
        """Replace what is durable by less that means the same."""
        durable = self.log[: self.durable]
        compacted = compact_updates(durable)
        if compacted is None:
            return
        kept = [update for at, update in enumerate(durable) if at in compacted.kept]
        self.log[: self.durable] = [compacted.snapshot, *kept]
        self.durable = 1 + len(kept)


class SimServer(SimNode):
    """A server that relays and stores what it receives, as received.

    It does what a room of ``weft.server`` does, without its tasks: the protocol sessions, the hub, the rules
    of what is stored and relayed, and compaction are the same code.
    """

    role = "server"

    def __init__(self, world: World, name: str, index: int, seed: int) -> None:
        super().__init__(world, name, index, seed)
        self.disk = SimDisk()
        self._queues: dict[SimConnection, deque[tuple[bytes, int]]] = {}
        self._syncing = False

    def make_document(self) -> tuple[Doc[Any], YDocument]:
        """Make the document out of the log."""
        return build_document(self.disk.log)

    def start(self) -> None:
        """Load what the disk has kept."""
        self._queues = {}
        self._syncing = False
        if self.random.random() < _COMPACTIONS:
            self.disk.compact()
        super().start()

    def crash(self) -> None:
        """Lose what the disk has not written."""
        super().crash()
        self.disk.crash()

    # -- what is stored and relayed ---------------------------------------------------------------------

    def on_update(self, update: bytes, origin: object | None) -> None:
        """Store an update, and relay it to everybody but the sender."""
        self.store_update(update)
        super().on_update(update, origin)

    def store_update(self, update: bytes) -> None:
        """Hand an update to the disk, which takes its time."""
        self.disk.append(update)
        if not self._syncing:
            self._syncing = True
            slowness = self.world.faults.rates.disk
            delay = self.random.uniform(0, slowness) if slowness else 0.0
            self.world.clock.after(delay, self._sync, self.lives)
            self.world.busy(self.world.clock.now + delay)

    def _sync(self, life: int) -> None:
        if not self.alive or life != self.lives:
            return
        if self.world.faults.is_frozen(self.name):
            self.world.clock.after(0.5, self._sync, life)
            return
        self._syncing = False
        self.disk.sync()
        for connection in tuple(self._queues):
            self._drain(connection)

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
            queue.append((effect.data, self.must_be_durable() if effect.after_stored else 0))
            self._drain(connection)

    def must_be_durable(self) -> int:
        """What must be durable before an answer given now may leave."""
        return self.disk.appended

    def _drain(self, connection: SimConnection) -> None:
        queue = self._queues[connection]
        while queue and queue[0][1] <= self.disk.kept:
            connection.send(self, queue.popleft()[0])
