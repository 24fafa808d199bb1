"""Faults of peers with a replica, put in on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from support.canaries import Canary
from weft.providers.replica.yjs import YjsContent
from weft.testing.sim.options import SimOptions
from weft.testing.sim.replica_peer import ReplicaPeer

if TYPE_CHECKING:
    from weft.providers.replica.file import Row
    from weft.providers.replica.meta import Meta

__all__ = ["REPLICA_CANARIES"]

WORLD = SimOptions(topology="replica")
SPOILED = frozenset(
    {"P1 convergence", "P2 lost write", "two of one id", "P7 quiet", "gap", "pending", "RemoteProtocolError"}
)


class SendsBeforeDisk(ReplicaPeer):
    """Sends what is still on its way to the disk."""

    def _may_leave(self, number: int) -> bool:
        return True


class KeepsAuthor(ReplicaPeer):
    """Takes any file that lies there for the one it wrote."""

    def open_disk(self) -> tuple[list[Row], Meta | None, bool]:
        rows, meta, _ = super().open_disk()
        return rows, meta, meta is not None


class BlindContent(YjsContent):
    """Does not look whether the server knows more of the author than was sent."""

    def connected(self, session: object) -> None:
        super().connected(session)
        self._exposed = None


class Blind(ReplicaPeer):
    content_type = BlindContent


class ForgetfulContent(YjsContent):
    """Notes nothing of what is pending, as if all that stood in the file had been sent."""

    def note(self, meta: Meta) -> Meta:
        return replace(super().note(meta), accounted=self._own.last, folded=0)


class Forgetful(ReplicaPeer):
    content_type = ForgetfulContent


REPLICA_CANARIES = {
    "sent before it is on disk": Canary(
        fault={"replica_type": SendsBeforeDisk},
        breaks=frozenset({"sent before it was on disk"}),
        world=WORLD,
        seeds=20,
    ),
    "a copy that keeps the client id": Canary(
        fault={"replica_type": KeepsAuthor}, breaks=SPOILED, world=WORLD, seeds=40
    ),
    "a server that is not asked who writes": Canary(
        fault={"replica_type": Blind}, breaks=SPOILED, world=WORLD, seeds=20, first=2340
    ),
    "a file that forgets what is pending": Canary(
        fault={"replica_type": Forgetful}, breaks=frozenset({"pending"}), world=WORLD, seeds=50
    ),
}
