"""The disk of a peer with a replica: the file and what stands beside it, as far as they were committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.yjs.structs import STORED, read_update
from weft._support.files import FileIdentity
from weft.providers.replica.file import Row
from weft.providers.replica.sidecar import encode_proof, is_proof

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weft.providers.replica.meta import Meta
    from weft.testing.sim.ledger import Write

__all__ = ["ReplicaDisk"]


class ReplicaDisk:
    """What ``ReplicaFile`` keeps, in memory; what is called here has happened to the disk at once.

    Args:
        inode: Of the file: no two have the same.

    Attributes:
        rows: In their order.
        last: Number of the last row there ever was.
        meta: What the file says of itself.
        beside: The file beside it.
        ends: Up to which clock there are structs of each client.
        writes: Of the ledger, what is in the rows.
    """

    def __init__(self, inode: int) -> None:
        self._identity = FileIdentity("farm.weft", 1, inode)
        self.rows: list[Row] = []
        self.last = 0
        self.meta: Meta | None = None
        self.beside = b""
        self.ends: dict[int, int] = {}
        self.writes: tuple[Write, ...] = ()

    def open(self) -> tuple[list[Row], Meta | None, bool]:
        """Its rows, what it says of itself, and whether it is certain that no other one has its author."""
        meta = self.meta
        is_proved = meta is not None and is_proof(
            self.beside, self._identity, meta.token, meta.session, self.last
        )
        return list(self.rows), meta, is_proved

    def begin(self, meta: Meta) -> None:
        """Begin a session."""
        self.meta = meta
        self._note()

    def write(self, rows: Sequence[Row], meta: Meta | None, writes: tuple[Write, ...]) -> None:
        """Commit rows, what is known of them, and for the ledger whose they are."""
        self.rows += rows
        self.meta = meta or self.meta
        self.writes = writes
        if rows:
            self.last = rows[-1].number
        for row in rows:
            self._count(row.data)
        self._note()

    def replace(self, snapshot: bytes, last: int, kept: Collection[int], meta: Meta) -> None:
        """Replace the rows up to a number, but for some, by one."""
        gone = [row.number for row in self.rows if row.number <= last and row.number not in kept]
        rows = [row for row in self.rows if row.number not in gone]
        self.rows = sorted([*rows, Row(gone[-1], False, snapshot)])
        self.meta = meta
        self._count(snapshot)
        self._note()

    def _count(self, update: bytes) -> None:
        for run in read_update(update, STORED)[0]:
            self.ends[run.client] = max(self.ends.get(run.client, 0), run.end)

    def _note(self) -> None:
        if self.meta is not None:
            self.beside = encode_proof(self._identity, self.meta.token, self.meta.session, self.last)

    def copy_to(self, other: ReplicaDisk, *, beside: bool) -> None:
        """Put what is in the file into another one, perhaps with what stands beside it."""
        other.rows, other.last, other.meta = list(self.rows), self.last, self.meta
        other.ends, other.writes = dict(self.ends), self.writes
        if beside:
            other.beside = self.beside
