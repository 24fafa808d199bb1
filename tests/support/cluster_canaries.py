"""Faults of servers that share one storage, put in on purpose; each has been somebody's design."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from support.canaries import AcknowledgesEarly, Canary
from weft.documents.yjs import compact_updates
from weft.server.fanout.messages import Hint, read_message
from weft.server.fanout.session import FanoutEffect, FanoutSession
from weft.server.storage.replacement import Replacement
from weft.testing.sim.options import SimOptions
from weft.testing.sim.plan import FaultRates
from weft.testing.sim.server import SimServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["CLUSTER_CANARIES"]

CLUSTER = SimOptions(topology="cluster", ordered=True)
# Commits that take long, and servers that die in the middle of them.
SLOW = replace(CLUSTER, edits=60, rates=FaultRates(delay=0.05, disk=2.0, server_crashes=8, peer_crashes=4))
# A server that has a gap asks its clients again and again for what they do not have.
LOST = frozenset({"gap", "P1 convergence", "P2 lost write", "P7 quiet"})


class PublishesBeforeCommit(SimServer):
    """Tells the others within the transaction, whose number is right as long as it is committed."""

    def save(self) -> None:
        assert self.fanout is not None
        shared = vars(self.disk)
        if self.fanout.is_cut_off or shared.setdefault("locked_by", self) is not self:
            self.later(0.05, self.save)
            return
        updates, self.unsaved = self.unsaved, []
        first = self.disk.head + 1
        self.fanout.committed(first, updates)
        self.later(self.disk_delay(), self.commit, updates)

    def commit(self, updates: list[bytes]) -> None:
        del vars(self.disk)["locked_by"]
        self.saved(self.disk.commit(updates), updates)

    def crash(self) -> None:
        if vars(self.disk).get("locked_by") is self:
            del vars(self.disk)["locked_by"]
        super().crash()


class NumbersBySequence(SimServer):
    """Numbers rows by a sequence, which is drawn from before the commit: PostgreSQL's bigserial."""

    def save(self) -> None:
        sequence: Iterator[int] = vars(self.disk).setdefault("sequence", count(1))
        updates, self.unsaved = self.unsaved, []
        rows = [(next(sequence), update) for update in updates]
        self.later(self.disk_delay(), self.commit, rows, updates)

    def commit(self, rows: list[tuple[int, bytes]], updates: list[bytes]) -> None:
        assert self.fanout is not None
        disk = self.disk
        disk.rows = dict(sorted([*disk.rows.items(), *rows]))
        disk.head = max(disk.head, rows[-1][0])
        self.saved(rows[0][0], updates)
        for number, update in rows:
            self.fanout.committed(number, [update])


class GivesUpCommits(SimServer):
    """Drops what it could not commit, as the storage was away."""

    def save(self) -> None:
        assert self.fanout is not None
        if self.fanout.is_cut_off:
            updates, self.unsaved = self.unsaved, []
            self.saved(0, updates)
        else:
            super().save()


class SnapshotsAtTheFirst(SimServer):
    """Puts a snapshot in the place of the first row that it stands for."""

    def compact(self) -> None:
        rows = self.disk.rows
        replacement = Replacement.of("room", self.disk.since(0), compact_updates)
        if replacement is not None:
            first, *others = replacement.numbers
            for number in others:
                del rows[number]
            rows[first] = replacement.snapshot


class NoHeads(FanoutSession):
    """Looks at no heads: what no hint tells stays unknown until there is another one."""

    def heads_read(self, heads: Mapping[str, int] | None, now: float) -> list[FanoutEffect]:
        return super().heads_read({}, now)


class HoleForRead(FanoutSession):
    """Goes on from the last hint, whatever was before it."""

    def received(self, channel: str, message: bytes, now: float, *, wall_s: float) -> list[FanoutEffect]:
        read = read_message(message)
        if isinstance(read, Hint):
            for followed in self._rooms.values():
                followed.follower.number = max(followed.follower.number, read.first - 1)
        return super().received(channel, message, now, wall_s=wall_s)


class OwnForAll(FanoutSession):
    """Takes what was committed here for all there is."""

    def committed(
        self, room: str, first: int, updates: Sequence[bytes], now: float, *, wall_s: float
    ) -> list[FanoutEffect]:
        followed = self._rooms[room]
        followed.follower.number = max(followed.follower.number, first - 1)
        return super().committed(room, first, updates, now, wall_s=wall_s)


def _with_session(session: type[FanoutSession]) -> dict[str, Any]:
    class Server(SimServer):
        def make_fanout_session(self, sender: bytes, *, max_message: int, now: float) -> FanoutSession:
            return session(sender, max_message=max_message, now=now)

    return {"server_type": Server}


def _canary(fault: dict[str, Any], seeds: int, world: SimOptions = CLUSTER, first: int = 0) -> Canary:
    return Canary(fault=fault, breaks=LOST, world=world, seeds=seeds, first=first)


CLUSTER_CANARIES = {
    "a hint before the commit": _canary({"server_type": PublishesBeforeCommit}, 100, SLOW),
    "numbers by a sequence": _canary({"server_type": NumbersBySequence}, 100, SLOW),
    "an acknowledgement before the commit": _canary({"server_type": AcknowledgesEarly}, 100, SLOW, first=20),
    "a commit that is given up": _canary({"server_type": GivesUpCommits}, 100),
    "a snapshot at the first number": _canary({"server_type": SnapshotsAtTheFirst}, 100),
    "no look at the heads": _canary(_with_session(NoHeads), 100),
    "a hole taken for read": _canary(_with_session(HoleForRead), 100),
    "one's own commit taken for all": _canary(_with_session(OwnForAll), 100),
}
