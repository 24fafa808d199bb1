"""Faults put in on purpose, one at a time: a simulation that lets one of them pass is broken itself.

Each is a peer or a server of which one part is wrong in a way that somebody has got wrong before.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from pycrdt import Doc, get_update

from weft._codecs.yjs.guard import check_update
from weft._codecs.yjs.state import decode_state_vector, missing
from weft.documents.yjs.document import create_doc
from weft.mirrors.mirror import DocumentWrite, Mirror
from weft.mirrors.yjs import YjsMirror
from weft.protocols.awareness import Awareness, AwarenessChange
from weft.testing.sim.options import SimOptions
from weft.testing.sim.peer import SimPeer
from weft.testing.sim.plan import FaultRates
from weft.testing.sim.server import SimServer
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pycrdt import TransactionEvent

    from weft.documents.yjs.binding import RawTransactionEvent
    from weft.documents.yjs.log_document import LogDocument
    from weft.limits import Limits
    from weft.protocols.ysync import YSyncSession
    from weft.protocols.ysync.messages import UpdateSpans
    from weft.protocols.ysync.session import SyncDocument
    from weft.testing.sim.links import SimConnection

__all__ = ["CANARIES", "AcknowledgesEarly", "Canary", "EventServer", "KillsProcess"]

ANY_WORLD = SimOptions()
NESTED = SimOptions(layout="tinybase")


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A fault, and worlds in which it has to be found.

    Attributes:
        fault: Options that put it in.
        breaks: Promises that it breaks.
        beside: Promises that it may break as well, without being what it is there to show.
        world: The options without the fault; nothing may be found with these alone.
        seeds: How many seeds may pass, at most, before it is caught.
        first: The first of them.
    """

    fault: Mapping[str, Any]
    breaks: frozenset[str]
    beside: frozenset[str] = frozenset()
    world: SimOptions = ANY_WORLD
    seeds: int
    first: int = 0


class EventServer(SimServer):
    """Stores and relays the binding's update event, which lacks structs that waited for a gap to close."""

    def make_document(self) -> LogDocument:
        """Make a document of the kind that has this fault."""
        doc = create_doc()
        for update in self.loaded.rows:
            doc.apply_update(update)
        self._events = _EventDocument(doc, self.on_update)
        return cast("LogDocument", self._events)

    def crash(self) -> None:
        """End the observation, too."""
        self._events.close()
        super().crash()


class _EventDocument:
    """As much of a document as a session needs, with events in the place of what was received.

    What arrives goes to the binding as it is, and the binding alone is asked for gaps.
    """

    def __init__(self, doc: Doc[Any], taken_in: Callable[[bytes, tuple[bytes, ...], object], None]) -> None:
        self.doc = doc
        self._taken_in = taken_in
        self._events: list[bytes] = []
        self._gapped: list[bytes] = []
        self._observation = doc.observe(self._changed)

    def close(self) -> None:
        self.doc.unobserve(self._observation)

    def _changed(self, event: TransactionEvent) -> None:
        self._events.append(bytes(event.update))

    def check(self, update: bytes, limits: Limits) -> UpdateSpans:
        return check_update(update, limits)

    def apply(self, update: bytes, *, origin: object, spans: object = None) -> bool:
        del spans
        self.doc.apply_update(update)
        events, self._events[:] = tuple(self._events), ()
        for event in events:
            self._taken_in(event, (event,), origin)
        self._gapped.append(update)
        return self.is_waiting

    @property
    def is_waiting(self) -> bool:
        state = self.doc.get_state()
        self._gapped = [update for update in self._gapped if get_update(update, state)[0] != 0]
        return bool(self._gapped)

    def state_vector(self) -> bytes:
        return self.doc.get_state()

    def state(self) -> dict[int, int]:
        return decode_state_vector(self.state_vector())

    def lacking(self, wanted: dict[int, int]) -> dict[int, int]:
        return missing(self.state(), wanted)

    def diff(self, state_vector: bytes) -> bytes:
        return self.doc.get_update(state_vector)


class DropsEverySeventh(SimServer):
    """Does not relay every seventh update."""

    relayed = 0

    def relay(self, update: bytes, origin: object | None) -> None:
        self.relayed += 1
        if self.relayed % 7:
            super().relay(update, origin)


