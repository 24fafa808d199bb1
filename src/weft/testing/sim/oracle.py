"""What must hold while a simulation runs and when it has come to rest.

The promises are the project's: **P1** convergence, **P2** no lost write, **P3** no invention, **P7** quiet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weft._codecs.yjs.same import is_same
from weft._codecs.yjs.state import decode_state_vector
from weft.documents.yjs import UpdateLog
from weft.documents.yjs.document import YDocument, create_doc
from weft.mirrors.yjs.mirror import YjsMirror
from weft.store import Store
from weft.store.replica import Replica
from weft.testing.sim import document_reader as reading
from weft.testing.sim.replica_peer import ReplicaPeer
from weft.testing.sim.result import Violation
from weft.testing.sim.workload import DERIVED, SOURCE, TablesWorkload, derive, read_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.testing.sim.network import Network
    from weft.testing.sim.peer import SimPeer

__all__ = ["Oracle", "StandardOracle"]


class Oracle(Protocol):
    """What a user adds to :class:`StandardOracle`. It raises :class:`Violation` or ``AssertionError``."""

    def step(self, net: Network, peer: SimPeer) -> None:
        """Look at a peer in which something has just happened."""

    def end(self, net: Network) -> None:
        """Look at everything after it has healed and come to rest."""


class StandardOracle:
    """Holds for every workload; what concerns derived cells and the ledger, for ``TablesWorkload`` only."""

    def step(self, net: Network, peer: SimPeer) -> None:
        """Store and document of the peer agree, and the mirror has nothing to report."""
        store = peer.store
        tables, values = reading.project(peer.document.doc, net.plan.layout)
        held = Replica(store)
        if held.tables != tables or held.values != values:
            difference = reading.difference((held.tables, held.values), (tables, values))
            raise Violation("store != document", f"at {peer.name}\n{difference}")
        if peer.errors:
            raise Violation("mirror error", f"at {peer.name}: {peer.errors[0]!r}")
        if isinstance(net.workload, TablesWorkload) and net.workload.derives(peer):
            for row_id, row in store.get_table("f0").items():
                source = row.get(SOURCE)
                if row.get(DERIVED) != (None if source is None else derive(source)):
                    raise Violation("derived cell", f"at {peer.name}, row {row_id!r}: {row!r}")
        if peer.echoed and not self._may_echo(net, peer):
            raise Violation("P7 quiet", f"{peer.name} writes because it has received something")

        if isinstance(peer, ReplicaPeer) and not peer.content.pending():
            self._nothing_pending(net, peer)

    def _nothing_pending(self, net: Network, peer: ReplicaPeer) -> None:
        server = net.servers[0]
        own = peer.document.state().get(peer.client_id, 0)
        if server.alive and server.document.lacking({peer.client_id: own} if own else {}):
            raise Violation("pending", f"{peer.name} says that the server has all, and it has not")

    def _may_echo(self, net: Network, peer: SimPeer) -> bool:
        """Whether healing or listeners may write after something was received; nothing else may."""
        workload = net.workload
        return net.plan.layout != "flat" or not isinstance(workload, TablesWorkload) or workload.derives(peer)

    def gaps_closed(self, net: Network) -> None:
        """Nobody misses a write before one it has seen; called after all peers have written once more."""
        first, *others = net.nodes
        state = reading.state(first)
        for node in others:
            theirs = reading.state(node)
            if theirs != state:
                raise Violation("gap", f"state vectors: {first.name} {state}, {node.name} {theirs}")

    def end(self, net: Network) -> None:
        """Everything the project promises."""
        content = net.peers[0].store.get_content()
        self._converged(net, content)
        if isinstance(net.workload, TablesWorkload):
            self._nothing_lost(net, content)
            self._nothing_invented(net, content)
        for server in net.servers:
            if server.kept != server.taken:
                raise Violation("P2 lost write", f"{server.name} has not stored everything")
        for disk in dict.fromkeys(server.disk for server in net.servers):
            updates = disk.updates
            self._reloads(net, content, "what is stored", UpdateLog.of(updates).diff(), updates)
        last = net.peers[-1]
        self._reloads(net, content, f"a copy of {last.name}'s document", last.read().get_update())
        for peer in net.peers:
            if isinstance(peer, ReplicaPeer):
                self._replica_kept(net, peer, content)
        self._present(net)

    def _replica_kept(self, net: Network, peer: ReplicaPeer, content: reading.Content) -> None:
        if peer.content.pending():
            raise Violation("pending", f"{peer.name} has {peer.content.pending()} that the server has")
        for write in peer.disk.writes:
            value = reading.look_up(content, write.path)
            if write.unique and read_stamp(value) != write.number:
                raise Violation(
                    "P2 lost write", f"{write.path} = {write.number} was on {peer.name}'s disk; is {value!r}"
                )
        rows = [row.data for row in peer.disk.rows]
        self._reloads(net, content, f"{peer.name}'s disk", UpdateLog.of(rows).diff(), rows)
        whole = net.servers[0].document.diff(b"\0")
        for client, structs in peer.content.log.structs().items():
            if not is_same(whole, structs, client, 0):
                raise Violation(
                    "two of one id", f"{peer.name} has something else of {client} than the server"
                )

    def _converged(self, net: Network, content: reading.Content) -> None:
        first, *others = net.nodes
        state, read = reading.state(first), first.read()
        deleted, whole = reading.deleted(read), reading.whole(read)
        for node in others:
            theirs = reading.state(node)
            if theirs != state:
                raise Violation(
                    "P1 convergence", f"state vectors differ: {first.name} {state}, {node.name} {theirs}"
                )
            read = node.read()
            if reading.deleted(read) != deleted:
                raise Violation("P1 convergence", f"{first.name} and {node.name} deleted different things")
            if reading.whole(read) != whole:
                raise Violation("P1 convergence", f"the documents of {first.name} and {node.name} differ")
        for peer in net.peers[1:]:
            if not reading.is_equal(peer.store.get_content(), content):
                difference = reading.difference(content, peer.store.get_content())
                raise Violation(
                    "P1 convergence", f"Stores of {net.peers[0].name} and {peer.name} differ\n{difference}"
                )

    def _nothing_lost(self, net: Network, content: reading.Content) -> None:
        contested = reading.contested(net.nodes[0].read()) if net.plan.layout == "tinybase" else frozenset()
        for write in net.ledger.must_be_there():
            value = reading.look_up(content, write.path)
            if read_stamp(value) == write.number:
                continue
            if write.path[:2] in contested and not net.ledger.goes_on(write.life):
                # The one limit of the nested layout: of two rows made at once under one id one wins, and what
                # the other held comes back when somebody who had it in a Store writes it there. Here the
                # writer died before that, and was the only one.
                net.stats.forgiven += 1
                continue
            why = "was acknowledged" if write.acknowledged else "has a writer that lives"
            raise Violation(
                "P2 lost write", f"{write.path} = {write.number} of {write.life} {why}; there is {value!r}"
            )

    def _nothing_invented(self, net: Network, content: reading.Content) -> None:
        for path, value in reading.paths(content):
            if path[0] == "f0" and path[-1] == DERIVED:
                # What it is derived from may be gone, if nobody who derives lives; but somebody wrote it.
                source = value[1] if isinstance(value, list) and len(value) == 2 else None
                self._was_written(net, (*path[:2], SOURCE), source)
                continue
            number = self._was_written(net, path, value)
            if net.plan.layout == "flat" or len(path) == 1:
                later = net.ledger.superseded_by(path, number)
                if later is not None:
                    raise Violation(
                        "P2 lost write",
                        f"{path} holds {value!r}, over which {later.life} wrote {later.number}",
                    )

    def _was_written(self, net: Network, path: tuple[str, ...], value: object) -> int:
        number = read_stamp(value)
        if number is None or not net.ledger.was_written(path, number):
            raise Violation("P3 invention", f"{path} holds {value!r}, which nobody wrote there")
        return number

    def _reloads(
        self, net: Network, content: reading.Content, what: str, whole: bytes, updates: Sequence[bytes] = ()
    ) -> None:
        doc = create_doc(client_id=1 << 28)
        doc.apply_update(whole)
        state = decode_state_vector(doc.get_state())
        if state != reading.state(net.nodes[0]):
            raise Violation("P1 convergence", f"{what} lacks something of the documents")
        if not all(map(YDocument.of(doc).is_covered, updates)):
            raise Violation("gap", f"{what} has a gap")
        errors: list[Exception] = []
        store = Store()
        with YjsMirror(store, doc, layout=net.plan.layout, on_error=errors.append):
            if errors or not reading.is_equal(store.get_content(), content):
                difference = reading.difference(content, store.get_content())
                raise Violation("P1 convergence", f"{what} reads otherwise {errors}\n{difference}")
        if decode_state_vector(doc.get_state()) != state:
            raise Violation("P7 quiet", f"a mirror that started on {what} wrote something")

    def _present(self, net: Network) -> None:
        expected = {
            peer.awareness.client_id: state
            for peer in net.peers
            if (state := peer.awareness.local_state) is not None
        }
        for node in net.nodes:
            states = dict(node.awareness.states)
            if states != expected:
                raise Violation("awareness", f"{node.name} sees {states}; there are {expected}")
