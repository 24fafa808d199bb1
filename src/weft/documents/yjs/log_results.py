"""What a log of updates says of an update."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from weft._codecs.yjs.ranges import Ranges
    from weft._codecs.yjs.run import Run
    from weft._codecs.yjs.small import SmallUpdate
    from weft._codecs.yjs.state import State

__all__ = ["Added", "CheckedUpdate", "NoRoomError"]


class NoRoomError(RemoteProtocolError):
    """An update would have to wait, and too much waits already."""


class Added(NamedTuple):
    """What became of an update that was given to :class:`UpdateLog`.

    Attributes:
        updates: What is now part of the log and was not, in an order that follows on: the update as received,
            or, where a part of it waits or a struct of it was known in part, what the log has taken of it;
            then what waited for it. Empty when nothing is new.
        held: Whether the update, or a part of it, waits for what is missing.
        is_new: Whether the update must be stored: it brought something, or waits and did not before.
        refused: Why parts of updates that had waited were dropped when what they waited for came; of a stored
            update also of itself.
        dropped: Of which updates these are parts, and who brought them.
        released: Updates that had waited and do so no more.
    """

    updates: tuple[bytes, ...]
    held: bool
    is_new: bool
    refused: tuple[str, ...] = ()
    dropped: tuple[tuple[bytes, object], ...] = ()
    released: tuple[bytes, ...] = ()


class CheckedUpdate(NamedTuple):
    """An update that has been walked through.

    Attributes:
        update: Its bytes.
        small: What it is, if it is a small one; the rest is empty then.
        runs: Its structs.
        deletes: What it deletes.
        max_depth: How deep types may be nested.
    """

    update: bytes
    small: SmallUpdate | None
    runs: list[Run]
    deletes: dict[int, Ranges]
    max_depth: int

    def ends(self) -> State:
        """The state that a document has of these clients when it has taken in all of them."""
        if self.small is not None:
            return {self.small.client: self.small.end}
        return {run.client: run.end for run in self.runs}