class AcknowledgesEarly(SimServer):
    """Answers before the disk has what the answer acknowledges."""

    def must_be_kept(self) -> int:
        return 0


class SkipsUpdates(SimServer):
    """Relays every update, and does not store every twentieth."""

    kept = 0

    def store_update(self, update: bytes) -> None:
        self.kept += 1
        if self.kept % 20:
            super().store_update(update)


class EchoingMirror(YjsMirror):
    """Writes back what it received."""

    def _store_finished(self) -> None:
        self._replica._received = None
        super()._store_finished()

    def _write(self, changes: DocumentWrite, *, compare: bool) -> None:
        super()._write(changes, compare=False)


class DropsListenerWrites(YjsMirror):
    """Takes what listeners wrote during a remote change for a part of the change, as a loading flag does."""

    def _store_finished(self) -> None:
        received = self._replica._received
        if received is not None:
            self._replica._received = received._replace(entries=(0, self.store._log_length()))
        super()._store_finished()


class NeverHeals(YjsMirror):
    """Takes a row that was made at the same time as its own for one that replaces its own."""

    def _committed(self, event: RawTransactionEvent, received: bytes | None) -> None:
        (tables, values), heal = self._layout.committed(event, received)
        for table_id, rows in (heal.tables if heal is not None else {}).items():
            for row_id, cell_ids in rows.items():
                tables.setdefault(table_id, {}).setdefault(row_id, {}).update(
                    dict.fromkeys(cell_ids, UNDEFINED)
                )
        self._receive(tables, values)

    def flush(self) -> None:
        Mirror.flush(self)


class RemovesEmptied(YjsMirror):
    """Removes the map of a row whose last cell was deleted."""

    def _write(self, changes: DocumentWrite, *, compare: bool) -> None:
        emptied = {
            (table_id, row_id)
            for table_id, rows in changes.tables.items()
            for row_id, cells in rows.items()
            if row_id not in self._replica.tables.get(table_id, {})
        }
        super()._write(replace(changes, removed_rows=changes.removed_rows | emptied), compare=compare)


class SkipsChanges(YjsMirror):
    """Now and then does not write a change of the Store."""

    finished = 0

    def _store_finished(self) -> None:
        self.finished += 1
        if self.finished % 16:
            super()._store_finished()


def with_mirror(mirror: type[YjsMirror]) -> type[SimPeer]:
    class Peer(SimPeer):
        def make_mirror(self) -> YjsMirror:
            return mirror(
                self.store, self.document, layout=self.world.plan.layout, on_error=self.errors.append
            )

    return Peer


class ReportsNoGaps:
    """A hub that never says that something is missing."""

    def __init__(self, document: SyncDocument) -> None:
        self._document = document

    def apply(self, *args: Any, **options: Any) -> bool:
        self._document.apply(*args, **options)
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._document, name)


class PeerWithoutGaps(SimPeer):
    """Has sessions that do not look for gaps."""

    def make_session(self, connection: SimConnection) -> YSyncSession:
        session = super().make_session(connection)
        session.document = ReportsNoGaps(session.document)
        return session


class ServerWithoutGaps(SimServer):
    """The same, as a server."""

    def make_session(self, connection: SimConnection) -> YSyncSession:
        session = super().make_session(connection)
        session.document = ReportsNoGaps(session.document)
        return session


class ReusesClientId(SimPeer):
    """Starts again with the client id it had before, from an older copy of its document."""

    used: int | None = None

    def make_client_id(self) -> int:
        if self.used is None:
            self.used = super().make_client_id()
        return self.used


class KeepsEverybody(Awareness):
    """Never lets go of anybody."""

    def remove(self, *args: Any, **options: Any) -> AwarenessChange:
        return AwarenessChange()


class SeesTheDeparted(SimPeer):
    """Sees those who have left for ever."""

    def make_awareness(self) -> Awareness:
        return KeepsEverybody(self.client_id, limits=self.world.limits)


class IgnoresSecondQuestion(SimPeer):
    """Does not answer the question after a reconnect, so that what it wrote offline stays with it."""

    met = False

    def deliver(self, connection: SimConnection, data: bytes) -> None:
        if data[:2] == b"\x00\x00":
            if self.met and connection.link.connection is connection:
                data = b"\x01\x01\x00"
            self.met = True
        super().deliver(connection, data)


