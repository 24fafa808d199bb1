"""A peer with a replica: nothing of it is sent that its disk has not, and its disk takes its time.

The replica's content, its meta, its compaction and the provider's adapter are the production code. What waits
in an event loop there (``CommitQueue``, ``ReconnectLoop`` with its queue, ``DurableConnection``) and SQLite
(``ReplicaFile``) have doubles here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, cast

from weft._codecs.yjs.lib0 import Reader
from weft._codecs.yjs.state import decode_state_vector
from weft._codecs.yjs.structs import STORED, read_update
from weft.errors import ConnectionClosedError
from weft.providers.replica.file import Row
from weft.providers.replica.meta import Meta, begin_session, replace
from weft.providers.replica.yjs import YjsContent, under_another
from weft.providers.ysync.adapter import YSyncAdapter
from weft.providers.ysync.kept import Kept
from weft.testing.sim.links import describe
from weft.testing.sim.peer import SimPeer
from weft.testing.sim.replica_disk import ReplicaDisk
from weft.testing.sim.result import Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents import Compactor
    from weft.documents.yjs.document import YDocument
    from weft.protocols.awareness import AwarenessChange
    from weft.protocols.ysync import YSyncSession
    from weft.testing.sim.ledger import Write
    from weft.testing.sim.links import SimConnection
    from weft.testing.sim.world import World

__all__ = ["ReplicaPeer"]

_COMPACTIONS = 0.1  # share of commits after which the rows are compacted
_BACKUPS = 0.1  # share of commits after which a backup is made
_REOPENED_S = 0.5  # seconds after which somebody opens again what had to be given up


class _Loop:
    """What of a provider waits in an event loop: the reconnect loop, its queue, its tracker and its clock."""

    forgot = False  # the queue is never full
    sent = 0

    def __init__(self, peer: ReplicaPeer) -> None:
        self._peer = peer
        self.queue: _Loop | None = None

    def now(self) -> float:
        return self._peer.now

    def put(self, message: bytes) -> None:
        self._peer.put(message)

    def put_content(self, message: bytes) -> bool:
        self._peer.put(message)
        return True

    def rearm(self) -> None:
        self._peer.schedule_wake()

    def mark_synced(self) -> None:
        self._peer.world.note("synced", self._peer.name)

    def report(self, error: Exception) -> None:
        raise Violation("provider error", f"at {self._peer.name}: {error!r}")


class ReplicaPeer(SimPeer):
    """A program whose document is kept on disk, and which starts again from there, whenever it dies.

    Attributes:
        disk: What was committed.
        content: The replica's document.
    """

    content: YjsContent
    content_type = YjsContent  # to be replaced by tests of the simulation itself

    def __init__(self, world: World, name: str, index: int, seed: int) -> None:
        super().__init__(world, name, index, seed)
        self.disk = ReplicaDisk(index)
        self._former: list[SimConnection] = []
        self._unsaved = ""
        self._backups: list[ReplicaDisk] = []
        world.replica_disks.append(self.disk)

    # -- opening

    def make_client_id(self) -> int:
        """Open the file, and begin a session under the author that may be used."""
        rows, meta, is_proved = self.open_disk()
        draw = super().make_client_id
        if rows and meta is not None and meta.is_taken:
            snapshot, meta = under_another(rows, meta, str(draw()))
            self.disk.replace(snapshot, rows[-1].number, (), meta)
            rows = [Row(rows[-1].number, False, snapshot)]
        self._meta = begin_session(
            meta or Meta("yjs", ""),
            is_proved=is_proved,
            last=self.disk.last,
            author=lambda: str(draw()),
            token=lambda: self.random.randbytes(16).hex(),
        )
        self.disk.begin(self._meta)
        self._stored = rows
        return int(self._meta.author)

    def open_disk(self) -> tuple[list[Row], Meta | None, bool]:
        """What is there, and whether it is proved that nobody else has its author."""
        return self.disk.open()

    def make_document(self) -> YDocument:
        """Make the document out of the rows."""
        self._last = self._durable = self.disk.last
        self._rows: list[Row] = []
        self._is_stale = self._is_owed = self._is_due = self._is_compacting = False
        self._commits: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._outbox: deque[tuple[bytes, int]] = deque()
        self._connection: SimConnection | None = None
        self.content = self.content_type(
            self._stored, self._meta, append=self._append, changed=self._touch, limits=self.world.limits
        )
        return self.content.document

    def _restore(self) -> None:
        super()._restore()
        self._loop = _Loop(self)
        self._kept = Kept(self, self.content, "room")
        self._adapter = YSyncAdapter(
            self.document,
            awareness=self.awareness,
            limits=self.world.limits,
            clock=cast("Any", self._loop),
            tracker=cast("Any", self._loop),
            dial=cast("Any", None),
            kept=self._kept,
        )
        self._adapter.reconnect_loop = cast("Any", self._loop)
        self._adapter.attach()

    def _subscribe(self) -> list[Callable[[], None]]:
        return [*super()._subscribe(), self._adapter.detach]

    def _forget(self) -> None:
        super()._forget()
        self.content.close("the document", "its peer died")

    def restart(self, *, empty: bool) -> None:
        """Start again from the disk; with ``empty``, from one that somebody has put in its place."""
        if empty:
            self._exchange_disk()
        self.start()
        self.world.ledger.inherit(self.life, self.disk.writes)

    def _exchange_disk(self) -> None:
        rng, plan = self.random, self.world.plan
        # A machine that is set back has all it had, and only the server can tell: not where it forgets, or
        # where others bring later what it has not had yet.
        is_machine = plan.network_seed % 2 == 0 and not plan.rates.server_crashes
        others = [disk for disk in self.world.replica_disks if disk is not self.disk and disk.meta]
        if others and not is_machine and rng.random() < 0.5:
            self.world.record_fault("copy", self.name)
            rng.choice(others).copy_to(self.disk, beside=rng.random() < 0.5)
        elif self._backups:
            is_machine = is_machine and rng.random() < 0.7
            self.world.record_fault("machine-back" if is_machine else "restore", self.name)
            rng.choice(self._backups).copy_to(self.disk, beside=is_machine)
            for connection in self._former:
                connection.sever()

    def save(self) -> None:
        """Make a backup of the disk as it is."""
        backup = ReplicaDisk(self.index)
        self.disk.copy_to(backup, beside=True)
        self._backups.append(backup)

    # -- to the disk

    def _append(self, data: bytes, is_own: bool) -> int:
        self._last += 1
        self._rows.append(Row(self._last, is_own, data))
        self._write_soon()
        return self._last

    def _touch(self, is_owed: bool) -> None:
        self._is_stale = True
        self._is_owed |= is_owed
        self._write_soon()

    def _write_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.later(0.0, self._write)

    def _write(self) -> None:
        self._is_due = False
        rows, self._rows = self._rows, []
        is_stale, self._is_stale = self._is_stale, False
        meta = self._known() if is_stale else None
        self._submit(self._commit, rows, meta, self.world.ledger.of(self.life))

    def _known(self) -> Meta:
        self._meta = self.content.note(self._meta)
        return self._meta

    def _submit(self, call: Callable[..., None], *arguments: Any) -> None:
        """Have the disk do something after what it was given before."""
        self._commits.append((call, arguments))
        if len(self._commits) == 1:
            self.later(self.disk_delay(), self._work)

    def _work(self) -> None:
        call, arguments = self._commits[0]
        call(*arguments)
        self._commits.popleft()
        if self._commits:
            self.later(self.disk_delay(), self._work)

    def _commit(self, rows: list[Row], meta: Meta | None, writes: tuple[Write, ...]) -> None:
        self.disk.write(rows, meta, writes)
        if meta is not None and not self._is_stale:
            self._is_owed = False
        if rows:
            self._durable = rows[-1].number
        self._drain()
        if self.random.random() < _BACKUPS:
            self.save()
        if not self._is_compacting and not self._is_behind and self.random.random() < _COMPACTIONS:
            self._is_compacting = True
            self._submit(self._compact, self.content.compactor(self._durable), self._durable)

    @property
    def _is_behind(self) -> bool:
        return self._durable < self._last or self._is_owed

    def _compact(self, compact: Compactor, last: int) -> None:
        rows = [row for row in self.disk.rows if row.number <= last]
        made = compact([row.data for row in rows])
        if made is None:
            self._is_compacting = False
            return
        kept = {rows[at].number for at in made.kept}
        self._submit(self._replace, made.snapshot, last, kept, self._known())

    def _replace(self, snapshot: bytes, last: int, kept: set[int], meta: Meta) -> None:
        self.disk.replace(snapshot, last, kept, meta)
        self.content.compacted()
        self._is_compacting = False

    # -- to the server

    def put(self, message: bytes) -> None:
        """Send a message when the disk has what was written before it."""
        self._outbox.append((message, self._last))
        self._drain()

    def _drain(self) -> None:
        while self._outbox and self._may_leave(self._outbox[0][1]):
            message, _ = self._outbox.popleft()
            self._check_on_disk(message)
            if self._connection is not None:
                self._connection.send(self, message)

    def _may_leave(self, number: int) -> bool:
        return number <= self._durable and not self._is_owed

    def _check_on_disk(self, message: bytes) -> None:
        """Whatever leaves, the disk has, and what it says to have, too."""
        kind = describe(message)
        if kind not in {"step1", "step2", "update"}:
            return
        reader = Reader(message)
        reader.position = 2
        body = reader.bytes()
        if kind == "step1":
            ends = list(decode_state_vector(body).items())
        else:
            ends = [(run.client, run.end) for run in read_update(body, STORED)[0]]
        for client, end in ends:
            if end > self.disk.ends.get(client, 0):
                # Raised here it would be the mirror's error, as this may be called by the Store's writer.
                self._unsaved = f"{kind} of {self.name}: {client} up to {end}"

    def connected(self, connection: SimConnection) -> None:
        """Greet the server."""
        self.sessions[connection] = self._adapter.session
        self._former.append(connection)
        self._connection, self._loop.queue = connection, self._loop
        self._adapter.opened()
        self.after_step()

    def receive(self, connection: SimConnection, session: YSyncSession, data: bytes) -> None:
        """Take in one message; where another one writes under the same client id, open the replica again."""
        del session
        try:
            self._adapter.received(data)
        except ConnectionClosedError:
            self.world.record_fault("taken", self.name)
            self._write()
            while self._commits:
                call, arguments = self._commits.popleft()
                if call == self._commit:
                    self.disk.write(*arguments)
            self.crash()
            self.world.busy(self.world.clock.now + _REOPENED_S)
            self.world.clock.after(_REOPENED_S, self._reopen, connection)

    def _reopen(self, connection: SimConnection) -> None:
        if not self.alive:
            self.restart(empty=False)
            self.after_step()
        connection.link.dial_soon()

    def disconnected(self, connection: SimConnection) -> None:
        """Learn that the connection is over."""
        if self.sessions.pop(connection, None) is not None:
            self._connection = self._loop.queue = None
            self._outbox.clear()
            self._adapter.closed()
            self.after_step()

    def flush(self, connection: SimConnection) -> None:
        """Have the server asked now what it has."""
        del connection
        self._kept.ask_at = self.now
        self.wake_in(0.0)

    def relay(self, update: bytes, origin: object | None) -> None:
        """The adapter does."""

    def _awareness_changed(self, change: AwarenessChange, origin: object | None) -> None:
        """The adapter tells the server."""

    def next_due(self) -> float | None:
        """When time next matters."""
        dues = [due for due in (super().next_due(), self._kept.ask_at) if due is not None]
        return min(dues, default=None)

    def tick(self) -> None:
        """Let time pass."""
        self.awareness.tick(self.now)
        self._adapter.tick()
        self.after_step()

    def after_step(self) -> None:
        """What is said not to be pending, the server has to keep."""
        if self._unsaved:
            raise Violation("sent before it was on disk", self._unsaved)
        if self.alive and not self.content.pending():
            self.world.ledger.acknowledge(self.world.ledger.of(self.life))
        super().after_step()

    # -- to the adapter, a replica

    def attach(self, provider: object) -> None:
        """There is one provider."""

    def detach(self, provider: object) -> None:
        """There is one provider."""

    def check_room(self, room: str) -> None:
        """There is one room."""

    def joined(self, room: str) -> None:
        """There is one room."""

    def note_synced(self) -> None:
        """Note when file and server were last equal."""
        self._meta = replace(self._meta, synced=self.world.clock.now)
        self._touch(False)
