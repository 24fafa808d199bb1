"""A peer: a Store kept in a document, with sessions to servers or to other peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycrdt import Doc, Map

from weft.documents.yjs.document import YDocument, create_doc
from weft.mirrors.yjs.mirror import YjsMirror
from weft.store import Store
from weft.testing.sim.document_reader import PROBE
from weft.testing.sim.node import SimNode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.testing.sim.ledger import Write
    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.world import World

__all__ = ["SimPeer"]


class SimPeer(SimNode):
    """A program that uses weft.

    Attributes:
        store: Its Store.
        mirror: The mirror between Store and document.
        errors: What the mirror has reported in this life.
        saved: Its document as last saved, or ``None``.
        echoed: Whether it has written something while it took in its last message.
        acknowledges: Whether the other end of its links keeps what it acknowledges.
    """

    role = "client"

    document: YDocument
    store: Store
    mirror: YjsMirror

    def __init__(self, world: World, name: str, index: int, seed: int) -> None:
        super().__init__(world, name, index, seed)
        self.errors: list[Exception] = []
        self.saved: bytes | None = None
        self._saved_writes: tuple[Write, ...] = ()
        self._flushing: dict[tuple[SimConnection, int], tuple[Write, ...]] = {}
        self._receives = self.echoed = False
        # A datagram may overtake what was sent before it, so there an answer proves nothing.
        self.acknowledges = world.plan.ordered and world.plan.topology != "mesh"

    def make_document(self) -> YDocument:
        """Make the document."""
        self._doc = create_doc(client_id=self.client_id)  # held: the YDocument's reference is weak
        return YDocument.of(self._doc)

    def read(self) -> Doc[Any]:
        """The document itself."""
        return self.document.doc

    def make_mirror(self) -> YjsMirror:
        """Make the mirror; called after the workload has prepared the Store."""
        return YjsMirror(
            self.store, self.document, layout=self.world.plan.layout, on_error=self.errors.append
        )

    def _restore(self) -> None:
        if self.saved is not None:
            self.document.doc.apply_update(self.saved)
        self.errors = []
        self._flushing = {}
        self.store = Store()
        self.world.prepare(self.index)
        self.mirror = self.make_mirror()
        self.mirror.start()

    def _subscribe(self) -> list[Callable[[], None]]:
        return [self.document.subscribe(self.on_update)]

    def _forget(self) -> None:
        self.mirror.stop()

    def deliver(self, connection: SimConnection, data: bytes) -> None:
        """Take in one message, and note whether it is answered with a write."""
        self._receives, self.echoed = True, False
        try:
            super().deliver(connection, data)
        finally:
            self._receives = False

    def on_update(self, update: bytes, origin: object | None) -> None:
        """Note an answer to what is being received, and pass the update on."""
        self.echoed |= self._receives and origin is None
        self.relay(update, origin)

    def after_step(self) -> None:
        """Have the oracles look, too."""
        if self.alive:
            self.world.check(self.index)
        super().after_step()

    def save(self) -> None:
        """Keep a copy of the document for the next life."""
        self.saved = self.document.doc.get_update()
        self._saved_writes = self.world.ledger.of(self.life)

    def restart(self, *, empty: bool) -> None:
        """Start again after a crash, from what was saved or from nothing."""
        if empty:
            self.saved = None
        if self.saved is None:
            self._saved_writes = ()
        self.start()
        self.world.ledger.inherit(self.life, self._saved_writes)

    def crash(self) -> None:
        """Lose everything but what was saved."""
        self.world.ledger.ended(self.life)
        super().crash()

    def flush(self, connection: SimConnection) -> None:
        """Ask the other end whether it has everything written so far."""
        session = self.sessions[connection]
        token, effects = session.request_flush(self.now)
        self._flushing[connection, token] = self.world.ledger.of(self.life)
        self.perform(connection, effects)

    def flushed(self, connection: SimConnection, token: int) -> None:
        """Note that the other end has acknowledged what was written."""
        self.world.stats.flushes += 1
        self.world.note("flushed", f"{self.name} {connection.name}")
        writes = self._flushing.pop((connection, token), ())
        if self.acknowledges:
            self.world.ledger.acknowledge(writes)

    def flush_lost(self, connection: SimConnection, tokens: Sequence[int]) -> None:
        """Give up on what was asked on that connection."""
        for token in tokens:
            del self._flushing[connection, token]

    def set_status(self, text: str) -> None:
        """Say something about itself to everybody."""
        self.awareness.set_local_state({"name": self.name, "status": text}, self.now)
        self.schedule_wake()

    def write_probe(self) -> None:
        """Write something that no Store sees."""
        self.document.doc.get(PROBE, type=Map)[self.name] = self.lives
