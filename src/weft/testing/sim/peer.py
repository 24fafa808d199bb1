"""A peer: a Store kept in a document, with sessions to servers or to other peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycrdt import Map

from weft.mirrors.yjs.mirror import YjsMirror
from weft.store import Store
from weft.testing.sim.document_reader import SPOKEN
from weft.testing.sim.node import SimNode
from weft.testing.sim.result import Violation
from weft.testing.sim.workload import TablesWorkload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.testing.sim.ledger import Write
    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.net import SimNet

__all__ = ["SimPeer"]


class SimPeer(SimNode):
    """A program that uses weft.

    Attributes:
        store: Its Store.
        mirror: The mirror between Store and document.
        errors: What the mirror has reported in this life.
        saved: Its document as last saved, or ``None``.
        derives: Whether its listeners keep cells derived from others; see ``TablesWorkload``.
    """

    role = "client"

    store: Store
    mirror: YjsMirror

    def __init__(self, net: SimNet, name: str, index: int, seed: int) -> None:
        super().__init__(net, name, index, seed)
        self.errors: list[Exception] = []
        self.saved: bytes | None = None
        self._saved_writes: tuple[Write, ...] = ()
        self._flushing: dict[tuple[SimConnection, int], tuple[Write, ...]] = {}
        self._hears = self._echoed = False
        workload = net.workload
        # Healing and listeners write after something was received; nothing else may.
        self._may_write_on_its_own = (
            net.plan.layout != "flat" or not isinstance(workload, TablesWorkload) or workload.derives(self)
        )
        self.acknowledges = False  # whether the other end of its links keeps what it acknowledges

    def make_mirror(self) -> YjsMirror:
        """Make the mirror; called after the workload has prepared the Store."""
        return YjsMirror(self.store, self.document, layout=self.net.plan.layout, on_error=self.errors.append)

    def _restore(self) -> None:
        if self.saved is not None:
            self.document.doc.apply_update(self.saved)
        self.errors = []
        self._flushing = {}
        self.store = Store()
        self.net.workload.prepare(self)
        self.mirror = self.make_mirror()
        self.mirror.start()

    def _forget(self) -> None:
        self.mirror.stop()

    def deliver(self, connection: SimConnection, data: bytes) -> None:
        """Take in one message, and see to it that it is not answered with a write that nobody asked for."""
        self._hears, self._echoed = True, False
        try:
            super().deliver(connection, data)
        finally:
            self._hears = False
        if self._echoed and not self._may_write_on_its_own:
            raise Violation("P7 quiet", f"{self.name} writes because it has received something")

    def heard(self, update: bytes, origin: object | None) -> None:
        """Pass an update on."""
        self._echoed |= self._hears and origin is None
        super().heard(update, origin)

    def save(self) -> None:
        """Keep a copy of the document for the next life."""
        self.saved = self.document.doc.get_update()
        self._saved_writes = self.net.ledger.of(self.life)

    def restart(self, *, empty: bool) -> None:
        """Start again after a crash, from what was saved or from nothing."""
        if empty:
            self.saved = None
        if self.saved is None:
            self._saved_writes = ()
        self.start()
        self.net.ledger.inherit(self.life, self._saved_writes)

    def crash(self) -> None:
        """Lose everything but what was saved."""
        self.net.ledger.ended(self.life)
        super().crash()

    def flush(self, connection: SimConnection) -> None:
        """Ask the other end whether it has everything written so far."""
        session = self.sessions[connection]
        token, effects = session.request_flush(self.now)
        self._flushing[connection, token] = self.net.ledger.of(self.life)
        self.perform(connection, effects)

    def flushed(self, connection: SimConnection, token: int) -> None:
        """Hold the other end to its word."""
        self.net.stats.flushes += 1
        self.net.note("flushed", f"{self.name} {connection.link.name}")
        writes = self._flushing.pop((connection, token), ())
        if self.acknowledges:
            self.net.ledger.acknowledge(writes)

    def flush_lost(self, connection: SimConnection, tokens: Sequence[int]) -> None:
        """Give up on what was asked on that connection."""
        for token in tokens:
            del self._flushing[connection, token]

    def set_status(self, text: str) -> None:
        """Say something about itself to everybody."""
        self.awareness.set_local_state({"name": self.name, "status": text}, self.now)
        self.net.woke(self)

    def speak(self) -> None:
        """Write something that no Store sees."""
        self.document.doc.get(SPOKEN, type=Map)[self.name] = self.lives
