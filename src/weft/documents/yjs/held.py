"""Updates of which something waits, and how much each who brought them may have waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weft.documents.yjs.log_results import NoRoomError

if TYPE_CHECKING:
    from weft._codecs.yjs.ranges import Ranges
    from weft.documents.yjs.client_structs import Part

__all__ = ["Entry", "HeldUpdates", "Pending", "Queues", "Refused"]

_PART_BYTES, _NEED_BYTES = 512, 32  # what the objects for a held part, and for one need of it, take


class Pending:
    """An update that is being taken in.

    Attributes:
        update: Its bytes.
        origin: Who brought it.
        deletes: What it deletes, after all its structs are there.
        ends: For each client the clock that must be known for that.
        left: How many of its runs are not in the log yet.
        cost: Bytes it takes while it waits.
        is_cut: Whether a struct of it was there in part, so that the log has only the rest of it.
    """

    __slots__ = ("cost", "deletes", "ends", "is_cut", "left", "origin", "update")

    def __init__(self, update: bytes, origin: object, deletes: dict[int, Ranges], left: int) -> None:
        self.update = update
        self.origin = origin
        self.deletes = deletes
        self.ends = [(client, ranges.end) for client, ranges in deletes.items()]
        self.left = left
        self.cost = 0
        self.is_cut = False


class Entry(NamedTuple):
    """A part of an update; ``None`` for its deletions."""

    pending: Pending
    part: Part | None


Queues = dict[int, list[tuple[int, int, Entry]]]
"""For each client a heap: the clock waited for, a number, and what waits."""

Refused = list[tuple[str, Pending]]
"""Why a part of an update was refused, and the update."""


class HeldUpdates(dict[bytes, Pending]):
    """What waits, by its bytes.

    Whoever brings something may have as much waiting as is left to all others then: one has half of the room
    at most, and nobody can take the last of it. ``None``, of whom nothing is known, may have all of it.

    Args:
        max_bytes: Bytes of updates that may wait, with what the log must note of them.
    """

    __slots__ = ("_max_bytes", "_shares", "size")

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._shares: dict[object, int] = {}  # by who brought it; such as a session, by identity
        self.size = 0

    def hold(self, pending: Pending, parts: int, needs: int, *, unbounded: bool) -> None:
        """Add one.

        Args:
            pending: The update.
            parts: How many parts of it wait.
            needs: For how much.
            unbounded: Whether it is added in any case.

        Raises:
            NoRoomError: There is no room for it.
        """
        cost = pending.cost = len(pending.update) + parts * _PART_BYTES + needs * _NEED_BYTES
        share = self._shares.get(pending.origin, 0) + cost
        taken = self.size + cost + (share if pending.origin is not None else 0)
        if taken > self._max_bytes and not unbounded:
            raise NoRoomError(
                f"update of {len(pending.update)} bytes that does not follow on, and too much waits already"
            )
        self[pending.update] = pending
        self.size += cost
        self._shares[pending.origin] = share

    def release(self, pending: Pending) -> None:
        """Take one away."""
        del self[pending.update]
        self.size -= pending.cost
        left = self._shares[pending.origin] = self._shares[pending.origin] - pending.cost
        if not left:
            del self._shares[pending.origin]

    def drop(self, origin: object) -> list[Pending]:
        """Take away what somebody brought, or all."""
        dropped = [pending for pending in self.values() if origin is None or pending.origin is origin]
        for pending in dropped:
            self.release(pending)
        return dropped
