"""A deterministic network of weft peers and servers, in one thread and in virtual time.

One number, the seed, decides everything: who is connected to whom, who writes what and when, which messages
are late, lost, repeated or overtaken, who crashes. The nodes are made of the code that runs in production::

    from weft.testing import SimNet

    print(SimNet(7).run())

``run`` raises :class:`SimFailure` when a promise was broken; what it prints contains the command that does
the same again. Any number of seeds::

    python -m weft.testing.sim --seeds 100000 --jobs 2

The form is that of FoundationDB's and TigerBeetle's simulators: sans-I/O code, one scheduler, fault rates
drawn per seed, then a time without faults after which everything must have come right.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

from weft.testing.sim.actions import act
from weft.testing.sim.broker import SimBroker
from weft.testing.sim.disk import SimDisk
from weft.testing.sim.draw import draw_plan
from weft.testing.sim.ledger import Ledger
from weft.testing.sim.links import AWARENESS_KINDS, SimLink
from weft.testing.sim.network_faults import NetworkFaults
from weft.testing.sim.options import SimOptions
from weft.testing.sim.oracle import StandardOracle
from weft.testing.sim.result import SHOWN, SimFailure, SimResult, SimStats, Violation, with_place
from weft.testing.sim.scheduler import Scheduler, seeded_random
from weft.testing.sim.workload import TablesWorkload

if TYPE_CHECKING:
    from weft.testing.sim.node import SimNode
    from weft.testing.sim.oracle import Oracle
    from weft.testing.sim.replica_disk import ReplicaDisk
    from weft.testing.sim.workload import Workload

__all__ = ["SimNet"]

_SETTLED = 0.5  # seconds with nothing under way after which the world has come to rest
_TO_SETTLE = 300.0  # seconds after healing until that must have come
_TO_NOTICE = 8.0  # seconds after healing until a server of a cluster has looked at what is stored
_MESSAGES_TO_SETTLE = 20_000
_WATCH = 50.0  # seconds of watching the quiet: longer than the 30 after which awareness expires
_RENEWALS = 6  # times awareness is renewed in that time, at most, with a reserve: every 15 s
_MOST_CALLS = 60_000  # calls of the scheduler in a run; a world that does not come to rest ends here


class SimNet:
    """One simulated world, for one run; what it knows and has, :class:`Network` says.

    Args:
        seed: Decides everything that the options leave open.
        options: What else is decided; everything is drawn without.
    """

    def __init__(self, seed: int, options: SimOptions | None = None) -> None:
        self._options = options = options or SimOptions()
        self.plan = plan = draw_plan(seed, options)
        self.limits = options.limits
        self.clock = Scheduler()
        self.faults = NetworkFaults(self.clock, plan.rates, self._deliver_held)
        self.ledger = Ledger()
        self.stats = SimStats()
        self.trace: list[tuple[float, str, str]] = []
        given = options.workload
        self.workload: Workload = TablesWorkload(plan.derivers) if given is None else given
        self._standard = StandardOracle()
        self._oracles: tuple[Oracle, ...] = (self._standard, *options.oracles)
        self.healed = False
        self._quiet = False
        self._busy_until = 0.0
        self._awareness_in_quiet: Counter[str] = Counter()

        rng = seeded_random(plan.network_seed)
        self.broker = SimBroker(self, plan.network_seed + 1) if plan.topology == "cluster" else None
        shared = SimDisk()
        self.servers = [
            options.server_type(
                self,
                f"s{at}",
                at,
                rng.getrandbits(64),
                disk=SimDisk() if self.broker is None else shared,
                broker=self.broker,
            )
            for at in range(plan.servers)
        ]
        self.replica_disks: list[ReplicaDisk] = []
        kinds = [options.replica_type] * plan.replicas + [options.peer_type] * (plan.peers - plan.replicas)
        self.peers = [kind(self, f"p{at}", at, rng.getrandbits(64)) for at, kind in enumerate(kinds)]
        self.nodes: list[SimNode] = [*self.servers, *self.peers]
        self.links = [
            SimLink(self, dialer, acceptors, rng.getrandbits(64), ordered=plan.ordered)
            for dialer, acceptors in self._dialled()
        ]

    def _dialled(self) -> list[tuple[SimNode, list[SimNode]]]:
        match self.plan.topology:
            case "star" | "cluster" | "replica":
                return [(peer, list(self.servers)) for peer in self.peers]
            case "mesh":
                return [(a, [b]) for at, a in enumerate(self.peers) for b in self.peers[at + 1 :]]
        return [
            (peer, [server])
            for peer in self.peers
            for server in self.servers
            if peer.index < self.plan.bridges or peer.index % 2 == server.index
        ]

    # -- the run ---------------------------------------------------------------------------------------------

    def run(self) -> SimResult:
        """Run the schedule, heal, come to rest, and look.

        Raises:
            SimFailure: A promise was broken, or the code under test raised.
        """
        try:
            self._run()
        except Exception as error:
            rule = error.rule if isinstance(error, Violation) else type(error).__name__
            raise SimFailure(
                self.plan,
                rule,
                str(error) if isinstance(error, Violation) else with_place(error),
                self.command(),
                [f"{when:9.3f} {kind} {detail}" for when, kind, detail in self.trace[-SHOWN:]],
            ) from error
        finally:
            self._close()
        return SimResult(self.plan, self.stats, self._digest(), self.clock.now)

    def command(self) -> str:
        """The command that runs this world again."""
        return " ".join(["python -m weft.testing.sim --seed", str(self.plan.seed), *self._options.words()])

    def _run(self) -> None:
        for node in self.nodes:
            node.start()
            node.after_step()
        for link in self.links:
            link.dial_soon()
        for action in self.plan.actions:
            self.clock.at(action.time, act, self, action)
        self._advance(self.plan.duration)
        self._heal()
        self._settle()
        if not self.plan.ordered and self.stats.faults["drop"]:
            self._close_gaps()
            self._settle()
        self._watch()
        for oracle in self._oracles:
            oracle.end(self)

    def _advance(self, until: float) -> None:
        for _ in range(_MOST_CALLS):
            if not self.clock.step(until):
                return
        raise Violation("P7 quiet", f"more than {_MOST_CALLS} events before second {until:.0f}")

    def _heal(self) -> None:
        self.note("heal", "")
        self.healed = True
        self.faults.heal()
        if self.broker is not None:
            self.broker.heal()
            self.busy(self.clock.now + _TO_NOTICE)
        for server in self.servers:
            if not server.alive:
                server.start()
        for peer in self.peers:
            if not peer.alive:
                peer.restart(empty=False)
            peer.after_step()
        for link in self.links:
            link.dial_soon()
        self.busy(self.clock.now)

    def _close_gaps(self) -> None:
        """Have every peer write once more, which shows to the others what of its writes they have missed."""
        for peer in self.peers:
            peer.write_probe()
            peer.after_step()
        self._settle()
        self._standard.gaps_closed(self)
        # A lost deletion leaves no gap: only a handshake brings it, as it sends everything deleted.
        for link in self.links:
            if link.connection is not None:
                link.connection.sever()

    def _settle(self) -> None:
        deadline = self.clock.now + _TO_SETTLE
        allowed = self.stats.sent + _MESSAGES_TO_SETTLE
        while self.clock.now < deadline:
            self._advance(self.clock.now + 0.5)
            if self.stats.sent > allowed:
                raise Violation("P7 quiet", f"{_MESSAGES_TO_SETTLE} messages after healing, and no end")
            if self.clock.now > self._busy_until + _SETTLED and all(link.is_up for link in self.links):
                return
        raise Violation("P7 quiet", f"no rest {_TO_SETTLE:.0f} s after healing")

    def _watch(self) -> None:
        self._quiet = True
        self._advance(self.clock.now + _WATCH)
        allowed = _RENEWALS * (len(self.peers) + 1) * 2 * len(self.links)
        if self._awareness_in_quiet.total() > allowed:
            raise Violation("P7 quiet", f"{dict(self._awareness_in_quiet)} in {_WATCH:.0f} s without an edit")

    def _close(self) -> None:
        for node in self.nodes:
            if node.alive:
                node.crash()

    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for when, kind, detail in self.trace:
            digest.update(f"{when:.9f} {kind} {detail}\n".encode())
        tables, values = self.peers[0].store.get_content()
        digest.update(json.dumps([tables, values], sort_keys=True).encode())
        return digest.hexdigest()

    # -- what the parts of the world report --------------------------------------------------------------

    def note(self, kind: str, detail: str) -> None:
        """Enter something into the trace."""
        self.trace.append((self.clock.now, kind, detail))

    def record_fault(self, kind: str, detail: str) -> None:
        """Count a fault, and enter it into the trace."""
        self.stats.faults[kind] += 1
        self.note(kind, detail)

    def busy(self, until: float) -> None:
        """Note that something is under way until a moment."""
        self._busy_until = max(self._busy_until, until)

    def sent(self, kind: str, sender: str, receiver: str) -> None:
        """Look at a message that leaves."""
        if kind not in AWARENESS_KINDS:
            self.busy(self.clock.now)
            if self._quiet:
                raise Violation("P7 quiet", f"{sender} sends {kind} to {receiver}")
        elif self._quiet:
            self._awareness_in_quiet[kind] += 1

    def prepare(self, index: int) -> None:
        """Have the workload prepare a peer's new Store."""
        self.workload.prepare(self.peers[index])

    def check(self, index: int) -> None:
        """Have the oracles look at a peer in which something has happened."""
        for oracle in self._oracles:
            oracle.step(self, self.peers[index])

    def _deliver_held(self) -> None:
        for link in self.links:
            link.deliver_due()
