"""A server: one room, its log on a disk that is slow and knows nothing of what it has not been given yet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from weft.documents.yjs.document import create_doc
from weft.documents.yjs.log_document import LogDocument
from weft.testing.sim.node import SimNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from pycrdt import Doc

    from weft.protocols.ysync import Send
    from weft.protocols.ysync.session import SyncDocument
    from weft.testing.sim.disk import SimDisk
    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.world import World

__all__ = ["SimServer"]

_COMPACTIONS = 0.3  # share of starts before which the log is compacted
_FROZEN_S = 0.5  # seconds after which somebody who is frozen is looked at again


class SimServer(SimNode):
    """A server that relays and stores what it receives, as received.

    It does what a room of ``weft.server`` does, without its tasks: the protocol sessions, the log of updates,
    the rules of what is stored and relayed, and compaction are the same code.

    Args:
        disk: What it has stored.
    """

    role = "server"

    def __init__(self, world: World, name: str, index: int, seed: int, *, disk: SimDisk) -> None:
        super().__init__(world, name, index, seed)
        self.disk = disk
        self.taken = self.kept = 0  # updates taken in during this life, and those of them that are stored
        self._unsaved: list[bytes] = []
        self._is_saving = False
        self._queues: dict[SimConnection, deque[tuple[bytes, int]]] = {}

    def make_client_id(self) -> int:
        """Give an id that no peer has; nothing is ever written under it."""
        return 1 + self.index

    def make_document(self) -> SyncDocument:
        """Make the document out of what is stored."""
        return LogDocument(
            self.disk.updates, taken_in=self.on_update, limits=self.world.limits, name=self.name
        )

    def read(self) -> Doc[Any]:
        """What a newcomer gets."""
        doc = create_doc(client_id=1 << 28)
        doc.apply_update(self.document.diff(b"\0"))
        return doc

    def start(self) -> None:
        """Load what is stored."""
        self._queues = {}
        self._unsaved = []
        self._is_saving = False
        self.taken = self.kept = 0
        if self.random.random() < _COMPACTIONS:
            self.disk.compact()
        super().start()

    # -- what is stored and relayed ---------------------------------------------------------------------

    def on_update(self, update: bytes, news: tuple[bytes, ...], origin: object) -> None:
        """Store what was received, and relay what is news of it to everybody but the sender."""
        self.store_update(update)
        for each in news:
            self.relay(each, origin)

    def store_update(self, update: bytes) -> None:
        """Hand an update to the disk, which takes its time."""
        self._unsaved.append(update)
        self.taken += 1
        if not self._is_saving:
            self._begin_saving()

    def _begin_saving(self) -> None:
        self._is_saving = True
        slowness = self.world.faults.rates.disk
        delay = self.random.uniform(0, slowness) if slowness else 0.0
        self.later(delay, self._save)

    def later(self, delay: float, call: Callable[..., None], *arguments: Any) -> None:
        """Have something done in a moment, if the server still lives then; the world waits for it."""
        self.world.clock.after(delay, self._do, self.lives, call, arguments)
        self.world.busy(self.world.clock.now + delay)

    def _do(self, life: int, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if life != self.lives or not self.alive:
            return
        if self.world.faults.is_frozen(self.name):
            self.world.clock.after(_FROZEN_S, self._do, life, call, arguments)
            return
        call(*arguments)

    def _save(self) -> None:
        updates, self._unsaved = self._unsaved, []
        self.saved(self.disk.commit(updates), updates)

    def saved(self, first: int, updates: list[bytes]) -> None:
        """Learn that updates are stored, and under which numbers."""
        self._is_saving = False
        self.kept += len(updates)
        for connection in tuple(self._queues):
            self._drain(connection)
        if self._unsaved:
            self._begin_saving()

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