class KillsProcess(SimPeer):
    """Takes the process along in one world, as a fault in native code does."""

    def start(self) -> None:
        if self.world.plan.seed == 57:
            os._exit(9)
        super().start()


def _peer(part: type[YjsMirror] | type[SimPeer]) -> dict[str, Any]:
    return {"peer_type": part if issubclass(part, SimPeer) else with_mirror(part)}


def _breaks(*rules: str) -> frozenset[str]:
    return frozenset(rules)


# Days on which servers and peers crash and the disk is slow, which is when an acknowledgement counts.
CRASHES = FaultRates(delay=0.05, disk=5.0, server_crashes=8, peer_crashes=8)

# Updates that overtake each other and are lost, which a server that hands them on as they come has to suffer.
GAPS = FaultRates(delay=5.0, reorder=0.6, drop=0.1, disconnects=6)

CANARIES = {
    # The event tells of a lost container before it tells of the one that won, or not at all of either.
    "storage and relay fed from the update event": Canary(
        fault={"server_type": EventServer},
        breaks=_breaks("gap", "P1 convergence", "P2 lost write"),
        beside=_breaks("RemoteProtocolError"),
        world=SimOptions(topology="star", ordered=False),
        first=237,  # one of the fastest of the twelve that are caught between 0 and 600
        seeds=600,
    ),
    # With many gaps the event itself is damaged: lengths below zero, which no reader takes.
    "an update event that nobody can read": Canary(
        fault={"server_type": EventServer},
        breaks=_breaks("RemoteProtocolError"),
        beside=_breaks("gap", "P1 convergence", "P2 lost write"),
        world=SimOptions(topology="star", ordered=False, edits=120, rates=GAPS),
        seeds=60,
    ),
    "a relay that drops the seventh update": Canary(
        fault={"server_type": DropsEverySeventh}, breaks=_breaks("gap", "P1 convergence"), seeds=20
    ),
    "an acknowledgement before the disk has it": Canary(
        fault={"server_type": AcknowledgesEarly},
        breaks=_breaks("P2 lost write"),
        world=SimOptions(ordered=True, rates=CRASHES),
        seeds=300,
    ),
    "a disk that skips an update": Canary(
        fault={"server_type": SkipsUpdates},
        breaks=_breaks("gap", "P1 convergence", "P2 lost write"),
        seeds=20,
    ),
    "a mirror that echoes": Canary(fault=_peer(EchoingMirror), breaks=_breaks("P7 quiet"), seeds=20),
    "a mirror that drops what listeners write": Canary(
        fault=_peer(DropsListenerWrites), breaks=_breaks("store != document"), seeds=50
    ),
    "a mirror that does not heal": Canary(
        fault=_peer(NeverHeals),
        breaks=_breaks("P2 lost write"),
        world=NESTED,
        seeds=20,
    ),
    "a mirror that removes emptied rows": Canary(
        fault=_peer(RemovesEmptied),
        breaks=_breaks("P2 lost write"),
        world=NESTED,
        seeds=200,
    ),
    "a mirror that forgets a change": Canary(
        fault=_peer(SkipsChanges), breaks=_breaks("store != document"), seeds=20
    ),
    "sessions blind to gaps": Canary(
        fault={"peer_type": PeerWithoutGaps, "server_type": ServerWithoutGaps},
        breaks=_breaks("gap"),
        world=SimOptions(ordered=False),
        seeds=100,
    ),
    "a client id used twice": Canary(
        fault=_peer(ReusesClientId),
        breaks=_breaks("P1 convergence", "P2 lost write", "store != document"),
        beside=_breaks("RemoteProtocolError"),
        world=SimOptions(ordered=True),
        seeds=100,
    ),
    "a peer that sees those who have left": Canary(
        fault=_peer(SeesTheDeparted), breaks=_breaks("awareness", "P7 quiet"), seeds=50
    ),
    "a peer that keeps what it wrote offline": Canary(
        fault=_peer(IgnoresSecondQuestion), breaks=_breaks("gap", "P1 convergence"), seeds=50
    ),
}
